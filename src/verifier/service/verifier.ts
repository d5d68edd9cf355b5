import type { Config } from "../../core/config/config.ts";
import { toUtf8 } from "../../core/encoding/bytes.ts";
import { sha256Hex } from "../../core/encoding/sha256.ts";
import type { Bundle } from "../../core/evidence/bundle.ts";
import type { Evidence, Subject } from "../../core/evidence/evidence.ts";
import { formatReference } from "../../core/oci/reference.ts";
import type { BreakGlassFile } from "../../core/policy/break-glass.ts";
import type { TrustPolicy } from "../../core/policy/policy.ts";
import { select } from "../../core/policy/select.ts";
import { type Failure, failureOf, refusalOf } from "../../core/verify/answer.ts";
import { enforce } from "../../core/verify/enforce.ts";
import { judge } from "../../core/verify/judge.ts";
import { type Question, questionOf } from "../../core/verify/question.ts";
import type { Verdict } from "../../core/verify/verdict.ts";
import { Warnings } from "../../core/warning.ts";
import type { Environment } from "../../io/process/environment.ts";
import { CacheKey } from "../../io/store/cache-key.ts";
import { answerFromCache } from "../cache/fresh.ts";
import type { Decision } from "./decision.ts";
import type { DecideContext } from "./gather-and-judge.ts";
import type { Network, openNetwork } from "./network.ts";
import { openStores, type Stores, StoreWarnings } from "./open-stores.ts";
import { QuestionLocks } from "./question-locks.ts";
import { type Session, warningTo } from "./session.ts";

/** Time that what ran into the deadline has to be judged, in milliseconds; then the refusal is `net.deadline`. */
const GRACE = 150;
/** Share of the time left that a question waits for another one about the same image; then it gathers by itself. */
const PATIENCE = 5 / 8;

/** How a verifier works: this node's configuration, and whom it trusts. */
export interface VerifierOptions {
  readonly config: Config;
  readonly policy: TrustPolicy;
  /** Absent: refusals are enforced whatever this node's break-glass file says. */
  readonly breakGlass?: BreakGlassFile | undefined;
  /** Saved evidence that is judged in place of the network's answers and the cache. */
  readonly saved?: Bundle;
  /** The environment that the process was started with: proxies, certificate authorities, credentials. */
  readonly environment: Environment;
  /** Where the caller has read it already, for the policy; else the environment says where it lies. */
  readonly cacheKey?: CacheKey;
}

/** Settings, and what is opened by them once for all questions. */
interface Opened {
  readonly settings: VerifierOptions;
  network?: Network;
}

/** What one way to an answer came to. */
type Judged = Pick<Decision, "cache" | "evidence" | "error"> & { readonly verdict: Verdict | Failure };

const NO_EVIDENCE: Evidence = { pointers: [], signatures: [], gaps: [] };
const NOTHING = { cache: "none", evidence: () => NO_EVIDENCE } as const;

/** What of a decision is not said by the question. */
type Decided = Pick<Decision, "answer" | "rule" | "cache" | "evidence" | "error">;

/**
 * Verifies images. One object serves one pull, or a process that lives for months: nothing in it outlives a question
 * but the settings and the connections that are made by them.
 */
export class Verifier {
  #opened: Opened;
  readonly #openNetwork: typeof openNetwork | undefined;
  /** Of the questions under way. */
  readonly #locks = new Set<QuestionLocks>();

  /** @param network opens another one than the configuration's, as tests do that have servers of their own */
  constructor(settings: VerifierOptions, network?: typeof openNetwork) {
    this.#opened = { settings };
    this.#openNetwork = network;
  }

  /** Verifies by these settings from the next question on. One that is under way is answered by those that it began with. */
  reload(settings: VerifierOptions): void {
    this.#opened = { settings };
  }

  /** Verifies one image. Never throws because of what a network, a disk or a peer does. */
  async verify(subject: Subject, session: Session): Promise<Decision> {
    const began = performance.now();
    const opened = this.#opened;
    const warnings = new Warnings((warning) => session.warn(warning));
    const decided = await this.#decide(subject, warningTo(warnings.warn, session), opened);
    const timings = { total: performance.now() - began, services: new Map(session.exchanges.asked) };
    return { subject, policyHash: opened.settings.policy.hash, timings, warnings: warnings.all, ...decided };
  }

