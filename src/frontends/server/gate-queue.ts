import type { GateName } from "../../core/config/server-settings.ts";
import { FairQueue, type Share } from "../process/fair-queue.ts";

/**
 * Requests that are worked on at one time: most of them wait for a registry or a PDS, and what these send is bounded elsewhere.
 * Stops many from taking all memory.
 */
const MAX_RUNNING = 256;
/**
 * Requests that wait. An API server has 200 changing requests at one time, each of which calls a webhook after the other,
 * and there are three of them; another one is turned away, as its answer would come too late. Stops them from filling memory.
 */
const MAX_WAITING = 1024;
/** Of both the places that only the API server's gates get, so that nothing keeps pods from being admitted. */
const RUNNING_FOR_ADMISSION = 128;
const WAITING_FOR_ADMISSION = 768;
/** Of both those that one other gate may have: half of what admission leaves to them. */
const MAX_RUNNING_OF_OTHER = 64;
const MAX_WAITING_OF_OTHER = 128;

/**
 * Of both those that one namespace may have at each gate of admission, so that pods with slow registries delay those of their
 * own namespace alone. All its pods may wait, as a rollout starts many.
 */
const MAX_RUNNING_OF_NAMESPACE = 64;
const MAX_WAITING_OF_NAMESPACE = 640;

/** Gates that the API server calls, and nobody else. */
const OF_ADMISSION: ReadonlySet<string> = new Set(["admit", "mutate", "imagereview"]);

const NAMESPACE_SHARE: Share = {
  running: MAX_RUNNING_OF_NAMESPACE,
  waiting: MAX_WAITING_OF_NAMESPACE,
  keptRunning: 0,
  keptWaiting: 0,
};
const OTHER_SHARE: Share = {
  running: MAX_RUNNING_OF_OTHER,
  waiting: MAX_WAITING_OF_OTHER,
  keptRunning: RUNNING_FOR_ADMISSION,
  keptWaiting: WAITING_FOR_ADMISSION,
};

/** Who asks: a gate, and at those of admission a namespace of it. */
export interface GateAsker {
  readonly gate: GateName;
  readonly namespace?: string | undefined;
}

/** The requests to all gates, of which each namespace at a gate has places of its own. */
export class GateQueue {
  readonly #queue = new FairQueue({
    running: MAX_RUNNING,
    waiting: MAX_WAITING,
    shareOf: (asker) => (OF_ADMISSION.has(gateOf(asker)) ? NAMESPACE_SHARE : OTHER_SHARE),
  });

  /**
   * Does the work as soon as there is a place for who asks.
   *
   * @param remaining milliseconds until the request's deadline
   * @param work is given the milliseconds that it waited
   * @returns undefined where it must be answered with server.overloaded: too many requests wait, or its deadline came first
   */
  run<T>(
    { gate, namespace = "" }: GateAsker,
    remaining: number,
    work: (waited: number) => Promise<T>,
  ): Promise<T | undefined> {
    const began = performance.now();
    const asker = OF_ADMISSION.has(gate) ? `${gate} ${namespace}` : gate;
    return this.#queue.run(asker, remaining, () => work(performance.now() - began));
  }

  /** How many requests of a gate are worked on now, and how many wait. */
  of(gate: GateName): { readonly running: number; readonly waiting: number } {
    return this.#queue.of((asker) => gateOf(asker) === gate);
  }
}

function gateOf(asker: string): string {
  return asker.split(" ", 1)[0] ?? "";
}
