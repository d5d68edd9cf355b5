import { describe, expect, it } from "vitest";
import type { TrustPolicy } from "../../../src/policy/policy.ts";
import { parseScope } from "../../../src/policy/scope.ts";
import type { Evidence } from "../../../src/verify/evidence.ts";
import { judgeBundle, type SavedCase } from "../../../src/verify/offline.ts";
import { DIGEST, digestOf, gap, INDEX, NOW, pointer, rule, signer, subject, trusted } from "../../support/evidence.ts";
import { codeOf } from "../../support/rejection.ts";

const alice = await signer({ name: "alice" });
const signatures = [await alice.evidence()];

function policy(action: "enforce" | "audit" | "allow" | "deny" = "enforce"): TrustPolicy {
  const scope = parseScope("registry.example/**");
  if ("expected" in scope) throw new Error(scope.expected);
  const { name, requirement } = rule([trusted(alice.did)]);
  const none = new Set<never>();
  const rules = [{ name, scopes: [scope], action, requirement }];
  return { deniedDigests: none, allowedDigests: none, rules, fallback: "deny", everyone: [] };
}

function given(evidence: Partial<Evidence>, changes: Partial<SavedCase> = {}): SavedCase {
  const bundle = { digest: DIGEST, evidence: { signatures: [], pointers: [], gaps: [], ...evidence } };
  return { ...subject(), policy: policy(), bundle, atcrHosts: ["atcr.io"], now: NOW, ...changes };
}

describe("judgeBundle", () => {
  it("proves the signatures and judges them by the rule", () => {
    expect(judgeBundle(given({ signatures }))).toMatchObject({ outcome: "allow", because: { kind: "signed" } });
    expect(judgeBundle(given({}))).toMatchObject({ outcome: "deny", code: "signature.none" });
  });

  it("hands on everything that the judgement looks at", () => {
    const code = (evidence: Partial<Evidence>, changes?: Partial<SavedCase>) => {
      const verdict = judgeBundle(given(evidence, changes));
      return verdict.outcome === "allow" ? "allow" : verdict.code;
    };
    expect(code({ gaps: [gap("registry.unreachable")] })).toBe("registry.unreachable");
    expect(code({ pointers: [pointer("did:web:stranger.example")] })).toBe("signer.untrusted");
    expect(code({ signatures }, { mediaType: INDEX })).toBe("record.media_type_mismatch");
    expect(code({ signatures }, { now: 0 })).toBe("record.from_future");
    expect(
      code({ signatures }, { atcrHosts: ["registry.example"], name: { host: "registry.example", path: "a/b/app" } }),
    ).toBe("record.wrong_repository");
  });

  it("takes no evidence about another digest, whatever the rule says", () => {
    const digest = digestOf("another image");
    for (const action of ["enforce", "audit", "allow", "deny"] as const) {
      const saved = given({ signatures }, { digest, policy: policy(action) });
      expect(codeOf(() => judgeBundle(saved))).toBe("input.digest_mismatch");
    }
  });

  it("does not look at evidence where the policy needs none", () => {
    const exempt = judgeBundle(given({}, { policy: policy("allow") }));
    expect(exempt).toMatchObject({ outcome: "allow", because: { kind: "exempt" } });
    expect(judgeBundle(given({ signatures }, { policy: policy("deny") }))).toMatchObject({ code: "policy.denied" });
  });

  it("lets through what a rule only watches", () => {
    const audited = judgeBundle(given({}, { policy: policy("audit") }));
    expect(audited).toMatchObject({
      outcome: "allow",
      because: { kind: "audited", would: { code: "signature.none" } },
    });
  });
});
