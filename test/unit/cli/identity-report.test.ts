import { describe, expect, it } from "vitest";
import { type Identity, type IdentityProof, readIdentity } from "../../../src/atproto/identity.ts";
import { type IdentityFound, identityJson, identityText, wrongWith } from "../../../src/cli/identity-report.ts";
import { Rejection } from "../../../src/rejection.ts";
import { NOTHING_REMEMBERED } from "../../../src/verify/memory.ts";
import { BORN, didNamed, NOW } from "../../support/evidence.ts";
import { PlcLog } from "../../support/plc-operations.ts";
import { signingKey } from "../../support/signing-key.ts";

const HOUR = 3_600_000;
const HANDLE = "alice.example.com";
const OTHER = didNamed("b");
const key = signingKey("k256", "repo");
const rotationKey = signingKey("k256", "rotation");
const log = await PlcLog.create(
  { rotationKeys: [rotationKey], signingKey: key, handle: HANDLE, pds: "https://pds.example" },
  { at: BORN },
);
const did = log.did as IdentityProof["did"];
const proof = readIdentity(did, log.bytes());
const identity = proof.current as Identity;

function found(changes: Partial<IdentityFound> = {}): IdentityFound {
  return {
    asked: did,
    fetched: { url: `https://plc.example/${did}/log/audit`, bytes: log.bytes(), fetchedAt: NOW },
    proof,
    memory: NOTHING_REMEMBERED,
    minKeyAge: "72h",
    youngest: 72 * HOUR,
    now: NOW,
    ...changes,
  };
}

const leading = (to?: typeof did, handle = HANDLE): NonNullable<IdentityFound["handle"]> => ({
  handle,
  ...(to && { did: to }),
  source: `dns:_atproto.${handle}`,
  fetchedAt: NOW,
});
const json = (changes: Partial<IdentityFound>) => JSON.parse(identityJson(found(changes))) as Record<string, never>;

describe("the age of the key", () => {
  const seen = (at: number) => ({ memory: { ...NOTHING_REMEMBERED, keys: new Map([[key.did(), at]]) } });
  const since = (keySince: number | undefined) => ({
    proof: { ...proof, current: { ...identity, keySince } as Identity },
  });
  it.each<[string, Partial<IdentityFound>, boolean | undefined]>([
    ["by the log", since(NOW - 72 * HOUR), false],
    ["by the log, a moment too young", since(NOW - 72 * HOUR + 1), true],
    ["by what this node has seen, which is later", { ...since(BORN), ...seen(NOW - HOUR) }, true],
    ["by the log, which is later", { ...since(NOW - HOUR), ...seen(BORN) }, true],
    ["by both", { ...since(BORN), ...seen(BORN) }, false],
    ["by what this node has seen alone", { ...since(undefined), ...seen(BORN) }, false],
    ["by nothing", since(undefined), undefined],
    ["by another age", { ...since(NOW - 2 * HOUR), youngest: HOUR }, false],
  ])("counts %s", (_, changes, younger) => {
    expect(json(changes)["key"]?.["younger"]).toBe(younger);
  });
});

describe("what is wrong", () => {
  const rolledBack = { code: "identity.log_rolled_back", detail: "lost" } as const;
  const deactivated = { proof: { ...proof, current: new Rejection("identity.deactivated", "closed") } };
  it.each<[string, Partial<IdentityFound>, string | undefined]>([
    ["nothing", {}, undefined],
    ["a log that lost an operation", { rolledBack, ...deactivated }, "identity.log_rolled_back"],
    ["an identity of no use", deactivated, "identity.deactivated"],
    [
      "a handle that was asked for and is not claimed",
      { asked: "b.example.com", handle: leading(did, "b.example.com") },
      "image.owner_mismatch",
    ],
    ["nothing, where it is claimed", { asked: HANDLE, handle: leading(did) }, undefined],
    ["nothing, where the DID's handle leads elsewhere", { handle: leading(OTHER) }, undefined],
    ["nothing, where the DID's handle is not known", { handle: { handle: HANDLE, missing: "why" } }, undefined],
  ])("is %s", (_, changes, code) => {
    expect(wrongWith(found(changes))?.code).toBe(code);
    expect(json(changes)).toMatchObject(code === undefined ? { outcome: "proven" } : { outcome: "deny", code });
    expect(identityText(found(changes)).split("\n")[0]).toMatch(code === undefined ? /^proven: / : `deny ${code}: `);
  });
});

describe("the handle", () => {
  it.each<[string, IdentityFound["handle"], unknown, string]>([
    [
      "both ways",
      leading(did),
      { leadsTo: did, bothWays: true },
      `leads to ${did} (dns:_atproto.${HANDLE}), which claims it: it is theirs`,
    ],
    [
      "to somebody else",
      leading(OTHER),
      { leadsTo: OTHER, bothWays: false },
      `leads to ${OTHER} (dns:_atproto.${HANDLE}): it is not theirs`,
    ],
    ["to nobody", leading(), { leadsTo: null, bothWays: false }, "leads to nobody"],
    ["unclaimed", leading(did, "b.example.com"), { leadsTo: did, bothWays: false }, ": it is not theirs"],
    ["not known", { handle: HANDLE, missing: "why" }, { missing: "why" }, `${HANDLE}, not known where it leads: why`],
  ])("leads %s", (_, handle, expected, text) => {
    const changes = handle === undefined ? {} : { handle };
    expect(json(changes)["handle"]).toMatchObject(expected as object);
    expect(identityText(found(changes))).toContain(text);
  });

  it("is claimed in any case", () => {
    const current = { ...identity, handles: ["Alice.Example.COM"] };
    expect(json({ proof: { ...proof, current }, handle: leading(did) })["handle"]).toMatchObject({ bothWays: true });
  });

  it("of an identity of no use is nobody's", () => {
    const current = new Rejection("identity.invalid", "why");
    expect(json({ proof: { ...proof, current }, handle: leading(did) })["handle"]).toMatchObject({ bothWays: false });
  });
});
