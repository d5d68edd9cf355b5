import { describe, expect, it } from "vitest";
import type { Did, Tid } from "../../../../src/core/atproto/syntax.ts";
import type { Gap } from "../../../../src/core/evidence/evidence.ts";
import type { RejectionCode } from "../../../../src/core/rejection.ts";
import {
  invalidationScope,
  isFresh,
  isNewestKey,
  isOtherKey,
  isOutdated,
  isRecent,
  isSilent,
  isVouched,
  partTimes,
} from "../../../../src/core/verify/freshness.ts";
import { NO_HISTORY, type SignerHistory } from "../../../../src/core/verify/signer-history.ts";
import type { Attempt } from "../../../../src/core/verify/verdict.ts";
import { didNamed, facts, fetched, found, gap, NOW as TODAY } from "../../../support/evidence.ts";
import { tid } from "../../../support/signed-repo.ts";

const [A, B] = [didNamed("a"), didNamed("b")];
const REV = tid(TODAY * 1000) as Tid;
const MINUTE = 60_000;
const knowing = (keys: Record<string, number>): SignerHistory => ({
  ...NO_HISTORY,
  keys: new Map(Object.entries(keys)),
});

describe("isSilent", () => {
  const silent = (gaps: readonly Gap[], attempts: readonly Attempt[] = []) => isSilent(A, { attempts, gaps });

  it("is a signer whose every answer is missing because nobody answered", () => {
    expect(silent([gap("pds.unreachable", A)])).toBe(true);
    expect(silent([gap("pds.unreachable", A), gap("net.deadline", A, "identity")])).toBe(true);
    expect(silent([gap("pds.unreachable", A), gap("pds.bad_response", A)])).toBe(false);
    expect(silent([gap("identity.unknown_did", A)])).toBe(false);
    expect(silent([{ ...gap("pds.unreachable", A), answered: true }])).toBe(false);
  });

  it("is nobody of whom anything was heard, good or bad", () => {
    const gaps = [gap("pds.unreachable", A)];
    for (const heard of [{ facts: facts(A) }, found(A, "record.absent"), found(A, "car.malformed")]) {
      expect(silent(gaps, [heard])).toBe(false);
    }
    expect(silent(gaps, [{ facts: facts(B) }, found(B, "record.absent")])).toBe(true);
  });

  it("is nobody who was not asked, whatever the registry's list would have led to", () => {
    expect(silent([])).toBe(false);
    expect(silent([gap("pds.unreachable", B)])).toBe(false);
    expect(silent([gap("registry.unreachable")])).toBe(false);
    expect(silent([{ service: "handle", code: "handle.unreachable", detail: "" }])).toBe(false);
  });

  it("is no less one because of the registry's answer, where one was asked directly", () => {
    expect(silent([gap("pds.unreachable", A), gap("registry.bad_response")])).toBe(true);
  });
});

describe("partTimes", () => {
  const at = (fetchedAt: number) => ({ ...fetched("", new Uint8Array()), fetchedAt });

  it("are the times of identity, record and tag, as far as they are there", () => {
    expect(partTimes({ signer: A, identity: at(1), record: at(2), tag: at(3) })).toEqual([1, 2, 3]);
    expect(partTimes({ signer: A, identity: at(2), tag: at(3) })).toEqual([2, 3]);
    expect(partTimes({ signer: A, identity: at(4) })).toEqual([4]);
  });
});

describe("isFresh", () => {
  const [NOW, TTL] = [1_000_000_000, 300_000];

  it.each([
    ["of this moment", 0, true],
    ["just young enough", TTL, true],
    ["too old by a millisecond", TTL + 1, false],
    ["ahead of the clock by a millisecond", -1, false],
  ])("is what is %s", (_, age, expected) => {
    expect(isFresh([NOW - age], NOW, TTL)).toBe(expected);
    expect(isFresh([NOW, NOW - age], NOW, TTL)).toBe(expected);
    expect(isFresh([NOW - age, NOW], NOW, TTL)).toBe(expected);
  });

  it("is nothing of no known age", () => {
    expect([isFresh([Number.NaN], NOW, TTL), isFresh([NOW], Number.NaN, TTL)]).toEqual([false, false]);
  });
});

