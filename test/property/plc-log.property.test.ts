import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readDidDocument } from "../../src/core/atproto/did-document.ts";
import type { Identity } from "../../src/core/atproto/identity.ts";
import { type Did, isDid } from "../../src/core/atproto/syntax.ts";
import { toUtf8 } from "../../src/core/encoding/bytes.ts";
import { flipBit } from "../support/arbitrary-dag-cbor.ts";
import { didDocument } from "../support/did-document.ts";
import { proveIdentity } from "../support/identity.ts";
import { type AuditEntry, PlcLog } from "../support/plc-operations.ts";
import { codeOf } from "../support/rejection.ts";
import { type SigningKey, signingKey } from "../support/signing-key.ts";

const AT = Date.UTC(2025, 0, 1);
const WINDOW = 72 * 60 * 60 * 1000;
const INVALID = "identity.log_invalid";
const DOCUMENT_CODES = ["none", "identity.invalid", "identity.unsupported_key"];
const LOG_CODES = [...DOCUMENT_CODES, INVALID, "identity.deactivated"];

const rotationKeys = ["a", "b", "c"].map((seed) => signingKey("k256", seed));
const stranger = signingKey("k256", "stranger");
const STATE = { rotationKeys, signingKey: signingKey("k256", "0"), handle: "a.example", pds: "https://pds.example" };

function asDid(text: string): Did {
  return isDid(text) ? text : expect.fail(`${text} is no DID`);
}

const bytesOf = (entries: unknown) => toUtf8(JSON.stringify(entries));

/** The identity without what is a date's word, or the code of the rejection. */
function replayed(did: string, bytes: Uint8Array): Omit<Identity, "keySince"> | string {
  let found: Identity | undefined;
  const code = codeOf(() => {
    found = proveIdentity(asDid(did), bytes);
  });
  if (found === undefined) return code;
  const { keySince: _, ...undated } = found;
  return undated;
}

/** One operation of a log, told without keys and hashes. */
interface Move {
  /** Which of the operations before it is named as prev, as a share of their number. */
  readonly after: number;
  /** Index of the rotation key that signs it; 3 is a stranger's. */
  readonly signer: number;
  /** Milliseconds since the operation made before it; below 0: dated back. */
  readonly later: number;
  readonly tombstone: boolean;
}

const move: fc.Arbitrary<Move> = fc.record({
  after: fc.oneof({ weight: 3, arbitrary: fc.constant(0.999) }, fc.double({ min: 0, max: 0.999, noNaN: true })),
  signer: fc.oneof({ weight: 8, arbitrary: fc.nat(2) }, fc.constant(3)),
  later: fc.oneof({ weight: 5, arbitrary: fc.constantFrom(0, 1, 1000) }, fc.constantFrom(WINDOW, WINDOW + 1, -1)),
  tombstone: fc.oneof({ weight: 8, arbitrary: fc.constant(false) }, fc.constant(true)),
});

/** A signed log of these moves, and what spec 5.1 says of it, worked out from the moves alone. */
async function play(moves: readonly Move[]): Promise<{ log: PlcLog; expected: string }> {
  const log = await PlcLog.create(STATE, { at: AT });
  const told = [{ index: 0, prev: -1, signer: 0, at: AT, says: keyNamed(0).did() }];
  for (const [i, { after, signer, later, tombstone }] of moves.entries()) {
    const prev = Math.floor(after * told.length);
    const at = (told.at(-1)?.at ?? AT) + later;
    const by = rotationKeys[signer] ?? stranger;
    const options = { at, after: prev, signer: by };
    if (tombstone) await log.tombstone(options);
    else await log.update({ signingKey: keyNamed(i + 1) }, options);
    told.push({ index: i + 1, prev, signer, at, says: tombstone ? "tombstone" : keyNamed(i + 1).did() });
  }

  const inTime = [...told].sort((a, b) => a.at - b.at || a.index - b.index);
  let chain: typeof told = [];
  for (const [place, one] of inTime.entries()) {
    const kept = chain.findIndex(({ index }) => index === one.prev);
    const [disputed] = chain.slice(kept + 1);
    const genesis = place === 0 && one.index === 0;
    const follows = kept !== -1 && chain[kept]?.says !== "tombstone" && one.signer < 3;
    const wins =
      disputed === undefined ||
      (one.signer < disputed.signer && one.at <= disputed.at + WINDOW && one.at > (inTime[place - 1]?.at ?? 0));
    if (!genesis && !(follows && wins)) return { log, expected: INVALID };
    chain = [...chain.slice(0, kept + 1), one];
  }
  const says = chain.at(-1)?.says ?? "";
  return { log, expected: says === "tombstone" ? "identity.deactivated" : says };
}

const names = new Map<number, SigningKey>();
function keyNamed(index: number): SigningKey {
  const key = names.get(index) ?? signingKey("k256", `${index}`);
  names.set(index, key);
  return key;
}

const disputed = await PlcLog.create(STATE, { at: AT });
await disputed.update({ signingKey: keyNamed(1) }, { at: AT + 1000, signer: rotationKeys[2] ?? stranger });
await disputed.update({ signingKey: keyNamed(2) }, { at: AT + 5000, after: 0, signer: rotationKeys[1] ?? stranger });
await disputed.update({ handle: "b.example" }, { at: AT + 9000 });
const DISPUTED = replayed(disputed.did, disputed.bytes());

