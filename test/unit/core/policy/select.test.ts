import { describe, expect, it } from "vitest";
import type { Digest } from "../../../../src/core/oci/digest.ts";
import { parseReference } from "../../../../src/core/oci/reference.ts";
import { parsePolicy } from "../../../../src/core/policy/parse-policy.ts";
import { type Selection, select } from "../../../../src/core/policy/select.ts";

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

describe("select", () => {
  it("denies a listed digest before anything else", () => {
    for (const name of ["registry.k8s.io/pause", "atcr.io/alice/app", "other.example/app"]) {
      expect(selected(name, digest("d"), "allow")).toEqual({
        kind: "denied",
        because: expect.stringContaining("deny"),
      });
    }
  });

  it("exempts a listed digest before any rule", () => {
    for (const name of ["evil.example/app", "atcr.io/alice/app", "other.example/app"]) {
      expect(selected(name, digest("a"))).toEqual({ kind: "exempt", because: expect.stringContaining("allow") });
    }
  });

  it("takes the first rule whose scope matches, in file order", () => {
    expect(selected("registry.k8s.io/pause:3.9")).toEqual({
      kind: "exempt",
      rule: "sandbox",
      because: 'rule "sandbox" exempts registry.k8s.io/pause',
    });
    expect(selected("evil.example/a/b")).toEqual({
      kind: "denied",
      rule: "evil",
      because: 'rule "evil" denies evil.example/a/b',
    });
    const signers = [{ did: ALICE, revoked: false }];
    expect(selected("atcr.io/alice/trial")).toEqual({
      kind: "judge",
      rule: {
        name: "trial",
        action: "audit",
        requirement: { signers, minSignatures: 1, maxAge: 86_400_000, repository: "match", tag: "any" },
      },
    });
    const atcr = {
      name: "atcr",
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
      because: "no rule covers other.example/app and the default is deny",
    });
    expect(selected(name, digest("0"), "allow")).toEqual({
      kind: "exempt",
      because: "no rule covers other.example/app and the default is allow",
    });
    expect(selected(name, digest("0"), "audit")).toEqual({
      kind: "judge",
      rule: {
        name: "default",
        action: "audit",
        requirement: { signers: [{ did: ALICE, revoked: false }], minSignatures: 1, repository: "match", tag: "any" },
      },
    });
  });
});
