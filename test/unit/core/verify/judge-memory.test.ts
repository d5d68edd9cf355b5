import { describe, expect, it } from "vitest";
import { isTid, type Tid } from "../../../../src/core/atproto/syntax.ts";
import type { TrustedSigner } from "../../../../src/core/policy/policy.ts";
import { judge } from "../../../../src/core/verify/judge.ts";
import { NO_HISTORY, type Observation, type SignerHistories } from "../../../../src/core/verify/signer-history.ts";
import type { Attempt } from "../../../../src/core/verify/verdict.ts";
import { caseOf, DIGEST, didNamed, facts, found, NOW, rule, subject, trusted } from "../../../support/evidence.ts";
import { tid } from "../../../support/signed-repo.ts";

const [A, B] = [didNamed("a"), didNamed("b")];
const [OLD, NEW, NEWER] = [0, 1, 2].map((n) => asTid(tid(NOW * 1000 + n))) as [Tid, Tid, Tid];

function asTid(text: string): Tid {
  if (!isTid(text)) throw new Error(`${text} is no TID`);
  return text;
}

const seen = (attempt: Attempt, changes: Partial<Observation> = {}): Attempt => {
  const signer = "facts" in attempt ? attempt.facts.signer : attempt.signer;
  return { ...attempt, observation: { signer, revs: [NEW], ...changes } };
};
const signed = seen({ facts: facts(A) });
const remembering = (rev: Tid, of = A): SignerHistories => new Map([[of, { ...NO_HISTORY, rev }]]);

interface Given {
  readonly attempts: readonly Attempt[];
  readonly memory?: SignerHistories;
  readonly about?: Partial<TrustedSigner>;
  readonly minSignatures?: number;
}

function outcome({ attempts, memory, about = {}, minSignatures = 1 }: Given): string {
  const signers = [trusted(A, about), trusted(B)];
  const verdict = judge(caseOf(rule(signers, { minSignatures }), { attempts, ...(memory && { memory }) }));
  return verdict.outcome === "allow" ? "allow" : `${verdict.outcome} ${verdict.code}`;
}

describe("judge, what lies behind what this node has seen", () => {
  it.each<[string, SignerHistories | undefined, string]>([
    ["a newer rev", remembering(NEWER), "deny commit.rolled_back"],
    ["the same rev", remembering(NEW), "allow"],
    ["an older rev", remembering(OLD), "allow"],
    ["a newer rev of another signer", remembering(NEWER, B), "allow"],
    ["nobody", new Map(), "allow"],
    ["nothing, for saved evidence", undefined, "allow"],
  ])("is refused where it has seen %s", (_, memory, expected) => {
    expect(outcome({ attempts: [signed], ...(memory && { memory }) })).toBe(expected);
  });

  it("is refused whatever else it came to", () => {
    const memory = remembering(NEWER);
    for (const code of ["record.absent", "mst.incomplete_proof", "record.malformed"] as const) {
      expect(outcome({ attempts: [seen(found(A, code))], memory })).toBe("deny commit.rolled_back");
    }
    const operations: SignerHistories = new Map([[A, { ...NO_HISTORY, operations: new Set(["one"]) }]]);
    const short = seen(found(A, "pds.unreachable"), { operations: ["two"], revs: [] });
    expect(outcome({ attempts: [short], memory: operations })).toBe("deny identity.log_rolled_back");
  });

  it("does not spoil a newer attempt of the same signer, nor another's", () => {
    const memory = remembering(NEWER);
    expect(outcome({ attempts: [signed, seen({ facts: facts(A) }, { revs: [NEWER] })], memory })).toBe("allow");
    const both = [signed, seen({ facts: facts(B) })];
    expect(outcome({ attempts: both, memory })).toBe("allow");
    expect(outcome({ attempts: both, memory, minSignatures: 2 })).toBe("deny policy.too_few_signatures");
  });

  it("says nothing of an attempt that showed nothing", () => {
    expect(outcome({ attempts: [found(A, "identity.log_invalid")], memory: remembering(NEWER) })).toBe(
      "inconclusive identity.log_invalid",
    );
  });
});

describe("judge, the policy's minRev", () => {
  it.each([
    [OLD, "allow"],
    [NEW, "allow"],
    [NEWER, "deny commit.older_than_pinned"],
    [undefined, "allow"],
  ])("of %s", (minRev, expected) => {
    const about = minRev === undefined ? {} : { minRev };
    expect(outcome({ attempts: [signed], about })).toBe(expected);
    expect(outcome({ attempts: [signed], about, memory: new Map() })).toBe(expected);
  });

  it("holds for every proof, that of the tag and that of absence too", () => {
    const about = { minRev: NEWER };
    const tagOlder = seen({ facts: facts(A) }, { revs: [NEWER, NEW] });
    expect(outcome({ attempts: [tagOlder], about })).toBe("deny commit.older_than_pinned");
    expect(outcome({ attempts: [seen(found(A, "record.absent"))], about })).toBe("deny commit.older_than_pinned");
  });

  it("is that signer's alone, and named after what the node has seen", () => {
    const attempts = [signed, seen({ facts: facts(B) })];
    expect(outcome({ attempts, about: { minRev: NEWER } })).toBe("allow");
    expect(outcome({ attempts: [signed], about: { minRev: NEWER }, memory: remembering(NEWER) })).toBe(
      "deny commit.rolled_back",
    );
  });
});

describe("judge, a pull by digest", () => {
  const notes = (tag: "match" | "any", about: Parameters<typeof subject>[0]) => {
    const proven = { address: "io.atcr.tag/x", rev: "3aaaaaaaaaaaa" as Tid, claim: { repository: "app", tag: "v1" } };
    const attempts: readonly Attempt[] = [{ facts: facts(A, { tag: proven }) }];
    const verdict = judge(caseOf(rule([trusted(A)], { tag }), { attempts, subject: subject(about) }));
    return verdict.outcome === "allow" && verdict.because.kind === "signed" ? verdict.because.notes : undefined;
  };

  it("says that no tag was checked, where the rule asks for one", () => {
    const name = { host: "registry.example", path: "team/app", digest: DIGEST };
    expect(notes("match", { name })).toEqual(["pulled by digest: no tag was checked"]);
    expect(notes("any", { name })).toEqual([]);
    expect(notes("match", { tag: "v1" })).toEqual([]);
    expect(notes("match", { name, tag: "v1" })).toEqual([]);
  });
});
