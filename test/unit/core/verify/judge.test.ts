import { describe, expect, it } from "vitest";
import type { Did } from "../../../../src/core/atproto/syntax.ts";
import { parseReference } from "../../../../src/core/oci/reference.ts";
import type { RejectionCode } from "../../../../src/core/rejection.ts";
import { type JudgeInput, judge } from "../../../../src/core/verify/judge.ts";
import { questionOf } from "../../../../src/core/verify/question.ts";
import type { Attempt, SignatureFacts } from "../../../../src/core/verify/verdict.ts";
import {
  caseOf,
  claim,
  didNamed,
  digestOf,
  facts,
  found,
  gap,
  INDEX,
  NOW,
  pointer,
  rule,
  subject,
  trusted,
} from "../../../support/evidence.ts";

const [A, B, C, STRANGER] = [didNamed("a"), didNamed("b"), didNamed("c"), didNamed("x")];
const [KEY, OTHER_KEY] = ["did:key:one", "did:key:two"];
const signed = (did: Did, changes: Partial<SignatureFacts> = {}): Attempt => ({ facts: facts(did, changes) });

/** How a rule that trusts A and B, and wants `minSignatures`, judges. */
function outcome(changes: Partial<JudgeInput>, minSignatures = 1, dids: readonly Did[] = [A, B]): string {
  const judged = rule(
    dids.map((did) => trusted(did)),
    { minSignatures },
  );
  const verdict = judge(caseOf(judged, changes));
  return verdict.outcome === "allow" ? "allow" : `${verdict.outcome} ${verdict.code}`;
}

const absent = (did: Did) => found(did, "record.absent");

describe("judge, counting", () => {
  it("allows what one trusted signer signed, and says by whom", () => {
    const named = trusted(B, { name: "Bob" });
    const verdict = judge(caseOf(rule([trusted(A), named]), { attempts: [signed(B)] }));
    const counted = { ...facts(B), signerName: "Bob", checks: ["media_type", "repository"] };
    expect(verdict).toEqual({
      outcome: "allow",
      because: { kind: "signed", rule: "production", signatures: [counted], notes: [] },
    });
  });

  it("counts only signers that the rule trusts", () => {
    expect(outcome({ attempts: [signed(STRANGER)] })).toBe("deny signature.none");
    expect(outcome({ attempts: [signed(STRANGER), signed(A)] }, 2)).toBe("deny policy.too_few_signatures");
  });

  it("counts a signer once, however often they sign", () => {
    const twice = [signed(A, { key: KEY }), signed(A, { key: OTHER_KEY })];
    expect(outcome({ attempts: twice }, 2)).toBe("deny policy.too_few_signatures");
    expect(outcome({ attempts: [...twice, signed(B)] }, 2)).toBe("allow");
  });

  it("counts a key once, however many signers it signs for", () => {
    const shared = [signed(A, { key: KEY }), signed(B, { key: KEY })];
    expect(outcome({ attempts: shared }, 2)).toBe("deny policy.too_few_signatures");
    expect(outcome({ attempts: [...shared, signed(C)] }, 2, [A, B, C])).toBe("allow");
    expect(outcome({ attempts: [...shared, signed(C)] }, 3, [A, B, C])).toBe("deny policy.too_few_signatures");
  });

  it("holds facts against the rule and the pull", () => {
    expect(outcome({ attempts: [signed(A, { digest: digestOf("other") })] })).toBe("deny record.digest_mismatch");
    expect(outcome({ attempts: [signed(A)], subject: subject({ mediaType: INDEX }) })).toBe(
      "deny record.media_type_mismatch",
    );
    const pinned = rule([trusted(A, { keys: [KEY] })]);
    expect(judge(caseOf(pinned, { attempts: [signed(A)] }))).toMatchObject({ code: "identity.key_not_pinned" });
    expect(judge(caseOf(pinned, { attempts: [signed(A, { key: KEY })] })).outcome).toBe("allow");
  });

  it("lets no failed attempt spoil a good one of the same signer", () => {
    for (const attempts of [
      [found(A, "commit.bad_signature"), signed(A)],
      [signed(A), found(A, "commit.bad_signature")],
      [signed(A, { claim: claim({ repository: "other" }) }), signed(A)],
    ]) {
      expect(outcome({ attempts })).toBe("allow");
    }
  });

  it("does not take a bug for a finding", () => {
    const broken: Attempt = {
      facts: {
        ...facts(A),
        get claim(): never {
          throw new Error("a bug");
        },
      },
    };
    expect(() => judge(caseOf(rule([trusted(A)]), { attempts: [broken] }))).toThrow("a bug");
  });
});

