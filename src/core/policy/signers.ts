import { isDidKey } from "../atproto/did-key.ts";
import { insteadOfHandle } from "../atproto/handle.ts";
import { A_DID, type Did, isDid, isTid, type Tid } from "../atproto/syntax.ts";
import { parseDateTime } from "../encoding/time.ts";
import type { YamlFile, YamlPath } from "../encoding/yaml.ts";
import type { TrustedSigner } from "./policy.ts";
import { type At, lineOf, type PolicyFile } from "./policy-file.ts";
import { isPolicyKey, type SignerShape } from "./policy-schema.ts";

/**
 * Rules with at most this many signers contact all of them; larger ones only those that a referrer or the handle in the
 * image's name points to (spec 3.3).
 */
export const MAX_DIRECT = 16;
/** Most DIDs in one list or map of a policy, which each pull must read in time. */
const MAX_DIDS = 10_000;

/** The DIDs in a policy, and their settings. One object per DID. */
export class Signers {
  /** Number of DIDs under trustedDIDs; they come first. */
  readonly trusted: number;
  /** True in the list form: every rule trusts the DIDs under trustedDIDs, in addition to its own. */
  readonly areInherited: boolean;
  /** The DIDs under revokedDIDs, and the first location of each. */
  readonly revoked: ReadonlyMap<Did, At>;
  /** True where mistakes were found up to here, because of which DIDs may be missing; only while mistakes are collected. */
  readonly isIncomplete: boolean;
  readonly #known = new Map<Did, { readonly index: number; readonly signer: TrustedSigner; readonly at: At }>();

  /**
   * Reads trustedDIDs in both forms, and revokedDIDs.
   *
   * @throws Rejection policy.invalid
   */
  constructor(files: readonly PolicyFile[]) {
    this.revoked = readRevoked(files);
    this.areInherited = !hasMap(files);
    for (const { file, shape } of files) {
      const trustedDIDs = shape.trustedDIDs ?? [];
      if (Array.isArray(trustedDIDs)) this.#addList(file, trustedDIDs);
      else this.#addMap(file, trustedDIDs);
    }
    this.trusted = this.#known.size;
    this.isIncomplete = files.some(({ file }) => file.mistakes?.includes(mayHideSigners) === true);
  }

  /**
   * Index in {@link everyone} of a DID that a rule names; undefined where trustedDIDs is a map without it. If trustedDIDs
   * is a list or absent, rules may name further DIDs.
   */
  find(did: Did, at: () => At): number | undefined {
    return this.#known.get(did)?.index ?? (this.areInherited ? this.#addPlain(did, at()) : undefined);
  }

  /** The DIDs under trustedDIDs, and those added since. */
  everyone(): readonly TrustedSigner[] {
    return Array.from(this.#known.values(), ({ signer }) => signer);
  }

  /** First location of the DID. */
  at(did: Did): At | undefined {
    return this.#known.get(did)?.at;
  }

  #addMap(file: YamlFile, entries: Readonly<Record<string, SignerShape>>): void {
    checkCount(file, Object.keys(entries).length, ["trustedDIDs"]);
    for (const [did, entry] of Object.entries(entries)) {
      const at = { file, path: ["trustedDIDs", did], isKey: true };
      const isNew = file.attempt(false, () => this.#isNew(did, at));
      const settings = readSettings(file, entry, at.path);
      if (isNew && isDid(did)) this.#add({ did, revoked: this.revoked.has(did), ...settings }, at);
    }
  }

  #isNew(did: string, at: At): true {
    if (!isDid(did)) at.file.fail({ ...at, found: `"${did}"`, expected: A_DID, ...ofHandle(did) });
    const earlier = this.at(did);
    if (earlier === undefined) return true;
    const found = `a DID that is already listed in ${lineOf(earlier)}`;
    return at.file.fail({ ...at, found, expected: "each DID in one file only", advice: "remove one of the two" });
  }

  #addList(file: YamlFile, texts: readonly string[]): void {
    for (const [did, i] of readDids(file, texts, ["trustedDIDs"])) {
      if (!this.#known.has(did)) this.#addPlain(did, { file, path: ["trustedDIDs", i] });
    }
  }

  #addPlain(did: Did, at: At): number {
    return this.#add({ did, revoked: this.revoked.has(did) }, at);
  }

  #add(signer: TrustedSigner, at: At): number {
    const index = this.#known.size;
    this.#known.set(signer.did, { index, signer, at });
    return index;
  }
}

