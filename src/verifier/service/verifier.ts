import type { Config } from "../../core/config/config.ts";
import { toUtf8 } from "../../core/encoding/bytes.ts";
import { sha256Hex } from "../../core/encoding/sha256.ts";
import type { Bundle } from "../../core/evidence/bundle.ts";
import type { Evidence, Subject } from "../../core/evidence/evidence.ts";
import type { OutsideStore } from "../../core/evidence/outside.ts";
import { formatReference, type ImageReference } from "../../core/oci/reference.ts";
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
import type { Resolved, ResolveOptions } from "./resolve-image.ts";
import { type Session, warningTo } from "./session.ts";

/** Grace period in milliseconds after the deadline to judge what timed out; then the refusal is `net.deadline`. */
const GRACE = 150;
/** Fraction of the remaining time to wait for another verification of the same image. */
const WAIT_SHARE = 5 / 8;

/** This node's configuration, trust policy and environment. */
export interface VerifierOptions {
  readonly config: Config;
  readonly policy: TrustPolicy;
  /** Absent: break-glass is ignored, and refusals are enforced. */
  readonly breakGlass?: BreakGlassFile | undefined;
  /** Saved evidence to judge instead of the network's answers and the cache. */
  readonly saved?: Bundle;
  /** Imported evidence; absent: that of bundleDir. */
  readonly outside?: OutsideStore;
  /** The environment the process was started with: proxies, certificate authorities, credentials. */
  readonly environment: Environment;
  /** Where the caller has read it already, for the policy; else the environment says where it lies. */
  readonly cacheKey?: CacheKey;
}

/** Settings, and what is opened once for all verifications. */
interface Opened {
  readonly settings: VerifierOptions;
  network?: Network;
}

/** A judgement, and the evidence for it. */
type Judged = Pick<Decision, "cache" | "evidence" | "error"> & { readonly verdict: Verdict | Failure };

const NO_EVIDENCE: Evidence = { pointers: [], signatures: [], gaps: [] };
const NOTHING = { cache: "none", evidence: () => NO_EVIDENCE } as const;

/** The part of a decision that the request does not determine. */
type Decided = Pick<Decision, "answer" | "rule" | "cache" | "evidence" | "error">;

/**
 * Verifies images. One object serves a single pull, or a process that runs for months: only settings and connections
 * outlive a verification.
 */
export class Verifier {
  #opened: Opened;
  readonly #openNetwork: typeof openNetwork | undefined;
  /** Locks of the verifications under way. */
  readonly #locks = new Set<QuestionLocks>();

  /** @param network replaces the configured network, in tests */
  constructor(settings: VerifierOptions, network?: typeof openNetwork) {
    this.#opened = { settings };
    this.#openNetwork = network;
  }

  /** Uses these settings from the next verification on; those under way keep the old ones. */
  reload(settings: VerifierOptions): void {
    this.#opened = { settings };
  }

  /** Verifies one image. Never throws because of a network, a disk or a peer. */
  async verify(subject: Subject, session: Session): Promise<Decision> {
    const began = performance.now();
    const opened = this.#opened;
    const warnings = new Warnings((warning) => session.warn(warning));
    const decided = await this.#decide(subject, warningTo(warnings.warn, session), opened);
    const timings = { total: performance.now() - began, services: new Map(session.requestCounts.asked) };
    return { subject, policyHash: opened.settings.policy.hash, timings, warnings: warnings.all, ...decided };
  }

  /**
   * Asks which digest an image's name stands for, as containerd would.
   *
   * @throws Rejection registry.*, net.*
   */
  async resolve(name: ImageReference, session: Session, options: ResolveOptions = {}): Promise<Resolved> {
    const [{ openNetwork, registryContext }, { resolveImage }] = await Promise.all([
      import("./network.ts"),
      import("./resolve-image.ts"),
    ]);
    const opened = this.#opened;
    const { config, environment } = opened.settings;
    opened.network ??= (this.#openNetwork ?? openNetwork)(config, environment);
    return resolveImage(name, registryContext(config, opened.network, session), options);
  }

  async #decide(subject: Subject, session: Session, opened: Opened): Promise<Decided> {
    const { policy, config, breakGlass, saved } = opened.settings;
    const image = subject.name;
    if (saved !== undefined && saved.digest !== subject.digest) {
      const detail = `the saved evidence is for ${saved.digest}, but the image is ${subject.digest}`;
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

  /** Releases the locks that this process still holds. Synchronous, for the end of the process; never throws. */
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
      // Released again when the work ends: it may go on after the deadline's answer.
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

/** Judges fresh cached evidence, waiting for another verification that fetches it for the same image. */
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
  return deadline.track(`the cache in ${config.cacheDir}`, async () => {
    let found = await look();
    // Without a key the one that is waited for could not cache what it finds.
    if (found === undefined && stores.isCacheShared()) {
      const maxWait = deadline.remaining() * WAIT_SHARE;
      const opened = await locks.open();
      found = await deadline.track("another process that verifies this image", () =>
        opened.findOrTake(lockOf(question.subject), maxWait, look),
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
 * Name of an image's lock. It covers the image's name too: with the digest alone, a pull of the same digest from a slow
 * registry would make all others wait.
 */
function lockOf({ name, digest }: Subject): string {
  return `image-${sha256Hex(toUtf8(`${formatReference(name)} ${digest}`))}`;
}
