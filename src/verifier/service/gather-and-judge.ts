import type { Evidence } from "../../core/evidence/evidence.ts";
import type { RejectionCode } from "../../core/rejection.ts";
import { isSilent } from "../../core/verify/freshness.ts";
import { granted, type JudgeInput, judge } from "../../core/verify/judge.ts";
import type { Question } from "../../core/verify/question.ts";
import { findRollback, NO_HISTORY } from "../../core/verify/signer-history.ts";
import type { Attempt, Refusal, Verdict } from "../../core/verify/verdict.ts";
import type { OutsideQuestion } from "../cache/imported.ts";
import { judgeWithStaleEvidence, silenceOf } from "../cache/stale.ts";
import type { SharedStores } from "../cache/stores.ts";
import { updateCache } from "../cache/update.ts";
import { type Collected, Collector } from "../collect/collect.ts";
import type { CollectContext } from "../collect/context.ts";
import { GatheredEvidence } from "../collect/gathered-evidence.ts";

/** What a decision needs: the means to gather evidence, and the persistent stores. */
export interface DecideContext extends CollectContext, SharedStores {
  /** Whether every signer's answer is awaited, also once the image is allowed: for a bundle, which others judge. */
  readonly gathersAll?: boolean;
}

/** The verdict, and all evidence that was gathered. */
export interface Gathered {
  readonly verdict: Verdict;
  readonly evidence: Evidence;
  /** What the verdict rests on because a service could not be reached: stale evidence, or imported evidence. */
  readonly cache: "none" | "stale" | "bundle";
}

/** Milliseconds reserved for judging stale or imported evidence, where the rule accepts it. */
const STALE_RESERVE = 500;
/** Part of the time that is reserved where attached evidence may count, as that has to be fetched. */
const ATTACHED_SHARE = 0.3;
/** Most milliseconds that writing to disk may delay a verdict. */
const MAX_DISK_TIME = 500;
/** The same after the deadline; twice this is less than the watchdog's grace period. */
const MIN_DISK_TIME = 50;

/**
 * Gathers evidence from the network, and proves and judges it as it arrives. The image is allowed as soon as the rule
 * is met, unless everything is to be gathered; a refusal waits for everything.
 */
export async function gatherAndJudge(question: Question, context: DecideContext): Promise<Gathered> {
  const { maxStaleness, offlineFor } = question.rule.requirement;
  const takesStale = maxStaleness !== undefined;
  const takesAttached = offlineFor !== undefined && context.config.bundleKeys.length > 0;
  const share = takesAttached ? context.deadline.remaining() * ATTACHED_SHARE : 0;
  const reserve = takesStale || offlineFor !== undefined ? Math.max(STALE_RESERVE, share) : 0;
  const deadline = reserve > 0 ? context.deadline.earlier(reserve) : context.deadline;
  const limited = { ...context, deadline };
  const collector = new Collector(question, limited);
  const found = new GatheredEvidence(question.target, context.checkedCommits);

  const fresh = await gather(question, limited, collector, found);
  const { config } = context;
  const given = caseOf(question, limited, collector, found);
  await inTime(updateCache(given, collector, found, context, config.cacheEnabled || takesStale), context);
  const evidence = found.evidence();
  if (fresh.outcome !== "inconclusive") return { verdict: fresh, evidence, cache: "none" };
  const stale = takesStale ? await judgeCached(given, collector, context) : undefined;
  if (stale !== undefined) return { verdict: stale, evidence, cache: "stale" };
  if (offlineFor === undefined) return { verdict: fresh, evidence, cache: "none" };
  return { evidence, ...(await judgeOutside(fresh, given, collector, context, takesAttached)) };
}

/**
 * Judges evidence from outside of the signers who were asked and were silent: what was imported, and if that does not
 * suffice, with it what is attached to the image. The network's refusal stays otherwise: evidence from outside only ever
 * allows. What is wrong with it is said as well.
 */
