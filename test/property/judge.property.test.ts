import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Did } from "../../src/core/atproto/syntax.ts";
import type { Gap, Pointer } from "../../src/core/evidence/evidence.ts";
import type { TrustedSigner } from "../../src/core/policy/policy.ts";
import { REJECTION_CODES, REJECTIONS } from "../../src/core/rejection.ts";
import { enforce } from "../../src/core/verify/enforce.ts";
import { type JudgeInput, judge } from "../../src/core/verify/judge.ts";
import { NO_HISTORY, type SignerHistories } from "../../src/core/verify/signer-history.ts";
import type { Attempt, Verdict } from "../../src/core/verify/verdict.ts";
import { caseOf, claim, didNamed, facts, found, gap, NOW, pointer, rule, trusted } from "../support/evidence.ts";

const RUNS = { numRuns: 1500 };
/** Few DIDs and keys, so that they meet often; the last is one that no rule trusts. */
const DIDS = ["a", "b", "c", "d"].map(didNamed);
const STRANGER = didNamed("x");
const KEYS = ["did:key:1", "did:key:2", "did:key:3"];
const REVS = ["3lpr2wdjw2222", "3lpr2wdjw2223"] as never[];
const PROVABLE = REJECTION_CODES.filter((code) => /^(?:identity|commit|record|car|mst)\./.test(code));
/** Neither that a process was ended from outside, nor what sums up all signatures, is a gap in what was gathered. */
const MISSING = REJECTION_CODES.filter(
  (code) =>
    REJECTIONS[code].kind === "inconclusive" && !["net.interrupted", "policy.signatures_unconfirmed"].includes(code),
);

const anybody = fc.constantFrom(...DIDS, STRANGER);
const flaws = fc.constantFrom({}, {}, {}, { repository: "other" }, { createdAt: 0 }, { createdAt: NOW + 3_600_000 });

const proven: fc.Arbitrary<Attempt> = fc
  .oneof(
    {
      weight: 3,
      arbitrary: fc.record({ did: anybody, key: fc.constantFrom(...KEYS), rev: fc.constantFrom(...REVS), flaw: flaws }),
    },
    { weight: 1, arbitrary: fc.record({ did: anybody, code: fc.constantFrom(...PROVABLE) }) },
  )
  .map(
    (one): Attempt =>
      "code" in one
        ? found(one.did, one.code)
        : { facts: facts(one.did, { key: one.key, rev: one.rev, claim: claim(one.flaw) }) },
  );
/** Some of what is proven was seen on the way; all of it agrees with what the facts say. */
const attempts: fc.Arbitrary<Attempt> = fc
  .tuple(proven, fc.constantFrom(...REVS), fc.constantFrom(["one"], ["one", "two"], undefined))
  .map(([one, rev, operations]) => {
    if (operations === undefined) return one;
    const [signer, revs] = "facts" in one ? [one.facts.signer, [one.facts.rev]] : [one.signer, [rev]];
    return { ...one, observation: { signer, revs, operations } };
  });
/** What the node has seen of some of them: some of it newer than what they show now. */
const memories: fc.Arbitrary<SignerHistories> = fc
  .array(fc.tuple(anybody, fc.constantFrom(...REVS), fc.constantFrom([], ["one"], ["one", "two"])), { maxLength: 3 })
  .map((all) => new Map(all.map(([did, rev, seen]) => [did, { ...NO_HISTORY, rev, operations: new Set(seen) }])));
const gaps: fc.Arbitrary<Gap> = fc
  .record({ code: fc.constantFrom(...MISSING), did: fc.option(anybody, { nil: undefined }) })
  .map(({ code, did }) => gap(code, did));
const pointers: fc.Arbitrary<Pointer> = anybody.map(pointer);

const signerOf = (did: Did): fc.Arbitrary<TrustedSigner> =>
  fc
    .constantFrom(
      {},
      {},
      {},
      {},
      { revoked: true },
      { expiresAt: NOW },
      { validFrom: NOW + 1 },
      { keys: [KEYS[0] ?? ""] },
      { minRev: REVS[1] as never },
    )
    .map((about) => trusted(did, about));