describe("isRecent", () => {
  const [NOW, STALENESS] = [1_000_000_000, 3_600_000];

  it.each([
    ["just young enough", STALENESS, true],
    ["too old by a millisecond", STALENESS + 1, false],
    ["ahead by as much as clocks may differ", -5 * MINUTE, true],
    ["ahead by more", -5 * MINUTE - 1, false],
  ])("is what is %s", (_, age, expected) => {
    expect(isRecent([NOW - age], NOW, STALENESS)).toBe(expected);
    expect(isRecent([NOW, NOW - age], NOW, STALENESS)).toBe(expected);
  });
});

describe("ended", () => {
  const KNOWN = knowing({ K1: 1 });
  const TWO = { ...knowing({ K1: 1, K2: 2 }), operations: new Set(["one"]) };
  interface Shown {
    readonly key?: string;
    /** None: facts. */
    readonly code?: RejectionCode;
    /** Whether a commit was proven. */
    readonly proven?: boolean;
    readonly memory?: SignerHistory;
    /** Of the log; none for a did:web. */
    readonly operations?: readonly string[];
  }
  const seen = ({ key, code, proven = true, operations }: Shown): Attempt => ({
    observation: {
      signer: A,
      revs: proven ? [REV] : [],
      ...(key !== undefined && { key }),
      ...(operations && { operations }),
    },
    ...(code === undefined ? { facts: facts(A) } : { signer: A, finding: { signer: A, code, detail: "" } }),
  });

  it.each<[string, Shown, string]>([
    ["nothing, by a good answer", { key: "K1" }, "nothing"],
    ["nothing, where nothing is known", { key: "K1", memory: NO_HISTORY }, "nothing"],
    ["nothing, by a log that shows nothing", { code: "identity.log_invalid", proven: false }, "nothing"],
    ["the signer, by an identity of no use", { code: "identity.invalid", proven: false }, "signer"],
    ["nothing, by a commit that is not theirs", { key: "K1", code: "commit.bad_signature", proven: false }, "nothing"],
    ["nothing, by a bad proof", { key: "K1", code: "car.malformed" }, "nothing"],
    ["nothing, by what is missing of the tag", { key: "K1", code: "pds.unreachable" }, "nothing"],
    ["the digest, by absence", { key: "K1", code: "record.absent" }, "digest"],
    ["nothing but the tag's answer, where it means another image", { key: "K1", code: "tag.mismatch" }, "nothing"],
    ["nothing but the tag's answer, where it is not there", { key: "K1", code: "tag.absent" }, "nothing"],
    ["the digest, by a record that is none", { key: "K1", code: "record.malformed" }, "digest"],
    ["the digest, by a record of another", { key: "K1", code: "record.digest_mismatch" }, "digest"],
    ["nothing, by absence that no commit proves", { key: "K1", code: "record.absent", proven: false }, "nothing"],
    ["the signer, by a tombstone", { code: "identity.deactivated", proven: false }, "signer"],
    ["the signer, by a key that cannot be used", { code: "identity.unsupported_key", proven: false }, "signer"],
    ["the signer, by another key", { key: "K2" }, "signer"],
    ["the signer, by another key alone", { key: "K2", proven: false }, "signer"],
    ["the signer, by absence under another key", { key: "K2", code: "record.absent" }, "signer"],
    ["the signer, by the key before the last", { key: "K1", memory: knowing({ K1: 1, K2: 2 }) }, "signer"],
    [
      "the signer, by a log that goes back to a former key",
      { key: "K1", operations: ["one", "two"], memory: TWO },
      "signer",
    ],
    ["nothing, by the same log again", { key: "K1", operations: ["one"], memory: TWO }, "nothing"],
    ["the signer, by a key never seen in a log that was", { key: "K3", operations: ["one"], memory: TWO }, "signer"],
    ["nothing, by the last key", { key: "K2", memory: knowing({ K1: 1, K2: 2 }) }, "nothing"],
  ])("is %s", (_, shown, expected) => {
    expect(invalidationScope(seen(shown), shown.memory ?? KNOWN)).toBe(expected);
  });

  it("is nothing, by what proves nothing", () => {
    expect(invalidationScope(found(A, "identity.log_invalid"), KNOWN)).toBe("nothing");
    expect(invalidationScope(found(A, "record.absent"), KNOWN)).toBe("nothing");
    expect(invalidationScope(found(A, "identity.deactivated"), KNOWN)).toBe("signer");
  });
});

