import { describe, expect, it } from "vitest";
import type { Digest } from "../../../../src/core/oci/digest.ts";
import { normaliseReference } from "../../../../src/core/oci/reference.ts";
import { parsePolicy } from "../../../../src/core/policy/parse-policy.ts";
import { select } from "../../../../src/core/policy/select.ts";
import { explain, trustedBy } from "../../../../src/core/policy-tools/explain.ts";

const ALICE = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const BOB = "did:plc:z72i7hdynmk6r22z27h6tvur";
const CAROL = "did:web:carol.example.com";
const DENIED = `sha256:${"d".repeat(64)}`;
const ALLOWED = `sha256:${"a".repeat(64)}`;
const NOW = Date.UTC(2026, 5, 15);

const TEXT = `version: 1.0
trustedDIDs:
  ${ALICE}: { expiresAt: "2026-06-15T00:00:00Z" }
  ${BOB}: { validFrom: "2026-06-15T00:00:01Z" }
  ${CAROL}: {}
revokedDIDs: [${CAROL}]
digests: { deny: ["${DENIED}"], allow: ["${ALLOWED}"] }
policies:
  - { name: open, scope: "registry.k8s.io/**", action: allow }
  - { name: closed, scope: "*.bad.example/**", action: deny }
  - { name: app, scope: [atcr.io/*/prod-*, r.example/app], action: enforce, require: { minSignatures: 2, maxAge: 90d } }
  - { name: seen, scope: atcr.io/**, action: audit, require: { owner: any, trustedDIDs: [${CAROL}] } }
`;

function explained(image: string, text = TEXT) {
  const name = normaliseReference(image);
  return explain({ policy: parsePolicy(text, "policy.yaml"), atcrHosts: ["atcr.io"], now: NOW }, name, name.digest);
}

describe("explain", () => {
  it.each([
    ["registry.k8s.io/pause", "allow", "rule", "open", 0],
    ["x.bad.example/a/b", "deny", "rule", "closed", 1],
    ["r.example/app:v1", "enforce", "rule", "app", 2],
    ["atcr.io/a.example.com/x", "audit", "rule", "seen", 3],
    ["nginx", "deny", "default", undefined, 4],
  ])("says what decides about %s: %s by %s %s, after %d others", (image, action, decidedBy, rule, before) => {
    const found = explained(image);
    expect(found).toMatchObject({ action, decidedBy });
    expect(found.rule).toBe(rule);
    expect(found.passedOver).toHaveLength(before);
    expect(found.requires === undefined).toBe(action === "allow" || action === "deny");
  });

  it("looks at lists of digests before all rules", () => {
    expect(explained(`registry.k8s.io/pause@${DENIED}`)).toEqual({
      action: "deny",
      decidedBy: "digests.deny",
      passedOver: [],
    });
    expect(explained(`x.bad.example/a@${ALLOWED}`)).toEqual({
      action: "allow",
      decidedBy: "digests.allow",
      passedOver: [],
    });
    expect(explained(`registry.k8s.io/pause@sha256:${"0".repeat(64)}`)).toMatchObject({ decidedBy: "rule" });
  });

  it("says that lists of digests were not looked at where there are some and no digest", () => {
    for (const [list, text] of [
      ["both", TEXT],
      ["deny", TEXT.replace(`, allow: ["${ALLOWED}"]`, "")],
      ["allow", TEXT.replace(`deny: ["${DENIED}"], `, "")],
    ] as const) {
      expect(explained("registry.k8s.io/pause:3.10", text).digestsNotLookedAt, list).toBe(true);
      expect(explained("nginx", text).digestsNotLookedAt, list).toBe(true);
      expect(explained(`nginx@sha256:${"0".repeat(64)}`, text), list).not.toHaveProperty("digestsNotLookedAt");
    }
    expect(explained("nginx", TEXT.replace(/^digests: .*\n/m, ""))).not.toHaveProperty("digestsNotLookedAt");
  });

  it.each(["deny", "allow", "audit"])("decides as pulls do, with default: %s", (fallback) => {
    const text = `${TEXT}default: ${fallback}\n`;
    const policy = parsePolicy(text, "policy.yaml");
    const kinds = new Map([
      ["allow", "exempt"],
      ["enforce", "judge"],
      ["audit", "judge"],
    ]);
    for (const image of [
      "registry.k8s.io/pause",
      "x.bad.example/a",
      "r.example/app",
      "atcr.io/a.example.com/x",
      "b.c/d",
    ]) {
      for (const digest of [DENIED, ALLOWED, `sha256:${"0".repeat(64)}`]) {
        const found = explained(`${image}@${digest}`, text);
        const selection = select(policy, normaliseReference(image), digest as Digest);
        const denied = found.decidedBy === "default" ? "no_match" : "denied";
        expect([image, selection.kind]).toEqual([image, kinds.get(found.action) ?? denied]);
        if ("rule" in selection && found.decidedBy === "rule") {
          const { rule } = selection;
          expect(found.rule).toBe(typeof rule === "string" ? rule : rule?.name);
        }
      }
    }
  });

  it("says scope by scope why the rules before do not apply", () => {
    const because = (scope: string, image: string) => {
      const text = `version: 1\npolicies: [{ name: a, scope: "${scope}", action: deny }]\n`;
      return explained(image, text).passedOver[0]?.scopes[0]?.because;
    };
    expect(because("r.example/app", "s.example/app")).toBe("the image's host is s.example");
    expect(because("*.r.example/app", "s.example/app")).toBe("the image's host is s.example");
    expect(because("r.example/app/*", "r.example/app")).toMatch(/^the scope's path has 2 .* app has 1$/);
    expect(because("r.example/prod-*", "r.example/app")).toBe("prod-* does not match app");
    expect(because("r.example/a/**/b", "r.example/a/b")).toBe("the path a/b does not match");
    expect(explained("atcr.io/a.example.com/x").passedOver.map(({ rule }) => rule)).toEqual(["open", "closed", "app"]);
    expect(explained("atcr.io/a.example.com/x").passedOver[2]?.scopes).toHaveLength(2);
  });

  it("says what is required of this name now, and how its signers stand", () => {
    const { requires } = explained("atcr.io/a.example.com/prod-x");
    expect(requires).toMatchObject({ minSignatures: 2, owner: "match", repository: "match", tag: "any" });
    expect(requires?.maxAge).toBe(90 * 24 * 60 * 60 * 1000);
    expect(requires?.signers.map(({ signer, standing }) => [signer.did, standing])).toEqual([
      [ALICE, "expired"],
      [BOB, "not yet valid"],
      [CAROL, "revoked"],
    ]);
    expect(explained("r.example/app").requires?.owner).toBe("any");
    expect(explained("atcr.io/a.example.com/x").requires?.owner).toBe("any");
  });

  it("requires one signature of anybody under default: audit", () => {
    const found = explained("nginx", `${TEXT}default: audit\n`);
    expect(found).toMatchObject({ action: "audit", decidedBy: "default", requires: { minSignatures: 1 } });
    expect(trustedBy(found)).toEqual([ALICE, BOB]);
    expect(trustedBy(explained("nginx"))).toEqual([]);
  });
});
