import { describe, expect, it } from "vitest";
import type { Identity } from "../../../../src/core/atproto/identity.ts";
import type { Did } from "../../../../src/core/atproto/syntax.ts";
import { readPolicy } from "../../../../src/core/policy/parse-policy.ts";
import { type KnownIdentity, lintIdentities } from "../../../../src/core/policy-tools/lint-identities.ts";
import type { PolicyFinding } from "../../../../src/core/policy-tools/policy-finding.ts";

const ALICE = "did:plc:ewvi7nxzyoun6zhxrhs64oiz" as Did;
const BOB = "did:plc:z72i7hdynmk6r22z27h6tvur" as Did;
const CAROL = "did:web:carol.example.com" as Did;
const KEYS = [
  "did:key:zQ3shqwJEJyMBsBXCWyCBpUBMqxcon9oHB7mCvx4sSpMdLJwc",
  "did:key:zDnaerx9CtbPJ1q36T5Ln5wYt3MQYeGRG5ehnPAmxcf5mDZpv",
  "did:key:zDnaeTiq1PdzvZXUaMdezchcMJQpBdH2VN4pgrrEhMCCbmwSb",
] as const;
const NOW = Date.UTC(2026, 5, 15);
const HOUR = 60 * 60 * 1000;

interface Look {
  readonly key?: string;
  readonly pds?: string;
  readonly keySince?: number;
  readonly services?: Identity["services"];
}

function identity(
  did: Did,
  { key = KEYS[0], pds = "https://pds.example.com", services = [], ...rest }: Look,
): Identity {
  return { did, key: { didKey: key } as Identity["key"], formerKeys: new Set(), pds, handles: [], services, ...rest };
}

const found = (...of: Parameters<typeof findings>): string[] =>
  findings(...of).map(({ severity, name, place, message }) => {
    expect(message.length, message).toBeLessThanOrEqual(200);
    return `${severity} ${name} ${place?.line}`;
  });

function findings(
  identities: Readonly<Record<string, Look | Exclude<KnownIdentity, Identity>>>,
  { requirement = "{}", signer = "{}", last = "" } = {},
): readonly PolicyFinding[] {
  const text = `version: 1.0
trustedDIDs:
  ${ALICE}: ${signer}
  ${BOB}: {}
  ${CAROL}: {}
policies:
  - name: a
    scope: r.example/**
    action: enforce
    require: ${requirement}
${last}`;
  const known = new Map<Did, KnownIdentity>(
    Object.entries(identities).map(([did, look]) => [did as Did, "code" in look ? look : identity(did as Did, look)]),
  );
  const question = { ...readPolicy(text, "policy.yaml"), atcrHosts: [], now: NOW };
  return lintIdentities(question, known);
}

