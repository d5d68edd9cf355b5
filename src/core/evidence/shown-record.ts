import type { Identity } from "../atproto/identity.ts";
import { type ProvenRecord, proveRecord } from "../atproto/record-proof.ts";
import { type Tid, tidTime } from "../atproto/syntax.ts";
import { Cid } from "../encoding/cid.ts";
import { type DagCbor, isDagCborMap } from "../encoding/dag-cbor.ts";
import type { Digest } from "../oci/digest.ts";
import { Rejection, type RejectionCode, reject } from "../rejection.ts";
import { type Claim, readClaim } from "./claim.ts";
import { recordPath, tagRecordPath } from "./record-path.ts";
import { namedDigest, readTag } from "./tag.ts";

/** Fields of a record that are shown; a record may have thousands, and floods the screen of a reader. */
const MAX_FIELDS = 32;
/** Characters shown of a field's name, and of its value. */
const MAX_NAME = 64;
const MAX_VALUE = 200;
/** Items shown of a list, and entries of a map. */
const MAX_ITEMS = 8;
/** Depth to which a value is shown. */
const MAX_DEPTH = 3;

/** A node of the tree on the path to a record. */
export interface ShownNode {
  readonly cid: string;
  /** 0 for a leaf. */
  readonly height: number;
  /** Number of keys in the node. */
  readonly entries: number;
}

/** A field as the signer wrote it, bounded; control characters are possible. */
export interface ShownField {
  readonly name: string;
  readonly value: string;
}

/** Why something is not proven, or why a proven record does not count as what was asked for. */
export interface Objection {
  readonly code: RejectionCode;
  /** A sentence; may hold attacker-controlled text. */
  readonly detail: string;
}

/** A record whose place in the signed repo is proven, for people to look at; no judgement is made of it. */
export interface ShownRecord {
  /** `collection/record key` */
  readonly path: string;
  readonly rev: Tid;
  /** The time in the rev: milliseconds since 1970, chosen by the signer. */
  readonly revTime: number;
  /** CID of the signed commit, and the did:key that signed it. */
  readonly commit: string;
  readonly key: string;
  /** From the tree's root to the node that holds the record, or to where its absence is proven. */
  readonly nodes: readonly ShownNode[];
  /** CID of the record; absent where its absence is proven. */
  readonly cid?: string;
  readonly fields: readonly ShownField[];
  /** Fields that are not shown. */
  readonly more: number;
  /** What a pull would reject this record for, whatever the policy. */
  readonly objection?: Objection;
  /** The content of a digest's record that has no objection. */
  readonly claim?: Claim;
}

/** The record of a tag. */
export interface ShownTag extends ShownRecord {
  /** The digest that the signer gives this tag; absent where the record names none of their own repo. */
  readonly names?: Digest;
}

/** A record that could not be proven. */
export interface UnprovenRecord extends Objection {
  readonly path: string;
}

/**
 * The record of a digest in a signer's repo.
 *
 * @param bytes attacker-controlled: the CAR of com.atproto.sync.getRecord
 */
export function showRecord(identity: Identity, bytes: Uint8Array, digest: Digest): ShownRecord | UnprovenRecord {
  return show(identity, bytes, recordPath(digest), (value) => ({ claim: readClaim(digest, value) }));
}

/** The record of a tag in a signer's repo, whichever digest it names. @param bytes as for {@link showRecord} */
export function showTag(
  identity: Identity,
  bytes: Uint8Array,
  repository: string,
  tag: string,
): ShownTag | UnprovenRecord {
  return show(identity, bytes, tagRecordPath(repository, tag), (value) => {
    const names = namedDigest(identity.did, value);
    if (names === undefined) reject("tag.mismatch", "the record of the tag names no manifest of the signer's own repo");
    const about = readTag(identity.did, names, value);
    // Two pairs may share a record key, so the fields decide (tag.ts).
    if (about.repository !== repository || about.tag !== tag) {
      reject("tag.mismatch", `the record is of "${about.repository}:${about.tag}", expected "${repository}:${tag}"`);
    }
    return { names };
  });
}

function show(
  identity: Identity,
  bytes: Uint8Array,
  path: string,
  read: (value: DagCbor) => Pick<ShownTag, "claim" | "names">,
): ShownTag | UnprovenRecord {
  let proven: ProvenRecord;
  try {
    proven = proveRecord(identity, bytes, path);
  } catch (error) {
    return { path, ...objectionOf(error) };
  }
  const { rev, commit, nodes, cid, value } = proven;
  const shown = {
    path,
    rev,
    revTime: tidTime(rev),
    commit: commit.toString(),
    key: identity.key.didKey,
    nodes: nodes.map(({ cid, ...node }) => ({ cid: cid.toString(), ...node })),
    ...(cid !== undefined && { cid: cid.toString() }),
    ...fieldsOf(value),
  };
  if (value === undefined) return shown;
  try {
    return { ...shown, ...read(value) };
  } catch (error) {
    return { ...shown, objection: objectionOf(error) };
  }
}

function objectionOf(error: unknown): Objection {
  if (error instanceof Rejection) return { code: error.code, detail: error.message };
  throw error;
}

function fieldsOf(value: DagCbor | undefined): Pick<ShownRecord, "fields" | "more"> {
  if (value === undefined) return { fields: [], more: 0 };
  const all: readonly (readonly [string, DagCbor])[] = isDagCborMap(value) ? [...value] : [["(no map)", value]];
  const fields = all.slice(0, MAX_FIELDS).map(([name, one]) => ({
    name: shortened(name, MAX_NAME),
    value: shortened(textOf(one, 0), MAX_VALUE),
  }));
  return { fields, more: all.length - fields.length };
}

/** A value in the style of JSON; links as their CID, bytes as their number. */
function textOf(value: DagCbor, depth: number): string {
  if (typeof value === "string") return JSON.stringify(shortened(value, MAX_VALUE));
  if (value instanceof Uint8Array) return `(${value.length} bytes)`;
  if (value instanceof Cid) return shortened(value.toString(), MAX_VALUE);
  if (Array.isArray(value)) return `[${partsOf(value as readonly DagCbor[], depth, textOf)}]`;
  if (isDagCborMap(value)) {
    return `{${partsOf([...value], depth, ([name, one], at) => `${shortened(name, MAX_NAME)}: ${textOf(one, at)}`)}}`;
  }
  return typeof value === "object" ? "null" : value.toString();
}

function partsOf<T>(items: readonly T[], depth: number, text: (item: T, depth: number) => string): string {
  if (depth >= MAX_DEPTH && items.length > 0) return "...";
  const shown = items.slice(0, MAX_ITEMS).map((item) => text(item, depth + 1));
  return [...shown, ...(items.length > MAX_ITEMS ? [`... ${items.length - MAX_ITEMS} more`] : [])].join(", ");
}

function shortened(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 3)}...`;
}
