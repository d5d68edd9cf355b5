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

interface Peer {
  /** Places that are not for this peer. */
  readonly kept: number;
  running: number;
  /** Of its latest request that was started, counted over all; 0 before the first. */
  turn: number;
  /** Each starts one request. */
  readonly waiting: (() => void)[];
}

/** Lets each peer have a few requests answered at one time, and takes turns among those that wait. */
export class PeerQueue {
  readonly #limits: QueueLimits;
  /** Those with requests. */
  readonly #peers = new Map<string, Peer>();
  #running = 0;
  #waiting = 0;
  #turns = 0;

  constructor(limits = LIMITS) {
    this.#limits = limits;
  }

  /**
   * Does the work as soon as the peer has a place.
   *
   * @param peer who asks
   * @returns undefined where too many requests wait already, or this one waited too long: nothing was done then
   */
  async run<T>(peer: string, work: () => Promise<T>): Promise<T | undefined> {
    if (!(await this.#place(peer))) return undefined;
    try {
      return await work();
    } finally {
      this.#leave(peer);
    }
  }

  /** @returns whether there is a place */
  #place(name: string): Promise<boolean> | boolean {
    const { waiting, waitingOfPeer, ofRoot, wait } = this.#limits;
    const peer = this.#peers.get(name) ?? { kept: name === ROOT ? 0 : ofRoot, running: 0, turn: 0, waiting: [] };
    this.#peers.set(name, peer);
    if (this.#mayRun(peer)) {
      this.#start(peer);
      return true;
    }
    if (this.#waiting >= waiting - peer.kept || peer.waiting.length >= waitingOfPeer) return false;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        peer.waiting.splice(peer.waiting.indexOf(start), 1);
        this.#waiting--;
        this.#forget(name, peer);
        resolve(false);
      }, wait);
      const start = (): void => {
        clearTimeout(timer);
        this.#waiting--;
        this.#start(peer);
        resolve(true);
      };
      peer.waiting.push(start);
      this.#waiting++;
    });
  }

  #mayRun(peer: Peer): boolean {
    const { running, runningOfPeer } = this.#limits;
    return this.#running < running - peer.kept && peer.running < runningOfPeer;
  }

  #leave(name: string): void {
    const peer = this.#peers.get(name);
    if (peer === undefined) return;
    peer.running--;
    this.#running--;
    this.#forget(name, peer);
    const waiting = [...this.#peers.values()].filter((other) => other.waiting.length > 0 && this.#mayRun(other));
    const [next] = waiting.toSorted((one, other) => one.turn - other.turn);
    next?.waiting.shift()?.();
  }

  #start(peer: Peer): void {
    peer.running++;
    this.#running++;
    peer.turn = ++this.#turns;
  }

  #forget(name: string, peer: Peer): void {
    if (peer.running === 0 && peer.waiting.length === 0) this.#peers.delete(name);
  }
}
