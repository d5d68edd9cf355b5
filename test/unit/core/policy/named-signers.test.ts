import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Did } from "../../../../src/core/atproto/syntax.ts";
import type { Digest } from "../../../../src/core/oci/digest.ts";
import { parseReference } from "../../../../src/core/oci/reference.ts";
import { isAsInstalled, trustOnly } from "../../../../src/core/policy/named-signers.ts";
import { readPolicy } from "../../../../src/core/policy/parse-policy.ts";
import { policyHash } from "../../../../src/core/policy/policy.ts";
import { type Selection, select } from "../../../../src/core/policy/select.ts";

const [ALICE, BOB, CAROL] = ["did:web:alice.example", "did:web:bob.example", "did:web:carol.example"] as const;
const did = (text: string): Did => text as Did;
const digest = (digit: string): Digest => `sha256:${digit.repeat(64)}` as Digest;
const IMAGE = parseReference("atcr.io/alice.example.com/app");
const INSTALLED = readPolicy(
  `
version: 1
trustedDIDs:
  ${ALICE}: { name: Alice, pds: ["https://pds.example"], minRev: 3l6oveex3ii2l, expiresAt: "2030-01-01T00:00:00Z" }
  ${BOB}: {}
revokedDIDs: [${BOB}, ${CAROL}]
digests: { deny: ["${digest("d")}"], allow: ["${digest("a")}"] }
policies:
  - { name: evil, scope: "atcr.io/**", action: deny }
  - { name: free, scope: "free.example/**", action: allow }
  - { name: strict, scope: "**", action: enforce, require: { minSignatures: 2 } }
default: allow
`,
  "policy.yaml",
  [{ name: "policy.d/10.yaml", text: `{version: 1, digests: {deny: ["${digest("e")}"]}}` }],
);

const judged = (selection: Selection) => {
  if (selection.kind !== "judge") return expect.fail(`${selection.kind}: not judged`);
  return selection.rule;
};

describe("a policy of named signers", () => {
  it("replaces rules, default and exempt digests by one rule that any of them meets", () => {
    const policy = trustOnly([ALICE, BOB].map(did), INSTALLED);
    for (const name of ["atcr.io/alice.example.com/app", "free.example/x", "other.example/y"]) {
      for (const digit of ["0", "a"]) {
        const rule = judged(select(policy, parseReference(name), digest(digit)));
        expect(rule).toMatchObject({ name: "--signer", file: "", action: "enforce" });
        expect(rule.requirement).toMatchObject({ minSignatures: 1, repository: "match", tag: "any" });
        expect(rule.requirement.owner).toBeUndefined();
        expect(rule.requirement.signers.map(({ did }) => did)).toEqual([ALICE, BOB]);
      }
    }
    expect(policy.hash).toBe(INSTALLED.policy.hash);
  });

  it("denies what the installed policy denies by digest, and says where it stands", () => {
    const policy = trustOnly([ALICE as Did], INSTALLED);
    expect(select(policy, IMAGE, digest("d"))).toMatchObject({
      kind: "denied",
      rule: { name: "digests.deny", file: "policy.yaml", line: 7 },
    });
    expect(select(policy, IMAGE, digest("e"))).toMatchObject({
      kind: "denied",
      rule: { name: "digests.deny", file: "policy.d/10.yaml", line: 1 },
    });
  });

  it("keeps a DID's settings, and its revocation even where no rule names it", () => {
    const { signers } = judged(
      select(trustOnly([CAROL, BOB, ALICE].map(did), INSTALLED), IMAGE, digest("0")),
    ).requirement;
    const [carol, bob, alice] = signers;
    expect(carol).toEqual({ did: CAROL, revoked: true });
    expect(bob).toEqual({ did: BOB, revoked: true });
    expect(alice).toEqual(INSTALLED.policy.everyone[0]);
    expect(alice).toMatchObject({ pds: ["https://pds.example"], minRev: "3l6oveex3ii2l", revoked: false });
  });

  it("needs no installed policy", () => {
    const policy = trustOnly([ALICE as Did], undefined);
    expect(judged(select(policy, IMAGE, digest("0"))).requirement.signers).toEqual([{ did: ALICE, revoked: false }]);
    expect([policy.hash, policy.fallback]).toEqual([policyHash([]), "deny"]);
  });

  it("of nobody lets nothing through", () => {
    expect(judged(select(trustOnly([], INSTALLED), IMAGE, digest("0")))).toMatchObject({
      action: "enforce",
      requirement: { signers: [], minSignatures: 1 },
    });
  });
});

describe("a policy as installed", () => {
  const policy = (text: string) => readPolicy(`version: 1\n${text}`, "policy.yaml");

  it("is the one in the package", () => {
    const path = join(import.meta.dirname, "../../../../packaging/etc/trust-policy.yaml");
    expect(isAsInstalled(readPolicy(readFileSync(path, "utf8"), path))).toBe(true);
  });

  it("names no signer, and only audits", () => {
    for (const text of [
      "default: audit",
      'trustedDIDs:\npolicies: [{name: a, scope: "**", action: audit}]\ndefault: audit',
      "policies: [{name: sandbox, scope: registry.k8s.io/pause, action: allow}]\ndefault: audit",
    ]) {
      expect(isAsInstalled(policy(text)), text).toBe(true);
    }
  });

  it.each([
    ["", "its default denies"],
    ["default: deny", "its default denies"],
    ["default: allow", "its default allows"],
    ["policies: [{name: a, scope: a.example/b, action: allow}]\ndefault: audit", "a rule allows"],
    ["revokedDIDs: [did:web:a.example]\ndefault: audit", "a signer is revoked"],
    ["trustedDIDs: [did:web:a.example]\ndefault: audit", "it names a signer"],
    ["policies: [{name: a, scope: a.example/b, action: deny}]\ndefault: audit", "a rule denies"],
    [`digests: {deny: ["${digest("d")}"]}\ndefault: audit`, "a digest is denied"],
    [`digests: {allow: ["${digest("a")}"]}\ndefault: audit`, "a digest is allowed"],
    [
      "revokedDIDs: [did:web:a.example]\npolicies: [{name: a, scope: a.example/b, action: deny}]\ndefault: audit",
      "a rule denies",
    ],
  ])("is not one of which somebody has written a part: %j (%s)", (text) => {
    expect(isAsInstalled(policy(text))).toBe(false);
  });
});
