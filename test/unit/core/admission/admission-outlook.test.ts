import { describe, expect, it } from "vitest";
import { admissionOutlook, unreadableOutlook } from "../../../../src/core/admission/admission-outlook.ts";
import { normaliseReference } from "../../../../src/core/oci/reference.ts";
import { parsePolicy } from "../../../../src/core/policy/parse-policy.ts";
import { explain } from "../../../../src/core/policy-tools/explain.ts";
import { rejectionOf } from "../../../support/rejection.ts";

const DENIED = `sha256:${"d".repeat(64)}`;
const DIGEST = `sha256:${"e".repeat(64)}`;
const RULES = `version: 1.0
trustedDIDs: [did:web:a.example]
policies:
  - { name: open, scope: open.example/**, action: allow }
  - { name: closed, scope: closed.example/**, action: deny }
  - { name: app, scope: atcr.io/**, action: enforce, require: { owner: any } }
  - { name: seen, scope: seen.example/**, action: audit, require: { owner: any } }
`;

interface Asked {
  readonly tags?: "refuse" | "resolve-unpinned";
  readonly isPinning?: boolean;
  readonly isOfPod?: boolean;
  readonly text?: string;
}

function outlook(image: string, { tags = "refuse", isPinning = false, isOfPod = true, text = RULES }: Asked = {}) {
  const name = normaliseReference(image);
  const policy = parsePolicy(text, "policy.yaml");
  const explanation = explain({ policy, atcrHosts: [], now: 0 }, name, name.digest);
  return admissionOutlook(name, explanation, { tags, isPinning, isOfPod });
}

describe("what admission says of a name", () => {
  it.each([
    ["open.example/a:1", "allowed", undefined],
    ["closed.example/a:1", "refused", "policy.denied"],
    [`closed.example/a@${DIGEST}`, "refused", "policy.denied"],
    ["nowhere.example/a:1", "refused", "policy.no_match"],
    ["atcr.io/a/b:1", "refused", "image.not_pinned"],
    ["atcr.io/a/b", "refused", "image.not_pinned"],
    ["seen.example/a:1", "audited", "image.not_pinned"],
    [`atcr.io/a/b:1@${DIGEST}`, "judged", undefined],
    [`seen.example/a@${DIGEST}`, "judged", undefined],
  ])("%s: %s %s", (image, outcome, code) => {
    expect(outlook(image)).toMatchObject({ outcome });
    expect(outlook(image).code).toBe(code);
  });

  it.each([
    ["atcr.io/a/b:1", "refused"],
    ["atcr.io/a/b", "refused"],
    ["seen.example/a:1", "audited"],
  ])("is judged once /mutate has pinned the tag: %s, else %s", (image, outcome) => {
    const said = outlook(image, { isPinning: true });
    expect(said).toMatchObject({ outcome: "judged", withoutMutate: { outcome, code: "image.not_pinned" } });
    expect(said.code).toBeUndefined();
    // One answer is enough where it is not served.
    expect(outlook(image)).not.toHaveProperty("withoutMutate");
  });

  it.each([
    ["open.example/a:1", {}],
    ["closed.example/a:1", {}],
    [`atcr.io/a/b:1@${DIGEST}`, {}],
    ["atcr.io/a/b:1", { isOfPod: false }],
    ["atcr.io/a/b:1", { tags: "resolve-unpinned" }],
  ] as const)("is the same without /mutate for %s %j", (image, gates) => {
    const [pinning, alone] = [outlook(image, { ...gates, isPinning: true }), outlook(image, gates)];
    expect(pinning).not.toHaveProperty("withoutMutate");
    expect(pinning.outcome).toBe(alone.outcome);
  });

  it.each([
    [{}, ["It has no digest", "No listener"]],
    [{ isPinning: true }, ["/mutate writes the digest", "A tag that it cannot pin"]],
    [{ isOfPod: false }, ["At /admit", "Its pods are judged again and refused"]],
    [{ isOfPod: false, isPinning: true }, ["At /admit", "Its pods are judged again: by digest"]],
    [{ tags: "resolve-unpinned" }, ["The tag is resolved"]],
    [{ tags: "resolve-unpinned", isPinning: true }, ["The tag is resolved", "A pod whose tag /mutate has pinned"]],
  ] as const)("says of a tag with %j why", (gates, because) => {
    expect(outlook("atcr.io/a/b:1", gates).because).toEqual(because.map((begin) => expect.stringContaining(begin)));
  });

  it("is judged by what a tag names where the server resolves tags", () => {
    for (const image of ["atcr.io/a/b:1", "seen.example/a:1"])
      expect(outlook(image, { tags: "resolve-unpinned" }).outcome).toBe("judged");
  });

  it("is judged in a workload, whose pods are refused unless they are pinned", () => {
    expect(outlook("atcr.io/a/b:1", { isOfPod: false })).toMatchObject({
      outcome: "judged",
      because: [expect.stringContaining("is resolved"), expect.stringContaining("image.not_pinned")],
    });
    expect(outlook("closed.example/a:1", { isOfPod: false }).outcome).toBe("refused");
  });

  it("looks at lists of digests", () => {
    const text = `${RULES}digests: { deny: ["${DENIED}"] }\n`;
    expect(outlook(`open.example/a@${DENIED}`, { text })).toMatchObject({ outcome: "refused", code: "policy.denied" });
    expect(outlook("open.example/a:1", { text }).because[0]).toContain("resolved only to see");
    expect(outlook("open.example/a:1").because[0]).toContain("No registry is asked");
  });
});

describe("what admission says of a name that cannot be read", () => {
  const problem = rejectionOf(() => normaliseReference("NGINX"));
  const AUDITED = "version: 1.0\ntrustedDIDs: [did:web:a.example]\ndefault: audit\n";

  it.each([
    ["rules that enforce", RULES, "refused"],
    ["rules that all audit", AUDITED, "audited"],
    ["such rules and a denied digest, which it may have", `${AUDITED}digests: { deny: ["${DENIED}"] }\n`, "refused"],
  ])("by %s", (_, text, outcome) => {
    const { because, ...said } = unreadableOutlook(problem, parsePolicy(text, "policy.yaml"));
    expect(said).toEqual({ outcome, code: "image.malformed_reference" });
    const audited = expect.stringContaining("it is admitted as well");
    expect(because).toEqual([problem.message, ...(outcome === "audited" ? [audited] : [])]);
  });
});
