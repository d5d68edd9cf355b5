import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { addressInUrl, type TlsIdentity } from "./certificates.ts";
import { RawSockets } from "./raw-sockets.ts";

export interface ServerOptions {
  /** Loopback address to listen on; default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: a free one. */
  readonly port?: number;
  /** Serves https with this certificate; none: http. */
  readonly tls?: TlsIdentity;
  /** Host name to write into `origin` in place of the address. */
  readonly name?: string;
}

export interface RecordedRequest {
  readonly method: string;
  /** Path and query, as received. */
  readonly url: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
  /** performance.now() of this process, when the request was complete. */
  readonly arrivedAt: number;
  /** The same, just before the answer was written; undefined: not answered yet. */
  answeredAt: number | undefined;
  /** Requests being answered by this server at arrival, this one included. */
  readonly inFlight: number;
}

export interface Answer {
  /** Default 200. */
  readonly status?: number;
  readonly headers?: Record<string, string | string[]>;
  /** Given as `json`, it is sent as application/json unless the headers say otherwise. */
  readonly json?: unknown;
  readonly body?: Uint8Array | string;
}

/** The request and Node's own objects, for answers that break the rules. */
export interface Exchange {
  readonly request: RecordedRequest;
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  /** Resets the connection, below TLS. */
  readonly reset: () => void;
}

/**
 * What an override returns: an answer, the server's own answer (`usual`), or a function. A function that returns
 * undefined has taken over the exchange.
 */
export type Override = Answer | "usual" | ((exchange: Exchange) => Promise<Answer | undefined> | Answer | undefined);

/** A string matches when path and query contain it. */
export type Match = string | RegExp | ((request: RecordedRequest) => boolean);

/**
 * The common part of the stand-ins: an HTTP server on loopback that records requests, and whose answers can be delayed or
 * replaced.
 */
export abstract class StandInServer {
  /** All requests since the start or the last {@link forget}, in order of arrival. */
  requests: RecordedRequest[] = [];
  readonly #server: Server;
  readonly #options: ServerOptions;
  readonly #raw: RawSockets;
  readonly #timers = new Map<NodeJS.Timeout, () => void>();
  #overrides: { match: Match; answers: Override[] }[] = [];
  #delays: { match: Match; milliseconds: number }[] = [];
  #inFlight = 0;
  #origin = "";

