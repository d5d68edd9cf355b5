import type { Did, Tid } from "../atproto/syntax.ts";
import { equalBytes } from "../encoding/bytes.ts";
import type { BundledImage } from "../evidence/bundled-image.ts";
import type { Fetched, SignatureEvidence } from "../evidence/evidence.ts";
import {
  type Import,
  type ImportedEntry,
  type ImportedIdentity,
  type ImportedPiece,
  MAX_ENTRIES,
} from "../evidence/imported-piece.ts";
import { recordPath } from "../evidence/record-path.ts";
import type { Digest } from "../oci/digest.ts";
import { Rejection } from "../rejection.ts";
import { type BundleProof, type ProvenIdentities, provenOf } from "./bundle-proof.ts";
import { compareLogs, isNewerProof, questionOfProof } from "./newest-proofs.ts";

/** What became of a signature of a bundle. */
export interface Imported {
  readonly proof: BundleProof;
  /**
   * `imported`: it is new, a signature or a no. `known`: the same is there, from the same gathering. `older`: what is there
   * is newer, and stays. `unproven`: it proves nothing, and is not imported.
   */
  readonly outcome: "imported" | "known" | "older" | "unproven";
}

/** An entry, and what it proves. */
interface Known {
  readonly proof: BundleProof;
  readonly entry: ImportedEntry;
}

/**
 * Adds the evidence of one signer about one digest to what was imported before. Of each question the newest stays, and a
 * no leaves no older signature behind.
 *
 * @param proofs of this digest and signer
 * @param before what is there
 * @param how the import that brings the proofs
 * @returns the new piece; undefined where it stays as it is
 */
export function addToPiece(
  { digest, signer }: { readonly digest: Digest; readonly signer: Did },
  proofs: readonly BundleProof[],
  before: ImportedPiece | undefined,
  how: Import,
  context: { readonly atcrHosts: readonly string[]; readonly identities: ProvenIdentities },
): { readonly piece: ImportedPiece | undefined; readonly results: readonly Imported[] } {
  const known = new Map<string, Known>();
  for (const entry of before?.entries ?? []) {
    const [proof] = provenOf(imageOf(digest, entry), context.atcrHosts, context.identities);
    if (proof !== undefined && proof.kind !== "unproven") known.set(questionOfProof(proof), { proof, entry });
  }
  let isChanged = false;
  const results = proofs.map((proof): Imported => {
    const outcome = add(known, proof, how);
    isChanged ||= outcome === "imported" || outcome === "updated";
    return { proof, outcome: outcome === "updated" ? "known" : outcome };
  });
  const entries = withoutTakenBack([...known.values()], digest)
    .toSorted((a, b) => (isNewerProof(a.proof, b.proof) ? -1 : 1))
    .map(({ entry }) => entry)
    .slice(0, MAX_ENTRIES);
  return { piece: isChanged ? { digest, signer, entries } : undefined, results };
}

/** @returns as in {@link Imported}; `updated`: the same is there, but this import says who sealed it */
function add(known: Map<string, Known>, proof: BundleProof, how: Import): Imported["outcome"] | "updated" {
  if (proof.kind === "unproven") return "unproven";
  const question = questionOfProof(proof);
  const there = known.get(question);
  if (there !== undefined && isSame(there.entry.signature, proof.signature)) {
    const entry = { ...there.entry, ...earlier(there.entry, how) };
    known.set(question, { ...there, entry });
    return entry.sealedBy === there.entry.sealedBy ? "known" : "updated";
  }
  const all = [...known.values()];
  if (there !== undefined && !isNewerProof(proof, there.proof)) return "older";
  if (proof.kind === "signature" && isTakenBack(proof, newestNo(all, proof.digest))) return "older";
  const { names, owner, signature, tag } = proof;
  const isNo = proof.kind === "no" ? ({ isNo: true } as const) : {};
  const entry = { ...(tag !== undefined && { tag }), ...isNo, ...how, names, signature, ...(owner && { owner }) };
  known.set(question, { proof, entry });
  return "imported";
}

/**
 * The newer of two identities of a signer.
 *
 * @param before what is there
 * @returns `newest`, to be written; `older` where what is there stays; `forked` where each log lacks an operation of the
 * other, so that one of them was never the directory's
 */
export function newerIdentity(
  proof: BundleProof,
  before: ImportedIdentity | undefined,
  how: Import,
  identities: ProvenIdentities,
): ImportedIdentity | "older" | "forked" {
  const { signer, operations } = proof;
  const { identity } = proof.signature;
  const newest = { signer, identity, ...how };
  if (before === undefined) return newest;
  const there = identities.of({ signer, identity: before.identity });
  // What is there can no longer be proven: any other is better.
  if (there instanceof Rejection) return newest;
  const known = there.history?.map(({ cid }) => cid);
  const compared = compareLogs(operations, known);
  if (compared === "same") return identity.fetchedAt > before.identity.fetchedAt ? newest : "older";
  return compared === "newer" ? newest : compared;
}

/** The first import counts; a seal counts whenever it comes. */
function earlier(there: Import, how: Import): Import {
  const sealedBy = how.sealedBy ?? there.sealedBy;
  return { importedAt: Math.min(there.importedAt, how.importedAt), ...(sealedBy !== undefined && { sealedBy }) };
}

function isSame(a: SignatureEvidence, b: SignatureEvidence): boolean {
  const isSamePart = (one: Fetched | undefined, other: Fetched | undefined): boolean =>
    one === undefined || other === undefined
      ? one === other
      : one.fetchedAt === other.fetchedAt && equalBytes(one.bytes, other.bytes);
  return isSamePart(a.identity, b.identity) && isSamePart(a.record, b.record) && isSamePart(a.tag, b.tag);
}

function withoutTakenBack(known: readonly Known[], digest: Digest): readonly Known[] {
  const no = newestNo(known, digest);
  return known.filter(({ proof }) => proof.kind !== "signature" || !isTakenBack(proof, no));
}

/** The newest revision that was proven to have no record of the digest. */
function newestNo(known: readonly Known[], digest: Digest): Tid | undefined {
  const path = recordPath(digest);
  const noes = known.flatMap(({ proof }) => proof.noes.filter((no) => no.path === path));
  return noes
    .map(({ rev }) => rev)
    .toSorted()
    .at(-1);
}

function isTakenBack({ rev }: BundleProof, no: Tid | undefined): boolean {
  return no !== undefined && (rev === undefined || rev <= no);
}

function imageOf(digest: Digest, { names, signature, owner }: ImportedEntry): BundledImage {
  return { digest, names, evidence: { pointers: [], signatures: [signature], gaps: [], ...(owner && { owner }) } };
}
