import { FairQueue } from "../process/fair-queue.ts";

/** Limits of the queue: of each peer and of all, how many requests are answered at one time, and how many wait. */
export interface QueueLimits {
  readonly running: number;
  readonly waiting: number;
  readonly runningOfPeer: number;
  readonly waitingOfPeer: number;
  /** How many of both only root gets. */
  readonly ofRoot: number;
  /** Milliseconds that a request waits before it is turned away. */
  readonly wait: number;
}

/** Requests that are answered at one time. Stops many from taking all memory and connections. */
const MAX_RUNNING = 32;
/** Requests that wait. Stops them from filling memory, and from answers that nobody waits for any more. */
const MAX_WAITING = 128;
/** The same of one user: a quarter. Stop a user from taking the places of others. */
const MAX_RUNNING_OF_PEER = 8;
const MAX_WAITING_OF_PEER = 32;
/** Of both those that only root gets. One user may have thousands of subordinate ids, and so all other places. */
const OF_ROOT = 8;
/** Milliseconds that a request waits: as long as an answer may take by default. */
const MAX_WAIT = 8000;

/**
 * One user id has at most a quarter of the places, and root some of its own. podman asks for one image at a
 * time, and CRI-O for a few. Waiting costs a user less than an answer that says to try again, up to the usual deadline.
 */
export const LIMITS: QueueLimits = {
  running: MAX_RUNNING,
  waiting: MAX_WAITING,
  runningOfPeer: MAX_RUNNING_OF_PEER,
  waitingOfPeer: MAX_WAITING_OF_PEER,
  ofRoot: OF_ROOT,
  wait: MAX_WAIT,
};

/** As peerOf names root. */
export const ROOT = "uid 0";

/** Lets each peer have a few requests answered at one time, and takes turns among those that wait. */
export class PeerQueue {
  readonly #queue: FairQueue;
  readonly #wait: number;

  constructor({ running, waiting, runningOfPeer, waitingOfPeer, ofRoot, wait }: QueueLimits = LIMITS) {
    this.#wait = wait;
    this.#queue = new FairQueue({
      running,
      waiting,
      shareOf: (peer) => {
        const kept = peer === ROOT ? 0 : ofRoot;
        return { running: runningOfPeer, waiting: waitingOfPeer, keptRunning: kept, keptWaiting: kept };
      },
    });
  }

  /**
   * Does the work as soon as the peer has a place.
   *
   * @param peer who asks
   * @returns undefined where too many requests wait already, or this one waited too long: nothing was done then
   */
  run<T>(peer: string, work: () => Promise<T>): Promise<T | undefined> {
    return this.#queue.run(peer, this.#wait, work);
  }
}