  async #decide(subject: Subject, session: Session, opened: Opened): Promise<Decided> {
    const { policy, config, breakGlass, saved } = opened.settings;
    const image = subject.name;
    if (saved !== undefined && saved.digest !== subject.digest) {
      const detail = `the evidence is about ${saved.digest}, the image asked for is ${subject.digest}`;
      return { answer: refusalOf("input.digest_mismatch", detail), ...NOTHING };
    }
    const selection = select(policy, image, subject.digest);
    if (selection.kind !== "judge") {
      const answer = enforce(judge(selection), { image, breakGlass });
      return { answer, rule: selection.rule, ...NOTHING };
    }
    const { rule } = selection;
    const { name, file, line } = rule;
    session.ruleSelected(rule);
    const question = questionOf(subject, rule, config.atcrHosts, session.now());
    const { verdict, ...rest } = await this.#inTime(question, session, opened);
    return { answer: enforce(verdict, { image, rule, breakGlass }), rule: { name, file, line }, ...rest };
  }

  /** Gives up the locks that this process still holds. Synchronous, for the end of the process; never throws. */
  close(): void {
    for (const locks of this.#locks) locks.end();
  }

  /** The answer, or `net.deadline` where there is none shortly after the deadline. */
  async #inTime(question: Question, session: Session, opened: Opened): Promise<Judged> {
    const { deadline } = session;
    const { config, environment, cacheKey } = opened.settings;
    const warnings = new StoreWarnings(config, (warning) => session.warn(warning));
    const locks = new QuestionLocks(config.cacheDir, warnings.cache);
    this.#locks.add(locks);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeOver = new Promise<Judged>((resolve) => {
      timer = setTimeout(() => {
        const seconds = (config.deadline / 1000).toFixed(1);
        const waitingFor = deadline.waitingFor().join(", ") || "its own work";
        resolve(withoutEvidence(refusalOf("net.deadline", `no answer within ${seconds} s, waiting for ${waitingFor}`)));
      }, deadline.remaining() + GRACE);
    });
    try {
      // Ended once more where the work goes on behind an answer that could not wait.
      const key = new CacheKey(environment, warnings.cache, cacheKey);
      const stores = openStores(config, session, warnings, key);
      const work = this.#judge(question, session, opened, stores, locks).finally(() => locks.end());
      return await Promise.race([work, timeOver]);
    } catch (error) {
      const failure = failureOf(error);
      if (failure.outcome !== "internal") return withoutEvidence(failure);
      return { ...withoutEvidence(failure), error: error instanceof Error ? error : new Error(String(error)) };
    } finally {
      clearTimeout(timer);
      locks.end();
      this.#locks.delete(locks);
    }
  }

  async #judge(
    question: Question,
    session: Session,
    opened: Opened,
    stores: Stores,
    locks: QuestionLocks,
  ): Promise<Judged> {
    const { saved, config } = opened.settings;
    if (saved !== undefined) {
      const { judgeSaved } = await import("./judge-saved.ts");
      return {
        verdict: await judgeSaved(question, saved.evidence, session),
        cache: "none",
        evidence: () => saved.evidence,
      };
    }
    const cached = await judgeCached(question, config, session, stores, locks);
    if (cached !== undefined) return cached;
    session.beforeHeavyWork();
    const { gatherAndJudge } = await import("./gather-and-judge.ts");
    const { verdict, evidence, isStale } = await gatherAndJudge(
      question,
      await this.#context(session, opened, stores, locks),
    );
    return { verdict, cache: isStale ? "stale" : "none", evidence: () => evidence };
  }

  async #context(session: Session, opened: Opened, stores: Stores, locks: QuestionLocks): Promise<DecideContext> {
    const { openNetwork, collectContext } = await import("./network.ts");
    const { config, environment } = opened.settings;
    opened.network ??= (this.#openNetwork ?? openNetwork)(config, environment);
    return collectContext(config, opened.network, session, stores, locks);
  }
}

/** By evidence that is fresh, also by what another question is fetching for the same image. */
async function judgeCached(
  question: Question,
  config: Config,
  session: Session,
  stores: Stores,
  locks: QuestionLocks,
): Promise<Judged | undefined> {
  const { deadline } = session;
  if (!config.cacheEnabled) return undefined;
  const look = () => answerFromCache(question, { ...stores, config, deadline, now: () => session.now() });
  return deadline.track(`what lies in ${config.cacheDir}`, async () => {
    let found = await look();
    // Without a key the one that is waited for could not cache what it finds.
    if (found === undefined && stores.isCacheShared()) {
      const patience = deadline.remaining() * PATIENCE;
      const opened = await locks.open();
      found = await deadline.track("another process that asks about this image", () =>
        opened.findOrTake(lockOf(question.subject), patience, look),
      );
    }
    if (found === undefined) return undefined;
    const { verdict, signatures, owner } = found;
    const evidence = (): Evidence => ({ ...NO_EVIDENCE, signatures: signatures(), ...(owner && { owner }) });
    return { verdict, cache: "fresh", evidence };
  });
}

function withoutEvidence(verdict: Verdict | Failure): Judged {
  return { verdict, cache: "none" };
}

/**
 * Names the lock of an image: by its name as well, not by the digest alone, because a pull of the same digest
 * from a slow registry would make all others wait.
 */
function lockOf({ name, digest }: Subject): string {
  return `image-${sha256Hex(toUtf8(`${formatReference(name)} ${digest}`))}`;
}
