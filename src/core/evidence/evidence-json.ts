import { type Did, isDid } from "../atproto/syntax.ts";
import { fromBase64, toBase64 } from "../encoding/bytes.ts";
import { field, isJsonObject, type JsonObject } from "../encoding/json.ts";
import { REJECTION_CODES, REJECTIONS, type RejectionCode, reject } from "../rejection.ts";
import type { Evidence, Fetched, Gap, OwnerAnswer, Pointer, SignatureEvidence } from "./evidence.ts";

/**
 * Entries in each list of one image's evidence: more signers than a rule may name directly, many times over. Stops a
 * bundle from making the verifier loop over millions of empty objects.
 */
const MAX_ENTRIES = 10_000;
const SERVICES = ["registry", "identity", "pds", "handle"] as const;

/**
 * Evidence as plain JSON with its fields in a fixed order; bytes are base64, times milliseconds since 1970. Everything
 * is sorted, so that answers that arrived in another order are written the same.
 *
 * @param gatheredAt the time that applies to each part without a `fetchedAt`; absent: each part has one
 */
export function evidenceToJson({ pointers, signatures, gaps, owner }: Evidence, gatheredAt?: number): JsonObject {
  const time = ({ fetchedAt }: { fetchedAt: number }) => (fetchedAt === gatheredAt ? {} : { fetchedAt });
  const part = (from: Fetched) => ({ url: from.url, bytes: toBase64(from.bytes), ...time(from) });
  return {
    pointers: sorted(pointers, ({ signer, url, note }) => [signer, url, note]).map(({ signer, url, note }) => ({
      signer,
      url,
      ...(note !== undefined && { note }),
    })),
    signatures: sorted(signatures, ({ signer }) => [signer]).map(({ signer, identity, record, tag }) => ({
      signer,
      identity: part(identity),
      ...(record !== undefined && { record: part(record) }),
      ...(tag !== undefined && { tag: part(tag) }),
    })),
    gaps: sorted(gaps, ({ service, signer, code, detail }) => [service, signer, code, detail]).map((gap) => ({
      service: gap.service,
      ...(gap.signer !== undefined && { signer: gap.signer }),
      code: gap.code,
      detail: gap.detail,
      ...(gap.answered === true && { answered: true }),
    })),
    ...(owner !== undefined && {
      owner: {
        handle: owner.handle,
        ...(owner.did !== undefined && { did: owner.did }),
        source: owner.source,
        ...time(owner),
      },
    }),
  };
}

/**
 * Reads evidence strictly: unknown fields are rejected, so that nothing is silently ignored.
 *
 * @param value attacker-controlled
 * @param gatheredAt as in {@link evidenceToJson}; no part may be younger
 * @throws Rejection bundle.malformed
 */
export function evidenceFromJson(value: unknown, gatheredAt?: number): Evidence {
  const evidence = object(value, "the evidence", ["pointers", "signatures", "gaps", "owner"]);
  return {
    pointers: list(evidence, "pointers").map(readPointer),
    signatures: list(evidence, "signatures").map((one) => readSignature(one, gatheredAt)),
    gaps: list(evidence, "gaps").map(readGap),
    ...optional(evidence, "owner", (owner) => readOwner(owner, gatheredAt)),
  };
}

function readPointer(value: unknown): Pointer {
  const pointer = object(value, "a pointer", ["signer", "url", "note"]);
  const note = field(pointer, "note") === undefined ? {} : { note: text(pointer, "note", "a pointer") };
  return { signer: readDid(pointer, "a pointer"), url: text(pointer, "url", "a pointer"), ...note };
}

function readSignature(value: unknown, gatheredAt: number | undefined): SignatureEvidence {
  const signature = object(value, "a signature", ["signer", "identity", "record", "tag"]);
  return {
    signer: readDid(signature, "a signature"),
    identity: readFetched(field(signature, "identity"), "an identity", gatheredAt),
    ...optional(signature, "record", (record) => readFetched(record, "a record", gatheredAt)),
    ...optional(signature, "tag", (tag) => readFetched(tag, "a tag", gatheredAt)),
  };
}

