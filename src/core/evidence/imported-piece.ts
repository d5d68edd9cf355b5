import { type Did, isDid } from "../atproto/syntax.ts";
import { toUtf8 } from "../encoding/bytes.ts";
import { field, type JsonObject, parseJson } from "../encoding/json.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import { gatheredAtOf, readNames } from "./bundled-image.ts";
import type { Evidence, Fetched, OwnerAnswer, SignatureEvidence } from "./evidence.ts";
import { evidenceFromJson, evidenceToJson, malformed, object, text } from "./evidence-json.ts";
import type { OutsideEvidence, OutsideIdentity, Witness } from "./outside.ts";

/** How evidence came to this node. Times are milliseconds since 1970. */
export interface Import {
  /** Of the first import of this evidence: importing it again renews nothing. */
  readonly importedAt: number;
  /** did:key that sealed its bundle. */
  readonly sealedBy?: string;
}

/** Evidence of one signer about one digest, and about one tag or none. */
export interface ImportedEntry extends Import {
  /** Path of the tag's record. */
  readonly tag?: string;
  /** It proves that there is no signature: for lists and reports, since it is proven again whenever it is used. */
  readonly isNo?: true;
  readonly names: readonly string[];
  readonly signature: SignatureEvidence;
  readonly owner?: OwnerAnswer;
}

/** All that was imported of one signer about one digest: a file of bundleDir. */
export interface ImportedPiece {
  readonly digest: Digest;
  readonly signer: Did;
  /** The newest first. */
  readonly entries: readonly ImportedEntry[];
}

/** The newest identity of a signer that was imported: a file of bundleDir. */
export interface ImportedIdentity extends Import {
  readonly signer: Did;
  readonly identity: Fetched;
}

const PIECE = "atcr-verify imported evidence";
const IDENTITY = "atcr-verify imported identity";
const VERSION = 1;
/** Tags of one digest by one signer, and its record: more than an image has. Bounds what a pull reads. */
export const MAX_ENTRIES = 100;

export function pieceToBytes({ digest, signer, entries }: ImportedPiece): Uint8Array {
  return bytesOf(PIECE, {
    digest,
    signer,
    entries: entries.map(({ tag, isNo, names, signature, owner, ...rest }) => ({
      ...(tag !== undefined && { tag }),
      ...(isNo === true && { isNo }),
      ...importToJson(rest),
      names,
      evidence: evidenceToJson({ pointers: [], signatures: [signature], gaps: [], ...(owner && { owner }) }),
    })),
  });
}

/**
 * Reads a piece strictly.
 *
 * @throws Rejection bundle.malformed
 */
export function pieceFromBytes(bytes: Uint8Array): ImportedPiece {
  const piece = read(bytes, PIECE, ["digest", "signer", "entries"]);
  const digest = text(piece, "digest", "the piece");
  if (!isDigest(digest)) malformed(`it is about "${digest}", expected a sha256 digest`);
  const signer = readSigner(piece);
  const entries = field(piece, "entries");
  if (!Array.isArray(entries) || entries.length === 0 || entries.length > MAX_ENTRIES) {
    malformed(`entries is not a list of 1 to ${MAX_ENTRIES}`);
  }
  return { digest, signer, entries: entries.map((entry) => readEntry(entry, signer)) };
}

export function identityToBytes({ signer, identity, ...rest }: ImportedIdentity): Uint8Array {
  const evidence = evidenceToJson({ pointers: [], signatures: [{ signer, identity }], gaps: [] });
  return bytesOf(IDENTITY, { signer, ...importToJson(rest), evidence });
}

/**
 * Reads an identity strictly.
 *
 * @throws Rejection bundle.malformed
 */
export function identityFromBytes(bytes: Uint8Array): ImportedIdentity {
  const json = read(bytes, IDENTITY, ["signer", "importedAt", "sealedBy", "evidence"]);
  const signer = readSigner(json);
  const { signature } = readSignature(field(json, "evidence"), signer);
  return { signer, ...importFromJson(json), identity: signature.identity };
}

/**
 * Imported evidence as a judgement takes it.
 *
 * @param keys did:key of the keys whose seals count now
 */
export function asOutside(
  { signature, owner, tag: path, ...rest }: ImportedEntry,
  keys: readonly string[],
): OutsideEvidence {
  const { identity, record, tag } = signature;
  return {
    signature,
    ...(path !== undefined && { tag: path }),
    ...(owner && { owner }),
    witness: witnessOf(rest, gatheredAtOf(signature), keys),
    gatheredAt: Math.max(...[record ?? tag ?? identity, tag ?? identity].map(({ fetchedAt }) => fetchedAt)),
  };
}

/** As {@link asOutside}, of an identity. */
export function identityAsOutside({ identity, ...rest }: ImportedIdentity, keys: readonly string[]): OutsideIdentity {
  return { identity, witness: witnessOf(rest, identity.fetchedAt, keys) };
}

/** Who vouches for the time: a seal that still counts, else the user who imported it. */
function witnessOf({ importedAt, sealedBy }: Import, gatheredAt: number, keys: readonly string[]): Witness {
  const isSealed = sealedBy !== undefined && keys.includes(sealedBy);
  if (isSealed) return { kind: "seal", key: sealedBy, at: gatheredAt };
  return { kind: "import", at: Math.min(gatheredAt, importedAt) };
}

function readEntry(value: unknown, signer: Did): ImportedEntry {
  const entry = object(value, "an entry", ["tag", "isNo", "importedAt", "sealedBy", "names", "evidence"]);
  return {
    ...(field(entry, "tag") !== undefined && { tag: text(entry, "tag", "an entry") }),
    ...(field(entry, "isNo") === true && { isNo: true as const }),
    ...importFromJson(entry),
    names: readNames(field(entry, "names")),
    ...readSignature(field(entry, "evidence"), signer),
  };
}

function readSignature(value: unknown, signer: Did): Pick<ImportedEntry, "signature" | "owner"> {
  const { signatures, owner }: Evidence = evidenceFromJson(value);
  const [signature, ...others] = signatures;
  if (signature?.signer !== signer || others.length > 0) malformed(`it is not evidence of one signature by ${signer}`);
  return { signature, ...(owner && { owner }) };
}

function importToJson({ importedAt, sealedBy }: Import): Import {
  return { importedAt, ...(sealedBy !== undefined && { sealedBy }) };
}

function importFromJson(json: JsonObject): Import {
  const importedAt = field(json, "importedAt");
  if (typeof importedAt !== "number" || !Number.isFinite(importedAt)) malformed("importedAt is not a number");
  const sealedBy = field(json, "sealedBy");
  return { importedAt, ...(sealedBy !== undefined && { sealedBy: text(json, "sealedBy", "it") }) };
}

function readSigner(json: JsonObject): Did {
  const signer = text(json, "signer", "it");
  return isDid(signer) ? signer : malformed(`signer is "${signer}", expected a DID`);
}

function bytesOf(format: string, json: JsonObject): Uint8Array {
  return toUtf8(`${JSON.stringify({ format, version: VERSION, ...json })}\n`);
}

function read(bytes: Uint8Array, format: string, names: readonly string[]): JsonObject {
  const json = object(parseJson(bytes, "bundle.malformed", "it"), "it", ["format", "version", ...names]);
  if (field(json, "format") !== format || field(json, "version") !== VERSION) {
    malformed(`its format is not "${format}" version ${VERSION}`);
  }
  return json;
}
