import { describe, expect, it } from "vitest";
import type { IdentityProof } from "../../../src/atproto/identity.ts";
import { Rejection } from "../../../src/rejection.ts";
import type { Gap } from "../../../src/verify/evidence.ts";
import { isNewestKey, isSilent, refuted, verifiedAt } from "../../../src/verify/kept.ts";
import { NOTHING_REMEMBERED, type SignerMemory } from "../../../src/verify/memory.ts";
import type { Attempt } from "../../../src/verify/verdict.ts";
import { didNamed, facts, fetched, found, gap } from "../../support/evidence.ts";

const [A, B] = [didNamed("a"), didNamed("b")];
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
  });

  it("is nobody of whom anything was heard, good or bad", () => {
    const gaps = [gap("pds.unreachable", A)];
    for (const heard of [{ facts: facts(A) }, found(A, "record.absent"), found(A, "car.malformed")]) {
      expect(silent(gaps, [heard])).toBe(false);
    }
    expect(silent(gaps, [{ facts: facts(B) }, found(B, "record.absent")])).toBe(true);
  });

  it("is one who was not asked only where the registry's list is missing", () => {
    expect(silent([])).toBe(false);
    expect(silent([gap("pds.unreachable", B)])).toBe(false);
    expect(silent([gap("registry.unreachable")])).toBe(true);
    expect(silent([gap("registry.unreachable"), gap("registry.bad_response")])).toBe(false);
    expect(silent([{ service: "handle", code: "handle.unreachable", detail: "" }])).toBe(false);
  });

  it("is no less one because of the registry's answer, where one was asked directly", () => {
    expect(silent([gap("pds.unreachable", A), gap("registry.bad_response")])).toBe(true);
  });
});

describe("verifiedAt", () => {
  const NOW = 1_000_000_000;
  const at = (fetchedAt: number) => ({ ...fetched("", new Uint8Array()), fetchedAt });
  const evidence = (...[identity, record, tag, owner]: [number, number, number, number]) => ({
    pointers: [],
    gaps: [],
    signatures: [{ signer: A, identity: at(identity), record: at(record), tag: at(tag) }],
    owner: { handle: "alice.test", source: "", fetchedAt: owner },
  });

  it("is the time of the oldest part", () => {
    expect(verifiedAt(evidence(1, 2, 3, 4), NOW)).toBe(1);
    expect(verifiedAt(evidence(2, 1, 3, 4), NOW)).toBe(1);
    expect(verifiedAt(evidence(3, 2, 1, 4), NOW)).toBe(1);
    expect(verifiedAt(evidence(4, 3, 2, 1), NOW)).toBe(1);
    const { owner: _, ...ownerless } = evidence(4, 3, 2, 1);
    expect(verifiedAt(ownerless, NOW)).toBe(2);
  });

  it("is none where a part is more than 5 minutes ahead", () => {
    const ahead = NOW + 5 * MINUTE;
    expect(verifiedAt(evidence(1, 2, 3, ahead), NOW)).toBe(1);
    for (const place of [0, 1, 2, 3]) {
      const times = [1, 2, 3, 4].with(place, ahead + 1) as [number, number, number, number];
      expect(verifiedAt(evidence(...times), NOW)).toBeUndefined();
    }
  });
});

describe("refuted", () => {
  const seeing = (key: string | undefined, attempt: Attempt): Attempt => ({
    ...attempt,
    sighting: { signer: A, revs: [], ...(key === undefined ? {} : { key }) },
  });
  const good: Attempt = { facts: facts(A) };

  it.each<[string, Attempt, SignerMemory, string]>([
    ["nothing, by a good answer", seeing("K1", good), knowing({ K1: 1 }), "nothing"],
    ["nothing, by a log that shows nothing", found(A, "identity.log_invalid"), knowing({ K1: 1 }), "nothing"],
    ["nothing, where nothing is known", seeing("K1", good), NOTHING_REMEMBERED, "nothing"],
    ["nothing, by a bad proof", seeing("K1", found(A, "car.malformed")), knowing({ K1: 1 }), "nothing"],
    ["the digest, by absence", seeing("K1", found(A, "record.absent")), knowing({ K1: 1 }), "digest"],
    ["the signer, by a tombstone", seeing(undefined, found(A, "identity.deactivated")), knowing({ K1: 1 }), "signer"],
    ["the signer, by another key", seeing("K2", good), knowing({ K1: 1 }), "signer"],
    ["the signer, by absence under another key", seeing("K2", found(A, "record.absent")), knowing({ K1: 1 }), "signer"],
    ["the signer, by the key before the last", seeing("K1", good), knowing({ K1: 1, K2: 2 }), "signer"],
    ["nothing, by the last key", seeing("K2", good), knowing({ K1: 1, K2: 2 }), "nothing"],
    [
      "nothing, by an identity of no use",
      seeing(undefined, found(A, "identity.invalid")),
      knowing({ K1: 1 }),
      "nothing",
    ],
  ])("is %s", (_, attempt, memory, expected) => {
    expect(refuted(attempt, memory)).toBe(expected);
  });
});

describe("isNewestKey", () => {
  const proof = (didKey: string) => ({ did: A, current: { key: { didKey } } }) as IdentityProof;
  const none: IdentityProof = { did: A, current: new Rejection("identity.deactivated", "closed") };

  it.each<[string, string | undefined, IdentityProof | undefined, SignerMemory, boolean]>([
    ["nothing is known", "K1", undefined, NOTHING_REMEMBERED, true],
    ["it alone was seen", "K1", undefined, knowing({ K1: 1 }), true],
    ["it was seen last", "K2", undefined, knowing({ K1: 1, K2: 2 }), true],
    ["another was seen later", "K1", undefined, knowing({ K1: 1, K2: 2 }), false],
    ["another was seen at the same time", "K1", undefined, knowing({ K1: 1, K2: 1 }), false],
    ["only another was seen", "K1", undefined, knowing({ K2: 1 }), false],
    ["the identity has it", "K1", proof("K1"), knowing({ K1: 1 }), true],
    ["the identity has another", "K1", proof("K2"), knowing({ K1: 1 }), false],
    ["the identity has it, and another was seen later", "K1", proof("K1"), knowing({ K1: 1, K2: 2 }), false],
    ["the identity is nobody's", "K1", none, knowing({ K1: 1 }), false],
    ["there is no key", undefined, undefined, NOTHING_REMEMBERED, false],
  ])("where %s", (_, key, identity, memory, expected) => {
    expect(isNewestKey(key, identity, memory)).toBe(expected);
  });
});
