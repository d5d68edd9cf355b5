import type { Config } from "../../core/config/config.ts";
import type { Warn, Warning } from "../../core/warning.ts";
import { HttpFailure, type HttpRequest, type HttpResponse } from "../../io/net/exchange.ts";
import type { TxtRequest } from "../../io/net/txt.ts";
import type { Deadline } from "../../io/process/deadline.ts";
import { nameOf } from "../collect/retry.ts";
import { type Begin, type Flight, Flights, type Wanted } from "./flights.ts";
import type { HostLimits } from "./host-limits.ts";
import type { Network } from "./network.ts";

/** Purposes of requests to hosts that the image's name chooses: the registry, who it sends us to, and a handle. */
const NAMED_BY_IMAGE: ReadonlySet<string> = new Set(["registry", "token server", "handle"]);

/** An exchange that has ended, and what it warned of on its way. */
interface Ended {
  readonly response?: HttpResponse;
  readonly failure?: unknown;
  readonly warnings: readonly Warning[];
}

/**
 * A network of which many verifications share the requests that are under way: one that is the same as another's, down to
 * its credentials, is joined and not sent. The exchange has the configured timeout, and each who waits ends by its own.
 *
 * Answers are shared as they are, and nobody changes them.
 */
export class SharedNetwork implements Network {
  readonly #network: Network;
  readonly #config: Config;
  readonly #limits: HostLimits;
  readonly #exchanges = new Flights<Ended>();
  readonly #lookUps = new Flights<readonly string[]>();

  constructor(network: Network, config: Config, limits: HostLimits) {
    this.#network = network;
    this.#config = config;
    this.#limits = limits;
  }

  get environment(): Network["environment"] {
    return this.#network.environment;
  }

  /** Exchanges and lookups in DNS. */
  get underWay(): number {
    return this.#exchanges.count + this.#lookUps.count;
  }

  readonly http: Network["http"] = (warn, joined, asker) => async (request, deadline) => {
    // What stores something is never shared.
    if (request.upload !== undefined) return this.#network.http(warn)(request, deadline);
    refuseLate(nameOf(request), deadline);
    const { timeout, ...what } = request;
    const time = Math.max(timeout, this.#timeoutOf(request));
    const start = async (begin: Begin, wanted: Wanted): Promise<Ended> =>
      this.#exchange({ ...request, timeout: time }, begin, wanted);
    const { flight, isJoined } = this.#exchanges.join(JSON.stringify(what), time, start, asker);
    if (isJoined) {
      joined?.(request.purpose);
      this.#limits.joined(hostOf(request));
    }
    const { response, failure, warnings } = await inTime(nameOf(request), request, deadline, flight);
    for (const warning of warnings) warn(warning);
    if (response === undefined) throw failure;
    return response;
  };

  readonly txt: Network["txt"] = async (request, deadline) => {
    const name = `DNS ${request.name}`;
    refuseLate(name, deadline);
    const timeout = this.#config.didResolverTimeout;
    const { flight } = this.#lookUps.join(request.name, timeout, async (begin) =>
      this.#network.txt({ ...request, timeout }, begin()),
    );
    return inTime(name, request, deadline, flight);
  };

  /** Never throws. */
  async #exchange(request: HttpRequest, begin: Begin, wanted: Wanted): Promise<Ended> {
    const warnings: Warning[] = [];
    const warn: Warn = (warning) => warnings.push(warning);
    const turn = {
      name: nameOf(request),
      host: hostOf(request),
      askers: wanted.askers,
      isNamed: NAMED_BY_IMAGE.has(request.purpose),
      isWanted: () => wanted.waiting > 0,
    };
    try {
      const response = await this.#limits.run(turn, async () => this.#network.http(warn)(request, begin()));
      return { response, warnings };
    } catch (failure) {
      return { failure, warnings };
    }
  }

  /** The configured one: the request's own may be what is left of somebody's time. */
  #timeoutOf({ purpose }: HttpRequest): number {
    const { registryTimeout, pdsTimeout, didResolverTimeout } = this.#config;
    if (purpose === "registry" || purpose === "token server") return registryTimeout;
    return purpose === "PDS" ? pdsTimeout : didResolverTimeout;
  }
}

function hostOf({ url }: HttpRequest): string {
  return URL.parse(url)?.host ?? "";
}

/** A flight has its own time: begun for nobody, it would take the place of those who still wait. @throws HttpFailure timeout */
function refuseLate(name: string, deadline: Deadline): void {
  if (deadline.remaining() <= 0) throw new HttpFailure("timeout", `${name}: not asked, as no time is left`);
}

/**
 * Waits for the work to begin as long as there is time at all, and then for its result no longer than for a request of
 * one's own.
 *
 * @throws HttpFailure timeout; whatever the work throws
 */
async function inTime<T>(
  name: string,
  { timeout }: Pick<TxtRequest, "timeout">,
  deadline: Deadline,
  flight: Flight<T>,
): Promise<T> {
  try {
    return await deadline.track(name, async () => {
      const begun = Promise.race([flight.begun, flight.result]);
      await within(deadline.remaining(), begun, `${name}: not asked, as too many requests are under way`);
      const time = Math.min(timeout, deadline.remaining());
      return within(time, flight.result, `${name}: no answer in time (after ${(time / 1000).toFixed(1)} s)`);
    });
  } finally {
    flight.waiting--;
  }
}

async function within<T>(time: number, result: Promise<T>, late: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeOver = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new HttpFailure("timeout", late)), time);
  });
  try {
    return await Promise.race([result, timeOver]);
  } finally {
    clearTimeout(timer);
  }
}
