import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { DEFAULT_CONFIG, parseConfig } from "../../../src/config/config.ts";
import type { Digest } from "../../../src/oci/digest.ts";
import { parseReference } from "../../../src/oci/reference.ts";
import { parsePolicy } from "../../../src/policy/parse.ts";
import type { TrustPolicy } from "../../../src/policy/policy.ts";
import { select } from "../../../src/policy/select.ts";

const FOLDER = new URL("../../../config-examples/", import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, FOLDER), "utf8");

const ALICE = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const PIPELINE = "did:plc:z72i7hdynmk6r22z27h6tvur";
const OLD = "did:web:builds.example.com";
const ANY = `sha256:${"0".repeat(64)}` as Digest;

/** What is selected, in a word or two: `exempt sandbox`, `enforce production 2 of DID DID`. */
function selected(policy: TrustPolicy, name: string, digest = ANY): string {
  const selection = select(policy, parseReference(name), digest);
  switch (selection.kind) {
    case "no_match":
      return "no match";
    case "exempt":
    case "denied":
      return `${selection.kind} ${selection.rule ?? ""}`.trim();
    case "judge": {
      const { name: rule, action, requirement } = selection.rule;
      return `${action} ${rule} ${requirement.minSignatures} of ${requirement.signers.map(({ did }) => did).join(" ")}`;
    }
  }
}

const EXPECTED: Readonly<Record<string, readonly (readonly [name: string, expected: string])[]>> = {
  "audit-first.yaml": [
    ["atcr.io/alice.example.com/app:v1", `audit default 1 of ${ALICE}`],
    ["registry.k8s.io/pause:3.10", `audit default 1 of ${ALICE}`],
  ],
  "one-signer.yaml": [
    ["atcr.io/alice.example.com/app:v1", `enforce alice 1 of ${ALICE}`],
    ["atcr.io/alice.example.com/team/app", `enforce alice 1 of ${ALICE}`],
    ["atcr.io/bob.example.com/app", "no match"],
    ["registry.k8s.io/pause:3.10", "no match"],
  ],
  "production.yaml": [
    ["registry.k8s.io/pause:3.10", "exempt sandbox"],
    ["registry.k8s.io/kube-proxy:v1.34.0", "exempt kubernetes"],
    ["registry.k8s.io/coredns/coredns:v1.12.0", "exempt kubernetes"],
    ["registry.k8s.io/other", "no match"],
    ["evil.example/registry.k8s.io/pause", "no match"],
    ["atcr.io/alice.example.com/prod-web", `enforce production 2 of ${ALICE} ${PIPELINE}`],
    ["atcr.io/alice.example.com/staging-web", `audit staging 1 of ${ALICE} ${PIPELINE} ${OLD}`],
    ["atcr.io/alice.example.com/web", "no match"],
    ["old-registry.example.com/a/b", "denied retired-registry"],
  ],
  "list-form.yaml": [
    ["atcr.io/payments.example.com/api", `enforce payments 1 of ${ALICE} ${PIPELINE}`],
    ["atcr.io/alice.example.com/app", `enforce everything-on-atcr 1 of ${ALICE}`],
    ["docker.io/library/nginx", "no match"],
  ],
  "docker-hub.yaml": [
    ["docker.io/library/nginx:1.29", "exempt official-images"],
    ["docker.io/library/postgres", "no match"],
    ["docker.io/alice/app", `enforce own-on-docker-hub 1 of ${ALICE}`],
    ["registry.example.com:5000/mirror/app", `enforce mirror 1 of ${ALICE}`],
    ["registry.example.com/mirror/app", "no match"],
    ["atcr.io/alice.example.com/app", `enforce atcr 1 of ${ALICE}`],
  ],
};

describe("config-examples", () => {
  it("are all tested", () => {
    const files = readdirSync(FOLDER);
    expect(files.length).toBeGreaterThan(0);
    expect(files.toSorted()).toEqual(["config.yaml", ...Object.keys(EXPECTED)].toSorted());
  });

  describe.each(Object.entries(EXPECTED))("%s", (file, expectations) => {
    it.each(expectations)("selects for %s: %s", (name, expected) => {
      expect(selected(parsePolicy(read(file), file), name)).toBe(expected);
    });
  });

  it("production.yaml revokes, denies a digest, and pins", () => {
    const policy = parsePolicy(read("production.yaml"), "production.yaml");
    expect(policy.everyone.filter(({ revoked }) => revoked).map(({ did }) => did)).toEqual([OLD]);
    const denied = `sha256:${"0".repeat(56)}deadbeef` as Digest;
    expect(selected(policy, "registry.k8s.io/pause", denied)).toBe("denied");
    expect(policy.everyone.find(({ did }) => did === PIPELINE)?.pds).toEqual(["https://pds.example.com"]);
  });

  it("config.yaml shows the defaults, and an example of network.allow", () => {
    const { network, ...rest } = parseConfig(read("config.yaml"), "config.yaml");
    const { network: _, ...defaults } = DEFAULT_CONFIG;
    expect(rest).toEqual(defaults);
    expect(network.cidrs).toHaveLength(2);
    expect(network.hosts).toEqual([
      "pds.internal.example.com",
      "registry.internal.example.com:5000",
      "registry.test.example.com:5000",
    ]);
    expect(network.plainHttp).toEqual(["registry.test.example.com:5000"]);
  });
});
