import { HttpFailure } from "../../io/net/exchange.ts";
import { AskerPlaces } from "./asker-places.ts";

/** Requests to one host that are under way at a time. */
const MAX_AT_ONCE = 32;
/** Requests that wait for one host; more are refused at once, as they would wait in vain. */
const MAX_WAITING = 2048;
/** Of them those of one asker, so that a namespace cannot have all of them at a registry that others use as well. */
const MAX_WAITING_OF_ASKER = 512;
/** Requests to one host in a second on average, and at once after a pause. */
const MAX_RATE = 200;
const MAX_BURST = 400;
/** Hosts that are remembered; at this bound those that are idle are forgotten. */
const MAX_HOSTS = 1024;

/** A request that waits for its turn. */
export interface Turn {
  /** For messages. */
  readonly name: string;
  /** Host and port. */
  readonly host: string;
  /** Who asks, the first one first; more may join while it waits. */
  readonly askers: ReadonlySet<string>;
  /** Whether an image's name chose the host. */
  readonly isNamed: boolean;
  /** Whether anybody still waits for the answer. */
  readonly isWanted: () => boolean;
}

interface Waiting {
  readonly turn: Turn;
  /** @param asker whose request it counts as */
  readonly begin: (asker: string) => void;
  readonly fail: (error: HttpFailure) => void;
}

interface Host {
  active: number;
  /** Requests that may begin now, by the rate; it grows with time. */
  allowance: number;
  /** When it was counted; milliseconds as in performance.now(). */
  countedAt: number;
  /** In the order of their coming. */
  readonly waiting: Set<Waiting>;
  timer?: ReturnType<typeof setTimeout> | undefined;
}

/** The request that begins next. */
interface Next {
  readonly host: Host;
  readonly waiting: Waiting;
  readonly asker: string;
  /** Requests of this asker that are under way. */
  readonly underWay: number;
}

/**
 * Limits requests to each host: how many at a time, and how many in a second. The asker with the fewest requests under way
 * is next, wherever it asks: one that asks a lot delays itself.
 */
export class HostLimits {
  readonly #hosts = new Map<string, Host>();
  readonly #places = new AskerPlaces();

  /** Hosts that are remembered. */
  get hosts(): number {
    return this.#hosts.size;
  }

  /** Who has requests under way. */
  get askers(): number {
    return this.#places.askers;
  }

  /** Requests that wait. */
  get waiting(): number {
    return this.#hosts.values().reduce((sum, { waiting }) => sum + waiting.size, 0);
  }

  /**
   * Runs `work` when it is its turn.
   *
   * @throws HttpFailure timeout, where too many wait already, or nobody wants it any more; whatever `work` throws
   */
  async run<T>(turn: Turn, work: () => Promise<T>): Promise<T> {
    const host = this.#hostOf(turn.host);
    const asker = await this.#turnOf(host, turn);
    try {
      return await work();
    } finally {
      host.active--;
      this.#wake(this.#places.giveBack(asker, turn.isNamed) ? [...this.#hosts.values()] : [host]);
    }
  }

  /** To be called when another one asks for what may still wait: there may be a place for this one. */
  joined(host: string): void {
    this.#wake([this.#hostOf(host)]);
  }

  async #turnOf(host: Host, turn: Turn): Promise<string> {
    if (host.waiting.size >= MAX_WAITING) throw notAsked(turn, `${MAX_WAITING} requests to it wait already`);
    if (waitingAs(turn, host) >= MAX_WAITING_OF_ASKER)
      throw notAsked(turn, `${MAX_WAITING_OF_ASKER} requests of this namespace to it wait already`);
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    host.waiting.add({ turn, begin: resolve, fail: reject });
    this.#wake([host]);
    return promise;
  }

  /** Has those begin who may. */
  #wake(hosts: readonly Host[]): void {
    for (let next = this.#next(hosts); next !== undefined; next = this.#next(hosts)) {
      const { host, waiting, asker } = next;
      host.waiting.delete(waiting);
      host.active++;
      host.allowance--;
      this.#places.take(asker, waiting.turn.isNamed);
      waiting.begin(asker);
    }
  }

  #next(hosts: readonly Host[]): Next | undefined {
    let next: Next | undefined;
    for (const host of hosts) {
      const first = this.#nextAt(host);
      if (first !== undefined && (next === undefined || first.underWay < next.underWay)) next = first;
    }
    return next;
  }

  /** Drops what nobody waits for. */
  #nextAt(host: Host): Next | undefined {
    refill(host);
    let next: Next | undefined;
    for (const waiting of host.waiting) {
      const { askers, isNamed, isWanted } = waiting.turn;
      if (!isWanted()) {
        host.waiting.delete(waiting);
        waiting.fail(notAsked(waiting.turn, "nobody waits for the answer any more"));
        continue;
      }
      if (host.active >= MAX_AT_ONCE) return undefined;
      const asker = this.#places.whoMayBegin(askers, isNamed);
      if (asker === undefined) continue;
      const underWay = this.#places.of(asker);
      if (next === undefined || underWay < next.underWay) next = { host, waiting, asker, underWay };
      if (underWay === 0) break;
    }
    if (next === undefined || host.allowance >= 1) return next;
    host.timer ??= setTimeout(
      () => {
        host.timer = undefined;
        this.#wake([host]);
      },
      Math.ceil(((1 - host.allowance) * 1000) / MAX_RATE),
    );
    return undefined;
  }

  #hostOf(name: string): Host {
    const known = this.#hosts.get(name);
    if (known !== undefined) return known;
    if (this.#hosts.size >= MAX_HOSTS) this.#forgetIdle();
    const host = { active: 0, allowance: MAX_BURST, countedAt: performance.now(), waiting: new Set<Waiting>() };
    this.#hosts.set(name, host);
    return host;
  }

  /** Hosts that have been idle for so long that they are as new. */
  #forgetIdle(): void {
    for (const [name, host] of this.#hosts) {
      refill(host);
      if (host.active + host.waiting.size === 0 && host.allowance >= MAX_BURST) this.#hosts.delete(name);
    }
  }
}

/** How many wait at a host of who asks now; what others joined counts as the one's who began it. */
function waitingAs({ askers: [asker] }: Turn, { waiting }: Host): number {
  if (asker === "" || waiting.size < MAX_WAITING_OF_ASKER) return 0;
  return waiting.values().reduce(
    (
      sum,
      {
        turn: {
          askers: [first],
        },
      },
    ) => sum + Number(first === asker),
    0,
  );
}

function refill(host: Host): void {
  const now = performance.now();
  host.allowance = Math.min(MAX_BURST, host.allowance + ((now - host.countedAt) * MAX_RATE) / 1000);
  host.countedAt = now;
}

function notAsked({ name }: Turn, why: string): HttpFailure {
  return new HttpFailure("timeout", `${name}: not asked, as ${why}`);
}
