import { describe, expect, it } from "vitest";
import type { Digest } from "../../../../src/core/oci/digest.ts";
import { parseReference } from "../../../../src/core/oci/reference.ts";
import { parsePolicy } from "../../../../src/core/policy/parse-policy.ts";
import { decidedByName, type Selection, select } from "../../../../src/core/policy/select.ts";

const ALICE = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const digest = (digit: string): Digest => `sha256:${digit.repeat(64)}` as Digest;

const policy = (fallback: string) =>
  parsePolicy(
    `
version: 1.0
trustedDIDs: { ${ALICE}: {} }
digests:
  deny: ["${digest("d")}"]
  allow: ["${digest("a")}"]
policies:
  - { name: sandbox, scope: registry.k8s.io/pause, action: allow }
  - { name: evil, scope: "evil.example/**", action: deny }
  - { name: trial, scope: "atcr.io/*/trial", action: audit, require: { maxAge: 1d } }
  - { name: atcr, scope: ["atcr.io/**", "registry.k8s.io/**"], action: enforce, require: { minSignatures: 1 } }
  - { name: shadowed, scope: "atcr.io/alice/app", action: deny }
default: ${fallback}
`,
    "policy.yaml",
  );

const selected = (name: string, of: Digest = digest("0"), fallback = "deny"): Selection =>
  select(policy(fallback), parseReference(name), of);

const at = (name: string, line: number) => ({ name, file: "policy.yaml", line });

describe("select", () => {
  it("denies a listed digest before anything else", () => {
    for (const name of ["registry.k8s.io/pause", "atcr.io/alice/app", "other.example/app"]) {
      expect(selected(name, digest("d"), "allow")).toEqual({
        kind: "denied",
        rule: at("digests.deny", 5),
        because: expect.stringContaining("deny"),
      });
    }
  });

  it("exempts a listed digest before any rule", () => {
    for (const name of ["evil.example/app", "atcr.io/alice/app", "other.example/app"]) {
      expect(selected(name, digest("a"))).toEqual({
        kind: "exempt",
        rule: at("digests.allow", 6),
        because: expect.stringContaining("allow"),
      });
    }
  });

  it("takes the first rule whose scope matches, in file order", () => {
    expect(selected("registry.k8s.io/pause:3.9")).toEqual({
      kind: "exempt",
      rule: at("sandbox", 8),
      because: 'rule "sandbox" exempts registry.k8s.io/pause',
    });
    expect(selected("evil.example/a/b")).toEqual({
      kind: "denied",
      rule: at("evil", 9),
      because: 'rule "evil" denies evil.example/a/b',
    });
    const signers = [{ did: ALICE, revoked: false }];
    expect(selected("atcr.io/alice/trial")).toEqual({
      kind: "judge",
      rule: {
        ...at("trial", 10),
        action: "audit",
        requirement: { signers, minSignatures: 1, maxAge: 86_400_000, repository: "match", tag: "any" },
      },
    });
    const atcr = {
      ...at("atcr", 11),
      action: "enforce",
      requirement: { signers, minSignatures: 1, repository: "match", tag: "any" },
    };
    expect(selected("atcr.io/alice/app:v1")).toEqual({ kind: "judge", rule: atcr });
    expect(selected("registry.k8s.io/pause/x")).toEqual({ kind: "judge", rule: atcr });
  });

  it("falls back to the default", () => {
    const name = "other.example/app:v1";
    expect(selected(name, digest("0"), "deny")).toEqual({
      kind: "no_match",
      rule: at("default", 13),
      because: "no rule covers other.example/app and the default is deny",
    });
    expect(selected(name, digest("0"), "allow")).toEqual({
      kind: "exempt",
      rule: at("default", 13),
      because: "no rule covers other.example/app and the default is allow",
    });
    expect(selected(name, digest("0"), "audit")).toEqual({
      kind: "judge",
      rule: {
        ...at("default", 13),
        action: "audit",
        requirement: { signers: [{ did: ALICE, revoked: false }], minSignatures: 1, repository: "match", tag: "any" },
      },
    });
  });

  it("names the fragment in which a rule stands", () => {
    const rule = (name: string) =>
      `version: 1\n\npolicies: [{ name: ${name}, scope: ${name}.example/**, action: deny },\n  { name: ${name}2, scope: ${name}2.example/**, action: deny }]`;
    const fragments = ["a", "b"].map((name) => ({ name: `policy.d/${name}.yaml`, text: rule(name) }));
    const of = (name: string) =>
      select(parsePolicy("version: 1", "policy.yaml", fragments), parseReference(name), digest("0"));
    expect(of("a.example/app").rule).toEqual({ name: "a", file: "policy.d/a.yaml", line: 3 });
    expect(of("b.example/app").rule).toEqual({ name: "b", file: "policy.d/b.yaml", line: 3 });
    expect([of("a2.example/app").rule, of("b2.example/app").rule]).toMatchObject([
      { name: "a2", file: "policy.d/a.yaml", line: 4 },
      { name: "b2", file: "policy.d/b.yaml", line: 4 },
    ]);
    // A default that is not written stands where it could be.
    expect(of("c.example/app").rule).toEqual(at("default", 1));
  });
});

describe("decidedByName", () => {
  const decided = (name: string, { deny = false, allow = false, fallback = "deny" } = {}) => {
    const lists = [...(deny ? [`deny: ["${digest("d")}"]`] : []), ...(allow ? [`allow: ["${digest("a")}"]`] : [])];
    const text = `
version: 1.0
trustedDIDs: { ${ALICE}: {} }
${lists.length > 0 ? `digests: { ${lists.join(", ")} }` : ""}
policies:
  - { name: sandbox, scope: registry.k8s.io/pause, action: allow }
  - { name: evil, scope: "evil.example/**", action: deny }
  - { name: trial, scope: "atcr.io/*/trial", action: audit }
  - { name: atcr, scope: "atcr.io/**", action: enforce }
default: ${fallback}
`;
    return decidedByName(parsePolicy(text, "policy.yaml"), parseReference(name))?.kind;
  };

  it("is what a rule or the default says without evidence", () => {
    expect(decided("registry.k8s.io/pause:3.9")).toBe("exempt");
    expect(decided("evil.example/app:v1")).toBe("denied");
    expect(decided("other.example/app:v1")).toBe("no_match");
    expect(decided("other.example/app:v1", { fallback: "allow" })).toBe("exempt");
  });

  it("is nothing where signatures decide", () => {
    expect(decided("atcr.io/alice/app:v1")).toBeUndefined();
    expect(decided("atcr.io/alice/trial:v1")).toBeUndefined();
    expect(decided("other.example/app:v1", { fallback: "audit" })).toBeUndefined();
  });

  it("is nothing where a listed digest could overturn it, and stays where it could not", () => {
    expect(decided("registry.k8s.io/pause:3.9", { deny: true })).toBeUndefined();
    expect(decided("registry.k8s.io/pause:3.9", { allow: true })).toBe("exempt");
    expect(decided("evil.example/app:v1", { allow: true })).toBeUndefined();
    expect(decided("evil.example/app:v1", { deny: true })).toBe("denied");
    expect(decided("other.example/app:v1", { allow: true })).toBeUndefined();
    expect(decided("other.example/app:v1", { deny: true })).toBe("no_match");
    expect(decided("other.example/app:v1", { deny: true, fallback: "allow" })).toBeUndefined();
  });
});