const cases: fc.Arbitrary<JudgeInput> = fc
  .record({
    dids: fc.subarray(DIDS, { minLength: 1 }),
    minSignatures: fc.integer({ min: 1, max: 3 }),
    maxAge: fc.constantFrom({}, { maxAge: NOW }),
    attempts: fc.array(attempts, { maxLength: 8 }),
    gaps: fc.array(gaps, { maxLength: 3 }),
    pointers: fc.array(pointers, { maxLength: 3 }),
    memory: memories,
  })
  .chain(({ dids, minSignatures, maxAge, ...given }) =>
    fc.tuple(...dids.map(signerOf)).map((signers) => caseOf(rule(signers, { minSignatures, ...maxAge }), given)),
  );

const shuffled = <T>(items: readonly T[]) => fc.shuffledSubarray([...items], { minLength: items.length });
const some = <T>(items: readonly T[]) => fc.subarray([...items]);
const by = (did: Did) => (one: Attempt) => ("facts" in one ? one.facts.signer : one.signer) === did;
const headline = (verdict: Verdict) => (verdict.outcome === "allow" ? "allow" : `${verdict.outcome} ${verdict.code}`);

/** What counts, found by trying: the most attempts that hold, no two by one signer or one key. */
function mostThatCount(given: JudgeInput): number {
  const { signers } = given.rule.requirement;
  const alone = (one: Attempt) =>
    judge({ ...given, attempts: [one], rule: rule(signers, { ...given.rule.requirement, minSignatures: 1 }) }).outcome;
  const good = given.attempts.flatMap((one) => ("facts" in one && alone(one) === "allow" ? [one.facts] : []));
  const most = (from: number, dids: readonly string[], keys: readonly string[]): number => {
    const next = good[from];
    if (next === undefined) return dids.length;
    const without = most(from + 1, dids, keys);
    if (dids.includes(next.signer) || keys.includes(next.key)) return without;
    return Math.max(without, most(from + 1, [...dids, next.signer], [...keys, next.key]));
  };
  return most(0, [], []);
}

