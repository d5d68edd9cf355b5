import type { Config } from "../../core/config/config.ts";
import type { Warn, Warning } from "../../core/warning.ts";
import { HttpFailure, type HttpRequest, type HttpResponse } from "../../io/net/exchange.ts";
import type { TxtRequest } from "../../io/net/txt.ts";
import type { Deadline } from "../../io/process/deadline.ts";
import { nameOf } from "../collect/retry.ts";
import { Flights } from "./flights.ts";
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

  readonly http: Network["http"] = (warn, joined) => async (request, deadline) => {
    // What stores something is never shared.
    if (request.upload !== undefined) return this.#network.http(warn)(request, deadline);
    const { timeout, ...what } = request;
    const time = Math.max(timeout, this.#timeoutOf(request));
    const { result, isJoined } = this.#exchanges.join(JSON.stringify(what), time, async (own) =>
      this.#exchange({ ...request, timeout: time }, own),
    );
    if (isJoined) joined?.(request.purpose);
    const name = nameOf(request);
    const { response, failure, warnings } = await inTime(name, request, deadline, result);
    for (const warning of warnings) warn(warning);
    if (response === undefined) throw failure;
    return response;
  };

  readonly txt: Network["txt"] = async (request, deadline) => {
    const { result } = this.#lookUps.join(request.name, this.#config.didResolverTimeout, async (own) =>
      this.#network.txt({ ...request, timeout: this.#config.didResolverTimeout }, own),
    );
    return inTime(`DNS ${request.name}`, request, deadline, result);
  };

  /** Never throws. */
  async #exchange(request: HttpRequest, deadline: Deadline): Promise<Ended> {
    const warnings: Warning[] = [];
    const warn: Warn = (warning) => warnings.push(warning);
    const host = URL.parse(request.url)?.host ?? "";
    const turn = { name: nameOf(request), host, isNamedByImage: NAMED_BY_IMAGE.has(request.purpose) };
    try {
      const response = await this.#limits.run(turn, deadline, async () => this.#network.http(warn)(request, deadline));
      return { response: { ...response, body: whole(response.body) }, warnings };
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

/** In a buffer of its own: what is kept of a longer one would keep all of it. */
function whole(body: Uint8Array): Uint8Array {
  return body.buffer.byteLength === body.byteLength ? body : body.slice();
}

/** @throws HttpFailure where the time of the one who waits is over first */
async function inTime<T>(
  name: string,
  { timeout }: Pick<TxtRequest, "timeout">,
  deadline: Deadline,
  result: Promise<T>,
): Promise<T> {
  const time = Math.min(timeout, deadline.remaining());
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeOver = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new HttpFailure("timeout", `${name}: no answer in time (after ${(time / 1000).toFixed(1)} s)`)),
      time,
    );
  });
  try {
    return await deadline.track(name, async () => Promise.race([result, timeOver]));
  } finally {
    clearTimeout(timer);
  }
}
