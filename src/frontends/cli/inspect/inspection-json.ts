import { formatDateTime } from "../../../core/encoding/time.ts";
import type { Objection, ShownRecord, ShownTag, UnprovenRecord } from "../../../core/evidence/shown-record.ts";
import { formatReference } from "../../../core/oci/reference.ts";
import { Rejection } from "../../../core/rejection.ts";
import type { InspectedSigner, Inspection } from "../../../verifier/inspect/inspect-image.ts";
import type { HandleFound } from "../../../verifier/service/look-up-identity.ts";
import { handleJson, howVerified, keysJson } from "../terminal/identity-lines.ts";
import type { InspectionKeys } from "./inspection-shape.ts";
import { isProven, reasonsOf, stateOf, titleOf } from "./signer-state.ts";

/**
 * An inspection for programs; its keys are part of the public interface (docs/reference/cli.md). `judged` is always false,
 * and no key says `verified`, `allowed` or `outcome`: a program must not take it for a verdict.
 */
export function inspectionKeys(inspection: Inspection): InspectionKeys {
  const { name, tag, digest, resolved, unresolved, owner, unknown, signers, notAsked, gaps, now } = inspection;
  return {
    judged: false,
    image: formatReference(name),
    at: formatDateTime(now),
    ...(digest !== undefined && { digest }),
    ...(tag !== undefined && { tag }),
    ...(resolved && { resolved: { by: resolved.by, at: formatDateTime(resolved.at), mediaType: resolved.mediaType } }),
    ...(unresolved && { unresolved: { code: unresolved.code, detail: unresolved.message } }),
    ...(owner && { owner: ownerJson(owner) }),
    ...(unknown.length > 0 && { unknownHandles: unknown.map(ownerJson) }),
    signers: signers.map(signerJson),
    notAsked,
    gaps: gaps.map(({ code, detail }) => ({ code, detail })),
  };
}

function ownerJson(owner: HandleFound) {
  if ("missing" in owner) return { handle: owner.handle, missing: owner.missing };
  return { handle: owner.handle, leadsTo: owner.did ?? null, source: owner.source };
}

function signerJson(signer: InspectedSigner) {
  const { did, sources, found } = signer;
  const { identity, handle, record, tag } = found ?? {};
  const proof = identity?.proof;
  const current = proof === undefined || proof.current instanceof Rejection ? undefined : proof.current;
  const key = current && { key: current.key.didKey, pds: current.pds };
  // A did:web proves nothing about itself: its host says all of it.
  const isProvenKey = proof?.history !== undefined;
  return {
    did,
    title: titleOf(signer),
    namedBy: sources,
    state: stateOf(signer),
    proven: {
      ...(proof && { identity: { how: howVerified(proof), ...(isProvenKey && key) } }),
      ...(record && { record: recordJson(record) }),
      ...(tag && { tag: tagJson(tag) }),
    },
    claimed: {
      ...(identity && { source: identity.fetched.url, fetchedAt: formatDateTime(identity.fetched.fetchedAt) }),
      ...(!isProvenKey && key),
      handles: current?.handles ?? [],
      ...(handle && proof && { handle: handleJson(handle, proof) }),
      ...(proof && keysJson(proof)),
      ...(record && isProven(record) && { record: fieldsJson(record) }),
      ...(tag && isProven(tag) && { tag: fieldsJson(tag) }),
    },
    problems: reasonsOf(signer),
  };
}

function recordJson(record: ShownRecord | UnprovenRecord) {
  if (!isProven(record)) return unproven(record);
  const { path, cid, rev, revTime, commit, key, nodes, objection } = record;
  return {
    path,
    isPresent: cid !== undefined,
    ...(cid !== undefined && { cid }),
    commit: { cid: commit, rev, revTime: formatDateTime(revTime), key },
    nodes,
    ...(objection && { objection }),
  };
}

function tagJson(tag: ShownTag | UnprovenRecord) {
  if (!isProven(tag)) return unproven(tag);
  return { ...recordJson(tag), ...(tag.names !== undefined && { names: tag.names }) };
}

function unproven({ path, code, detail }: UnprovenRecord): { path: string; isPresent: null; objection: Objection } {
  return { path, isPresent: null, objection: { code, detail } };
}

/** What the signer wrote, as text. */
function fieldsJson({ fields, more }: ShownRecord) {
  return { fields, ...(more > 0 && { more }) };
}