describe("an operation log", () => {
  it("says what the rules make of it, in any order of its entries", async () => {
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(move, { minLength: 1, maxLength: 5 }),
        fc.infiniteStream(fc.nat()),
        async (moves, random) => {
          const { log, expected } = await play(moves);
          const shuffled = log
            .entries()
            .map((entry) => ({ entry, place: Number(random.next().value) }))
            .sort((a, b) => a.place - b.place)
            .map(({ entry }) => entry);
          for (const entries of [log.entries(), shuffled]) {
            const found = replayed(log.did, bytesOf(entries));
            expect(typeof found === "string" ? found : found.key.didKey).toBe(expected);
          }
          if (expected !== INVALID) accepted++;
        },
      ),
      { numRuns: 120 },
    );
    expect(accepted).toBeGreaterThan(10);
  });

  it("says the same or nothing when any one bit is another", () => {
    expect(DISPUTED).toMatchObject({ key: { didKey: keyNamed(2).did() } });
    const bytes = disputed.bytes();
    fc.assert(
      fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
        const found = replayed(disputed.did, flipBit(bytes, bit));
        if (typeof found !== "string") expect(found).toEqual(DISPUTED);
        else expect(found).toBe(INVALID);
      }),
      { numRuns: 600 },
    );
  });

  it("says the same or nothing when dates are others", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5), { minLength: 4, maxLength: 4 }), (times) => {
        const entries = disputed.entries().map((entry, i) => ({ ...entry, createdAt: isoAt(times[i] ?? 0) }));
        const found = replayed(disputed.did, bytesOf(entries));
        if (typeof found !== "string") expect(found).toEqual(DISPUTED);
        else expect(found).toBe(INVALID);
      }),
      { numRuns: 150 },
    );
  });

  it("ends in an identity or a rejection, whatever is in it", () => {
    const [entry] = disputed.entries() as [AuditEntry];
    const names = [...Object.keys(entry.operation), "__proto__", "toString", "x"];
    const places = fc.constantFrom("entry", "operation", "verificationMethods", "services", "atproto_pds");
    fc.assert(
      fc.property(places, fc.constantFrom(...names), fc.jsonValue(), (place, name, value) => {
        const log = structuredClone(disputed.entries()) as unknown as Record<string, Record<string, unknown>>[];
        const first = log[0] ?? expect.fail("no entry");
        const operation = first["operation"] ?? expect.fail("no operation");
        const services = operation["services"] as Record<string, Record<string, unknown>>;
        const targets: Record<string, Record<string, unknown> | undefined> = {
          entry: first,
          operation,
          verificationMethods: operation["verificationMethods"] as Record<string, unknown>,
          services,
          atproto_pds: services["atproto_pds"],
        };
        Object.defineProperty(targets[place], name, { value, enumerable: true });
        const found = replayed(disputed.did, bytesOf(log));
        if (typeof found !== "string") expect(found).toEqual(DISPUTED);
      }),
      { numRuns: 600 },
    );
  });

  it("ends in a rejection, whatever the bytes are", () => {
    const any = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.json().map(toUtf8),
      fc
        .array(fc.record({ operation: fc.jsonValue(), createdAt: fc.constant(isoAt(0)) }), { minLength: 1 })
        .map(bytesOf),
      fc.constantFrom(1, 1000, 100_000).map((depth) => toUtf8("[".repeat(depth) + "]".repeat(depth))),
      fc
        .constantFrom(1, 1000, 100_000)
        .map((depth) => toUtf8(`${'[{"operation":'.repeat(depth)}1${"}]".repeat(depth)}`)),
    );
    fc.assert(
      fc.property(any, (bytes) => {
        expect(replayed(disputed.did, bytes)).toBe(INVALID);
      }),
      { numRuns: 400 },
    );
  });
});

describe("a DID document", () => {
  const did = "did:web:alice.example";
  const good = didDocument({ did, key: keyNamed(0), pds: "https://pds.example", handles: ["alice.example"] });

  it("ends in an identity or a rejection, whatever is in it", () => {
    const field = fc.constantFrom(...Object.keys(good), "__proto__", "toString");
    const deep = fc.constantFrom(10, 20_000).map((depth) => `${"[".repeat(depth)}${"]".repeat(depth)}`);
    const value = fc.oneof(
      fc.json(),
      fc.json().map((json) => `[${json}]`),
      deep,
    );
    fc.assert(
      fc.property(field, value, (name, json) => {
        const rest = JSON.stringify({ ...good, [name]: undefined });
        const text = `{${JSON.stringify(name)}:${json}${rest === "{}" ? "}" : `,${rest.slice(1)}`}`;
        expect(DOCUMENT_CODES).toContain(codeOf(() => readDidDocument(did, toUtf8(text))));
        expect(LOG_CODES).toContain(codeOf(() => proveIdentity(asDid(disputed.did), toUtf8(text))));
      }),
      { numRuns: 600 },
    );
  });

  it("ends in a rejection, whatever the bytes are", () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), fc.json().map(toUtf8)), (bytes) => {
        expect(["identity.invalid", "identity.bad_response"]).toContain(codeOf(() => readDidDocument(did, bytes)));
      }),
      { numRuns: 400 },
    );
  });
});

function isoAt(offset: number): string {
  return new Date(AT + offset).toISOString();
}
