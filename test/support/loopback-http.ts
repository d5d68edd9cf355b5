import { request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import {
  type HttpClient,
  HttpFailure,
  type HttpFailureKind,
  type HttpRequest,
  type HttpResponse,
} from "../../src/io/net/exchange.ts";
import type { Deadline } from "../../src/io/process/deadline.ts";
import type { StandInServer } from "./http-server.ts";

/** Where an origin really is: a stand-in (plain http, 127.0.0.1), or how requests to it fail. */
export type Place = StandInServer | HttpFailureKind | "no TLS";

const REDIRECTS = [301, 302, 303, 307, 308];

/**
 * An HttpClient over stand-ins on loopback. A table says where each origin is, so that DIDs and image
 * names can be real ones; an origin that is not in it cannot be reached. Respects timeout, deadline,
 * maxBytes and maxRedirects; it has no address guard and no TLS, which are net/http.ts's own.
 */
export class LoopbackHttp {
  /** `https://plc.test` and the like; may be changed at any time. */
  readonly places: Map<string, Place>;
  /** Every request, redirects included, also to origins that are not in the table. */
  readonly asked: HttpRequest[] = [];

  constructor(places: Readonly<Record<string, Place>>) {
    this.places = new Map(Object.entries(places));
  }

  readonly get: HttpClient = async (request, deadline) => {
    const signal = AbortSignal.timeout(Math.max(0, Math.floor(Math.min(request.timeout, deadline.remaining()))));
    let url = request.url;
    for (let redirects = 0; ; redirects++) {
      this.asked.push({ ...request, url });
      const response = await this.#ask(url, request, signal, deadline).catch((error: unknown) => {
        if (!(error instanceof HttpFailure) || redirects === 0) throw error;
        throw new HttpFailure(error.kind, error.message, { cause: error, isRedirected: true });
      });
      const location = response.headers.get("location");
      if (!REDIRECTS.includes(response.status) || location === undefined) return response;
      if (redirects >= request.maxRedirects) {
        throw new HttpFailure("bad_response", `redirects to ${location}`, { isRedirected: true });
      }
      url = new URL(location, url).href;
    }
  };

  /** Origins that got a request, each once, in order. */
  get origins(): readonly string[] {
    return [...new Set(this.asked.map(({ url }) => new URL(url).origin))];
  }

  /** How many requests went to URLs that contain the text. */
  count(text: string): number {
    return this.asked.filter(({ url }) => url.includes(text)).length;
  }

  async #ask(url: string, request: HttpRequest, signal: AbortSignal, deadline: Deadline): Promise<HttpResponse> {
    const { origin, host, pathname, search } = new URL(url);
    const place = this.places.get(origin) ?? "unreachable";
    if (place === "no TLS") throw new HttpFailure("tls", `${host}: ${place}`, { noTlsAt: origin });
    if (typeof place === "string") throw new HttpFailure(place, `${host}: ${place}`);
    return deadline.track(`${request.purpose} ${host}`, async () => {
      try {
        const headers = { host, accept: request.accept };
        const path = `${pathname}${search}`;
        const answer = await open({
          host: "127.0.0.1",
          port: place.port,
          path,
          headers,
          agent: false,
          signal,
          method: request.method ?? "GET",
        });
        const body = await readAtMost(answer, request.maxBytes);
        return { status: answer.statusCode ?? 0, url, headers: headersOf(answer), body };
      } catch (error) {
        if (error instanceof HttpFailure) throw error;
        throw new HttpFailure(signal.aborted ? "timeout" : "unreachable", `${host}: ${String(error)}`);
      }
    });
  }
}

function open(options: RequestOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    httpRequest(options, resolve).once("error", reject).end();
  });
}

async function readAtMost(answer: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new HttpFailure("bad_response", `more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function headersOf({ headers }: IncomingMessage): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? value.join(", ") : value]],
    ),
  );
}
