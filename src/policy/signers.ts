import { isDidKey } from "../atproto/did-key.ts";
import { type Did, isDid } from "../atproto/syntax.ts";
import { parseDateTime } from "../encoding/time.ts";
import type { YamlFile, YamlPath } from "../encoding/yaml.ts";
import type { TrustedSigner } from "./policy.ts";
import type { PolicyShape, SignerShape } from "./schema.ts";

/** Most DIDs in one list or map of a policy: what is read for each pull stays readable in time. */
export const MAX_DIDS = 10_000;
const A_DID = "a DID in canonical form: did:plc: and 24 of a-z and 2-7, or did:web: and a lower-case host";

/** Whom a policy names, and what it says about each. One object stands for one DID. */
export interface Signers {
  /** The DIDs under trustedDIDs, in file order. */
  readonly trusted: readonly TrustedSigner[];
  /** True in the list form: every rule trusts the DIDs under trustedDIDs, whomever it names itself. */
  readonly areInherited: boolean;
  /**
   * What the file says about a DID that a rule names: undefined where trustedDIDs is a map without
   * it. Where trustedDIDs is a list, or absent, rules may name DIDs of their own.
   */
  readonly find: (did: Did) => TrustedSigner | undefined;
  /** The DIDs under trustedDIDs and those found since. */
  readonly everyone: () => readonly TrustedSigner[];
}

/**
 * Reads trustedDIDs in both forms, and revokedDIDs.
 *
 * @throws Rejection policy.invalid
 */
export function readSigners(file: YamlFile, { trustedDIDs, revokedDIDs }: PolicyShape): Signers {
  const revoked = new Set(readDids(file, revokedDIDs ?? [], ["revokedDIDs"]));
  const known = new Map<Did, TrustedSigner>();
  const add = (signer: TrustedSigner): TrustedSigner => {
    known.set(signer.did, signer);
    return signer;
  };
  const isMap = trustedDIDs !== undefined && !Array.isArray(trustedDIDs);
  if (isMap) {
    checkCount(file, Object.keys(trustedDIDs).length, ["trustedDIDs"]);
    for (const [did, entry] of Object.entries(trustedDIDs)) {
      const path = ["trustedDIDs", did];
      if (!isDid(did)) file.fail({ path, isKey: true, found: `"${did}"`, expected: A_DID });
      add(readSigner(file, did, entry, revoked.has(did), path));
    }
  } else {
    for (const did of readDids(file, trustedDIDs ?? [], ["trustedDIDs"])) add({ did, revoked: revoked.has(did) });
  }
  return {
    trusted: [...known.values()],
    areInherited: !isMap,
    find: (did) => known.get(did) ?? (isMap ? undefined : add({ did, revoked: revoked.has(did) })),
    everyone: () => [...known.values()],
  };
}

/** Reads a list of DIDs; one that stands in it twice counts once. */
export function readDids(file: YamlFile, texts: readonly string[], path: YamlPath): readonly Did[] {
  checkCount(file, texts.length, path);
  const dids = texts.map((text, i) => {
    if (!isDid(text)) file.fail({ path: [...path, i], expected: A_DID });
    return text;
  });
  return [...new Set(dids)];
}

function checkCount(file: YamlFile, count: number, path: YamlPath): void {
  if (count > MAX_DIDS) file.fail({ path, found: `${count} DIDs`, expected: `${MAX_DIDS} at most` });
}

function readSigner(file: YamlFile, did: Did, entry: SignerShape, revoked: boolean, path: YamlPath): TrustedSigner {
  const validFrom = readTime(file, entry.validFrom, [...path, "validFrom"]);
  const expiresAt = readTime(file, entry.expiresAt, [...path, "expiresAt"]);
  if (validFrom !== undefined && expiresAt !== undefined && validFrom >= expiresAt) {
    file.fail({ path: [...path, "expiresAt"], expected: `a time later than validFrom, ${entry.validFrom ?? ""}` });
  }
  for (const [i, key] of (entry.keys ?? []).entries()) {
    if (!isDidKey(key)) file.fail({ path: [...path, "keys", i], expected: "a did:key of k256 or p256" });
  }
  for (const [i, origin] of (entry.pds ?? []).entries()) checkOrigin(file, origin, [...path, "pds", i]);
  return {
    did,
    revoked,
    ...(entry.name === undefined ? {} : { name: entry.name }),
    ...(validFrom === undefined ? {} : { validFrom }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(entry.keys === undefined ? {} : { keys: entry.keys }),
    ...(entry.pds === undefined ? {} : { pds: entry.pds }),
  };
}

function readTime(file: YamlFile, text: string | null | undefined, path: YamlPath): number | undefined {
  if (text === null || text === undefined) return undefined;
  const time = parseDateTime(text);
  if (time === undefined)
    file.fail({ path, expected: 'a time of the calendar such as "2024-01-01T00:00:00Z", or null' });
  return time;
}

function checkOrigin(file: YamlFile, text: string, path: YamlPath): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isWeb = url?.protocol === "https:" || url?.protocol === "http:";
  if (!isWeb) file.fail({ path, expected: "an origin such as https://pds.example.com" });
  if (url.origin !== text) file.fail({ path, expected: `an origin without path and in canonical form: ${url.origin}` });
}
