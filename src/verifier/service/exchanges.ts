import type { HttpClient } from "../../io/net/exchange.ts";

/** Requests to one service, and their total time in milliseconds; exchanges may run in parallel. */
export interface RequestCount {
  readonly requests: number;
  readonly ms: number;
  /** Those of them that another verification had under way already, so that they were not sent again. */
  readonly joined?: number;
}

/** Counts requests by purpose. */
export class RequestCounts {
  readonly #asked = new Map<string, RequestCount>();

  /** Wraps a client so that its requests are counted; one still under way counts as a request, but not yet as time. */
  counted(http: HttpClient): HttpClient {
    return async (request, deadline) => {
      const began = performance.now();
      this.#add(request.purpose, { requests: 1, ms: 0 });
      try {
        return await http(request, deadline);
      } finally {
        this.#add(request.purpose, { requests: 0, ms: performance.now() - began });
      }
    };
  }

  /** Notes that a request was not sent, as another verification has the same one under way. */
  readonly addJoined = (purpose: string): void => {
    this.#add(purpose, { requests: 0, ms: 0, joined: 1 });
  };

  /** By service: the purpose, in lower case with underscores. */
  get asked(): ReadonlyMap<string, RequestCount> {
    return this.#asked;
  }

  #add(purpose: string, { requests, ms, joined = 0 }: RequestCount): void {
    const service = purpose.toLowerCase().replace(/[^a-z]+/g, "_");
    const before = this.#asked.get(service) ?? { requests: 0, ms: 0 };
    const allJoined = (before.joined ?? 0) + joined;
    this.#asked.set(service, {
      requests: before.requests + requests,
      ms: before.ms + ms,
      ...(allJoined > 0 && { joined: allJoined }),
    });
  }
}
