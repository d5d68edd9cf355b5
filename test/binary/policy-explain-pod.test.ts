import { afterAll, describe, expect, it } from "vitest";
import { type Answered, ask, Bench } from "../support/binary.ts";

// `policy explain --pod` as people run it; what it says of each name is tested without the program.

const HEX = "e".repeat(64);
const [bench, own] = [new Bench(), new Bench()];
afterAll(() => {
  bench.remove();
  own.remove();
});
bench.policy(`version: 1
trustedDIDs: [did:web:a.example]
policies: [{ name: all, scope: atcr.io/**, action: enforce, require: { owner: any } }]
default: deny
`);
const MANIFEST = `apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  template:
    spec:
      containers:
        - { name: a, image: atcr.io/a/app:v1 }
        - { name: b, image: "atcr.io/a/app:v1@sha256:${HEX}" }
      initContainers: [{ name: c, image: nginx }, { name: d, image: NGINX }, { name: e, image: atcr.io/a/job:v1 }]
---
apiVersion: v1
kind: Pod
metadata: { name: one }
spec: { containers: [{ name: a, image: atcr.io/a/app:v1 }] }
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: { name: r }
`;
const file = bench.write("manifest.yaml", MANIFEST);

const explain = (args: readonly string[], stdin = "", env = bench.env): Promise<Answered> =>
  ask(["policy", "explain", ...args], { env, stdin });

interface Line {
  readonly file: string;
  readonly line: number;
}
interface Said {
  readonly images: readonly {
    readonly written: string;
    readonly places: Line[];
    readonly admission: {
      readonly outcome: string;
      readonly code?: string;
      readonly withoutMutate?: { readonly outcome: string };
    };
    readonly requires?: object;
  }[];
  readonly withoutImages: readonly object[];
}

const saidBy = async (args: readonly string[], env = bench.env): Promise<Said> =>
  JSON.parse((await explain([...args, "--output", "json"], MANIFEST, env)).stdout) as Said;

describe.concurrent("policy explain --pod", () => {
  it("explains each image of a manifest once, with what admission says", async () => {
    const { code, stdout, stderr } = await explain(["--pod", file]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(`atcr.io/a/app:v1, named by
  ${file}:8: Deployment web (from line 1) at /spec/template/spec/containers/0/image
  ${file}:15: Pod one (from line 12) at /spec/containers/0/image
Admission: judged by evidence once /mutate has pinned the tag; refused (image.not_pinned) where /mutate is not registered
`);
    expect(stdout).toContain('atcr.io/a/app:v1: enforce, by rule "all" of ');
    expect(stdout).toContain("Admission: refused (image.malformed_reference)");
    expect(stdout).toContain(`${file}:17: Rollout r: admission looks for no image in it`);
  });

  it("says the same in JSON, also of standard input", async () => {
    const said = await saidBy(["--pod", "-"]);
    expect(said.images.map(({ written, admission: { outcome, code } }) => [written, outcome, code])).toEqual([
      ["nginx", "refused", "policy.no_match"],
      ["NGINX", "refused", "image.malformed_reference"],
      ["atcr.io/a/job:v1", "judged", undefined],
      ["atcr.io/a/app:v1", "judged", undefined],
      [`atcr.io/a/app:v1@sha256:${HEX}`, "judged", undefined],
    ]);
    expect(said.images[3]).toMatchObject({
      places: [
        { line: 8, name: "web", objectLine: 1, pointer: "/spec/template/spec/containers/0/image" },
        { line: 15, type: "v1/Pod", name: "one", objectLine: 12, pointer: "/spec/containers/0/image" },
      ],
      requires: { minSignatures: 1 },
      admission: { withoutMutate: { outcome: "refused", code: "image.not_pinned" } },
    });
    expect(said.withoutImages).toMatchObject([{ type: "argoproj.io/v1alpha1/Rollout", name: "r", line: 17 }]);
  });

  it("names the file and the line of an image as verify -f does", async () => {
    const args = ["-f", file, "--policy", bench.write("closed.yaml", "version: 1\ntrustedDIDs: {}\n")];
    const verified = await ask([...args, "--output", "json"], { env: bench.env });
    const { results } = JSON.parse(verified.stdout) as { readonly results: readonly { readonly places: Line[] }[] };
    const placed = (all: readonly { readonly places: Line[] }[]) =>
      all.flatMap(({ places }) => places.map((place) => `${place.file}:${place.line}`)).toSorted();
    const { images } = await saidBy(["--pod", file]);
    expect(placed(images)).toEqual(placed(results));
  });

  it("refuses no name that cannot be read where the policy audits everything", async () => {
    const audits = bench.write("audits.yaml", "version: 1\ntrustedDIDs: [did:web:a.example]\ndefault: audit\n");
    const { images } = await saidBy(["--pod", file, "--policy", audits]);
    const { admission } = images.find(({ written }) => written === "NGINX") ?? {};
    expect(admission).toMatchObject({ outcome: "audited", code: "image.malformed_reference" });
  });

  it.each([
    ["refused where no listener pins them", ["health"], "refuse", "refused", undefined],
    ["pinned where a listener does", ["health", "mutate"], "refuse", "judged", "refused"],
    ["resolved where it says so", ["health"], "resolve-unpinned", "judged", undefined],
  ])("by the server's configuration has tags %s", async (_, gates, tags, outcome, withoutMutate) => {
    own.policy(
      "version: 1\ntrustedDIDs: [did:web:a.example]\npolicies: [{ name: all, scope: '**', action: enforce, require: { owner: any } }]\n",
    );
    const listeners = gates.map((gate, i) => ({ listen: `127.0.0.1:${8443 + i}`, gates: [gate] }));
    const config = own.configure({ server: { listeners, tags } }, `${tags}-${gates.length}.yaml`);
    const { images } = await saidBy(["--pod", file, "--config", config], own.env);
    const { admission } = images.find(({ written }) => written === "atcr.io/a/app:v1") ?? {};
    expect([admission?.outcome, admission?.withoutMutate?.outcome]).toEqual([outcome, withoutMutate]);
  });

  it.each([
    ["an image and a manifest", ["nginx", "--pod", file], "input.malformed"],
    ["neither", [], "input.malformed"],
    ["a manifest that is not there", ["--pod", "/nonexistent"], "input.malformed"],
    [
      "a manifest without pods",
      ["--pod", bench.write("service.yaml", "apiVersion: v1\nkind: Service\n")],
      "input.no_images",
    ],
    ["two things from standard input", ["--pod", "-", "--policy", "-"], "input.malformed"],
  ])("refuses %s", async (_, args, expected) => {
    const { code, stdout } = await explain(args);
    expect(code).toBe(3);
    expect(stdout).toContain(expected);
  });
});