describe("lintIdentities", () => {
  it("finds nothing in identities that the policy expects, nor in those that nobody asked for", () => {
    expect(found({})).toEqual([]);
    const looks = {
      [ALICE]: { key: KEYS[0], pds: "https://a.example" },
      [BOB]: { key: KEYS[1], pds: "https://b.example" },
    };
    const options = {
      requirement: "{ minSignatures: 2, minKeyAge: 72h }",
      signer: `{ keys: ["${KEYS[0]}"], pds: ["https://a.example"] }`,
    };
    expect(found(looks, options)).toEqual([]);
  });

  it("finds an identity that is closed, and one that cannot be looked at", () => {
    expect(found({ [ALICE]: { code: "identity.deactivated", detail: "x" } })).toEqual(["warning identity-closed 3"]);
    expect(found({ [BOB]: { code: "pds.unreachable", detail: "x" } })).toEqual(["warning identity-unresolved 4"]);
  });

  it("is certain that a did:plc does not exist where all directories say so", () => {
    const unknown = { code: "identity.unknown_did", detail: "x" } as const;
    expect(found({ [BOB]: { ...unknown, isKnownNowhere: true } })).toEqual(["error identity-unknown 4"]);
    expect(found({ [BOB]: unknown })).toEqual(["warning identity-unresolved 4"]);
    expect(found({ [CAROL]: { ...unknown, isKnownNowhere: true } })).toEqual(["warning identity-unresolved 5"]);
  });

  it("finds a key and a PDS that are not among those pinned", () => {
    const signer = (pins: string) => ({ signer: `{ ${pins} }` });
    expect(found({ [ALICE]: { key: KEYS[1] } }, signer(`keys: ["${KEYS[0]}"]`))).toEqual(["error key-not-pinned 3"]);
    expect(found({ [ALICE]: { key: KEYS[1] } }, signer(`keys: ["${KEYS[0]}", "${KEYS[1]}"]`))).toEqual([]);
    expect(found({ [ALICE]: {} }, signer('pds: ["https://other.example.com"]'))).toEqual(["error pds-not-pinned 3"]);
    expect(found({ [ALICE]: {} }, signer('pds: ["https://pds.example.com"]'))).toEqual([]);
  });

  it.each([
    ["by its id", { id: "#atcr_hold", type: "Other" }, true],
    ["by its id as it is read", { id: "atcr_hold", type: "Other" }, true],
    ["by its id with the DID before it", { id: `${ALICE}#atcr_hold`, type: "Other" }, true],
    ["by its type", { id: "#x", type: "AtcrHoldService" }, true],
    ["by its type in lower case", { id: "#x", type: "atcrhold" }, true],
    ["not by a longer id", { id: "#atcr_holder", type: "Other" }, false],
    ["not by an id without a fragment's beginning", { id: "#not_atcr_hold", type: "Other" }, false],
    ["not by a PDS", { id: "#atproto_pds", type: "AtprotoPersonalDataServer" }, false],
  ])("knows a hold %s", (_, { id, type }, isHold) => {
    const services = [{ id, type }] as Identity["services"];
    expect(found({ [ALICE]: { services } })).toEqual(isHold ? ["warning signer-is-hold 3"] : []);
  });

  it("finds signers with one key or PDS where several signatures are asked for", () => {
    const a = "https://a.example";
    const b = "https://b.example";
    const shared = (pds: readonly [string, string, string], keys: readonly [string, string, string], min: number) =>
      found(Object.fromEntries([ALICE, BOB, CAROL].map((did, i) => [did, { key: keys[i] ?? "", pds: pds[i] ?? "" }])), {
        requirement: `{ minSignatures: ${min} }`,
      });
    const [k, p, q] = KEYS;
    const c = "https://c.example";
    expect(shared([a, b, c], [k, k, p], 1)).toEqual([]);
    expect(shared([a, b, c], [k, p, q], 3)).toEqual([]);
    expect(shared([a, b, c], [k, k, p], 2)).toEqual(["warning shared-key 10"]);
    expect(shared([a, b, c], [k, k, p], 3)).toEqual(["error shared-key 10"]);
    expect(shared([a, a, c], [k, p, q], 2)).toEqual(["warning shared-pds 10"]);
    expect(shared([a, a, a], [k, k, k], 2)).toEqual(["error shared-key 10", "warning shared-pds 10"]);
  });

  it("says how many signatures can be had where signers with one key are too few", () => {
    const looks = { [ALICE]: { pds: "https://a.example" }, [BOB]: { pds: "https://b.example" } };
    const said = (min: number) => findings(looks, { requirement: `{ minSignatures: ${min} }` })[0]?.message;
    const of = `these signers share a key and count as one: ${ALICE}, ${BOB}`;
    expect(said(2)).toBe(`rule "a" requires 2 signatures: ${of}`);
    expect(said(3)).toBe(`rule "a" requires 3 signatures but can get only 2: ${of}`);
  });

  it("counts neither a revoked signer nor one who is not known as sharing anything", () => {
    const requirement = "{ minSignatures: 2 }";
    const looks = {
      [ALICE]: { key: KEYS[0], pds: "https://a.example" },
      [BOB]: { key: KEYS[0], pds: "https://b.example" },
    };
    expect(found(looks, { requirement, last: `revokedDIDs: [${BOB}]\n` })).toEqual([]);
    expect(found({ [ALICE]: {} }, { requirement })).toEqual([]);
  });

  it("finds a key younger than the rule takes, unless it is pinned or has no date", () => {
    const requirement = "{ minKeyAge: 72h }";
    const since = (hours: number) => ({ [ALICE]: { keySince: NOW - hours * HOUR } });
    expect(found(since(71), { requirement })).toEqual(["warning key-too-young 10"]);
    expect(found(since(72), { requirement })).toEqual([]);
    expect(found(since(1), { requirement, signer: `{ keys: ["${KEYS[0]}"] }` })).toEqual([]);
    expect(found(since(1))).toEqual([]);
    expect(found({ [CAROL]: {} }, { requirement })).toEqual([]);
  });
});
