import { type IdentityProof, readIdentity } from "../atproto/identity.ts";
import type { Did, Tid } from "../atproto/syntax.ts";
import { sha256Hex } from "../encoding/sha256.ts";
import { type BundledImage, gatheredAtOf } from "../evidence/bundled-image.ts";
import type { OwnerAnswer, SignatureEvidence } from "../evidence/evidence.ts";
import { tagRecordPath } from "../evidence/record-path.ts";
import type { Digest } from "../oci/digest.ts";
import { parseReference } from "../oci/reference.ts";
import { Rejection } from "../rejection.ts";
import { atcrName } from "./atcr-name.ts";
import { attempt, type ProofTarget } from "./prove.ts";
import { noesOf } from "./proven-no.ts";
import type { ProvenNo } from "./remembered-noes.ts";
import type { Attempt } from "./verdict.ts";

/** One signature's evidence of a bundle, and what it proves. */
export interface BundleProof {
  readonly digest: Digest;
  readonly signer: Did;
  /** Of the image, as in {@link BundledImage}. */
  readonly names: readonly string[];
  readonly signature: SignatureEvidence;
  readonly owner?: OwnerAnswer;
  /** When its oldest part was gathered; milliseconds since 1970. */
  readonly gatheredAt: number;
  /** Path of the tag's record that it is about, where it has one and a name of the image says which. */
  readonly tag?: string;
  readonly attempt: Attempt;
  /** A signature; a proof that there is none; or neither, for the reason in the attempt. */
  readonly kind: "signature" | "no" | "unproven";
  /** The newest revision that was proven. */
  readonly rev?: Tid;
  /** CIDs of the operations in the log; absent for a did:web, and where the log is not valid. */
  readonly operations?: readonly string[];
  /** Whether the signer's identity was proven. */
  readonly isIdentified: boolean;
  readonly noes: readonly ProvenNo[];
}

/** What the identities of a bundle prove, each proven once: a signer's log is in the line of each of their images. */
export class ProvenIdentities {
  readonly #known = new Map<string, IdentityProof | Rejection>();

  of({ signer, identity }: SignatureEvidence): IdentityProof | Rejection {
    const key = `${signer} ${sha256Hex(identity.bytes)}`;
    const found = this.#known.get(key) ?? proofOf(signer, identity.bytes);
    this.#known.set(key, found);
    return found;
  }
}

/**
 * Proves all that a bundle says about an image, one signature after the other, so that the caller can check the clock in
 * between (spec 5.1 to 5.8). Neither the policy nor the time has a part in it.
 *
 * @param image as untrusted as the network
 * @param atcrHosts hosts whose names are `HANDLE/REPOSITORY`
 */
export function* provenOf(
  { digest, names, evidence }: BundledImage,
  atcrHosts: readonly string[],
  identities: ProvenIdentities,
): Generator<BundleProof> {
  const targets = targetsOf(digest, names, atcrHosts);
  for (const signature of evidence.signatures) {
    const { owner } = evidence;
    yield { digest, names, ...(owner && { owner }), ...provenSignature(signature, targets, identities) };
  }
}

type Proved = Omit<BundleProof, "digest" | "names" | "owner">;

function provenSignature(signature: SignatureEvidence, targets: Targets, identities: ProvenIdentities): Proved {
  const proof = identities.of(signature);
  const tries = (signature.tag === undefined ? [] : targets.ofTags).flatMap((target) => {
    const found = attempt(target, signature, proof);
    const path = pathOf(target, found);
    return path !== undefined && isAbout(found) ? [{ target, found, path }] : [];
  });
  // The nodes on the path to one tag may also prove that another one beside it is not there.
  const best = tries.find(({ found }) => showsTag(found)) ?? tries[0];
  if (best !== undefined) return proved(signature, best.target, best.found, proof, best.path);
  // No name of the image says what the tag is called.
  const { tag: _, ...untagged } = signature;
  const target = { digest: targets.digest };
  return proved(untagged, target, attempt(target, untagged, proof), proof);
}

function proved(
  signature: SignatureEvidence,
  target: ProofTarget,
  found: Attempt,
  proof: IdentityProof | Rejection,
  tag?: string,
): Proved {
  const noes = isUnfinished(found) ? [] : noesOf(signature, found, target);
  const isClosed = "finding" in found && found.finding.code === "identity.deactivated";
  const isNo = isClosed || ("finding" in found && noes.length > 0);
  const rev = found.observation?.revs.toSorted().at(-1);
  const operations = found.observation?.operations;
  return {
    signer: signature.signer,
    signature,
    gatheredAt: gatheredAtOf(signature),
    ...(tag !== undefined && { tag }),
    attempt: found,
    kind: "facts" in found ? "signature" : isNo ? "no" : "unproven",
    ...(rev !== undefined && { rev }),
    ...(operations && { operations }),
    isIdentified: !(proof instanceof Rejection),
    noes,
  };
}

/** What an image's evidence may be about. */
interface Targets {
  readonly digest: Digest;
  /** One for each tag that a name has. */
  readonly ofTags: readonly ProofTarget[];
}

function targetsOf(digest: Digest, names: readonly string[], atcrHosts: readonly string[]): Targets {
  const targets = names.flatMap((name): ProofTarget[] => {
    const reference = parseReference(name);
    const repository = atcrName(reference, atcrHosts)?.repository;
    const { tag } = reference;
    return tag === undefined ? [] : [{ digest, tag, ...(repository !== undefined && { repository }) }];
  });
  return { digest, ofTags: targets };
}

/** Path of the tag's record that was looked for; undefined where nothing says in which repository. */
function pathOf({ repository, tag }: ProofTarget, found: Attempt): string | undefined {
  const named = repository ?? ("facts" in found ? found.facts.claim.repository : undefined);
  return tag === undefined || named === undefined ? undefined : tagRecordPath(named, tag);
}

/** Whether the tag's proof is one for the path that was looked for, and not for another. */
function isAbout(found: Attempt): boolean {
  return !isUnfinished(found) && !("facts" in found && found.facts.tag === undefined);
}

/** Whether the tag's record is there, whatever it says. */
function showsTag(found: Attempt): boolean {
  const tag = "facts" in found ? found.facts.tag : undefined;
  return tag !== undefined && ("code" in tag ? tag.means !== undefined : tag.claim !== undefined);
}

/**
 * A proof that ends before the record. At a pull it counts as an absence, since some servers send it where there is
 * none; in a file it may as well be the proof of another record, put where it does not belong.
 */
function isUnfinished(found: Attempt): boolean {
  if ("finding" in found) return found.finding.code === "mst.incomplete_proof";
  const { tag } = found.facts;
  return tag !== undefined && "code" in tag && tag.code === "mst.incomplete_proof";
}

function proofOf(signer: Did, bytes: Uint8Array): IdentityProof | Rejection {
  try {
    return readIdentity(signer, bytes);
  } catch (error) {
    if (error instanceof Rejection) return error;
    throw error;
  }
}