async function judgeOutside(
  fresh: Refusal,
  given: JudgeInput,
  collector: Collector,
  context: DecideContext,
  takesAttached: boolean,
): Promise<Pick<Gathered, "verdict" | "cache">> {
  const { outside, loadHistory, provenTime, deadline } = context;
  const store = await outside();
  const signers = [...collector.memory.keys()].filter((did) => isSilent(did, given));
  if (signers.length === 0 || (store === undefined && !takesAttached)) return { verdict: fresh, cache: "none" };
  const question: OutsideQuestion = {
    signers,
    store,
    loadHistory,
    provenTime,
    identityOf: (did) => collector.identityOf(did),
    because: silenceOf(given.gaps),
    deadline,
  };
  const { judgeWithOutsideEvidence } = await import("../cache/imported.ts");
  const imported = (await judgeWithOutsideEvidence(given, question))?.verdict;
  if (imported?.outcome === "allow") return { verdict: imported, cache: "bundle" };
  const said = imported === undefined ? fresh : alsoSaying(fresh, imported, "imported");
  if (!takesAttached) return { verdict: said, cache: "none" };
  const { judgeAttached } = await import("./judge-attached.ts");
  const { verdict: attached, problems: all } = await judgeAttached(given, question, context);
  if (attached?.outcome === "allow") return { verdict: attached, cache: "bundle" };
  const verdict = attached === undefined ? said : alsoSaying(said, attached, "attached");
  const problems = all.filter((problem) => !fresh.detail.includes(problem));
  if (problems.length === 0) return { verdict, cache: "none" };
  return {
    verdict: { ...verdict, detail: `${verdict.detail}; attached evidence: ${problems.join("; ")}` },
    cache: "none",
  };
}

function alsoSaying(fresh: Refusal, outside: Refusal, kind: "imported" | "attached"): Refusal {
  const known = new Set(fresh.findings.map(({ detail }) => detail));
  const findings = [...fresh.findings, ...outside.findings.filter(({ detail }) => !known.has(detail))];
  if (findings.length === fresh.findings.length) return fresh;
  const detail = `${fresh.detail}; ${kind} evidence does not count: ${outside.code}: ${outside.detail}`;
  return { ...fresh, detail, findings };
}

/** Judges cached evidence against the current signer history: parallel pulls may have added to it. */
async function judgeCached(
  given: JudgeInput,
  collector: Collector,
  { cache, loadHistory, config, deadline }: DecideContext,
) {
  const { plcDirectories } = config;
  const signers = [...collector.memory.keys()];
  return judgeWithStaleEvidence(
    given,
    { signers, loadHistory, identityOf: (did) => collector.identityOf(did), plcDirectories, deadline },
    cache,
  );
}

/** All evidence so far, for a judgement. */
function caseOf(
  question: Question,
  context: CollectContext,
  collector: Collector,
  found: GatheredEvidence,
): JudgeInput {
  return { ...question, memory: collector.memory, now: context.now(), ...found.known() };
}

async function gather(
  question: Question,
  context: DecideContext,
  collector: Collector,
  found: GatheredEvidence,
): Promise<Verdict> {
  for (;;) {
    const collected = await collector.next();
    const attempt = collected && found.add(stillOf(collected, context));
    // Pointers and gaps never turn a refusal into an allow.
    if (collected?.kind === "pointer" || collected?.kind === "gap") continue;
    const given = caseOf(question, context, collector, found);
    if (collected === undefined) return judge(given);
    const allow = granted(given);
    if (allow !== undefined && context.gathersAll !== true) return allow;
    if (allow !== undefined) collector.searchNoFurther();
    if (attempt !== undefined) askOnceMore(attempt, collector);
  }
}

/**
 * Failures that a newer identity can resolve. A former key is among them, as it can become current again: an owner who
 * recovers an identity or undoes a rotation restores the earlier key.
 */
const CURED_BY_NEWER_IDENTITY: ReadonlySet<RejectionCode> = new Set(["commit.bad_signature", "commit.superseded_key"]);

/** The key may have been rotated since the identity was fetched; the PDS may have answered from a lagging replica. */
function askOnceMore(attempt: Attempt, collector: Collector): void {
  const { observation } = attempt;
  if ("finding" in attempt && CURED_BY_NEWER_IDENTITY.has(attempt.finding.code)) collector.refresh(attempt.signer);
  if (observation === undefined) return;
  const memory = collector.memory.get(observation.signer) ?? NO_HISTORY;
  if (findRollback(observation, memory)?.code === "commit.rolled_back") collector.askAgain(observation.signer);
}

/** After the deadline a signature is no longer proven, as that takes time too: it becomes a gap. */
function stillOf(collected: Collected, { deadline }: CollectContext): Collected {
  if (collected.kind !== "signature" || deadline.remaining() > 0) return collected;
  const { signer } = collected.signature;
  const detail = `the deadline passed before the proof of ${signer} was checked`;
  return { kind: "gap", gap: { service: "pds", signer, code: "net.deadline", detail, answered: true } };
}

/** Waits for the disk, within bounds: the verdict is already decided, and unfinished writes are harmless. */
async function inTime(work: Promise<void>, { deadline }: CollectContext): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.min(MAX_DISK_TIME, Math.max(MIN_DISK_TIME, deadline.remaining())));
  });
  await Promise.race([work, limit]);
  clearTimeout(timer);
}
