import type { Did } from "../atproto/syntax.ts";
import type { Collector } from "../collect/collect.ts";
import type { CollectContext } from "../collect/context.ts";
import { formatDateTime } from "../encoding/time.ts";
import type { Digest } from "../oci/digest.ts";
import type { Rule } from "../policy/policy.ts";
import { atcrName } from "../verify/atcr-name.ts";
import { ineligible } from "../verify/eligibility.ts";
import {
  type Evidence,
  type Gap,
  isUnanswered,
  type OwnerAnswer,
  type SignatureEvidence,
  type Subject,
} from "../verify/evidence.ts";
import { judge } from "../verify/judge.ts";
import { isNewestKey, isSilent, refuted, type Seen, verifiedAt } from "../verify/kept.ts";
import { NOTHING_REMEMBERED, type SignerMemory } from "../verify/memory.ts";
import { attempt } from "../verify/prove.ts";
import type { Allow, Signed } from "../verify/verdict.ts";
import type { Findings } from "./findings.ts";

/** Evidence that was verified, for `maxStaleness` (spec 6). Nothing of it throws. */
export interface EvidenceKeeper {
  readonly keep: (digest: Digest, evidence: Evidence, signer: Did) => Promise<void>;
  readonly find: (digest: Digest, signer: Did) => Promise<Evidence | undefined>;
  /** Of one digest, or all of the signer's. */
  readonly forget: (signer: Did, digest?: Digest) => Promise<void>;
}

interface Question {
  readonly subject: Subject;
  readonly rule: Rule;
  readonly atcrHosts: readonly string[];
  readonly now: number;
}

/** Keeps what an image was allowed by, signer by signer. */
export async function keepVerified(
  { because }: Allow,
  { digest }: Subject,
  found: Findings,
  keeper: EvidenceKeeper,
): Promise<void> {
  const counted = new Set(because.kind === "signed" ? because.signatures : []);
  const { owner } = found.known();
  for (const { evidence, attempt } of found.examined) {
    if (!("facts" in attempt) || !counted.has(attempt.facts)) continue;
    const bundle = { pointers: [], gaps: [], signatures: [evidence], ...(owner && { owner }) };
    await keeper.keep(digest, bundle, evidence.signer);
  }
}

/** Forgets what a fresh answer contradicts: a proven absence, a tombstone, another key (spec 6). */
export async function forgetRefuted(
  seen: Seen,
  memory: SignerMemory,
  digest: Digest,
  keeper: EvidenceKeeper,
): Promise<void> {
  const signer = seen.sighting?.signer;
  if (signer === undefined) return;
  switch (refuted(seen, memory)) {
    case "signer":
      return keeper.forget(signer);
    case "digest":
      return keeper.forget(signer, digest);
    case "nothing":
      return;
  }
}

/**
 * Judges once more with evidence verified before, of signers of whom nothing was heard now: their
 * services could not be reached, or not in time. Policy, times and keys are those of now.
 *
 * @returns undefined where that changes nothing
 */
export async function judgeKept(
  question: Question,
  collector: Collector,
  found: Findings,
  { keeper, recall }: Pick<CollectContext, "recall"> & { readonly keeper: EvidenceKeeper },
): Promise<Allow | undefined> {
  const { rule, now } = question;
  const known = found.known();
  const memory = new Map(collector.memory);
  const attempts = [...known.attempts];
  const times: number[] = [];
  let { owner } = known;
  const handle = atcrName(question.subject.name, question.atcrHosts)?.handle;
  for (const signer of rule.requirement.signers) {
    const kept = ineligible(signer, now) ? undefined : await findKept(signer.did, question, keeper);
    if (kept === undefined) continue;
    if (owner === undefined && kept.owner?.handle === handle && known.gaps.filter(isOfHandle).every(isUnanswered)) {
      owner = kept.owner;
      if (owner !== undefined) times.push(kept.at);
    }
    if (!isSilent(signer.did, known)) continue;
    const again = attempt(collector.sought, kept.signature);
    const remembered = memory.get(signer.did) ?? (await recall(signer.did));
    if (!isNewestKey(again.sighting?.key, collector.identityOf(signer.did), remembered)) {
      await keeper.forget(signer.did);
      continue;
    }
    // Verified before, it may well lie behind what was seen since of another image.
    memory.set(signer.did, { ...NOTHING_REMEMBERED, keys: remembered.keys });
    attempts.push(again);
    times.push(kept.at);
  }
  const verdict = judge({ ...question, ...known, ...(owner && { owner }), attempts, memory });
  if (verdict.outcome !== "allow" || verdict.because.kind !== "signed") return undefined;
  return { outcome: "allow", because: asKept(verdict.because, Math.min(...times), known.gaps) };
}

interface Kept {
  readonly signature: SignatureEvidence;
  readonly owner: OwnerAnswer | undefined;
  /** When it was had. */
  readonly at: number;
}

/** What was kept of a signer and is not too old for the rule. */
async function findKept(
  signer: Did,
  { subject, rule, now }: Question,
  keeper: EvidenceKeeper,
): Promise<Kept | undefined> {
  const evidence = await keeper.find(subject.digest, signer);
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

function isOfHandle({ service }: Gap): boolean {
  return service === "handle";
}