describe("a judgement", () => {
  it("allows exactly where enough signers with keys of their own signed", () => {
    fc.assert(
      fc.property(cases, (given) => {
        const verdict = judge(given);
        expect(verdict.outcome === "allow").toBe(mostThatCount(given) >= given.rule.requirement.minSignatures);
        if (verdict.outcome !== "allow" || verdict.because.kind !== "signed") return;
        const { signatures } = verdict.because;
        expect(new Set(signatures.map(({ signer }) => signer)).size).toBe(signatures.length);
        expect(new Set(signatures.map(({ key }) => key)).size).toBe(signatures.length);
      }),
      RUNS,
    );
  });

  it("is of the kind that the table of codes fixes for its code", () => {
    fc.assert(
      fc.property(cases, (given) => {
        const verdict = judge(given);
        if (verdict.outcome === "allow") return;
        expect(verdict.outcome).toBe(REJECTIONS[verdict.code].kind);
        // Summed up exactly where something counts, which no finding says.
        if (verdict.outcome === "inconclusive")
          expect(verdict.code === "policy.signatures_unconfirmed").toBe(mostThatCount(given) > 0);
        if (mostThatCount(given) > 0) expect(verdict.code).toMatch(/^policy\.(?:too_few|signatures_unconfirmed)/);
      }),
      RUNS,
    );
  });

  it("does not depend on the order of attempts, pointers, gaps and signers", () => {
    const pairs = cases.chain((given) => {
      const { signers: inOrder, ...requirement } = given.rule.requirement;
      return fc
        .tuple(shuffled(given.attempts), shuffled(given.pointers), shuffled(given.gaps), shuffled(inOrder))
        .map(([attempts, pointers, gaps, signers]) => {
          const other: JudgeInput = { ...given, attempts, pointers, gaps, rule: rule(signers, requirement) };
          return { given, other };
        });
    });
    fc.assert(
      fc.property(pairs, ({ given, other }) => {
        const [one, two] = [judge(given), judge(other)];
        expect(headline(two)).toBe(headline(one));
        if (one.outcome !== "allow") expect(two).toEqual(one);
      }),
      RUNS,
    );
  });

  it("counts nothing twice that comes twice", () => {
    fc.assert(
      fc.property(cases, (given) => {
        const { attempts, pointers, gaps } = given;
        const twice = {
          ...given,
          attempts: [...attempts, ...attempts],
          pointers: [...pointers, ...pointers],
          gaps: [...gaps, ...gaps],
        };
        expect(headline(judge(twice))).toBe(headline(judge(given)));
      }),
      RUNS,
    );
  });

  it("never becomes an allow by what is taken away", () => {
    const pairs = cases.chain((given) =>
      fc
        .tuple(some(given.attempts), some(given.pointers), some(given.gaps))
        .map(([attempts, pointers, gaps]) => [given, { ...given, attempts, pointers, gaps }] as const),
    );
    fc.assert(
      fc.property(pairs, ([given, less]) => {
        if (judge(given).outcome !== "allow") expect(judge(less).outcome).not.toBe("allow");
      }),
      RUNS,
    );
  });

  it("never becomes an allow, nor stops being one, by what is missing", () => {
    fc.assert(
      fc.property(cases, fc.array(gaps, { minLength: 1, maxLength: 4 }), (given, more) => {
        const [before, after] = [judge(given), judge({ ...given, gaps: [...given.gaps, ...more] })];
        expect(after.outcome === "allow").toBe(before.outcome === "allow");
        // And what could not be told before can be told even less.
        if (before.outcome === "inconclusive") expect(after.outcome).toBe("inconclusive");
      }),
      RUNS,
    );
  });

  it("never becomes an allow by what the node has seen, or by an older rev that the policy wants", () => {
    fc.assert(
      fc.property(cases, memories, (given, more) => {
        const { memory = new Map(), ...forgetful } = given;
        if (judge(given).outcome !== "allow") return;
        expect(judge(forgetful).outcome).toBe("allow");
        const signers = given.rule.requirement.signers.map((signer) => {
          const { minRev: _, ...rest } = signer;
          return rest;
        });
        expect(judge({ ...given, rule: rule(signers, given.rule.requirement) }).outcome).toBe("allow");
        // And counts nothing that lies behind it.
        const verdict = judge({ ...given, memory: new Map([...memory, ...more]) });
        if (verdict.outcome !== "allow" || verdict.because.kind !== "signed") return;
        for (const { signer, rev } of verdict.because.signatures) {
          const shown = given.attempts.filter((one) => "facts" in one && by(signer)(one) && one.facts.rev === rev);
          const seen = new Map([...memory, ...more]).get(signer)?.rev ?? rev;
          expect(shown.some(({ observation }) => observation === undefined || rev >= seen)).toBe(true);
        }
      }),
      RUNS,
    );
  });

  it("denies only where no signature behind a gap could have met the rule", () => {
    fc.assert(
      fc.property(cases, (given) => {
        if (judge(given).outcome !== "deny") return;
        const { signers } = given.rule.requirement;
        const listMissing = given.gaps.some(({ signer }) => signer === undefined);
        const filled = signers
          .filter(({ did }) => {
            const [asked, missing] = [given.attempts.some(by(did)), given.gaps.some(({ signer }) => signer === did)];
            // One who signed already has answered; another key of theirs is not waited for.
            const signed = given.attempts.some((one) => by(did)(one) && "facts" in one);
            return !signed && (missing || (listMissing && !asked));
          })
          .map(({ did, keys }): Attempt => ({ facts: facts(did, { key: keys?.[0] ?? `did:key:of-${did}` }) }));
        expect(judge({ ...given, attempts: [...given.attempts, ...filled], gaps: [] }).outcome).not.toBe("allow");
      }),
      RUNS,
    );
  });

  it("is allowed by a rule that only audits, and names what would have been", () => {
    fc.assert(
      fc.property(cases, (given) => {
        const verdict = judge(given);
        const audited = enforce(verdict, { rule: { ...given.rule, action: "audit" } });
        expect(audited.outcome).toBe("allow");
        if (verdict.outcome !== "allow")
          expect(audited).toMatchObject({ because: { kind: "audited", would: verdict } });
        expect(enforce(verdict, { rule: given.rule })).toBe(verdict);
      }),
      RUNS,
    );
  });
});
