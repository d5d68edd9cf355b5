import { describe, expect, it } from "vitest";
import type { Subject } from "../../../../src/core/evidence/evidence.ts";
import type { Requirement } from "../../../../src/core/policy/policy.ts";
import { questionOf } from "../../../../src/core/verify/question.ts";
import { DIGEST, didNamed, NOW, rule, subject, TAG, trusted } from "../../../support/evidence.ts";

const [A, B, C, D] = [didNamed("a"), didNamed("b"), didNamed("c"), didNamed("d")];
const ATCR = { name: { host: "atcr.example", path: "alice.test/team/app" } };

const ask = (about: Partial<Subject> = {}, required: Partial<Requirement> = {}) =>
  questionOf(subject(about), rule([trusted(A)], required), ["atcr.example"], NOW);

describe("questionOf, what a proof must be about", () => {
  it.each<[string, Partial<Subject>, Partial<Requirement>, object]>([
    ["the digest", {}, {}, { digest: DIGEST }],
    ["no tag where none is asked for", { tag: TAG }, {}, { digest: DIGEST }],
    ["the tag", { tag: TAG }, { tag: "match" }, { digest: DIGEST, tag: TAG }],
    ["no tag where the name has none", {}, { tag: "match" }, { digest: DIGEST }],
    [
      "the tag in the repository of the name",
      { ...ATCR, tag: TAG },
      { tag: "match" },
      { digest: DIGEST, tag: TAG, repository: "team/app" },
    ],
  ])("is %s", (_, about, required, expected) => {
    expect(ask(about, required).target).toEqual(expected);
  });
});

describe("questionOf", () => {
  it("takes handle and repository from names on ATCR's hosts alone", () => {
    expect(ask(ATCR).atcr).toEqual({ handle: "alice.test", repository: "team/app" });
    expect(ask().atcr).toBeUndefined();
    expect(ask({ name: { host: "atcr.example", path: "app" } }).atcr).toBeUndefined();
  });

  it("asks whose the handle is on those hosts, unless the rule says otherwise", () => {
    expect([ask(ATCR).asksOwner, ask(ATCR, { owner: "any" }).asksOwner]).toEqual([true, false]);
    expect([ask().asksOwner, ask({}, { owner: "match" }).asksOwner]).toEqual([false, true]);
  });

  it("leaves out signers whose signatures do not count at this time", () => {
    const signers = [
      trusted(A),
      trusted(B, { revoked: true }),
      trusted(C, { validFrom: NOW + 1 }),
      trusted(D, { expiresAt: NOW }),
    ];
    expect([...questionOf(subject(), rule(signers), [], NOW).eligible]).toEqual([A]);
    expect([...questionOf(subject(), rule(signers), [], NOW + 1).eligible]).toEqual([A, C]);
  });
});
