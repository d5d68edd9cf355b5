import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { DEFAULT_CONFIG } from "../../../../src/core/config/config.ts";
import { parseConfig } from "../../../../src/core/config/parse-config.ts";
import type { Digest } from "../../../../src/core/oci/digest.ts";
import { parseReference } from "../../../../src/core/oci/reference.ts";
import { whyNotInForce } from "../../../../src/core/policy/break-glass.ts";
import { readBreakGlass } from "../../../../src/core/policy/parse-break-glass.ts";
import { parsePolicy } from "../../../../src/core/policy/parse-policy.ts";
import type { TrustPolicy } from "../../../../src/core/policy/policy.ts";
import { select } from "../../../../src/core/policy/select.ts";

const FOLDER = new URL("../../../../config-examples/", import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, FOLDER), "utf8");

const ALICE = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const PIPELINE = "did:plc:z72i7hdynmk6r22z27h6tvur";
const OLD = "did:web:builds.example.com";
const ANY = `sha256:${"0".repeat(64)}` as Digest;

/** Beside the other examples it would be in force for each of them. */
const FRAGMENT = "with-fragments/policy.d/50-team.yaml";

const policy = (file: string): TrustPolicy => {
  const fragments = file.startsWith("with-fragments/") ? [{ name: FRAGMENT, text: read(FRAGMENT) }] : [];
  return parsePolicy(read(file), file, fragments);
};

/** What is selected, in a word or two: `exempt sandbox`, `enforce production 2 of DID DID`. */
function selected(policy: TrustPolicy, name: string, digest = ANY): string {
  const selection = select(policy, parseReference(name), digest);
  switch (selection.kind) {
    case "no_match":
      return "no match";
    case "exempt":
    case "denied":
      return `${selection.kind} ${selection.rule.name}`;
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
  "with-fragments/trust-policy.yaml": [
    ["registry.k8s.io/pause:3.10", "exempt sandbox"],
    ["atcr.io/alice.example.com/app", `enforce platform 1 of ${ALICE}`],
    ["atcr.io/payments.example.com/api", `enforce payments 1 of ${PIPELINE}`],
    ["atcr.io/bob.example.com/app", "no match"],
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
    const files = readdirSync(FOLDER, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".yaml"));
    expect(files.length).toBeGreaterThan(0);
    expect(files.toSorted()).toEqual(
      [
        "break-glass.yaml",
        "config.yaml",
        "policy-test.yaml",
        "prometheus-alerts.yaml",
        FRAGMENT,
        ...Object.keys(EXPECTED),
      ].toSorted(),
    );
  });

  it("tell editors where the packages put the schema of a policy", () => {
    const modeline = "# yaml-language-server: $schema=/usr/share/atcr-verify/trust-policy.schema.json\n";
    for (const name of [...Object.keys(EXPECTED), FRAGMENT]) expect(read(name).startsWith(modeline), name).toBe(true);
  });

  describe.each(Object.entries(EXPECTED))("%s", (file, expectations) => {
    it.each(expectations)("selects for %s: %s", (name, expected) => {
      expect(selected(policy(file), name)).toBe(expected);
    });
  });

  it("production.yaml revokes, denies a digest, pins, and requires what can be met", () => {
    const production = policy("production.yaml");
    expect(production.everyone.filter(({ revoked }) => revoked).map(({ did }) => did)).toEqual([OLD]);
    const denied = `sha256:${"0".repeat(56)}deadbeef` as Digest;
    expect(selected(production, "registry.k8s.io/pause", denied)).toBe("denied digests.deny");
    const pipeline = { pds: ["https://pds.example.com"], minRev: "3ktn4qjakfk2a" };
    expect(production.everyone.find(({ did }) => did === PIPELINE)).toMatchObject(pipeline);
    const [, , rule] = production.rules;
    const day = 24 * 60 * 60 * 1000;
    const spans = { maxAge: 90 * day, minKeyAge: 3 * day, maxStaleness: day };
    expect(rule?.requirement).toMatchObject({ minSignatures: 2, owner: "any", tag: "any", ...spans });
  });

  it("require nobody to have a record of the tag, whose key is believed alone, and show how", () => {
    for (const file of Object.keys(EXPECTED)) {
      for (const { requirement } of policy(file).rules) expect([file, requirement.tag]).toEqual([file, "any"]);
    }
    const asking = parsePolicy(read("production.yaml").replace("# tag: match", "tag: match"), "production.yaml");
    expect(asking.rules.find(({ name }) => name === "production")?.requirement.tag).toBe("match");
  });

  it("one-signer.yaml requires the name to be the signer's, by default", () => {
    const [rule] = policy("one-signer.yaml").rules;
    expect(rule?.requirement).not.toHaveProperty("owner");
  });

  it("break-glass.yaml can be read, and has expired", () => {
    const broken = readBreakGlass(read("break-glass.yaml"), "break-glass.yaml");
    expect(whyNotInForce(broken, Date.now(), Date.now())).toContain("expired");
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