  protected constructor(options: ServerOptions) {
    this.#options = options;
    const listener = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
      this.#serve(incoming, outgoing).catch((error: unknown) => {
        // A stand-in that fails must not look like a server that answers.
        outgoing.destroy(error instanceof Error ? error : undefined);
      });
    };
    this.#server = options.tls === undefined ? createServer(listener) : createTlsServer({ ...options.tls }, listener);
    this.#raw = new RawSockets(this.#server);
    this.#server.on("tlsClientError", () => {});
  }

  /** The answer of the stand-in itself. */
  protected abstract answer(request: RecordedRequest): Promise<Answer> | Answer;

  protected async listen(): Promise<this> {
    const { host = "127.0.0.1", port = 0, name, tls } = this.#options;
    await new Promise<void>((resolve, rejectStart) => {
      this.#server.once("error", rejectStart);
      this.#server.listen(port, host, resolve);
    });
    const bound = (this.#server.address() as AddressInfo).port;
    this.#origin = `${tls === undefined ? "http" : "https"}://${name ?? addressInUrl(host)}:${bound}`;
    return this;
  }

  /** `https://127.0.0.1:40001` */
  get origin(): string {
    return this.#origin;
  }

  /** `127.0.0.1:40001` */
  get authority(): string {
    return new URL(this.#origin).host;
  }

  get port(): number {
    return Number(new URL(this.#origin).port || (this.#options.tls === undefined ? 80 : 443));
  }

  /**
   * Answers matching requests with `answers`, one after the other; the last stays. The newest
   * override that matches wins. Returns the function that takes it back.
   */
  override(match: Match, ...answers: Override[]): () => void {
    const entry = { match, answers: [...answers] };
    this.#overrides.unshift(entry);
    return () => {
      this.#overrides = this.#overrides.filter((other) => other !== entry);
    };
  }

  /** Waits before answering matching requests; the newest delay that matches wins. */
  delay(milliseconds: number, match: Match = ""): void {
    this.#delays.unshift({ match, milliseconds });
  }

  /** Takes back all overrides and delays. */
  reset(): void {
    this.#overrides = [];
    this.#delays = [];
  }

  /** Forgets the requests seen so far. */
  forget(): void {
    this.requests = [];
  }

  /** How many requests matched. */
  count(match: Match = ""): number {
    return this.requests.filter((request) => matches(match, request)).length;
  }

  /** Ends every connection and timer. */
  async stop(): Promise<void> {
    for (const [timer, wake] of this.#timers) {
      clearTimeout(timer);
      wake();
    }
    this.#timers.clear();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    this.#inFlight += 1;
    outgoing.once("close", () => {
      this.#inFlight -= 1;
    });
    const request = recorded(incoming, Buffer.concat(chunks), this.#inFlight);
    this.requests.push(request);
    const delay = this.#delays.find(({ match }) => matches(match, request));
    if (delay !== undefined) await this.#sleep(delay.milliseconds);
    const answer = await this.#choose({ request, incoming, outgoing, reset: () => this.#raw.reset(incoming.socket) });
    request.answeredAt = performance.now();
    if (answer === undefined || outgoing.destroyed) return;
    send(answer, outgoing);
  }

  async #choose(exchange: Exchange): Promise<Answer | undefined> {
    const override = this.#overrides.find(({ match }) => matches(match, exchange.request));
    const chosen =
      override === undefined ? "usual" : override.answers.length > 1 ? override.answers.shift() : override.answers[0];
    if (chosen === undefined || chosen === "usual") return this.answer(exchange.request);
    return typeof chosen === "function" ? chosen(exchange) : chosen;
  }

  #sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        resolve();
      }, milliseconds);
      this.#timers.set(timer, resolve);
    });
  }
}

/**
 * Sequential round trips in what was recorded, by one or more servers of this process: the length of
 * the longest chain in which each request arrived after the one before it was answered.
 */
export function sequentialRoundTrips(requests: readonly RecordedRequest[]): number {
  const byEnd = [...requests].sort((a, b) => (a.answeredAt ?? Infinity) - (b.answeredAt ?? Infinity));
  let length = 0;
  let end = -Infinity;
  for (const request of byEnd) {
    if (request.arrivedAt < end) continue;
    length += 1;
    end = request.answeredAt ?? Infinity;
  }
  return length;
}

/** An error body as XRPC servers and the directory send it. */
export function errorAnswer(status: number, json: Record<string, unknown>): Answer {
  return { status, json };
}

function matches(match: Match, request: RecordedRequest): boolean {
  if (typeof match === "string") return request.url.includes(match);
  return match instanceof RegExp ? match.test(request.url) : match(request);
}

function recorded(incoming: IncomingMessage, body: Buffer, inFlight: number): RecordedRequest {
  const url = incoming.url ?? "/";
  const mark = url.indexOf("?");
  return {
    method: incoming.method ?? "GET",
    url,
    path: mark < 0 ? url : url.slice(0, mark),
    query: new URLSearchParams(mark < 0 ? "" : url.slice(mark + 1)),
    headers: incoming.headers,
    body: new Uint8Array(body),
    arrivedAt: performance.now(),
    answeredAt: undefined,
    inFlight,
  };
}

function send(answer: Answer, outgoing: ServerResponse): void {
  const bytes = Buffer.from(
    answer.json !== undefined ? JSON.stringify(answer.json) : answer.body === undefined ? "" : answer.body,
  );
  outgoing.statusCode = answer.status ?? 200;
  if (answer.json !== undefined) outgoing.setHeader("content-type", "application/json");
  // Set last and overridable, so that an answer may lie about its length.
  outgoing.setHeader("content-length", bytes.length);
  for (const [name, value] of Object.entries(answer.headers ?? {})) outgoing.setHeader(name, value);
  outgoing.end(bytes);
}
