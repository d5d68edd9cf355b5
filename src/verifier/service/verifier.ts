import type { Config } from "../../core/config/config.ts";
import { imageIn } from "../../core/evidence/bundled-image.ts";
import type { Evidence, Subject } from "../../core/evidence/evidence.ts";
import type { OutsideStore } from "../../core/evidence/outside.ts";
import type { ImageReference } from "../../core/oci/reference.ts";
import type { BreakGlassFile } from "../../core/policy/break-glass.ts";
import type { TrustPolicy } from "../../core/policy/policy.ts";
import { decidedByName, select } from "../../core/policy/select.ts";
import { reject } from "../../core/rejection.ts";
import { type Failure, failureOf, refusalOf } from "../../core/verify/answer.ts";
import { enforce } from "../../core/verify/enforce.ts";
import { judge } from "../../core/verify/judge.ts";
import { type Question, questionOf } from "../../core/verify/question.ts";
import type { Verdict } from "../../core/verify/verdict.ts";
import { Warnings } from "../../core/warning.ts";
import type { Environment } from "../../io/process/environment.ts";
import { CacheKey } from "../../io/store/cache-key.ts";
import type { Batch } from "./batch.ts";
import type { Decision } from "./decision.ts";
import type { DecideContext } from "./gather-and-judge.ts";
import { judgeCached } from "./judge-cached.ts";
import type { Saved } from "./judge-saved.ts";
import type { Network, openNetwork } from "./network.ts";
import { NO_STORES } from "./no-stores.ts";
import { openStores, type Stores, StoreWarnings } from "./open-stores.ts";
import { QuestionLocks } from "./question-locks.ts";
import type { Resolved, ResolveOptions } from "./resolve-image.ts";
import type { ServerMemory } from "./server-memory.ts";
import { type Session, warningTo } from "./session.ts";

/** Grace period in milliseconds after the deadline to judge what timed out; then the refusal is `net.deadline`. */
const GRACE = 150;

/** This node's configuration, trust policy and environment. */
export interface VerifierOptions {
  readonly config: Config;
  readonly policy: TrustPolicy;
  /** Absent: break-glass is ignored, and refusals are enforced. */
  readonly breakGlass?: BreakGlassFile | undefined;
  /** Saved evidence to judge instead of the network's answers and the cache. */
  readonly saved?: Saved;
  /** Imported evidence; absent: that of bundleDir. */
  readonly outside?: OutsideStore;
  /** Touch neither the cache nor the signer history. */
  readonly isStateless?: boolean;
  /** The environment the process was started with: proxies, certificate authorities, credentials. */
  readonly environment: Environment;
  /** Whether many images are verified in one run, which then share what was fetched and checked of their signers. */
  readonly isBatch?: boolean;
  /** Caches evidence in this process, not in cacheDir, and shares requests with the other verifiers that have it. */
  readonly memory?: ServerMemory;
  /** As in DecideContext. */
  readonly gathersAll?: boolean;
  /** Where the caller has read it already, for the policy; else the environment says where it lies. */
  readonly cacheKey?: CacheKey;
}

/** Settings, and what is opened once for all verifications. */
interface Opened {
  readonly settings: VerifierOptions;
  network?: Network;
  batch?: Batch;
}

/** A judgement, and the evidence for it. */
type Judged = Pick<Decision, "cache" | "evidence" | "error"> & { readonly verdict: Verdict | Failure };

