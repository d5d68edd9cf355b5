import { describe, expect, it } from "vitest";
import type { Tid } from "../../../../src/core/atproto/syntax.ts";
import {
  findRollback,
  isRemembered,
  lostOperation,
  NO_HISTORY,
  type SignerHistory,
} from "../../../../src/core/verify/signer-history.ts";
import { didNamed, NOW } from "../../../support/evidence.ts";
import { tid } from "../../../support/signed-repo.ts";

const A = didNamed("a");
const [OLD, NEW, NEWER] = [0, 1, 2].map((n) => tid(NOW * 1000 + n) as Tid) as [Tid, Tid, Tid];

function remembering(changes: Partial<SignerHistory>): SignerHistory {
  return { ...NO_HISTORY, ...changes };
}

describe("isRemembered", () => {
  const known = remembering({ rev: NEW, operations: new Set(["one", "two"]), keys: new Map([["did:key:a", NOW]]) });

  it.each<[Parameters<typeof isRemembered>[0], boolean]>([
    [{ operations: ["two"], key: "did:key:a", revs: [OLD, NEW] }, true],
    [{ revs: [] }, true],
    [{ operations: ["two", "three"], key: "did:key:a", revs: [OLD] }, false],
    [{ operations: ["two"], key: "did:key:b", revs: [OLD] }, false],
    [{ operations: ["two"], key: "did:key:a", revs: [OLD, NEWER] }, false],
  ])("of %j: %s", (shown, expected) => {
    expect(isRemembered(shown, known)).toBe(expected);
  });

  it("is nothing of a signer of whom nothing is remembered", () => {
    expect(isRemembered({ revs: [OLD] }, NO_HISTORY)).toBe(false);
    expect(isRemembered({ key: "did:key:a", revs: [] }, NO_HISTORY)).toBe(false);
    expect(isRemembered({ operations: ["one"], revs: [] }, NO_HISTORY)).toBe(false);
  });
});

describe("lostOperation", () => {
  const memory = remembering({ operations: new Set(["one", "two"]) });

  it("is one that was seen and is not listed", () => {
    expect(lostOperation(["two", "three"], memory)).toBe("one");
    expect(lostOperation([], memory)).toBe("one");
  });

  it("is none where all that was seen is listed, in any order and with others", () => {
    expect(lostOperation(["two", "one"], memory)).toBeUndefined();
    expect(lostOperation(["three", "two", "one"], memory)).toBeUndefined();
    expect(lostOperation([], NO_HISTORY)).toBeUndefined();
  });

  it("is none of a did:web, which has no log", () => {
    expect(lostOperation(undefined, memory)).toBeUndefined();
  });
});

describe("rollback", () => {
  const code = (revs: readonly Tid[], memory: Partial<SignerHistory>, operations?: readonly string[]) =>
    findRollback({ signer: A, revs, ...(operations && { operations }) }, remembering(memory))?.code ?? "none";

  it.each<[string, readonly Tid[], Tid | undefined, string]>([
    ["an older one", [OLD], NEW, "commit.rolled_back"],
    ["the same", [NEW], NEW, "none"],
    ["a newer one", [NEWER], NEW, "none"],
    ["none", [], NEW, "none"],
    ["any, where none was seen before", [OLD], undefined, "none"],
    ["two that agree", [NEWER, NEWER], NEW, "none"],
    ["a tag newer than the digest, where neither is older than what was seen", [NEW, NEWER], NEW, "none"],
    ["a tag older than the digest, where neither is older than what was seen", [NEWER, NEW], NEW, "commit.rolled_back"],
    ["one newer than the other, where none was seen before", [NEW, OLD], undefined, "commit.rolled_back"],
    ["one newer and one older", [NEWER, OLD], NEW, "commit.rolled_back"],
  ])("of a repo's revision: %s", (_, revs, rev, expected) => {
    expect(code(revs, rev === undefined ? {} : { rev })).toBe(expected);
  });

  it("names a lost operation before an older revision", () => {
    expect(code([OLD], { rev: NEW, operations: new Set(["one"]) }, ["two"])).toBe("identity.log_rolled_back");
    expect(code([OLD], { rev: NEW, operations: new Set(["one"]) }, ["one"])).toBe("commit.rolled_back");
  });

  it("says what is missing, and what was seen", () => {
    expect(findRollback({ signer: A, revs: [OLD] }, remembering({ rev: NEW }))?.detail).toMatch(
      `the PDS served revision ${OLD} of the repo of ${A}, but this node has seen ${NEW}; `,
    );
    const lost = findRollback({ signer: A, revs: [], operations: [] }, remembering({ operations: new Set(["one"]) }));
    expect(lost?.detail).toMatch(`the log of ${A} lacks the operation one, which this node has seen before; `);
    expect(lost?.detail).toMatch(`run: atcr-verify state forget ${A}`);
  });
});
