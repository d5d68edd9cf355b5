import { HttpFailure } from "../../io/net/exchange.ts";
import { NamedPlaces } from "./named-places.ts";

/** Requests to one host that are under way at a time. */
const MAX_AT_ONCE = 32;
/** Requests that wait for one host; more are refused at once, as they would wait in vain. */
const MAX_WAITING = 2048;
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
  /** Who asks, where an image's name chose the host; more may join while it waits. */
  readonly namedBy?: ReadonlySet<string>;
  /** Whether anybody still waits for the answer. */
  readonly isWanted: () => boolean;
}

interface Waiting {
  readonly turn: Turn;
  /** @param asker for which it has a named place */
  readonly begin: (asker: string | undefined) => void;
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

/** Limits requests to each host: how many at a time, and how many in a second. */
export class HostLimits {
  readonly #hosts = new Map<string, Host>();
  readonly #named = new NamedPlaces();

  /** Hosts that are remembered. */
  get hosts(): number {
    return this.#hosts.size;
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
      if (asker !== undefined && this.#named.giveBack(asker)) for (const one of this.#hosts.values()) this.#wake(one);
      else this.#wake(host);
    }
  }

  /** To be called when another one asks for what may still wait: there may be a place for this one. */
  joined(host: string): void {
    this.#wake(this.#hostOf(host));
  }

  async #turnOf(host: Host, turn: Turn): Promise<string | undefined> {
    if (host.waiting.size >= MAX_WAITING) throw notAsked(turn, `${MAX_WAITING} requests to it wait already`);
    const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
    host.waiting.add({ turn, begin: resolve, fail: reject });
    this.#wake(host);
    return promise;
  }

  /** Has those begin who may, in their order. */
  #wake(host: Host): void {
    refill(host);
    for (const waiting of host.waiting) {
      const { namedBy, isWanted } = waiting.turn;
      if (!isWanted()) {
        host.waiting.delete(waiting);
        waiting.fail(notAsked(waiting.turn, "nobody waits for the answer any more"));
        continue;
      }
      if (host.active >= MAX_AT_ONCE) return;
      const asker = namedBy && this.#named.whoMayBegin(namedBy);
      if (namedBy !== undefined && asker === undefined) continue;
      if (host.allowance < 1) {
        host.timer ??= setTimeout(
          () => {
            host.timer = undefined;
            this.#wake(host);
          },
          Math.ceil(((1 - host.allowance) * 1000) / MAX_RATE),
        );
        return;
      }
      host.waiting.delete(waiting);
      host.active++;
      host.allowance--;
      if (asker !== undefined) this.#named.take(asker);
      waiting.begin(asker);
    }
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

function refill(host: Host): void {
  const now = performance.now();
  host.allowance = Math.min(MAX_BURST, host.allowance + ((now - host.countedAt) * MAX_RATE) / 1000);
  host.countedAt = now;
}

function notAsked({ name }: Turn, why: string): HttpFailure {
  return new HttpFailure("timeout", `${name}: not asked, as ${why}`);
}
