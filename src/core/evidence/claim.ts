import { equalBytes, fromHex } from "../encoding/bytes.ts";
import { Cid } from "../encoding/cid.ts";
import { type DagCbor, type DagCborMap, isDagCborMap } from "../encoding/dag-cbor.ts";
import { parseDateTime } from "../encoding/time.ts";
import { type Digest, digestHex } from "../oci/digest.ts";
import { reject } from "../rejection.ts";
import { MANIFESTS } from "./record-path.ts";

/** The content of a digest's record, claimed by the signer. */
export interface Claim {
  readonly repository: string;
  readonly mediaType: string;
  /** When the record was written, claimed by the signer; milliseconds since 1970. */
  readonly createdAt: number;
  /** Size in bytes of the manifest copy that the record links to, if it does. */
  readonly blobSize?: number;
}

/**
 * Reads an io.atcr.manifest record that must be for this digest (spec 5.6). Fields that no rule uses are not checked.
 *
 * @param record attacker-controlled, but in the signer's signed repo
 * @throws Rejection record.malformed, record.digest_mismatch, record.blob_mismatch
 */
export function readClaim(digest: Digest, record: DagCbor): Claim {
  if (!isDagCborMap(record)) reject("record.malformed", "the record is not a map");
  const type = text(record, "$type");
  if (type !== MANIFESTS) reject("record.malformed", `the record's $type is "${type}", expected ${MANIFESTS}`);
  const about = text(record, "digest");
  if (about !== digest) reject("record.digest_mismatch", `the record is for "${about}", expected ${digest}`);
  const repository = text(record, "repository");
  if (repository === "") reject("record.malformed", "the record's repository is empty");
  const createdAt = parseDateTime(text(record, "createdAt"));
  if (createdAt === undefined) reject("record.malformed", "the record's createdAt is not a date and time");

  const blobSize = readBlob(digest, record.get("manifestBlob"));
  return {
    repository,
    mediaType: text(record, "mediaType"),
    createdAt,
    ...(blobSize === undefined ? {} : { blobSize }),
  };
}

/** The blob is the manifest itself, so its hash must be the digest. */
function readBlob(digest: Digest, blob: DagCbor | undefined): number | undefined {
  if (blob === undefined || blob === null) return undefined;
  const ref = isDagCborMap(blob) ? blob.get("ref") : undefined;
  const size = isDagCborMap(blob) ? blob.get("size") : undefined;
  if (!(ref instanceof Cid) || ref.codec !== "raw" || typeof size !== "number") {
    reject("record.malformed", "the record's manifestBlob is not a reference to a blob");
  }
  if (!equalBytes(ref.sha256 ?? new Uint8Array(), fromHex(digestHex(digest)))) {
    reject("record.blob_mismatch", `the record's manifestBlob ${ref} does not have the digest ${digest}`);
  }
  return size;
}

function text(record: DagCborMap, name: string): string {
  const value = record.get(name);
  return typeof value === "string" ? value : reject("record.malformed", `the record's ${name} is not a string`);
}
