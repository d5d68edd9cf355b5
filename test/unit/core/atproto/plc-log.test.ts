import { describe, expect, it } from "vitest";
import type { Identity } from "../../../../src/core/atproto/identity.ts";
import { parseDidKey } from "../../../../src/core/atproto/key.ts";
import { type Did, isDid } from "../../../../src/core/atproto/syntax.ts";
import { toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import type { RejectionCode } from "../../../../src/core/rejection.ts";
import { proveIdentity } from "../../../support/identity.ts";
import {
  type AppendOptions,
  type AuditEntry,
  auditEntry,
  didOfGenesis,
  encodeOperation,
  legacyCreate,
  type Operation,
  PlcLog,
  type PlcState,
  plcOperation,
  plcTombstone,
  type SignatureForm,
  type SignedOperation,
  signOperation,
} from "../../../support/plc-operations.ts";
import { codeOf } from "../../../support/rejection.ts";
import { type SigningKey, signingKey } from "../../../support/signing-key.ts";
import { without } from "../../../support/without.ts";

const AT = Date.UTC(2025, 0, 1);
const HOUR = 60 * 60 * 1000;
const INVALID = "identity.log_invalid";

/** Rotation keys from the most to the least powerful, of both curves. */
const owner = signingKey("p256", "owner");
const second = signingKey("k256", "second");
const third = signingKey("p256", "third");
const stranger = signingKey("k256", "stranger");
const first = signingKey("k256", "first repo key");
const next = signingKey("p256", "next repo key");
const last = signingKey("k256", "last repo key");
const STATE: PlcState = {
  rotationKeys: [owner, second, third],
  signingKey: first,
  handle: "alice.example",
  pds: "https://pds.example",
};

type Log = Pick<PlcLog, "did" | "entries">;

function asDid(text: string): Did {
  return isDid(text) ? text : expect.fail(`${text} is no DID`);
}

function replay({ did }: Pick<Log, "did">, entries: unknown): Identity {
  return proveIdentity(asDid(did), toUtf8(JSON.stringify(entries)));
}

/** The repo key in force, or the code of the rejection. */
function outcome(log: Log, entries: unknown = log.entries()): string {
  let key = "";
  const code: RejectionCode | "none" = codeOf(() => {
    key = replay(log, entries).key.didKey;
  });
  return code === "none" ? key : code;
}

/** Every order of the entries, where there are few; else some. */
function ordersOf<T>(items: readonly T[]): T[][] {
  if (items.length > 3) return [[...items].reverse(), [...items.slice(2), ...items.slice(0, 2)]];
  return items.flatMap((item, i) => {
    const rest = ordersOf(items.filter((_, j) => j !== i));
    return rest.length === 0 ? [[item]] : rest.map((order) => [item, ...order]);
  });
}

/** The answer to the log, which must be the same for each order of its entries and whatever the directory adds. */
function answer(log: Log): string {
  const entries = log.entries();
  const found = outcome(log, entries);
  for (const order of ordersOf(entries)) expect(outcome(log, order)).toBe(found);
  const lying = entries.map((entry, i) => ({
    ...entry,
    did: "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa",
    cid: i === 0 ? null : entries[0]?.cid,
    nullified: !entry.nullified,
    more: {},
  }));
  expect(outcome(log, lying)).toBe(found);
  const bare = entries.map(({ operation, createdAt }) => ({ operation, createdAt }));
  expect(outcome(log, bare)).toBe(found);
  return found;
}

/** An entry that replaces the last one of the log. */
async function withLast(log: PlcLog, operation: SignedOperation, at: number): Promise<Log> {
  const entries = [...log.entries().slice(0, -1), await auditEntry(log.did, operation, at)];
  return { did: log.did, entries: () => entries };
}

const began = (options: Partial<AppendOptions> = {}, state: Partial<PlcState> = {}) =>
  PlcLog.create({ ...STATE, ...state }, { at: AT, ...options });

describe("a log", () => {
  it("of a genesis operation alone names the identity", async () => {
    const log = await began();
    expect(replay(log, log.entries())).toEqual({
      did: log.did,
      key: parseDidKey(first.did()),
      keySince: AT,
      formerKeys: new Set(),
      pds: "https://pds.example",
      handles: ["alice.example"],
      services: [{ id: "atproto_pds", type: "AtprotoPersonalDataServer" }],
    });
  });

  it("of several operations names what the last one says, and the keys before", async () => {
    const log = await began();
    await log.update({ signingKey: next }, { at: AT + 1 });
    await log.update({ handle: "alice.org" }, { at: AT + 2, signer: second });
    await log.update({ signingKey: last, pds: "https://new.example" }, { at: AT + 3, signer: third });
    expect(answer(log)).toBe(last.did());
    expect(replay(log, log.entries())).toMatchObject({
      formerKeys: new Set([first.did(), next.did()]),
      pds: "https://new.example",
      handles: ["alice.org"],
    });
  });

  it("that returns to a key does not name it as a former one; a nullified key is one", async () => {
    const log = await began();
    await log.update({ signingKey: next }, { at: AT + 1 });
    await log.update({ signingKey: last }, { at: AT + 2, signer: second });
    await log.update({ signingKey: first }, { at: AT + 3, after: 1, signer: owner });
    expect(answer(log)).toBe(first.did());
    expect(replay(log, log.entries()).formerKeys).toEqual(new Set([next.did(), last.did()]));
  });

  it("follows a change of rotation keys", async () => {
    const log = await began();
    await log.update({ rotationKeys: [stranger] }, { at: AT + 1 });
    await log.update({ signingKey: next }, { at: AT + 2, signer: stranger });
    expect(answer(log)).toBe(next.did());
  });

  it.each([
    ["null", "null"],
    ["an object", "{}"],
    ["an empty list", "[]"],
    ["text", '"x"'],
    ["no JSON", "[{]"],
    ["nothing", ""],
    ["a list of null", "[null]"],
    ["a list of lists", "[[]]"],
    ["an entry without an operation", `[{"createdAt":"2025-01-01T00:00:00Z"}]`],
  ])("is not %s", (_, text) => {
    expect(codeOf(() => proveIdentity("did:plc:ewvi7nxzyoun6zhxrhs64oiz", toUtf8(text)))).toBe(INVALID);
  });

  it("has a date and time for each operation", async () => {
    const log = await began();
    for (const createdAt of [undefined, null, AT, "", "yesterday", "2025-01-01", "2025-02-30T00:00:00Z"]) {
      expect(outcome(log, [{ ...log.entries()[0], createdAt }])).toBe(INVALID);
    }
    expect(outcome(log, [{ ...log.entries()[0], createdAt: "2025-01-01T02:00:00.123456+02:00" }])).toBe(first.did());
  });

  it("takes an operation as a DAG-CBOR value: the order of its JSON fields means nothing", async () => {
    const log = await began();
    const [entry] = log.entries();
    const operation = Object.fromEntries(Object.entries(entry?.operation ?? {}).reverse());
    expect(outcome(log, [{ ...entry, operation }])).toBe(first.did());
  });
});

describe("the genesis operation", () => {
  it("hashes to the DID", async () => {
    const log = await began();
    const other = await began({}, { signingKey: next });
    expect(outcome({ did: other.did, entries: () => log.entries() })).toBe(INVALID);
    const mistyped = `${log.did.slice(0, -1)}${log.did.endsWith("a") ? "b" : "a"}`;
    expect(outcome({ did: mistyped, entries: () => log.entries() })).toBe(INVALID);
  });

  it("is signed by any of its own rotation keys", async () => {
    for (const signer of [owner, second, third]) expect(answer(await began({ signer }))).toBe(first.did());
  });

  it("is not signed by anything else, its repo key included", async () => {
    for (const signer of [stranger, first]) expect(outcome(await began({ signer }))).toBe(INVALID);
  });

  it("may have duplicate, empty and unreadable rotation keys", async () => {
    const rotationKeys = ["", second, second, "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK", third];
    expect(answer(await began({ signer: third }, { rotationKeys }))).toBe(first.did());
  });

  it("has no prev", async () => {
    const edit = (operation: Operation) => ({
      ...operation,
      prev: "bafyreihdb57fdysx5h35urvxz64ros7zvywshber7id6t6c6fek37jgyfe",
    });
    expect(outcome(await began({ edit }))).toBe(INVALID);
  });

  it("is the earliest", async () => {
    const log = await began({ at: AT + 2 });
    await log.update({}, { at: AT + 1 });
    expect(outcome(log)).toBe(INVALID);
  });

  it("is one", async () => {
    const log = await began();
    const other = (await began({}, { signingKey: next })).entries();
    for (const at of [AT - 1, AT, AT + 1]) {
      const added = other.map((entry) => ({ ...entry, createdAt: new Date(at).toISOString() }));
      expect(outcome(log, [...log.entries(), ...added])).toBe(INVALID);
    }
  });

  it("is no tombstone", async () => {
    const operation = await signOperation({ type: "plc_tombstone", prev: null }, owner);
    const did = await didOfGenesis(operation);
    const entries = [await auditEntry(did, operation, AT)];
    expect(outcome({ did, entries: () => entries })).toBe(INVALID);
  });

  it("is there", async () => {
    const log = await began();
    await log.update({}, { at: AT + 1 });
    expect(outcome(log, log.entries().slice(1))).toBe(INVALID);
  });
});

describe("a legacy genesis operation", () => {
  it.each([
    ["the signing key", first],
    ["the recovery key", owner],
  ])("may be signed by %s", async (_, signer) => {
    expect(answer(await PlcLog.createLegacy(STATE, { at: AT, signer }))).toBe(first.did());
  });

  it("is not signed by another key", async () => {
    for (const signer of [second, stranger]) {
      expect(outcome(await PlcLog.createLegacy(STATE, { at: AT, signer }))).toBe(INVALID);
    }
  });

  it("is followed by operations of today, the recovery key being the more powerful", async () => {
    const log = await PlcLog.createLegacy(STATE, { at: AT });
    await log.update({ signingKey: next, rotationKeys: [third] }, { at: AT + 1, signer: first });
    expect(answer(log)).toBe(next.did());
    await log.update({ signingKey: last }, { at: AT + 2, after: 0, signer: owner });
    expect(answer(log)).toBe(last.did());
  });

  it("cannot be forked by its signing key where the recovery key signed", async () => {
    const log = await PlcLog.createLegacy(STATE, { at: AT });
    await log.update({ signingKey: next }, { at: AT + 1, signer: owner });
    await log.update({ signingKey: last }, { at: AT + 2, after: 0, signer: first });
    expect(outcome(log)).toBe(INVALID);
  });

  it("exists as genesis alone", async () => {
    const log = await began();
    const [genesis] = log.entries();
    const late = await signOperation({ ...legacyCreate(STATE), prev: genesis?.cid }, owner);
    expect(outcome(log, [genesis, await auditEntry(log.did, late, AT + 1)])).toBe(INVALID);
  });
});

describe("a later operation", () => {
  it.each([
    ["of no operation", "bafyreihdb57fdysx5h35urvxz64ros7zvywshber7id6t6c6fek37jgyfe"],
    ["that is null", null],
    ["that is empty", ""],
  ])("does not have a prev %s", async (_, prev) => {
    const log = await began();
    await log.update({}, { at: AT + 1, edit: (operation) => ({ ...operation, prev }) });
    expect(outcome(log)).toBe(INVALID);
  });

  it("is not its own prev, nor that of the one before it", async () => {
    const log = await began();
    const entry = await log.update({}, { at: AT + 1 });
    await log.update({}, { at: AT + 2 });
    expect(outcome(log, [entry])).toBe(INVALID);
    const backwards = log
      .entries()
      .map((one, i) => ({ ...one, createdAt: new Date(AT + [0, 2, 1][i]!).toISOString() }));
    expect(outcome(log, backwards)).toBe(INVALID);
  });

  it("is signed by a rotation key of the one before it", async () => {
    for (const signer of [stranger, first]) {
      const log = await began();
      await log.update({ signingKey: next }, { at: AT + 1, signer });
      expect(outcome(log)).toBe(INVALID);
    }
  });

  it("is not signed by a rotation key that it brings itself, nor by one that came later or went before", async () => {
    const own = await began();
    await own.update({ rotationKeys: [stranger] }, { at: AT + 1, signer: stranger });
    expect(outcome(own)).toBe(INVALID);

    const later = await began();
    await later.update({}, { at: AT + 1, signer: stranger });
    await later.update({ rotationKeys: [stranger] }, { at: AT + 2 });
    expect(outcome(later)).toBe(INVALID);

    const gone = await began();
    await gone.update({ rotationKeys: [second] }, { at: AT + 1 });
    await gone.update({ signingKey: next }, { at: AT + 2, signer: owner });
    expect(outcome(gone)).toBe(INVALID);
  });

  it.each(["high-S", "der", "padded", "pad-bits", "standard-base64", "truncated"] as const)(
    "is not signed %s, by neither curve",
    async (form: SignatureForm) => {
      for (const signer of [owner, second]) {
        const log = await began();
        await log.update({ signingKey: next }, { at: AT + 1, signer, form });
        expect(outcome(log)).toBe(INVALID);
        expect(outcome(await began({ signer, form }))).toBe(INVALID);
      }
    },
  );

  it.each([
    ["has an unknown field", (operation: Operation) => ({ ...operation, nonce: "x" })],
    ["lacks a field", (operation: Operation) => without(operation, "alsoKnownAs")],
  ])("is refused where it %s, though it is signed", async (_, edit) => {
    const log = await began();
    await log.update({}, { at: AT + 1, edit });
    expect(outcome(log)).toBe(INVALID);
    expect(outcome(await began({ edit }))).toBe(INVALID);
  });

  it("is signed as a whole", async () => {
    const log = await began();
    await log.update({}, { at: AT + 1 });
    const [genesis, entry] = log.entries();
    const forged = { ...entry, operation: { ...entry?.operation, verificationMethods: { atproto: stranger.did() } } };
    expect(outcome(log, [genesis, forged])).toBe(INVALID);
  });

  it("may have the date of the one before it", async () => {
    const log = await began();
    for (const signer of [first, next, last]) await log.update({ signingKey: signer }, { at: AT });
    expect(answer(log)).toBe(last.did());
  });

  it("is not listed twice", async () => {
    const log = await began();
    await log.update({ signingKey: next }, { at: AT + 1, signer: third });
    await log.update({ signingKey: last }, { at: AT + 3, after: 0, signer: owner });
    expect(answer(log)).toBe(last.did());
    for (const entry of log.entries()) {
      for (const at of [AT, AT + 1, AT + 2, AT + 3, AT + 4]) {
        const again = { ...entry, createdAt: new Date(at).toISOString() };
        expect(outcome(log, [...log.entries(), again])).toBe(INVALID);
        expect(outcome(log, [again, ...log.entries()])).toBe(INVALID);
      }
    }
  });
});

/** A log whose second operation is disputed, and the fork that disputes it. */
async function forked(fork: { by: SigningKey; against?: SigningKey; after?: number; at?: number }): Promise<PlcLog> {
  const log = await began();
  const hours = fork.after ?? 1;
  await log.update({ signingKey: next }, { at: AT + HOUR, signer: fork.against ?? second });
  await log.update({ signingKey: last }, { at: fork.at ?? AT + HOUR + hours * HOUR, after: 0, signer: fork.by });
  return log;
}

describe("a fork", () => {
  it("by a more powerful key nullifies what it undoes", async () => {
    expect(answer(await forked({ by: owner, against: second }))).toBe(last.did());
    expect(answer(await forked({ by: owner, against: third }))).toBe(last.did());
    expect(answer(await forked({ by: second, against: third }))).toBe(last.did());
  });

  it("needs a more powerful key", async () => {
    for (const [by, against] of [
      [owner, owner],
      [second, second],
      [third, second],
      [third, owner],
      [second, owner],
    ] as const) {
      expect(outcome(await forked({ by, against }))).toBe(INVALID);
    }
    expect(outcome(await forked({ by: stranger }))).toBe(INVALID);
  });

  it("counts a key that is listed twice by its first place", async () => {
    const log = await began({}, { rotationKeys: [second, owner, second] });
    await log.update({ signingKey: next }, { at: AT + 1, signer: second });
    await log.update({ signingKey: last }, { at: AT + 2, after: 0, signer: owner });
    expect(outcome(log)).toBe(INVALID);
  });

  it("comes within 72 hours, the last millisecond included", async () => {
    expect(answer(await forked({ by: owner, after: 72 }))).toBe(last.did());
    expect(outcome(await forked({ by: owner, at: AT + HOUR + 72 * HOUR + 1 }))).toBe(INVALID);
  });

  it("is timed from the first operation it undoes, not from the last, and not from the one it keeps", async () => {
    const late = await began();
    await late.update({ signingKey: next }, { at: AT, signer: second });
    await late.update({ handle: "x.example" }, { at: AT + 71 * HOUR, signer: owner });
    await late.update({ signingKey: last }, { at: AT + 73 * HOUR, after: 0, signer: owner });
    expect(outcome(late)).toBe(INVALID);

    const kept = await began();
    await kept.update({ signingKey: next }, { at: AT + 100 * HOUR, signer: second });
    await kept.update({ signingKey: last }, { at: AT + 101 * HOUR, after: 0, signer: owner });
    expect(answer(kept)).toBe(last.did());
  });

  it("is measured against the signer of the first operation it undoes alone", async () => {
    const log = await began();
    await log.update({ signingKey: next }, { at: AT + 1, signer: third });
    await log.update({ handle: "x.example" }, { at: AT + 2, signer: owner });
    await log.update({ signingKey: last }, { at: AT + 3, after: 0, signer: second });
    expect(answer(log)).toBe(last.did());

    const other = await began();
    await other.update({ signingKey: next }, { at: AT + 1, signer: owner });
    await other.update({ handle: "x.example" }, { at: AT + 2, signer: third });
    await other.update({ signingKey: last }, { at: AT + 3, after: 0, signer: second });
    expect(outcome(other)).toBe(INVALID);
  });

  it("is judged by the rotation keys of the operation it stands on", async () => {
    const log = await began();
    // A thief with the weakest key takes all rotation keys; the owner comes back with those of before.
    await log.update({ rotationKeys: [stranger], signingKey: next }, { at: AT + 1, signer: third });
    await log.update({ handle: "x.example" }, { at: AT + 2, signer: stranger });
    expect(answer(log)).toBe(next.did());
    await log.update({ signingKey: last }, { at: AT + 3, after: 0, signer: owner });
    expect(answer(log)).toBe(last.did());
  });

  it("is later than every operation before it", async () => {
    for (const [at, expected] of [
      [AT + 1, INVALID],
      [AT + 2, INVALID],
      [AT + 3, last.did()],
    ] as const) {
      const log = await began();
      await log.update({ signingKey: next }, { at: AT + 1, signer: second });
      await log.update({ handle: "x.example" }, { at: AT + 2, signer: second });
      await log.update({ signingKey: last }, { at, after: 0, signer: owner });
      expect(answer(log)).toBe(expected);
    }
  });

  it("is later than operations that are nullified already", async () => {
    for (const [at, expected] of [
      [AT + 3, INVALID], // the date of the fork before it
      [AT + 4, last.did()],
    ] as const) {
      const log = await began();
      await log.update({ signingKey: next }, { at: AT + 1, signer: third });
      await log.update({ handle: "x.example" }, { at: AT + 2, signer: third });
      await log.update({ signingKey: first }, { at: AT + 3, after: 0, signer: second });
      await log.update({ signingKey: last }, { at, after: 0, signer: owner });
      expect(answer(log)).toBe(expected);
    }
  });

  it("cannot be slipped in before what it undoes", async () => {
    // Dated between, it would be the regular operation, and what stood would be the fork.
    const log = await began();
    await log.update({ signingKey: next }, { at: AT + 2, signer: owner });
    await log.update({ signingKey: last }, { at: AT + 1, after: 0, signer: second });
    expect(answer(log)).toBe(next.did());
    const weak = await began();
    await weak.update({ signingKey: next }, { at: AT + 2, signer: second });
    await weak.update({ signingKey: last }, { at: AT + 1, after: 0, signer: owner });
    expect(answer(weak)).toBe(INVALID);
  });

  it("can be undone by a more powerful one, three ways", async () => {
    const log = await began();
    await log.update({ signingKey: next }, { at: AT + 1, signer: third });
    await log.update({ signingKey: first }, { at: AT + 2, after: 0, signer: second });
    await log.update({ signingKey: last }, { at: AT + 3, after: 0, signer: owner });
    expect(answer(log)).toBe(last.did());

    const back = await began();
    await back.update({ signingKey: next }, { at: AT + 1, signer: third });
    await back.update({ signingKey: first }, { at: AT + 2, after: 0, signer: owner });
    await back.update({ signingKey: last }, { at: AT + 3, after: 0, signer: second });
    expect(outcome(back)).toBe(INVALID);
  });

  it("starts the 72 hours of its own undoing", async () => {
    const log = await began();
    await log.update({ signingKey: next }, { at: AT, signer: third });
    await log.update({ signingKey: first }, { at: AT + 72 * HOUR, after: 0, signer: second });
    await log.update({ signingKey: last }, { at: AT + 144 * HOUR, after: 0, signer: owner });
    expect(answer(log)).toBe(last.did());
  });

  it("may branch off in the middle", async () => {
    const log = await began();
    await log.update({ handle: "a.example" }, { at: AT + 1 });
    await log.update({ signingKey: next }, { at: AT + 2, signer: third });
    await log.update({ handle: "b.example" }, { at: AT + 3, signer: third });
    await log.update({ signingKey: last }, { at: AT + 4, after: 1, signer: second });
    await log.update({ handle: "c.example" }, { at: AT + 5, signer: third });
    expect(outcome(log)).toBe(last.did());
    expect(replay(log, log.entries()).handles).toEqual(["c.example"]);
  });

  it("leaves nothing to stand on a nullified operation", async () => {
    const log = await began();
    await log.update({ signingKey: next }, { at: AT + 1, signer: second });
    await log.update({ signingKey: last }, { at: AT + 2, after: 0, signer: owner });
    await log.update({ handle: "x.example" }, { at: AT + 3, after: 1, signer: owner });
    expect(answer(log)).toBe(INVALID);
  });
});

describe("a tombstone", () => {
  it("closes the identity", async () => {
    const log = await began();
    await log.tombstone({ at: AT + 1 });
    expect(answer(log)).toBe("identity.deactivated");
  });

  it("is signed like any other operation", async () => {
    const log = await began();
    await log.tombstone({ at: AT + 1, signer: stranger });
    expect(outcome(log)).toBe(INVALID);
  });

  it("is undone by a fork, and only as any other operation", async () => {
    for (const [by, at, expected] of [
      [owner, AT + 1 + 72 * HOUR, last.did()],
      [owner, AT + 2 + 72 * HOUR, INVALID],
      [second, AT + 2, INVALID],
      [owner, AT + 1, INVALID],
    ] as const) {
      const log = await began();
      await log.tombstone({ at: AT + 1, signer: second });
      await log.update({ signingKey: last }, { at, after: 0, signer: by });
      expect(answer(log)).toBe(expected);
    }
  });

  it("can be the fork", async () => {
    const log = await began();
    await log.update({ signingKey: next }, { at: AT + 1, signer: second });
    await log.tombstone({ at: AT + 2, after: 0, signer: owner });
    expect(answer(log)).toBe("identity.deactivated");
  });

  it("is followed by nothing", async () => {
    const log = await began();
    await log.tombstone({ at: AT + 1 });
    await log.update({ signingKey: next }, { at: AT + 2 });
    expect(answer(log)).toBe(INVALID);
    const twice = await began();
    await twice.tombstone({ at: AT + 1 });
    const operation = await signOperation(plcTombstone(twice.entries()[1]?.cid ?? ""), owner);
    const entries = [...twice.entries(), await auditEntry(twice.did, operation, AT + 2)];
    expect(outcome(twice, entries)).toBe(INVALID);
  });

  it("names the operation it stands on", async () => {
    const log = await began();
    await log.tombstone({ at: AT + 1 });
    const operation = await signOperation({ type: "plc_tombstone", prev: null }, owner);
    expect(outcome(await withLast(log, operation, AT + 1))).toBe(INVALID);
  });
});

describe("what the log names at its end", () => {
  const edited = (edit: (operation: Operation) => Operation) => began({ edit });

  it("has an #atproto key", async () => {
    expect(outcome(await edited((one) => ({ ...one, verificationMethods: {} })))).toBe("identity.invalid");
    const other = { verificationMethods: { other: first.did() } };
    expect(outcome(await edited((one) => ({ ...one, ...other })))).toBe("identity.invalid");
  });

  it.each([
    "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
    "did:key:",
    "",
    first.multikey(),
    `${first.did()} `,
  ])("has a key that can be used: %j is none", async (atproto) => {
    const log = await edited((one) => ({ ...one, verificationMethods: { atproto } }));
    expect(outcome(log)).toBe("identity.unsupported_key");
  });

  it("may have had unusable keys before", async () => {
    const log = await edited((one) => ({ ...one, verificationMethods: { atproto: "did:key:z6Mk" } }));
    await log.update({ signingKey: next }, { at: AT + 1 });
    expect(outcome(log)).toBe(next.did());
    expect(replay(log, log.entries()).formerKeys).toEqual(new Set(["did:key:z6Mk"]));
  });

  it.each(["", "pds.example", "https://pds.example/path", "https://a@pds.example", "ftp://pds.example"])(
    "has a PDS: %j is none",
    async (endpoint) => {
      const services = { atproto_pds: { type: "AtprotoPersonalDataServer", endpoint } };
      expect(outcome(await edited((one) => ({ ...one, services })))).toBe("identity.invalid");
    },
  );

  it("has a PDS of the right name and type", async () => {
    const pds = { type: "AtprotoPersonalDataServer", endpoint: "https://pds.example" };
    for (const services of [{}, { pds }, { atproto_pds: { ...pds, type: "Other" } }]) {
      expect(outcome(await edited((one) => ({ ...one, services })))).toBe("identity.invalid");
    }
  });
});

describe("a log that is meant to cost time", () => {
  it("has 200 operations at most", async () => {
    const entries: AuditEntry[] = [];
    let prev: string | null = null;
    let did = "";
    for (let i = 0; i < 201; i++) {
      const state = { ...STATE, rotationKeys: [second] };
      const operation: SignedOperation = await signOperation(plcOperation(state, prev), second);
      if (prev === null) did = await didOfGenesis(operation);
      prev = (await encodeOperation(operation)).cid;
      entries.push(await auditEntry(did, operation, AT + i));
    }
    expect(outcome({ did, entries: () => entries.slice(0, 200) })).toBe(first.did());
    expect(outcome({ did, entries: () => entries })).toBe(INVALID);
  });

  it.each<[string, (i: number) => SigningKey | string, number]>([
    // Keys that cannot be read cost time as well.
    ["500 pairs of operation and rotation key, unreadable or of k256,", (i) => `did:key:z${i}`, 248],
    ["250 pairs of operation and rotation key of p256", (i) => signingKey("p256", `tried ${i}`), 124],
  ])("has %s at most", async (_, keyAt, count) => {
    const [key, other] = [signingKey("k256", "at the end"), signingKey("k256", "behind it")];
    const rotationKeys = [...Array.from({ length: count }, (_, i) => keyAt(i)), key, other];
    const log = await PlcLog.create({ ...STATE, rotationKeys }, { at: AT, signer: key }); // 249
    await log.update({ signingKey: next }, { at: AT + 1, signer: key }); // 1: the key that signed last is tried first
    await log.update({ signingKey: last }, { at: AT + 2, signer: other }); // 250
    expect(outcome(log)).toBe(last.did());
    await log.update({ signingKey: next }, { at: AT + 3, signer: other }); // 1
    expect(outcome(log)).toBe(INVALID);
  });

  it("passes with as many operations as it may have, by a key that is not the first of its list", async () => {
    const log = await PlcLog.create({ ...STATE, rotationKeys: [first, second] }, { at: AT, signer: second });
    for (let i = 1; i < 200; i++) await log.update({}, { at: AT + i, signer: second });
    expect(outcome(log)).toBe(first.did());
  });
});