function readOwner(value: unknown, gatheredAt: number | undefined): OwnerAnswer {
  const owner = object(value, "the owner", ["handle", "did", "source", "fetchedAt"]);
  const did = field(owner, "did") === undefined ? undefined : text(owner, "did", "the owner");
  if (did !== undefined && !isDid(did)) malformed(`did of the owner is "${did}", expected a DID`);
  return {
    handle: text(owner, "handle", "the owner"),
    ...(did === undefined ? {} : { did }),
    source: text(owner, "source", "the owner"),
    fetchedAt: readTime(owner, "the owner", gatheredAt),
  };
}

function readFetched(value: unknown, what: string, gatheredAt: number | undefined): Fetched {
  const fetched = object(value, what, ["url", "bytes", "fetchedAt"]);
  const bytes = fromBase64(text(fetched, "bytes", what));
  if (bytes === undefined) malformed(`bytes of ${what} are not base64`);
  return { url: text(fetched, "url", what), bytes, fetchedAt: readTime(fetched, what, gatheredAt) };
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

/** Only a missing answer is a gap: a bundle cannot assert a denial, nor a code that sums up all signatures. */
function isGapCode(code: RejectionCode): boolean {
  return REJECTIONS[code].kind === "inconclusive" && code !== "policy.signatures_unconfirmed";
}

function readDid(value: JsonObject, what: string): Did {
  const signer = text(value, "signer", what);
  return isDid(signer) ? signer : malformed(`signer of ${what} is "${signer}", expected a DID`);
}

function readTime(value: JsonObject, what: string, gatheredAt: number | undefined): number {
  const fetchedAt = field(value, "fetchedAt") ?? gatheredAt;
  if (typeof fetchedAt !== "number" || !Number.isFinite(fetchedAt)) malformed(`fetchedAt of ${what} is not a number`);
  if (gatheredAt !== undefined && fetchedAt > gatheredAt) malformed(`fetchedAt of ${what} is later than gatheredAt`);
  return fetchedAt;
}

/** An object with this property, if `from` has it. */
function optional<Name extends string, T>(from: JsonObject, name: Name, read: (value: unknown) => T) {
  const value = field(from, name);
  return (value === undefined ? {} : { [name]: read(value) }) as { readonly [Key in Name]?: T };
}

function list(value: JsonObject, name: string): readonly unknown[] {
  const found = field(value, name);
  if (!Array.isArray(found)) malformed(`${name} of the evidence is not a list`);
  if (found.length > MAX_ENTRIES) malformed(`${name} of the evidence has more than ${MAX_ENTRIES} entries`);
  return found;
}

/** @throws Rejection bundle.malformed where it is no object, or has another field than these */
export function object(value: unknown, what: string, names: readonly string[]): JsonObject {
  if (!isJsonObject(value)) malformed(`${what} is not an object`);
  const unknown = Object.keys(value).find((name) => !names.includes(name));
  return unknown === undefined ? value : malformed(`${what} has the unknown field "${unknown}"`);
}

/** @throws Rejection bundle.malformed where the field is no string */
export function text(value: JsonObject, name: string, what: string): string {
  const found = field(value, name);
  return typeof found === "string" ? found : malformed(`${name} of ${what} is not a string`);
}

export function malformed(message: string): never {
  reject("bundle.malformed", message);
}

/** By these texts in turn, an absent one first; equal entries keep their order. */
function sorted<T>(entries: readonly T[], keysOf: (entry: T) => readonly (string | undefined)[]): readonly T[] {
  const keyed = entries.map((entry) => ({ entry, key: JSON.stringify(keysOf(entry)) }));
  return keyed.toSorted((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key))).map(({ entry }) => entry);
}