/** Whether a mistake may be the reason why a DID is not under trustedDIDs. @param key undefined: a mistake of the text */
function mayHideSigners(key = "trustedDIDs"): boolean {
  const [top = ""] = key.split(/[.[]/);
  // An unknown key may be meant to be it.
  return top === "trustedDIDs" || !isPolicyKey(top);
}

/** Whether trustedDIDs is a map. All files must use the same form, as it decides what rules inherit. */
function hasMap(files: readonly PolicyFile[]): boolean {
  const [first, ...others] = files.filter(({ shape }) => (shape.trustedDIDs ?? undefined) !== undefined);
  if (first === undefined) return false;
  const isList = Array.isArray(first.shape.trustedDIDs);
  const other = others.find(({ shape }) => Array.isArray(shape.trustedDIDs) !== isList);
  if (other !== undefined) {
    const form = `${isList ? "a list" : "a map"} as in ${lineOf({ file: first.file, path: ["trustedDIDs"] })}`;
    const expected = `${form}: all files must use the same form, because it decides which signers rules inherit`;
    other.file.attempt(undefined, () => other.file.fail({ path: ["trustedDIDs"], expected }));
  }
  return !isList;
}

function readRevoked(files: readonly PolicyFile[]): ReadonlyMap<Did, At> {
  const revoked = new Map<Did, At>();
  for (const { file, shape } of files) {
    const texts = shape.revokedDIDs ?? [];
    for (const [did, i] of readDids(file, texts, ["revokedDIDs"])) {
      if (!revoked.has(did)) revoked.set(did, { file, path: ["revokedDIDs", i] });
    }
  }
  return revoked;
}

/** Reads a list of DIDs, ignoring duplicates. @returns each DID and its first index */
export function readDids(file: YamlFile, texts: readonly string[], path: YamlPath): ReadonlyMap<Did, number> {
  checkCount(file, texts.length, path);
  const dids = new Map<Did, number>();
  for (const [i, text] of texts.entries()) {
    file.attempt(undefined, () => {
      if (!isDid(text)) file.fail({ path: [...path, i], expected: A_DID, ...ofHandle(text) });
      if (!dids.has(text)) dids.set(text, i);
    });
  }
  return dids;
}

function ofHandle(text: string): { readonly advice?: string } {
  const advice = insteadOfHandle(text);
  return advice === undefined ? {} : { advice };
}

function checkCount(file: YamlFile, count: number, path: YamlPath): void {
  if (count > MAX_DIDS) file.fail({ path, found: `${count} DIDs`, expected: `${MAX_DIDS} at most` });
}

function readSettings(file: YamlFile, entry: SignerShape, path: YamlPath): Omit<TrustedSigner, "did" | "revoked"> {
  const { name, keys, pds, minRev } = entry;
  const validFrom = readTime(file, entry.validFrom, [...path, "validFrom"]);
  const expiresAt = readTime(file, entry.expiresAt, [...path, "expiresAt"]);
  file.attempt(undefined, () => {
    if (validFrom !== undefined && expiresAt !== undefined && validFrom >= expiresAt)
      file.fail({ path: [...path, "expiresAt"], expected: `a time later than validFrom, ${entry.validFrom ?? ""}` });
  });
  for (const [i, key] of (keys ?? []).entries()) {
    const at = [...path, "keys", i];
    file.attempt(undefined, () => {
      if (!isDidKey(key)) file.fail({ path: at, expected: "a did:key of k256 or p256" });
    });
  }
  for (const [i, origin] of (pds ?? []).entries()) {
    file.attempt(undefined, () => checkOrigin(file, origin, [...path, "pds", i]));
  }
  const rev = file.attempt(undefined, () => readRev(file, minRev, [...path, "minRev"]));
  return {
    ...(name === undefined ? {} : { name }),
    ...(validFrom === undefined ? {} : { validFrom }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(keys === undefined ? {} : { keys }),
    ...(pds === undefined ? {} : { pds }),
    ...(rev === undefined ? {} : { minRev: rev }),
  };
}

function readTime(file: YamlFile, text: string | null | undefined, path: YamlPath): number | undefined {
  if (text === null || text === undefined) return undefined;
  return file.attempt(
    undefined,
    () =>
      parseDateTime(text) ??
      file.fail({ path, expected: 'an existing date and time such as "2030-01-01T00:00:00Z", or null' }),
  );
}

function readRev(file: YamlFile, text: string | undefined, path: YamlPath): Tid | undefined {
  if (text === undefined || isTid(text)) return text;
  return file.fail({ path, expected: "the rev of a commit: 13 characters of 2-7 and a-z, the first of 2-7 and a-j" });
}

function checkOrigin(file: YamlFile, text: string, path: YamlPath): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isWeb = url?.protocol === "https:" || url?.protocol === "http:";
  if (!isWeb) file.fail({ path, expected: "an origin such as https://pds.example.com" });
  if (url.origin !== text) file.fail({ path, expected: `an origin without path and in canonical form: ${url.origin}` });
}
