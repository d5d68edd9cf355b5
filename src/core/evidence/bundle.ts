import { type Did, isDid } from "../atproto/syntax.ts";
import { fromBase64, toBase64, toUtf8 } from "../encoding/bytes.ts";
import { field, isJsonObject, type JsonObject, parseJson } from "../encoding/json.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import { REJECTION_CODES, REJECTIONS, type RejectionCode, reject } from "../rejection.ts";
import type { Evidence, Fetched, Gap, OwnerAnswer, Pointer, SignatureEvidence } from "./evidence.ts";

/** Saved evidence for one digest; also the format of test vectors and failure reports. */
export interface Bundle {
  readonly digest: Digest;
  readonly evidence: Evidence;
}

const FORMAT = "atcr-verify-evidence";
const VERSION = 1;
/** Entries in each list of a bundle: more signers than a rule may name directly, many times over. */
const MAX_ENTRIES = 10_000;
const SERVICES = ["registry", "identity", "pds", "handle"] as const;
const REQUIRED = ["format", "version", "digest", "pointers", "signatures", "gaps"];

/** The bundle as JSON (UTF-8, ending in a newline); bytes are base64, times milliseconds since 1970. */
export function writeBundle({ digest, evidence }: Bundle): Uint8Array {
  const fetched = (from: Fetched) => ({ ...from, bytes: toBase64(from.bytes) });
  const json = {
    format: FORMAT,
    version: VERSION,
    digest,
    pointers: evidence.pointers,
    signatures: evidence.signatures.map(({ signer, identity, record, tag }) => ({
      signer,
      identity: fetched(identity),
      ...(record === undefined ? {} : { record: fetched(record) }),
      ...(tag === undefined ? {} : { tag: fetched(tag) }),
    })),
    gaps: evidence.gaps,
    ...(evidence.owner === undefined ? {} : { owner: evidence.owner }),
  };
  return toUtf8(`${JSON.stringify(json, null, 2)}\n`);
}

/**
 * Reads a bundle strictly: unknown fields are rejected, so that nothing is silently ignored.
 *
 * @param bytes as untrusted as the network they came from
 * @throws Rejection bundle.malformed
 */
export function readBundle(bytes: Uint8Array): Bundle {
  const json = parseJson(bytes, "bundle.malformed", "the bundle");
  const bundle = object(json, "the bundle", [...REQUIRED, "owner"]);
  if (field(bundle, "format") !== FORMAT || field(bundle, "version") !== VERSION) {
    malformed(`the bundle's format is not "${FORMAT}" version ${VERSION}`);
  }
  const digest = text(bundle, "digest", "the bundle");
  if (!isDigest(digest)) malformed(`the bundle's digest is "${digest}", expected a sha256 digest`);
  return {
    digest,
    evidence: {
      pointers: list(bundle, "pointers").map(readPointer),
      signatures: list(bundle, "signatures").map(readSignature),
      gaps: list(bundle, "gaps").map(readGap),
      ...optional(bundle, "owner", readOwner),
    },
  };
}

function readPointer(value: unknown): Pointer {
  const pointer = object(value, "a pointer", ["signer", "url", "note"]);
  const note = field(pointer, "note") === undefined ? {} : { note: text(pointer, "note", "a pointer") };
  return { signer: readDid(pointer, "a pointer"), url: text(pointer, "url", "a pointer"), ...note };
}

function readSignature(value: unknown): SignatureEvidence {
  const signature = object(value, "a signature", ["signer", "identity", "record", "tag"]);
  return {
    signer: readDid(signature, "a signature"),
    identity: readFetched(field(signature, "identity"), "an identity"),
    ...optional(signature, "record", (record) => readFetched(record, "a record")),
    ...optional(signature, "tag", (tag) => readFetched(tag, "a tag")),
  };
}

function readOwner(value: unknown): OwnerAnswer {
  const owner = object(value, "the owner", ["handle", "did", "source", "fetchedAt"]);
  const did = field(owner, "did") === undefined ? undefined : text(owner, "did", "the owner");
  if (did !== undefined && !isDid(did)) malformed(`did of the owner is "${did}", expected a DID`);
  return {
    handle: text(owner, "handle", "the owner"),
    ...(did === undefined ? {} : { did }),
    source: text(owner, "source", "the owner"),
    fetchedAt: readTime(owner, "the owner"),
  };
}

function readFetched(value: unknown, what: string): Fetched {
  const fetched = object(value, what, ["url", "bytes", "fetchedAt"]);
  const bytes = fromBase64(text(fetched, "bytes", what));
  if (bytes === undefined) malformed(`bytes of ${what} are not base64`);
  return { url: text(fetched, "url", what), bytes, fetchedAt: readTime(fetched, what) };
}

function readGap(value: unknown): Gap {
  const gap = object(value, "a gap", ["service", "signer", "code", "detail", "answered"]);
  const service = SERVICES.find((name) => name === field(gap, "service"));
  const code = REJECTION_CODES.find((name) => name === field(gap, "code"));
  if (service === undefined) malformed(`service of a gap is not one of ${SERVICES.join(", ")}`);
  if (code === undefined || !isGapCode(code)) malformed("code of a gap is not the code of a missing answer");
  const signer = field(gap, "signer") === undefined ? {} : { signer: readDid(gap, "a gap") };
  const answered = field(gap, "answered") === undefined ? {} : ({ answered: true } as const);
  return { service, ...signer, code, detail: text(gap, "detail", "a gap"), ...answered };
}

/**
 * Only a missing answer is a gap: a bundle cannot assert a denial, nor a code that sums up all signatures.
 */
function isGapCode(code: RejectionCode): boolean {
  return REJECTIONS[code].kind === "inconclusive" && code !== "policy.signatures_unconfirmed";
}

function readDid(value: JsonObject, what: string): Did {
  const signer = text(value, "signer", what);
  return isDid(signer) ? signer : malformed(`signer of ${what} is "${signer}", expected a DID`);
}

function readTime(value: JsonObject, what: string): number {
  const fetchedAt = field(value, "fetchedAt");
  if (typeof fetchedAt !== "number" || !Number.isFinite(fetchedAt)) malformed(`fetchedAt of ${what} is not a number`);
  return fetchedAt;
}

/** An object with this property, if `from` has it. */
function optional<Name extends string, T>(from: JsonObject, name: Name, read: (value: unknown) => T) {
  const value = field(from, name);
  return (value === undefined ? {} : { [name]: read(value) }) as { readonly [Key in Name]?: T };
}

function list(value: JsonObject, name: string): readonly unknown[] {
  const found = field(value, name);
  if (!Array.isArray(found)) malformed(`${name} of the bundle is not a list`);
  if (found.length > MAX_ENTRIES) malformed(`${name} of the bundle has more than ${MAX_ENTRIES} entries`);
  return found;
}

function object(value: unknown, what: string, names: readonly string[]): JsonObject {
  if (!isJsonObject(value)) malformed(`${what} is not an object`);
  const unknown = Object.keys(value).find((name) => !names.includes(name));
  return unknown === undefined ? value : malformed(`${what} has the unknown field "${unknown}"`);
}

function text(value: JsonObject, name: string, what: string): string {
  const found = field(value, name);
  return typeof found === "string" ? found : malformed(`${name} of ${what} is not a string`);
}

function malformed(message: string): never {
  reject("bundle.malformed", message);
}