const NO_EVIDENCE: Evidence = { pointers: [], signatures: [], gaps: [] };
const SILENT = { history: () => {}, cache: () => {}, other: () => {} } as const;
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
    session.requestLog?.addCached(decided.evidence?.());
    const timings = { total: performance.now() - began, services: new Map(session.requestCounts.asked) };
    return { subject, policyHash: opened.settings.policy.hash, timings, warnings: warnings.all, ...decided };
  }

  /** The decision about an image that needs neither its digest nor evidence; undefined where one of them is needed. */
  decideByName(image: ImageReference): Pick<Decision, "answer" | "rule"> | undefined {
    const { policy, breakGlass } = this.#opened.settings;
    const selection = decidedByName(policy, image);
    return selection && { answer: enforce(judge(selection), { image, breakGlass }), rule: selection.rule };
  }

  /**
   * Asks which digest an image's name stands for, as containerd would. Under `offline: true` no registry is asked.
   *
   * @throws Rejection registry.*, net.*
   */
  async resolve(name: ImageReference, session: Session, options: ResolveOptions = {}): Promise<Resolved> {
    const opened = this.#opened;
    if (opened.settings.config.offline) {
      const advice = "name the image by its digest: NAME@sha256:DIGEST";
      reject("registry.unreachable", `${name.host} is not asked, as the configuration says offline: true; ${advice}`);
    }
    const [network, { registryContext }, { resolveImage }] = await Promise.all([
      this.#network(opened),
      import("./network.ts"),
      import("./resolve-image.ts"),
    ]);
    return resolveImage(name, registryContext(opened.settings.config, network, session), options);
  }

  async #decide(subject: Subject, session: Session, opened: Opened): Promise<Decided> {
    const { policy, config, breakGlass, saved } = opened.settings;
    const image = subject.name;
    if (saved !== undefined && imageIn(saved.bundle.images, subject.digest) === undefined) {
      const [only, ...others] = saved.bundle.images;
      const about = others.length > 0 ? `${saved.bundle.images.length} other digests` : (only?.digest ?? "no image");
      const detail = `the saved evidence is for ${about}, but the image is ${subject.digest}`;
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
    const { config, isStateless } = opened.settings;
    const warnings = isStateless ? SILENT : new StoreWarnings(config, (warning) => session.warn(warning));
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
      // The work may go on after the deadline's answer.
      const stores = isStateless ? NO_STORES : this.#openStores(opened, session, warnings);
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

  #openStores({ settings }: Opened, session: Session, warnings: StoreWarnings): Stores {
    const { config, environment, cacheKey, outside, memory } = settings;
    if (memory) return memory.openStores(config, session, warnings, outside);
    return openStores(config, session, warnings, new CacheKey(environment, warnings.cache, cacheKey), outside);
  }

  async #judge(
    question: Question,
    session: Session,
    opened: Opened,
    stores: Stores,
    locks: QuestionLocks,
  ): Promise<Judged> {
    const { saved, config, isStateless } = opened.settings;
    const image = saved && imageIn(saved.bundle.images, question.subject.digest);
    if (saved !== undefined && image !== undefined) {
      const { judgeSaved } = await import("./judge-saved.ts");
      const { evidence } = image;
      const verdict = await judgeSaved(question, saved, evidence, session, stores);
      return { verdict, cache: saved.kind === "outside" ? "bundle" : "none", evidence: () => evidence };
    }
    const cached = isStateless ? undefined : await judgeCached(question, config, session, stores, locks);
    if (cached !== undefined) return cached;
    session.beforeHeavyWork();
    if (config.offline) {
      const { judgeOffline } = await import("./judge-offline.ts");
      const { verdict, cache, evidence } = await judgeOffline(question, config, session, stores);
      return { verdict, cache, evidence: () => evidence };
    }
    const { gatherAndJudge } = await import("./gather-and-judge.ts");
    const { verdict, evidence, cache } = await gatherAndJudge(
      question,
      await this.#context(session, opened, stores, locks),
    );
    return { verdict, cache, evidence: () => evidence };
  }

  async #context(session: Session, opened: Opened, stores: Stores, locks: QuestionLocks): Promise<DecideContext> {
    const { collectContext } = await import("./network.ts");
    if (opened.settings.isBatch) {
      const { Batch } = await import("./batch.ts");
      opened.batch ??= new Batch();
    }
    const { config, gathersAll = false } = opened.settings;
    const network = await this.#network(opened);
    return { ...collectContext(config, network, session, stores, locks, opened.batch), gathersAll };
  }

  async #network(opened: Opened): Promise<Network> {
    const { config, environment, memory } = opened.settings;
    const open = this.#openNetwork ?? (await import("./network.ts")).openNetwork;
    opened.network ??= memory?.networkOf(config, environment, open) ?? open(config, environment);
    return opened.network;
  }
}

function withoutEvidence(verdict: Verdict | Failure): Judged {
  return { verdict, cache: "none" };
}
