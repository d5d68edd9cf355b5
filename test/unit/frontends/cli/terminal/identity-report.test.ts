import { describe, expect, it } from "vitest";
import { type Identity, type IdentityProof, readIdentity } from "../../../../../src/core/atproto/identity.ts";
import { tidTime } from "../../../../../src/core/atproto/syntax.ts";
import { formatDateTime } from "../../../../../src/core/encoding/time.ts";
import { parsePolicy } from "../../../../../src/core/policy/parse-policy.ts";
import { Rejection } from "../../../../../src/core/rejection.ts";
import { NO_HISTORY } from "../../../../../src/core/verify/signer-history.ts";
import {
  identityJson,
  identityText,
  policySnippet,
  type ReportedIdentity,
  wrongWith,
} from "../../../../../src/frontends/cli/terminal/identity-report.ts";
import { BORN, didNamed, NOW } from "../../../../support/evidence.ts";
import { PlcLog } from "../../../../support/plc-operations.ts";
import { signingKey } from "../../../../support/signing-key.ts";

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

function found(changes: Partial<ReportedIdentity> = {}): ReportedIdentity {
  return {
    asked: did,
    fetched: { url: `https://plc.example/${did}/log/audit`, bytes: log.bytes(), fetchedAt: NOW },
    proof,
    memory: NO_HISTORY,
    minKeyAge: "72h",
    youngest: 72 * HOUR,
    now: NOW,
    ...changes,
  };
}

const leading = (to?: typeof did, handle = HANDLE): NonNullable<ReportedIdentity["handle"]> => ({
  handle,
  ...(to && { did: to }),
  source: `dns:_atproto.${handle}`,
  fetchedAt: NOW,
});
const json = (changes: Partial<ReportedIdentity>) => JSON.parse(identityJson(found(changes))) as Record<string, never>;

describe("the age of the key", () => {
  const seen = (at: number) => ({ memory: { ...NO_HISTORY, keys: new Map([[key.did(), at]]) } });
  const since = (keySince: number | undefined) => ({
    proof: { ...proof, current: { ...identity, keySince } as Identity },
  });
  it.each<[string, Partial<ReportedIdentity>, boolean]>([
    ["by the log", { ...since(NOW - 72 * HOUR), ...seen(BORN) }, false],
    ["by the log, a moment too young", { ...since(NOW - 72 * HOUR + 1), ...seen(BORN) }, true],
    ["by what this node has seen, which is later", { ...since(BORN), ...seen(NOW - HOUR) }, true],
    ["by the log, which is later", { ...since(NOW - HOUR), ...seen(BORN) }, true],
    ["by both", { ...since(BORN), ...seen(BORN) }, false],
    ["by what this node has seen alone", { ...since(undefined), ...seen(BORN) }, false],
    [
      "by what this node has seen alone, a moment too young",
      { ...since(undefined), ...seen(NOW - 72 * HOUR + 1) },
      true,
    ],
    ["by a pull of now, which sees it first", since(BORN), true],
    ["by a pull of now, without a log", since(undefined), true],
    ["by no age at all", { ...since(BORN), youngest: 0 }, false],
    ["by another age", { ...since(NOW - 2 * HOUR), ...seen(BORN), youngest: HOUR }, false],
  ])("counts %s", (_, changes, younger) => {
    expect(json(changes)["key"]?.["younger"]).toBe(younger);
    expect(identityText(found(changes))).toContain(`  ${younger ? "younger" : "not younger"} than 72h`);
  });

  it("is told by the log as well, where this node has not seen the key", () => {
    const unseen = { ...since(BORN), youngest: HOUR, minKeyAge: "1h" };
    expect(json(unseen)["key"]).toMatchObject({ since: formatDateTime(BORN), firstSeen: null, younger: true });
    const text = identityText(found(unseen));
    expect(text).toContain(`in place since ${formatDateTime(BORN)}\n`);
    expect(text).toContain("never seen by this node");
    expect(text).toContain("younger than 1h for this node, older by the log\n");
    expect(identityText(found({ ...unseen, ...since(NOW) }))).toContain("younger than 1h\n");
    expect(json(seen(BORN))["key"]).toMatchObject({ firstSeen: formatDateTime(BORN) });
  });

  it("is not known where the memory cannot be used", () => {
    const text = identityText(found({ memory: { ...NO_HISTORY, unusable: "it burns" } }));
    expect(text).toContain("not known when this node first saw it: it burns\n");
    expect(text).not.toContain("never seen");
  });
});

