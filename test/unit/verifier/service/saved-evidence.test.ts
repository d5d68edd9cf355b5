import { describe, expect, it } from "vitest";
import type { Evidence } from "../../../../src/core/evidence/evidence.ts";
import type { Requirement, TrustedSigner, TrustPolicy } from "../../../../src/core/policy/policy.ts";
import { policy as policyOf } from "../../../support/deciding.ts";
import {
  BORN,
  bundleOf,
  digestOf,
  gap,
  INDEX,
  NOW,
  pointer,
  rule,
  signer,
  subject,
  TAG,
  type TestSigner,
  trusted,
} from "../../../support/evidence.ts";
import { judgeSavedCase, type SavedCase } from "../../../support/saved.ts";
import { tid } from "../../../support/signed-repo.ts";

const alice = await signer({ name: "alice", tag: {} });
const signatures = [await alice.evidence()];

function policy(
  action: "enforce" | "audit" | "allow" | "deny" = "enforce",
  required: Partial<Requirement> = {},
  about: Partial<TrustedSigner> = {},
): TrustPolicy {
  return policyOf([trusted(alice.did, about)], required, { action });
}

function given(evidence: Partial<Evidence>, changes: Partial<SavedCase> = {}): SavedCase {
  return { ...subject(), policy: policy(), bundle: bundleOf(evidence), atcrHosts: ["atcr.io"], now: NOW, ...changes };
}

describe("a verifier with saved evidence", () => {
  it("proves the signatures and judges them by the rule", async () => {
    expect(await judgeSavedCase(given({ signatures }))).toMatchObject({
      outcome: "allow",
      because: { kind: "signed" },
    });
    expect(await judgeSavedCase(given({}))).toMatchObject({ outcome: "deny", code: "signature.none" });
  });

  it("hands on everything that the judgement looks at", async () => {
    const code = async (evidence: Partial<Evidence>, changes?: Partial<SavedCase>) => {
      const verdict = await judgeSavedCase(given(evidence, changes));
      return verdict.outcome === "allow" ? "allow" : verdict.code;
    };
    expect(await code({ gaps: [gap("registry.unreachable")] })).toBe("registry.unreachable");
    expect(await code({ pointers: [pointer("did:web:stranger.example")] })).toBe("signer.untrusted");
    expect(await code({ signatures }, { mediaType: INDEX })).toBe("record.media_type_mismatch");
    expect(await code({ signatures }, { now: 0 })).toBe("record.from_future");
    expect(
      await code(
        { signatures },
        { atcrHosts: ["registry.example"], name: { host: "registry.example", path: "a/b/app" } },
      ),
    ).toBe("record.wrong_repository");
  });

  it("judges the tag by the proof that was saved", async () => {
    const [signature] = signatures;
    const whole = [{ ...(signature as (typeof signatures)[0]), tag: await alice.tag() }];
    const about = { tag: TAG, policy: policy("enforce", { tag: "match" }) };
    expect((await judgeSavedCase(given({ signatures: whole }, about))).outcome).toBe("allow");
    expect(await judgeSavedCase(given({ signatures }, about))).toMatchObject({ code: "pds.unreachable" });
    expect((await judgeSavedCase(given({ signatures: whole }, { ...about, tag: "v2" }))).outcome).not.toBe("allow");
  });

  it("does not look at the tag's proof where the rule does not ask, as a pull does not ask for it", async () => {
    const own = await signer({ name: "own", tag: {} });
    const olderTag = await own.tag();
    await own.repo.resign(NOW);
    const saved = [{ ...(await own.evidence()), tag: olderTag }];
    const minRev = own.repo.rev as NonNullable<TrustedSigner["minRev"]>;
    const judged = (tag: "any" | "match") => {
      const { rules, ...rest } = policy();
      const { requirement } = rule([trusted(own.did, { minRev })], { tag });
      const asking = { ...rest, rules: rules.map((one) => ({ ...one, requirement })), everyone: requirement.signers };
      return judgeSavedCase(given({ signatures: saved }, { tag: TAG, policy: asking }));
    };
    expect(await judged("match")).toMatchObject({ code: "commit.older_than_pinned" });
    expect(await judged("any")).toMatchObject({ outcome: "allow" });
  });

  it("judges the owner by the answer that was saved", async () => {
    const about = { atcrHosts: ["registry.example"], name: { host: "registry.example", path: "alice.test/app" } };
    const owner = { handle: "alice.test", source: "dns:_atproto.alice.test", fetchedAt: NOW };
    const leads = (to: Partial<Evidence>) => judgeSavedCase(given({ signatures, ...to }, about));
    expect((await leads({ owner: { ...owner, did: alice.did } })).outcome).toBe("allow");
    expect(await leads({ owner })).toMatchObject({ outcome: "deny", code: "image.owner_mismatch" });
    expect(await leads({})).toMatchObject({ outcome: "inconclusive", code: "handle.unreachable" });
  });

  it("has no memory: the log's date alone is the age of the key, and minRev the oldest rev", async () => {
    const judged = async (who: TestSigner, required: Partial<Requirement>, about: Partial<TrustedSigner> = {}) => {
      const { signers: _, ...rest } = rule([], required).requirement;
      const [only] = policy().rules;
      const rules = [{ ...(only as NonNullable<typeof only>), requirement: rest }];
      const own = { ...policy(), rules, everyone: [trusted(who.did, about)] };
      const verdict = await judgeSavedCase(given({ signatures: [await who.evidence()] }, { policy: own }));
      return verdict.outcome === "allow" ? "allow" : verdict.code;
    };
    const web = await signer({ name: "web", method: "web" });
    expect(await judged(alice, { minKeyAge: NOW - BORN })).toBe("allow");
    expect(await judged(alice, { minKeyAge: NOW - BORN + 1 })).toBe("identity.key_too_young");
    expect(await judged(web, {})).toBe("allow");
    expect(await judged(web, { minKeyAge: 1 })).toBe("identity.key_too_young");
    const [own, next] = [alice.repo.rev, tid(NOW * 1000)] as NonNullable<TrustedSigner["minRev"]>[];
    expect(await judged(alice, {}, { ...(own && { minRev: own }) })).toBe("allow");
    expect(await judged(alice, {}, { ...(next && { minRev: next }) })).toBe("commit.older_than_pinned");
  });

  it("takes no evidence about another digest, whatever the rule says", async () => {
    const digest = digestOf("another image");
    for (const action of ["enforce", "audit", "allow", "deny"] as const) {
      const saved = given({ signatures }, { digest, policy: policy(action) });
      expect(await judgeSavedCase(saved)).toMatchObject({ code: "input.digest_mismatch" });
    }
  });

  it("does not look at evidence where the policy needs none", async () => {
    const exempt = await judgeSavedCase(given({}, { policy: policy("allow") }));
    expect(exempt).toMatchObject({ outcome: "allow", because: { kind: "exempt" } });
    expect(await judgeSavedCase(given({ signatures }, { policy: policy("deny") }))).toMatchObject({
      code: "policy.denied",
    });
  });

  it("lets through what a rule only audits", async () => {
    const audited = await judgeSavedCase(given({}, { policy: policy("audit") }));
    expect(audited).toMatchObject({
      outcome: "allow",
      because: { kind: "audited", would: { code: "signature.none" } },
    });
  });
});
