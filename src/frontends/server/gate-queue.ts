import type { GateName } from "../../core/config/server-settings.ts";
import { FairQueue } from "../process/fair-queue.ts";

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

/** Gates that the API server calls, and nobody else. */
const OF_ADMISSION: ReadonlySet<string> = new Set(["admit", "mutate", "imagereview"]);

/** The requests to all gates, of which each has places of its own. */
export class GateQueue {
  readonly #queue = new FairQueue({
    running: MAX_RUNNING,
    waiting: MAX_WAITING,
    shareOf: (gate) =>
      OF_ADMISSION.has(gate)
        ? { running: MAX_RUNNING, waiting: MAX_WAITING, keptRunning: 0, keptWaiting: 0 }
        : {
            running: MAX_RUNNING_OF_OTHER,
            waiting: MAX_WAITING_OF_OTHER,
            keptRunning: RUNNING_FOR_ADMISSION,
            keptWaiting: WAITING_FOR_ADMISSION,
          },
  });

  /**
   * Does the work as soon as the gate has a place.
   *
   * @param remaining milliseconds until the request's deadline
   * @param work is given the milliseconds that it waited
   * @returns undefined where it must be answered with server.overloaded: too many requests wait, or its deadline came first
   */
  run<T>(gate: GateName, remaining: number, work: (waited: number) => Promise<T>): Promise<T | undefined> {
    const began = performance.now();
    return this.#queue.run(gate, remaining, () => work(performance.now() - began));
  }

  /** How many requests of a gate are worked on now, and how many wait. */
  of(gate: GateName): { readonly running: number; readonly waiting: number } {
    return this.#queue.of(gate);
  }
}
