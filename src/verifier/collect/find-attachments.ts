import { CLOCK_SKEW } from "../../core/encoding/time.ts";
import type { Subject } from "../../core/evidence/evidence.ts";
import { readSealedEvidence, type SealedEvidence } from "../../core/evidence/sealed-evidence.ts";
import { MAX_ATTACHED, orderAttachments } from "../../core/oci/attached-evidence.ts";
import type { Descriptor } from "../../core/oci/descriptor.ts";
import type { Digest } from "../../core/oci/digest.ts";
import { EVIDENCE_TYPE } from "../../core/oci/referrers.ts";
import { Rejection } from "../../core/rejection.ts";
import { type RegistryContext, UnavailableError } from "./context.ts";
import { listAt } from "./discover-referrers.ts";
import { Repository } from "./referrers-client.ts";
import { limitsAt, MAX_MIRRORS } from "./registry-host.ts";

/** Attachments that are read, of all hosts together; stops thousands of them from being fetched. */
const MAX_ATTACHMENTS = 4;

/** What is attached to an image, as far as it may count. */
export interface FoundAttachments {
  readonly evidence: readonly SealedEvidence[];
  /** Why attachments do not count, or could not be read. */
  readonly problems: readonly string[];
}

/**
 * Fetches the sealed evidence that is attached to an image, from the first host that has some by a key that counts: the
 * mirrors in their order, then the registry itself. Each is asked without retries, as the time is nearly over.
 *
 * @param keys did:key of the keys whose seals count
 */
export async function findAttachments(
  subject: Subject,
  keys: readonly string[],
  context: RegistryContext,
): Promise<FoundAttachments> {
  const { all } = context.registries.endpoints(subject.name);
  const hosts = [...all.slice(0, -1).slice(0, MAX_MIRRORS), ...all.slice(-1)];
  const evidence: SealedEvidence[] = [];
  const problems: string[] = [];
  const known = new Set<Digest>();
  for (const [i, host] of hosts.entries()) {
    const limits = limitsAt(i, hosts.length - 1, context.deadline);
    const { place, listing } = await listAt(host, subject, EVIDENCE_TYPE, context, limits);
    problems.push(...listing.gaps.map(({ message }) => message));
    if (!(place instanceof Repository)) continue;
    const candidates = orderAttachments(listing.referrers, keys, context.now() + CLOCK_SKEW);
    const left = candidates.filter(({ digest }) => !known.has(digest));
    const read = left.slice(0, MAX_ATTACHMENTS - known.size);
    for (const { digest } of read) known.add(digest);
    const answers = await Promise.all(read.map((candidate) => attempt(candidate, place, subject, keys)));
    for (const answer of answers) {
      if (typeof answer === "string") problems.push(answer);
      else if (answer !== undefined) evidence.push(answer);
    }
    const passed = listing.referrers.length - candidates.length;
    if (passed > 0) problems.push(`${passed} attached by keys that bundleKeys does not list, or dated in the future`);
    if (left.length > read.length) problems.push(`${left.length - read.length} more attachments were not read`);
    if (evidence.length > 0) break;
  }
  return { evidence, problems: [...new Set(problems)] };
}

/** @returns undefined where it is of another type; a sentence where it does not count */
async function attempt(
  candidate: Descriptor,
  place: Repository,
  { digest }: Subject,
  keys: readonly string[],
): Promise<SealedEvidence | string | undefined> {
  try {
    const artifact = await place.artifactOf(candidate);
    if (artifact === undefined) return undefined;
    const { payload } = artifact;
    if (payload === undefined) return `the attachment ${candidate.digest} is empty`;
    const bytes = await place.payloadOf(payload, "attached evidence", MAX_ATTACHED);
    return readSealedEvidence(bytes, digest, keys);
  } catch (error) {
    if (!(error instanceof UnavailableError || error instanceof Rejection)) throw error;
    return `the attachment ${candidate.digest} does not count: ${error.code}: ${error.message}`;
  }
}