describe("judge, whose word counts", () => {
  const judged = (
    changes: Parameters<typeof trusted>[1],
    given: Partial<JudgeInput> = {},
    others: readonly Did[] = [],
  ) =>
    judge(
      caseOf(rule([trusted(A, changes), ...others.map((did) => trusted(did))]), { attempts: [signed(A)], ...given }),
    );

  it.each([
    [{ revoked: true }, "signer.revoked"],
    [{ validFrom: NOW + 1 }, "signer.not_yet_valid"],
    [{ expiresAt: NOW }, "signer.expired"],
  ] as const)("does not count a signature of one who is %o", (changes, code) => {
    expect(judged(changes)).toMatchObject({ outcome: "deny", code });
    // Not even another signer's silence, or an unreachable service, makes it matter.
    expect(judged(changes, { gaps: [gap("pds.unreachable", A)] })).toMatchObject({ outcome: "deny", code });
  });

  it("names that only where it is news: by a referrer, or because nobody is left", () => {
    const expired = { expiresAt: NOW };
    expect(judged(expired, { attempts: [] })).toMatchObject({ code: "signer.expired" });
    expect(judged(expired, { attempts: [] }, [B])).toMatchObject({ code: "signature.none" });
    expect(judged(expired, { attempts: [], pointers: [pointer(A)] }, [B])).toMatchObject({ code: "signer.expired" });
  });
});

describe("judge, a refusal", () => {
  it("is signature.none where nobody that the rule trusts signed", () => {
    expect(outcome({})).toBe("deny signature.none");
    expect(outcome({ attempts: [absent(A), absent(B)] })).toBe("deny signature.none");
    expect(outcome({ attempts: [signed(STRANGER)] })).toBe("deny signature.none");
  });

  it("is record.absent where a referrer named a signer whose repo holds none", () => {
    expect(outcome({ attempts: [absent(A), absent(B)], pointers: [pointer(A)] })).toBe("deny record.absent");
    const verdict = judge(
      caseOf(rule([trusted(A), trusted(B)]), { attempts: [absent(A), absent(B)], pointers: [pointer(B)] }),
    );
    expect(verdict).toMatchObject({
      code: "record.absent",
      findings: [
        { signer: B, code: "record.absent" },
        { signer: A, code: "signature.none" },
      ],
    });
  });

  it("is signer.untrusted where a referrer names nobody but strangers", () => {
    expect(outcome({ attempts: [absent(A), absent(B)], pointers: [pointer(STRANGER)] })).toBe("deny signer.untrusted");
    expect(outcome({ attempts: [absent(A)], pointers: [pointer(STRANGER), pointer(A)] })).toBe("deny record.absent");
    const verdict = judge(caseOf(rule([trusted(A)]), { pointers: [pointer(STRANGER), pointer(STRANGER)] }));
    expect(verdict).toMatchObject({ findings: [{ code: "signer.untrusted" }, { code: "signature.none" }] });
  });

  it("does not call a trusted signer a stranger", () => {
    expect(outcome({ attempts: [absent(A), absent(B)], pointers: [pointer(A), pointer(B)] })).toBe(
      "deny record.absent",
    );
    expect(outcome({ pointers: [pointer(A)] })).toBe("deny signature.none");
  });

  it("has the finding that got furthest as its headline, and all of them below", () => {
    const attempts = [found(A, "commit.bad_signature"), found(A, "identity.deactivated"), found(B, "record.malformed")];
    const verdict = judge(caseOf(rule([trusted(A), trusted(B)]), { attempts }));
    expect(verdict).toMatchObject({
      outcome: "deny",
      code: "record.malformed",
      detail: `record.malformed of ${B}`,
      findings: [{ code: "record.malformed" }, { code: "commit.bad_signature" }],
    });
  });

  it("counts what is there where something is, but too little", () => {
    expect(outcome({ attempts: [signed(A), absent(B)] }, 2)).toBe("deny policy.too_few_signatures");
    expect(judge(caseOf(rule([trusted(A)], { minSignatures: 2 }), { attempts: [signed(A)] }))).toMatchObject({
      detail: '1 of 2 required signatures count under rule "production"',
    });
  });

  it("is a refusal also where the rule trusts nobody", () => {
    expect(outcome({}, 1, [])).toBe("deny policy.no_signers");
    expect(outcome({ attempts: [signed(A)], gaps: [gap("registry.unreachable")] }, 1, [])).toBe(
      "deny policy.no_signers",
    );
  });
});