describe("isNewestKey", () => {
  it.each<[string, string, SignerHistory, boolean]>([
    ["nothing is known", "K1", NO_HISTORY, true],
    ["it alone was seen", "K1", knowing({ K1: 1 }), true],
    ["it was seen last", "K2", knowing({ K1: 1, K2: 2 }), true],
    ["another was seen later", "K1", knowing({ K1: 1, K2: 2 }), false],
    ["another was seen at the same time", "K1", knowing({ K1: 1, K2: 1 }), false],
    ["only another was seen", "K1", knowing({ K2: 1 }), false],
  ])("where %s", (_, key, memory, expected) => {
    expect(isNewestKey(key, memory)).toBe(expected);
  });
});

describe("isOtherKey", () => {
  it.each<[string, { key?: string; operations?: readonly string[] }, SignerHistory, boolean]>([
    ["there is none", {}, knowing({ K1: 1 }), false],
    ["it is the one seen last", { key: "K2" }, knowing({ K1: 1, K2: 2 }), false],
    ["nothing was seen", { key: "K1" }, NO_HISTORY, false],
    ["it was never seen", { key: "K2" }, knowing({ K1: 1 }), true],
    ["another was seen since, and no log tells", { key: "K1" }, knowing({ K1: 1, K2: 2 }), true],
  ])("where %s", (_, observation, memory, expected) => {
    expect(isOtherKey(observation, memory)).toBe(expected);
  });
});

describe("isOutdated", () => {
  const by = (observation: object): Attempt => ({
    facts: facts(A),
    observation: { signer: A, revs: [REV], ...observation },
  });
  it.each<[string, Attempt, SignerHistory, boolean]>([
    ["nothing was seen of an identity", { facts: facts(A) }, NO_HISTORY, true],
    ["no key is in place", by({}), NO_HISTORY, true],
    ["a did:web has the key seen last", by({ key: "K2" }), knowing({ K1: 1, K2: 2 }), false],
    ["a did:web has a key from before", by({ key: "K1" }), knowing({ K1: 1, K2: 2 }), true],
    ["nothing was remembered of a did:web", by({ key: "K1" }), NO_HISTORY, false],
    ["a log tells which key is the newest", by({ key: "K1", operations: [] }), knowing({ K1: 1, K2: 2 }), false],
  ])("where %s", (_, attempt, memory, expected) => {
    expect(isOutdated(attempt, memory)).toBe(expected);
  });
});

describe("isVouched", () => {
  const [plc, web] = ["did:plc:abc", "did:web:a.example"] as Did[] as [Did, Did];
  const directories = ["https://plc.example", "https://plc2.example"];
  it.each<[Did, string, boolean]>([
    [plc, "https://plc.example/did:plc:abc/log/audit", true],
    [plc, "https://plc2.example/did:plc:abc/log/audit", true],
    [plc, "https://plc3.example/did:plc:abc/log/audit", false],
    [plc, "https://plc.example/did:plc:abcd/log/audit", false],
    [plc, "https://plc.example/did:plc:abc/log/audit?", false],
    [plc, "https://plc.example/did:plc:abc/log", false],
    [plc, "http://plc.example/did:plc:abc/log/audit", false],
    [web, "https://a.example/.well-known/did.json", true],
    [web, "https://a.example.org/.well-known/did.json", false],
    [web, "http://a.example/.well-known/did.json", false],
    [web, "https://a.example/.well-known/did.json#", false],
    ["did:web:localhost%3A1" as Did, "http://localhost:1/.well-known/did.json", true],
    ["did:web:localhost%3A80" as Did, "http://localhost/.well-known/did.json", true],
    ["did:web:a.example%3A443" as Did, "https://a.example/.well-known/did.json", true],
    ["did:web:a.example%3A80" as Did, "https://a.example:80/.well-known/did.json", true],
    ["did:web:a.example%3A80" as Did, "https://a.example/.well-known/did.json", false],
  ])("of %s by %s: %s", (signer, url, expected) => {
    expect(isVouched(signer, url, directories)).toBe(expected);
  });
});
