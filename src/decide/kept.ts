import type { Did } from "../atproto/syntax.ts";
import type { Collector } from "../collect/collect.ts";
import { formatDateTime } from "../encoding/time.ts";
import { atcrName } from "../verify/atcr-name.ts";
import {
  type Evidence,
  type Gap,
  isUnanswered,
  type OwnerAnswer,
  type SignatureEvidence,
  type Subject,
} from "../verify/evidence.ts";
import { type Case, judge } from "../verify/judge.ts";
import {
  isNewestKey,
  isSilent,
  type KeptKey,
  keptFor,
  meansThis,
  refuted,
  type Seen,
  verifiedAt,
} from "../verify/kept.ts";
import type { SignerMemory } from "../verify/memory.ts";
import { attempt } from "../verify/prove.ts";
import type { Allow, Signed } from "../verify/verdict.ts";
import type { Findings } from "./findings.ts";

/** Evidence that was verified, for `maxStaleness` (spec 6). Nothing of it throws. */
export interface EvidenceKeeper {
  readonly keep: (key: KeptKey, evidence: Evidence) => Promise<void>;
  readonly find: (key: KeptKey) => Promise<Evidence | undefined>;
  /** All of a signer's; or what has this digest, and this name. */
  readonly forget: (signer: Did, what?: Partial<Omit<KeptKey, "signer">>) => Promise<void>;
  /** Other digests of this signer under this name: its tag has another meaning now. */
  readonly supersede: (key: KeptKey) => Promise<void>;
}

/** Keeps what an image was allowed by, signer by signer. */
export async function keepVerified(
  { because }: Allow,
  subject: Subject,
  found: Findings,
  keeper: EvidenceKeeper,
): Promise<void> {
  const counted = new Set(because.kind === "signed" ? because.signatures : []);
  const { owner } = found.known();
  for (const { evidence, attempt } of found.examined) {
    if (!("facts" in attempt) || !counted.has(attempt.facts)) continue;
    const key = { signer: evidence.signer, digest: subject.digest, name: keptFor(subject) };
    await keeper.keep(key, { pointers: [], gaps: [], signatures: [evidence], ...(owner && { owner }) });
  }
}

/** Forgets what a fresh answer contradicts (spec 6). */
export async function forgetRefuted(
  seen: Seen,
  memory: SignerMemory,
  subject: Subject,
  keeper: EvidenceKeeper,
): Promise<void> {
  const { signer } = seen.sighting;
  const { digest } = subject;
  const name = keptFor(subject);
  if (meansThis(seen)) await keeper.supersede({ signer, digest, name });
  switch (refuted(seen, memory)) {
    case "signer":
      return keeper.forget(signer);
    case "digest":
      return keeper.forget(signer, { digest });
    case "tag": {
      const { tag } = seen;
      const means = tag !== undefined && "means" in tag ? tag.means : undefined;
      return means === undefined ? keeper.forget(signer, { name }) : keeper.supersede({ signer, digest: means, name });
    }
    case "name":
      return keeper.forget(signer, { digest, name });
    case "nothing":
      return;
  }
}

/**
 * Judges once more with evidence verified before, of signers who were asked and of whom nothing was heard:
 * their services could not be reached, or not in time. Policy, times, memory of logs and what is known of
 * their identity are those of now.
 *
 * @returns undefined where that changes nothing
 */
export async function judgeKept(given: Case, collector: Collector, keeper: EvidenceKeeper): Promise<Allow | undefined> {
  const memory = new Map(collector.memory);
  const attempts = [...given.attempts];
  const times: number[] = [];
  const handle = atcrName(given.subject.name, given.atcrHosts)?.handle;
  const ownerIsSilent = given.gaps.filter(({ service }) => service === "handle").every(isUnanswered);
  let { owner } = given;
  for (const [signer, remembered] of collector.memory) {
    // Whether it was seen to go back, or to change its key, is not known then.
    if (remembered.unusable !== undefined) continue;
    const kept = await findKept(signer, given, keeper);
    if (kept === undefined) continue;
    if (owner === undefined && ownerIsSilent && kept.owner !== undefined && kept.owner.handle === handle) {
      owner = kept.owner;
      times.push(kept.at);
    }
    if (!isSilent(signer, given)) continue;
    // Who they are may have been heard, and is then what counts.
    const again = attempt(collector.sought, kept.signature, collector.identityOf(signer));
    if (isOutdated(again.sighting, remembered)) continue;
    // Verified before, the repo may well lie behind what was seen since of another image.
    const { operations, keys } = remembered;
    memory.set(signer, { operations, keys });
    attempts.push(again);
    times.push(kept.at);
  }
  if (times.length === 0) return undefined;
  const verdict = judge({ ...given, ...(owner && { owner }), attempts, memory });
  if (verdict.outcome !== "allow" || verdict.because.kind !== "signed") return undefined;
  return { outcome: "allow", because: asKept(verdict.because, Math.min(...times), given.gaps) };
}

/** A did:web has no log that tells of a key since: what this node saw has to do. */
function isOutdated(sighting: Seen["sighting"] | undefined, memory: SignerMemory): boolean {
  if (sighting?.key === undefined) return true;
  return sighting.operations === undefined && !isNewestKey(sighting.key, memory);
}

interface Kept {
  readonly signature: SignatureEvidence;
  readonly owner: OwnerAnswer | undefined;
  /** When it was had. */
  readonly at: number;
}

/** What was kept of a signer for this name, and is not too old for the rule. */
async function findKept(signer: Did, { subject, rule, now }: Case, keeper: EvidenceKeeper): Promise<Kept | undefined> {
  const evidence = await keeper.find({ signer, digest: subject.digest, name: keptFor(subject) });
  const [signature] = evidence?.signatures ?? [];
  if (evidence === undefined || signature === undefined) return undefined;
  const at = verifiedAt(evidence, now);
  if (at === undefined || now - at > (rule.requirement.maxStaleness ?? 0)) return undefined;
  return { signature, owner: evidence.owner, at };
}

/** It is said that, and why, this does not rest on what the services say now. */
function asKept(signed: Signed, at: number, gaps: readonly Gap[]): Signed {
  const reasons = [...new Set(gaps.filter(isUnanswered).map(({ detail }) => detail))].join("; ");
  const note = `by evidence verified ${formatDateTime(at)}, as services could not be reached: ${reasons}`;
  return { ...signed, verifiedAt: at, notes: [...signed.notes, note] };
}