describe("judge, could not tell", () => {
  it("does not let a gap stand in the way of enough signatures", () => {
    const gaps = [gap("registry.unreachable"), gap("pds.unreachable", A), gap("pds.unreachable", B)];
    expect(outcome({ attempts: [signed(A)], gaps })).toBe("allow");
  });

  it("is inconclusive where the missing answer of a trusted signer could be a signature", () => {
    expect(outcome({ gaps: [gap("pds.unreachable", A)] })).toBe("inconclusive pds.unreachable");
    expect(outcome({ attempts: [absent(B)], gaps: [gap("identity.unreachable", A, "identity")] })).toBe(
      "inconclusive identity.unreachable",
    );
    // A later, newer identity could still bear out what this one does not.
    expect(outcome({ attempts: [found(A, "commit.bad_signature")], gaps: [gap("net.deadline", A)] })).toBe(
      "inconclusive net.deadline",
    );
  });

  it("is inconclusive where an answer came that cannot be read", () => {
    const unreadable: readonly RejectionCode[] = ["car.malformed", "mst.incomplete_proof", "identity.log_invalid"];
    for (const code of unreadable)
      expect(outcome({ attempts: [found(A, code), absent(B)] })).toBe(`inconclusive ${code}`);
    const early = signed(A, { revTime: NOW + 3_600_000 });
    expect(outcome({ attempts: [early, absent(B)] })).toBe("inconclusive commit.from_future");
  });

  it("denies where a gap concerns nobody that the rule trusts", () => {
    expect(outcome({ attempts: [absent(A), absent(B)], gaps: [gap("pds.unreachable", STRANGER)] })).toBe(
      "deny signature.none",
    );
    expect(outcome({ gaps: [gap("pds.unreachable", STRANGER)] })).toBe("deny signature.none");
  });

  it("is inconclusive where the registry's list is missing and somebody was not asked", () => {
    expect(outcome({ gaps: [gap("registry.unreachable")] })).toBe("inconclusive registry.unreachable");
    expect(outcome({ attempts: [absent(A)], gaps: [gap("registry.unauthorized")] })).toBe(
      "inconclusive registry.unauthorized",
    );
  });

  it("denies where the registry's list is missing and everybody's repo proves absence", () => {
    expect(outcome({ attempts: [absent(A), absent(B)], gaps: [gap("registry.unreachable")] })).toBe(
      "deny signature.none",
    );
  });

  it("denies where more is asked than the missing answers could give", () => {
    expect(outcome({ attempts: [absent(B)], gaps: [gap("pds.unreachable", A)] }, 2)).toBe("deny signature.none");
    expect(outcome({ gaps: [gap("pds.unreachable", A)] }, 2, [A])).toBe("deny policy.too_few_signatures");
    expect(outcome({ attempts: [signed(A), absent(B)], gaps: [gap("registry.unreachable")] }, 2)).toBe(
      "deny policy.too_few_signatures",
    );
  });

  it("is inconclusive where the missing answers and what counts are together enough", () => {
    expect(outcome({ attempts: [signed(A)], gaps: [gap("pds.unreachable", B)] }, 2)).toBe(
      "inconclusive policy.signatures_unconfirmed",
    );
    expect(outcome({ gaps: [gap("pds.unreachable", A), gap("pds.unreachable", B)] }, 2)).toBe(
      "inconclusive pds.unreachable",
    );
    // Two signers with one key count as one, and one answer missing makes it two, not three.
    const shared = [signed(A, { key: KEY }), signed(B, { key: KEY })];
    expect(outcome({ attempts: shared, gaps: [gap("pds.unreachable", C)] }, 3, [A, B, C])).toBe(
      "deny policy.too_few_signatures",
    );
  });

  it("has what is missing as its headline, even where something else got further", () => {
    const attempts = [found(B, "record.wrong_repository")];
    expect(outcome({ attempts, gaps: [gap("pds.unreachable", A)] })).toBe("inconclusive pds.unreachable");
    expect(outcome({ attempts: [found(A, "car.malformed")], gaps: [gap("pds.unreachable", A)] })).toBe(
      "inconclusive car.malformed",
    );
    // And the other way round: a deny does not name what was merely missing.
    expect(outcome({ attempts, gaps: [gap("pds.unreachable", A)] }, 2)).toBe("deny record.wrong_repository");
  });

  it("lists the finding of every signer, whichever is the headline", () => {
    const given = { attempts: [found(B, "record.malformed")], gaps: [gap("pds.unreachable", A)] };
    expect(judge(caseOf(rule([trusted(A), trusted(B)]), given))).toMatchObject({
      findings: [
        { signer: A, code: "pds.unreachable" },
        { signer: B, code: "record.malformed" },
      ],
    });
  });
});

