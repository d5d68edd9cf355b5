import type { Did } from "../../core/atproto/syntax.ts";
import type { Bundle } from "../../core/evidence/bundle.ts";
import type { Import, ImportedIdentity } from "../../core/evidence/imported-piece.ts";
import { Rejection } from "../../core/rejection.ts";
import { type BundleProof, ProvenIdentities, provenOf } from "../../core/verify/bundle-proof.ts";
import { addToPiece, type Imported, newerIdentity } from "../../core/verify/import-proofs.ts";
import type { Observation } from "../../core/verify/signer-history.ts";
import type { BundleDir } from "../../io/store/bundle-dir.ts";
import { writeIdentity, writePiece } from "../../io/store/bundle-dir-writer.ts";
import type { ProvenTimes } from "../../io/store/proven-times.ts";
import type { SignerStore } from "../../io/store/signer-store.ts";

export interface ImportContext {
  readonly directory: BundleDir;
  /** Remembers the noes. */
  readonly signers: SignerStore;
  /** Remembers when this was, so that a clock that is set back later renews nothing. */
  readonly times: ProvenTimes;
  /** Hosts whose names are `HANDLE/REPOSITORY`. */
  readonly atcrHosts: readonly string[];
}

export interface ImportReport {
  /** In the order of the bundle. */
  readonly results: readonly Imported[];
  /** Signers whose log in the bundle and log on this node each lack an operation of the other. */
  readonly forked: readonly Did[];
}

/**
 * Proves a bundle and imports what it proves. Noes are remembered first, and logs are remembered and written next: if this is interrupted,
 * what is there is judged by more than before, and never by less.
 *
 * @param how the import; its time is now
 * @throws Error of the file system
 */
export async function importBundle(
  { images }: Bundle,
  how: Import,
  { directory, signers, times, atcrHosts }: ImportContext,
): Promise<ImportReport> {
  await times.record(how.importedAt);
  const identities = new ProvenIdentities();
  const proofs = images.flatMap((image) => [...provenOf(image, atcrHosts, identities)]);
  for (const [signer, own] of Map.groupBy(proofs, (proof) => proof.signer)) {
    const noes = own.flatMap((proof) => proof.noes);
    if (noes.length > 0) await signers.recordObservation({ signer, revs: [], noes }, how.importedAt);
  }
  const forked = await importIdentities(proofs, how, { directory, signers }, identities);
  const results = new Map<BundleProof, Imported>();
  for (const [, own] of Map.groupBy(proofs, ({ digest, signer }) => `${digest} ${signer}`)) {
    const [{ digest, signer }] = own as [BundleProof, ...BundleProof[]];
    const before = directory.piece(digest, signer);
    const added = addToPiece({ digest, signer }, own, before, how, { atcrHosts, identities });
    if (added.piece !== undefined) await writePiece(directory.place, added.piece);
    for (const result of added.results) results.set(result.proof, result);
  }
  return { results: proofs.flatMap((proof) => results.get(proof) ?? []), forked };
}

async function importIdentities(
  proofs: readonly BundleProof[],
  how: Import,
  { directory, signers }: Pick<ImportContext, "directory" | "signers">,
  identities: ProvenIdentities,
): Promise<readonly Did[]> {
  const forked: Did[] = [];
  for (const [signer, own] of Map.groupBy(
    proofs.filter(({ isIdentified }) => isIdentified),
    (proof) => proof.signer,
  )) {
    const before = directory.identity(signer);
    let newest = before;
    for (const proof of own) {
      const found = newerIdentity(proof, newest, how, identities);
      if (found === "forked") forked.push(signer);
      else if (found !== "older") newest = found;
    }
    if (newest === undefined || newest === before) continue;
    // The file may be lost, and a bundle that is named for once is not compared with it.
    await signers.recordObservation({ signer, revs: [], ...shownBy(newest, identities) }, how.importedAt);
    await writeIdentity(directory.place, newest);
  }
  return [...new Set(forked)];
}

/**
 * What an imported identity adds to the history: of a did:plc the operations, and of a did:web, which has no log, the key as
 * of when the document was fetched, so that an older document does not bring a former key back.
 */
function shownBy(
  newest: ImportedIdentity,
  identities: ProvenIdentities,
): Pick<Observation, "operations" | "key" | "askedAt"> {
  const proof = identities.of(newest);
  if (proof instanceof Rejection) return {};
  const { history, current } = proof;
  if (history !== undefined) return { operations: history.map(({ cid }) => cid) };
  if (current instanceof Rejection) return {};
  return { key: current.key.didKey, askedAt: Math.min(newest.identity.fetchedAt, newest.importedAt) };
}