describe("the newest rev that this node has seen", () => {
  it("is shown where there is one", () => {
    const rev = "3ktn4qjakfk2a" as NonNullable<ReportedIdentity["memory"]["rev"]>;
    const changes = { memory: { ...NO_HISTORY, rev } };
    const at = formatDateTime(tidTime(rev));
    expect(json(changes)).toMatchObject({ rev, revTime: at });
    expect(identityText(found(changes))).toContain(
      `  rev:            ${rev} (${at}), the newest that this node has seen\n`,
    );
    expect(json({})).not.toHaveProperty("rev");
    expect(identityText(found())).not.toContain("rev:");
  });
});

describe("the log", () => {
  it("is counted in words that fit", async () => {
    expect(identityText(found())).toContain("the log's 1 operation replayed");
    const two = await PlcLog.create(
      { rotationKeys: [rotationKey], signingKey: key, handle: HANDLE, pds: "https://pds.example" },
      { at: BORN },
    );
    await two.update({ pds: "https://other.example" }, { at: BORN + HOUR });
    expect(identityText(found({ proof: readIdentity(two.did as typeof did, two.bytes()) }))).toContain(
      "the log's 2 operations replayed",
    );
  });
});

describe("what is wrong", () => {
  const rolledBack = { code: "identity.log_rolled_back", detail: "lost" } as const;
  const deactivated = { proof: { ...proof, current: new Rejection("identity.deactivated", "closed") } };
  it.each<[string, Partial<ReportedIdentity>, string | undefined]>([
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
  it.each<[string, ReportedIdentity["handle"], unknown, string]>([
    [
      "both ways",
      leading(did),
      { leadsTo: did, bothWays: true },
      `resolves to ${did} (dns:_atproto.${HANDLE}), which claims it: verified`,
    ],
    [
      "to somebody else",
      leading(OTHER),
      { leadsTo: OTHER, bothWays: false },
      `resolves to ${OTHER} (dns:_atproto.${HANDLE}): NOT the handle of this identity`,
    ],
    ["to nobody", leading(), { leadsTo: null, bothWays: false }, "resolves to no DID"],
    [
      "unclaimed",
      leading(did, "b.example.com"),
      { leadsTo: did, bothWays: false },
      ": NOT the handle of this identity",
    ],
    ["not known", { handle: HANDLE, missing: "why" }, { missing: "why" }, `${HANDLE} could not be resolved: why`],
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

describe("what to write into the policy", () => {
  const snippet = (changes: Partial<ReportedIdentity>) => policySnippet(found(changes));
  const signersIn = (text: string) => parsePolicy(`version: 1.0\n${text}default: audit\n`, "p.yaml").everyone;

  it("is YAML to paste, with the handle where it was proven both ways", () => {
    expect(identityText(found({ handle: leading(did) }))).toMatch(/ {2}to trust this signer, add to the policy:\n$/);
    const signer = { did, revoked: false };
    expect(signersIn(snippet({ handle: leading(did) }))).toEqual([{ ...signer, name: HANDLE }]);
    expect(signersIn(snippet({ handle: leading(OTHER as typeof did) }))).toEqual([{ ...signer, name: "who this is" }]);
    expect(signersIn(snippet({}))).toEqual([{ ...signer, name: "who this is" }]);
  });

  it("has pins as comments, which need only their sign removed", () => {
    const pinned = snippet({ handle: leading(did) }).replaceAll(/# (keys|pds):/g, "$1:");
    expect(signersIn(pinned)).toEqual([
      { did, revoked: false, name: HANDLE, keys: [key.did()], pds: ["https://pds.example"] },
    ]);
  });

  it("is not offered for an identity whose signatures would not count", () => {
    const revoked = { current: new Rejection("identity.invalid", "no key") };
    expect(snippet({ proof: { ...proof, ...revoked } })).toBe("");
    expect(identityText(found({ proof: { ...proof, ...revoked } }))).not.toContain("to trust this signer");
  });
});