describe("judge, determinism", () => {
  it("does not depend on the order in which anything came", () => {
    const attempts = [found(A, "commit.bad_signature"), signed(B), absent(A), signed(B, { key: OTHER_KEY })];
    const gaps = [gap("pds.unreachable", A), gap("registry.unreachable"), gap("net.tls", A)];
    const pointers = [pointer(STRANGER), pointer(A), pointer(didNamed("y"))];
    const one = judge(caseOf(rule([trusted(A), trusted(B)], { minSignatures: 2 }), { attempts, gaps, pointers }));
    const other = judge(
      caseOf(rule([trusted(B), trusted(A)], { minSignatures: 2 }), {
        attempts: attempts.toReversed(),
        gaps: gaps.toReversed(),
        pointers: pointers.toReversed(),
      }),
    );
    expect(other).toEqual(one);
  });

  it("orders findings of one code by signer and sentence", () => {
    const pointers = ["d", "b", "e", "a", "c"].map((letter) => pointer(didNamed(letter)));
    const verdict = judge(caseOf(rule([trusted(STRANGER)]), { pointers }));
    const signers = verdict.outcome === "deny" ? verdict.findings.map(({ signer }) => signer?.at(-1)) : [];
    expect(signers.join("")).toBe("abcdex");
  });
});

describe("judge, on a pointer to another record", () => {
  it("says so, and changes nothing else", () => {
    const pointers = [{ ...pointer(A), note: "points to at://elsewhere" }];
    const judged = rule([trusted(A)]);
    const verdict = judge(caseOf(judged, { attempts: [absent(A)], pointers }));
    expect(verdict).toMatchObject({ outcome: "deny", code: "record.absent" });
    expect(verdict).toMatchObject({ detail: expect.stringContaining("; a referrer points to at://elsewhere") });
  });
});

describe("judge, on a registry that does not matter", () => {
  const findings = (changes: Partial<JudgeInput>) => {
    const verdict = judge(caseOf(rule([trusted(A), trusted(B)]), changes));
    return verdict.outcome === "allow" ? [] : verdict.findings.map(({ signer, code }) => [signer, code]);
  };

  it("tells of it all the same", () => {
    const gaps = [gap("registry.unreachable"), gap("pds.unreachable", STRANGER)];
    expect(findings({ attempts: [absent(A), absent(B)], gaps })).toEqual([
      [undefined, "registry.unreachable"],
      [A, "signature.none"],
      [B, "signature.none"],
    ]);
    expect(findings({ attempts: [absent(A)], gaps: [gap("pds.unreachable", B), ...gaps] })).toEqual([
      [B, "pds.unreachable"],
      [undefined, "registry.unreachable"],
      [A, "signature.none"],
    ]);
  });

  it("tells of it once where it matters", () => {
    const gaps = [gap("registry.unreachable")];
    expect(findings({ attempts: [absent(B)], gaps })).toEqual([
      [A, "registry.unreachable"],
      [B, "signature.none"],
    ]);
  });
});

describe("judge, of a signer to whom only the registry could have led, where the owner must have signed", () => {
  const judged = rule([trusted(A), trusted(B)], { owner: "match" });
  const named = subject({ name: parseReference("registry.example/alice.example.com/app:v1") });
  const about = questionOf(named, judged, ["registry.example"], NOW);
  const codeWith = (owner: Partial<JudgeInput>["owner"]) => {
    const verdict = judge({
      ...caseOf(judged, { gaps: [gap("registry.unreachable")] }),
      ...about,
      ...(owner && { owner }),
    });
    return verdict.outcome === "allow" ? "allow" : verdict.outcome;
  };
  const answer = { source: "", fetchedAt: NOW } as const;

  it("could not tell, as long as nothing says who that is", () => {
    expect(codeWith(undefined)).toBe("inconclusive");
  });

  it("denies where the handle in the name leads to somebody else", () => {
    expect(codeWith({ ...answer, handle: "alice.example.com", did: STRANGER })).toBe("deny");
    expect(codeWith({ ...answer, handle: "alice.example.com", did: A })).toBe("inconclusive");
  });

  it("takes no answer about another handle for one about this name's", () => {
    expect(codeWith({ ...answer, handle: "bob.example.com", did: STRANGER })).toBe("inconclusive");
  });
});
