import { describe, expect, it } from "vitest";
import { DID_KEY } from "../../../../src/core/atproto/syntax.ts";
import { NO_HISTORY } from "../../../../src/core/verify/signer-history.ts";
import { newEntryNames, parseEntries } from "../../../../src/io/store/signer-entries.ts";
import { ALICE, operationCid, tidAt, writtenKey } from "../../../support/traces.ts";

const NOW = Date.UTC(2025, 5, 1, 12);
const MINUTE = 60_000;
const [OLD, NEW] = [tidAt(NOW - 2 * MINUTE), tidAt(NOW - MINUTE)];
const CID = operationCid("a");
const KEY = writtenKey("a");
const keyName = (time: number | string, key = KEY) => `key-${key.slice(DID_KEY.length)}-${time}`;

describe("readTraces", () => {
  it("takes the newest revision, every operation, and the earliest time of each key", () => {
    const names = [`rev-${NEW}`, keyName(NOW - 1), `operation-${CID}`, `rev-${OLD}`, keyName(NOW - 5), keyName(NOW)];
    const { memory, revs, damaged, ahead } = parseEntries(names, NOW);
    expect(memory).toEqual({ ...NO_HISTORY, rev: NEW, operations: new Set([CID]), keys: new Map([[KEY, NOW - 5]]) });
    expect(revs).toEqual([OLD, NEW]);
    expect([...damaged, ...ahead]).toEqual([]);
  });

  it("knows nothing by no names", () => {
    expect(parseEntries([], NOW).memory).toEqual(NO_HISTORY);
  });

  it.each([
    ["another kind", "note-a"],
    ["no kind", OLD],
    ["nothing", ""],
    ["a rev that is no TID", "rev-3jzfcijpj2z2"],
    ["a rev of a TID that begins too high", "rev-zzzzzzzzzzzzz"],
    ["a rev with something behind it", `rev-${OLD}-`],
    ["a rev with a time", `rev-${OLD}-${NOW}`],
    ["a rev with something before it", `.rev-${OLD}`],
    ["a rev and a line break", `rev-${OLD}\n`],
    ["an operation without a CID", "operation-"],
    ["an operation cut off", `operation-${CID.slice(0, -1)}`],
    ["an operation of a raw CID", `operation-bafkrei${CID.slice(7)}`],
    ["an operation whose CID has pad bits", `operation-${CID.slice(0, -1)}b`],
    ["an operation whose hash is longer", `operation-bafyreiz${CID.slice(8)}`],
    ["an operation in upper case", `operation-${CID.toUpperCase()}`],
    ["a key without a time", keyName("").slice(0, -1)],
    ["a key with an empty time", keyName("")],
    ["a key with a time that is no number", keyName("soon")],
    ["a key with a time of zero", keyName(0)],
    ["a key with a negative time", keyName(-5)],
    ["a key with a leading zero", keyName(`0${NOW}`)],
    ["a key with a fraction", keyName("1.5")],
    ["a key with a time beyond all times", keyName("1".repeat(16))],
    ["a key that is none", `key-zabc-${NOW}`],
    ["a key cut off", keyName(NOW, KEY.slice(0, -1))],
    ["a key as did:key", `key-${KEY}-${NOW}`],
  ])("calls damaged %s", (_, name) => {
    const { memory, damaged } = parseEntries([name, `rev-${OLD}`], NOW);
    expect(damaged).toEqual([name]);
    expect(memory).toEqual({ ...NO_HISTORY, rev: OLD });
  });

  it("does not count what lies more than 5 minutes ahead of the clock", () => {
    const [rev, later] = [tidAt(NOW + 5 * MINUTE), tidAt(NOW + 5 * MINUTE + 1)];
    const other = writtenKey("b");
    const ahead = [`rev-${later}`, keyName(NOW + 5 * MINUTE + 1, other)];
    const entriesSeen = parseEntries([`rev-${OLD}`, `rev-${rev}`, keyName(NOW + 5 * MINUTE), ...ahead], NOW);
    expect(entriesSeen.memory).toEqual({ ...NO_HISTORY, rev, keys: new Map([[KEY, NOW + 5 * MINUTE]]) });
    expect(entriesSeen.ahead).toEqual(ahead);
    expect(entriesSeen.damaged).toEqual([]);
    expect(entriesSeen.revs).toEqual([OLD, rev]);
  });
});

describe("missingNames", () => {
  const known = { ...NO_HISTORY, rev: OLD, operations: new Set([CID]), keys: new Map([[KEY, NOW - MINUTE]]) };
  const seen = (what: object) => ({ signer: ALICE, revs: [], ...what });

  it("is all there is to say of a signer who was never seen", () => {
    const names = newEntryNames(seen({ revs: [OLD, NEW], operations: [CID], key: KEY }), NO_HISTORY, NOW);
    expect(names).toEqual([`rev-${NEW}`, `operation-${CID}`, keyName(NOW)]);
    expect(parseEntries(names, NOW).damaged).toEqual([]);
  });

  it("is nothing where nothing is new", () => {
    expect(newEntryNames(seen({ revs: [OLD], operations: [CID], key: KEY }), known, NOW)).toEqual([]);
    expect(newEntryNames(seen({ revs: [tidAt(NOW - 3 * MINUTE)] }), known, NOW)).toEqual([]);
    expect(newEntryNames(seen({}), known, NOW)).toEqual([]);
  });

  it("is what is new alone", () => {
    const other = writtenKey("b");
    expect(newEntryNames(seen({ revs: [NEW], operations: [CID] }), known, NOW)).toEqual([`rev-${NEW}`]);
    expect(newEntryNames(seen({ operations: [CID, operationCid("b")] }), known, NOW)).toEqual([
      `operation-${operationCid("b")}`,
    ]);
    expect(newEntryNames(seen({ key: other }), known, NOW)).toEqual([keyName(NOW, other)]);
  });

  it("leaves out a revision more than 5 minutes ahead, which would refuse every later one", () => {
    const [rev, later] = [tidAt(NOW + 5 * MINUTE), tidAt(NOW + 5 * MINUTE + 1)];
    expect(newEntryNames(seen({ revs: [later] }), known, NOW)).toEqual([]);
    expect(newEntryNames(seen({ revs: [rev, later, NEW] }), known, NOW)).toEqual([`rev-${rev}`]);
  });
});
