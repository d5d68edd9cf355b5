import type { Evidence } from "../../core/evidence/evidence.ts";
import type { RejectionCode } from "../../core/rejection.ts";
import { type Case, granted, judge } from "../../core/verify/judge.ts";
import type { Question } from "../../core/verify/question.ts";
import { NOTHING_REMEMBERED, rollback } from "../../core/verify/signer-history.ts";
import type { Attempt, Verdict } from "../../core/verify/verdict.ts";
import { judgeKept } from "../cache/stale.ts";
import type { Lasting } from "../cache/stores.ts";
import { settle } from "../cache/update.ts";
import { type Collected, Collector } from "../collect/collect.ts";
import type { CollectContext } from "../collect/context.ts";
import { GatheredEvidence } from "../collect/gathered-evidence.ts";

/** What a decision works with: what gathers evidence, and what outlasts this pull. */
export interface DecideContext extends CollectContext, Lasting {}

/** What the network's answers come to, and all that was gathered. */
export interface Gathered {
  readonly verdict: Verdict;
  readonly evidence: Evidence;
  /** Whether services were silent, and the verdict rests on cached evidence in their place. */
  readonly isStale: boolean;
}

/** Milliseconds that are left for evidence kept before, where the rule would take it. */
const TIME_FOR_KEPT = 500;
/** Most milliseconds that the disk may take at the end: a verdict that stands waits no longer. */
const TIME_TO_SETTLE = 500;
/** As much it may take where the time is over: twice that is less than the watchdog waits. */
const LAST_MOMENT = 50;

/**
 * Asks the network: evidence is gathered, and each piece is proven and judged as it arrives. The first time the
 * rule is met is the verdict; a refusal waits for all of it.
 */
export async function gatherAndJudge(question: Question, context: DecideContext): Promise<Gathered> {
  const takesKept = question.rule.requirement.maxStaleness !== undefined;
  const deadline = takesKept ? context.deadline.earlier(TIME_FOR_KEPT) : context.deadline;
  const limited = { ...context, deadline };
  const collector = new Collector(question, limited);
  const found = new GatheredEvidence(question.target);

  const fresh = await gather(question, limited, collector, found);
  const { config } = context;
  const given = caseOf(question, limited, collector, found);
  await inTime(settle(given, collector, found, context, config.cacheEnabled || takesKept), context);
  const stale =
    takesKept && fresh.outcome === "inconclusive" ? await judgeCached(given, collector, context) : undefined;
  return { verdict: stale ?? fresh, evidence: found.evidence(), isStale: stale !== undefined };
}

/** By cached evidence, held against what this node knows of the signers by now: others may have seen more. */
async function judgeCached(given: Case, collector: Collector, { cache, recall, config, deadline }: DecideContext) {
  const { plcDirectories } = config;
  const signers = [...collector.memory.keys()];
  return judgeKept(
    given,
    { signers, recall, identityOf: (did) => collector.identityOf(did), plcDirectories, deadline },
    cache,
  );
}

/** All that is known by now, for a judgement. */
function caseOf(question: Question, context: CollectContext, collector: Collector, found: GatheredEvidence): Case {
  return { ...question, memory: collector.memory, now: context.now(), ...found.known() };
}

async function gather(
  question: Question,
  context: CollectContext,
  collector: Collector,
  found: GatheredEvidence,
): Promise<Verdict> {
  for (;;) {
    const collected = await collector.next();
    const attempt = collected && found.add(stillOf(collected, context));
    // Pointers and gaps turn no refusal into an allow.
    if (collected?.kind === "pointer" || collected?.kind === "gap") continue;
    const given = caseOf(question, context, collector, found);
    if (collected === undefined) return judge(given);
    const allow = granted(given);
    if (allow !== undefined) return allow;
    if (attempt !== undefined) askOnceMore(attempt, collector);
  }
}

/**
 * What a newer identity can cure. A former key is among them, as it can become the key again: an owner who recovers
 * an identity, or takes a rotation back, puts the earlier key in place.
 */
const CURED_BY_NEWER_IDENTITY: ReadonlySet<RejectionCode> = new Set(["commit.bad_signature", "commit.superseded_key"]);

/** A key may have been replaced since the identity was learned; a PDS may have shown an old state. */
function askOnceMore(attempt: Attempt, collector: Collector): void {
  const { sighting } = attempt;
  if ("finding" in attempt && CURED_BY_NEWER_IDENTITY.has(attempt.finding.code)) collector.refresh(attempt.signer);
  if (sighting === undefined) return;
  const memory = collector.memory.get(sighting.signer) ?? NOTHING_REMEMBERED;
  if (rollback(sighting, memory)?.code === "commit.rolled_back") collector.askAgain(sighting.signer);
}

/** A signature that waited until the time was over is not proven any more: that takes time too. */
function stillOf(collected: Collected, { deadline }: CollectContext): Collected {
  if (collected.kind !== "signature" || deadline.remaining() > 0) return collected;
  const { signer } = collected.signature;
  const detail = `the time was over before the proof of ${signer} was looked at`;
  return { kind: "gap", gap: { service: "pds", signer, code: "net.deadline", detail, answered: true } };
}

/** The verdict stands by now, whatever the disk does; what was begun on it is harmless half done. */
async function inTime(work: Promise<void>, { deadline }: CollectContext): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.min(TIME_TO_SETTLE, Math.max(LAST_MOMENT, deadline.remaining())));
  });
  await Promise.race([work, limit]);
  clearTimeout(timer);
}
