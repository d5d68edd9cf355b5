import type { HttpClient } from "../../io/net/exchange.ts";

/** How often one service was asked, and the milliseconds that all of it took; exchanges may run side by side. */
export interface ExchangeCount {
  readonly requests: number;
  readonly ms: number;
}

/** Counts what the network is asked, by the purpose of each exchange. */
export class Exchanges {
  readonly #asked = new Map<string, ExchangeCount>();

  /** The same client, counted; what is under way when somebody looks counts until then as asked, not as time. */
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

  /** By service: the purpose in lower case with underscores. */
  get asked(): ReadonlyMap<string, ExchangeCount> {
    return this.#asked;
  }

  #add(purpose: string, { requests, ms }: ExchangeCount): void {
    const service = purpose.toLowerCase().replace(/[^a-z]+/g, "_");
    const before = this.#asked.get(service) ?? { requests: 0, ms: 0 };
    this.#asked.set(service, { requests: before.requests + requests, ms: before.ms + ms });
  }
}
