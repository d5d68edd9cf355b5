import { isPlc, tidTime } from "../atproto/syntax.ts";
import { CLOCK_SKEW, formatDateTime } from "../encoding/time.ts";
import { isWitnessed, type OutsideEvidence, type Witness } from "../evidence/outside.ts";
import type { Rule, TrustedSigner } from "../policy/policy.ts";
import type { RejectionCode } from "../rejection.ts";
import { partTimes } from "./freshness.ts";
import type { JudgingIdentity } from "./outside-identity.ts";
import type { ProofTarget } from "./prove.ts";
import { refutation } from "./proven-no.ts";
import type { SignerHistory } from "./signer-history.ts";
import type { Attempt, SignatureFacts } from "./verdict.ts";

// The rules for evidence that this node did not gather itself (docs/reference/bundles.md). They only refuse: what passes
// them is judged as at any pull.

/** Why evidence from outside does not count. */
export interface OutsideObjection {
  readonly code: RejectionCode;
  /** A sentence. */
  readonly detail: string;
}

/** The newest time that this node has proven, of an import or of a seal; none: it has imported nothing. */
export interface ProvenTime {
  /** Milliseconds since 1970. */
  readonly newest?: number;
  /** Why it could not be read. */
  readonly unusable?: string;
  /** This user may not read it. A person's command goes on without it; a pull does not. */
  readonly isDenied?: true;
}

/** A witness of one signature's evidence: no later than its oldest part was fetched, as the bundle itself says. */
export function witnessOf({ witness, signature }: OutsideEvidence): Witness {
  return { ...witness, at: Math.min(witness.at, ...partTimes(signature)) };
}

/**
 * Whether a rule takes evidence of this witness now. The window counts from the witness alone: the signer chooses a
 * commit's revision, and the directory the dates of a log.
 *
 * @param now milliseconds since 1970
 */
export function windowObjection(
  { name, requirement: { offlineFor } }: Rule,
  { witness, gatheredAt }: Pick<OutsideEvidence, "witness" | "gatheredAt">,
  now: number,
  { newest: proven, unusable }: ProvenTime,
): OutsideObjection | undefined {
  if (offlineFor === undefined) {
    const detail = `rule "${name}" has no offlineFor, so evidence from bundles does not count`;
    return { code: "bundle.not_accepted", detail };
  }
  if (unusable !== undefined) {
    const detail = `evidence from bundles does not count, as the newest time that this node has proven cannot be read: ${unusable}`;
    return { code: "bundle.not_accepted", detail };
  }
  if (proven !== undefined && proven > now + CLOCK_SKEW) {
    const detail = `this node's clock says ${formatDateTime(now)}, but it was ${formatDateTime(proven)} already; set the clock`;
    return { code: "bundle.not_accepted", detail };
  }
  const newest = Math.max(witness.at, gatheredAt);
  if (newest > now + CLOCK_SKEW) {
    const detail = `the bundle is dated ${formatDateTime(newest)}, but this node's clock says ${formatDateTime(now)}`;
    return { code: "bundle.not_accepted", detail };
  }
  const ends = witness.at + offlineFor;
  if (now <= ends) return undefined;
  const detail = `the evidence is from ${describeWitness(witness)}; under offlineFor of rule "${name}" it counted until ${formatDateTime(ends)}`;
  return { code: "bundle.expired", detail };
}

/**
 * Why a signature from outside does not count although it is proven; undefined where only the rule decides.
 *
 * @param attempt its proof by the signer's judging identity (outside-identity.ts)
 */
export function evidenceObjection(
  attempt: Attempt,
  { gatheredAt }: Pick<OutsideEvidence, "gatheredAt">,
  { documentAt }: Pick<JudgingIdentity, "documentAt">,
  target: ProofTarget,
  memory: SignerHistory,
): OutsideObjection | undefined {
  const { observation } = attempt;
  const late = observation?.revs.find((rev) => tidTime(rev) > gatheredAt + CLOCK_SKEW);
  if (late !== undefined) {
    const detail = `the commit ${late} is dated ${formatDateTime(tidTime(late))}, after the bundle was gathered at ${formatDateTime(gatheredAt)}`;
    return { code: "commit.from_future", detail };
  }
  if (!("facts" in attempt)) return undefined;
  const { facts } = attempt;
  if (!isPlc(facts.signer) && hasNewerKey(facts.key, documentAt, memory)) {
    const detail = `the commit is signed with ${facts.key}, but this node has seen a newer key of ${facts.signer}`;
    return { code: "commit.superseded_key", detail };
  }
  const because = refutation(facts, target, memory);
  if (because === undefined) return undefined;
  const detail = `the bundle has revision ${oldestOf(facts)} of the repo of ${facts.signer}, but this node has seen: ${because}`;
  return { code: "commit.rolled_back", detail };
}

/** Whether this node has seen another key of a did:web first after the document, and its key not since. */
function hasNewerKey(key: string, documentAt: number, { keys }: SignerHistory): boolean {
  const own = keys.get(key) ?? 0;
  return [...keys].some(([other, seen]) => other !== key && seen > documentAt && seen > own);
}

function oldestOf({ rev, tag }: SignatureFacts): string {
  return tag?.rev !== undefined && tag.rev < rev ? tag.rev : rev;
}

/**
 * The history that a signature from outside is judged with: not the newest revision, which other images raise, but every
 * operation that is known. Where somebody answers for the evidence, the age of a key counts from its log alone.
 *
 * @param operations of all logs at hand
 */
export function judgingHistory(
  memory: SignerHistory,
  operations: ReadonlySet<string>,
  witnesses: readonly Witness[],
  attempts: readonly Attempt[],
): SignerHistory {
  const { rev: _, ...known } = memory;
  const keys = new Map(memory.keys);
  if (witnesses.every(isWitnessed)) {
    for (const attempt of attempts) {
      if (!("facts" in attempt)) continue;
      const { key, keySince } = attempt.facts;
      if (keySince !== undefined) keys.set(key, Math.min(keySince, keys.get(key) ?? keySince));
    }
  }
  return { ...known, keys, operations: new Set([...memory.operations, ...operations]) };
}

/** Why nothing from outside counts of a signer whose history cannot be read: it may hold a no. */
export function historyObjection({ did }: TrustedSigner, { unusable }: SignerHistory): OutsideObjection | undefined {
  if (unusable === undefined) return undefined;
  const detail = `evidence from bundles about ${did} does not count, as this node's history of them cannot be used: ${unusable}`;
  return { code: "bundle.not_accepted", detail };
}

/** The bundle that evidence is from: who dates it, and when. */
export function describeWitness(witness: Witness): string {
  const at = formatDateTime(witness.at);
  switch (witness.kind) {
    case "seal":
      return `a bundle sealed at ${at} by ${witness.key}`;
    case "import":
      return `an imported bundle dated ${at}`;
    case "none":
      return `an unsealed bundle dated ${at}`;
  }
}

const HOUR = 3_600_000;

/** The same with its age: `…, 29 d old`. @param now milliseconds since 1970 */
export function describeAge(witness: Witness, now: number): string {
  const hours = Math.max(0, Math.floor((now - witness.at) / HOUR));
  return `${describeWitness(witness)}, ${hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} d`} old`;
}
