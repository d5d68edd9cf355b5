import { describe, expect, it } from "vitest";
import type { Tid } from "../../../src/atproto/syntax.ts";
import type { RejectionCode } from "../../../src/rejection.ts";
import type { Gap } from "../../../src/verify/evidence.ts";
import { ended, isFresh, isNewestKey, isOutdated, isRecent, isSilent, oldestPart } from "../../../src/verify/kept.ts";
import { NOTHING_REMEMBERED, type SignerMemory } from "../../../src/verify/memory.ts";
import type { Attempt } from "../../../src/verify/verdict.ts";
import { didNamed, facts, fetched, found, gap, NOW as TODAY } from "../../support/evidence.ts";
import { tid } from "../../support/signed-repo.ts";

const [A, B] = [didNamed("a"), didNamed("b")];
const REV = tid(TODAY * 1000) as Tid;
const MINUTE = 60_000;
const knowing = (keys: Record<string, number>): SignerMemory => ({
  ...NOTHING_REMEMBERED,
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

describe("oldestPart", () => {
  const at = (fetchedAt: number) => ({ ...fetched("", new Uint8Array()), fetchedAt });

  it("is the time of identity, record or tag", () => {
    for (const times of [
      [1, 2, 3],
      [2, 1, 3],
      [3, 2, 1],
    ] as const) {
      const [identity, record, tag] = [at(times[0]), at(times[1]), at(times[2])];
      expect(oldestPart({ signer: A, identity, record, tag })).toBe(1);
    }
    expect(oldestPart({ signer: A, identity: at(7) })).toBe(7);
  });
});

describe("isFresh and isRecent", () => {
  const NOW = 1_000_000_000;
  it.each([
    [[NOW - 100], true, true],
    [[NOW - 101], false, false],
    [[NOW], true, true],
    [[NOW + 1], false, true],
    [[NOW + 5 * MINUTE], false, true],
    [[NOW + 5 * MINUTE + 1], false, false],
    [[NOW, NOW - 101], false, false],
    [[NOW - 1, NOW + 1], false, true],
    [[], true, true],
  ] as const)("%j: fresh %s, recent %s", (times, fresh, recent) => {
    expect([isFresh(times, NOW, 100), isRecent(times, NOW, 100)]).toEqual([fresh, recent]);
  });
});

describe("isOutdated", () => {
  const sighting = { signer: A, revs: [REV], key: "K1" };
  const shown = (more: object) => ({ facts: facts(A), sighting: { ...sighting, ...more } });

  it("is what shows no key, and a did:web's that is not the newest", () => {
    expect(isOutdated({ facts: facts(A) }, NOTHING_REMEMBERED)).toBe(true);
    expect(isOutdated(found(A, "identity.log_invalid"), NOTHING_REMEMBERED)).toBe(true);
    expect(isOutdated(shown({}), NOTHING_REMEMBERED)).toBe(false);
    expect(isOutdated(shown({}), knowing({ K1: 2, K2: 1 }))).toBe(false);
    expect(isOutdated(shown({}), knowing({ K1: 1, K2: 2 }))).toBe(true);
    // A log tells by itself.
    expect(isOutdated(shown({ operations: [] }), knowing({ K1: 1, K2: 2 }))).toBe(false);
  });
});

describe("ended", () => {
  const KNOWN = knowing({ K1: 1 });
  const TWO = { ...knowing({ K1: 1, K2: 2 }), operations: new Set(["one"]) };
  interface Shown {
    readonly key?: string;
    readonly code?: RejectionCode;
    /** Whether a commit was proven. */
    readonly proven?: boolean;
    readonly memory?: SignerMemory;
    /** Of the log; none for a did:web. */
    readonly operations?: readonly string[];
  }
  const seen = ({ key, code, proven = true, operations }: Shown): Attempt => {
    const revs = proven ? [REV] : [];
    const sighting = { signer: A, revs, ...(key !== undefined && { key }), ...(operations && { operations }) };
    if (code === undefined) return { sighting, facts: facts(A) };
    return { sighting, signer: A, finding: { signer: A, code, detail: "" } };
  };

  it.each<[string, Shown, string]>([
    ["nothing, by a good answer", { key: "K1" }, "nothing"],
    ["nothing, where nothing is known", { key: "K1", memory: NOTHING_REMEMBERED }, "nothing"],
    ["nothing, by a log that shows nothing", { code: "identity.log_invalid", proven: false }, "nothing"],
    ["the signer, by an identity of no use", { code: "identity.invalid", proven: false }, "signer"],
    ["nothing, by a commit that is not theirs", { key: "K1", code: "commit.bad_signature", proven: false }, "nothing"],
    ["nothing, by a bad proof", { key: "K1", code: "car.malformed" }, "nothing"],
    ["nothing, by what is missing of the tag", { key: "K1", code: "pds.unreachable" }, "nothing"],
    ["the digest, by absence", { key: "K1", code: "record.absent" }, "digest"],
    ["nothing, by a tag that means another image", { key: "K1", code: "tag.mismatch" }, "nothing"],
    ["nothing, by a tag that is not there", { key: "K1", code: "tag.absent" }, "nothing"],
    ["the digest, by a record that is none", { key: "K1", code: "record.malformed" }, "digest"],
    ["the digest, by a record of another digest", { key: "K1", code: "record.digest_mismatch" }, "digest"],
    ["nothing, by a record that is not proven", { key: "K1", code: "record.malformed", proven: false }, "nothing"],
    ["the signer, by a key of no use", { code: "identity.unsupported_key", proven: false }, "signer"],
    ["the signer, by a tombstone", { code: "identity.deactivated", proven: false }, "signer"],
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
    expect(ended(seen(shown), shown.memory ?? KNOWN)).toBe(expected);
  });
});

describe("isNewestKey", () => {
  it.each<[string, string, SignerMemory, boolean]>([
    ["nothing is known", "K1", NOTHING_REMEMBERED, true],
    ["it alone was seen", "K1", knowing({ K1: 1 }), true],
    ["it was seen last", "K2", knowing({ K1: 1, K2: 2 }), true],
    ["another was seen later", "K1", knowing({ K1: 1, K2: 2 }), false],
    ["another was seen at the same time", "K1", knowing({ K1: 1, K2: 1 }), false],
    ["only another was seen", "K1", knowing({ K2: 1 }), false],
  ])("where %s", (_, key, memory, expected) => {
    expect(isNewestKey(key, memory)).toBe(expected);
  });
});
