import { printable } from "../../core/encoding/printable.ts";
import type { Evidence, Fetched } from "../../core/evidence/evidence.ts";
import { type HttpClient, HttpFailure, type HttpRequest } from "../../io/net/exchange.ts";
import { repeatsSent, WITHHELD } from "../../io/net/quote-peer.ts";
import type { TxtLookup } from "../../io/net/txt.ts";

/** Requests that are recorded of one session; peers that answer with pages and redirects must not fill the memory. */
const MAX_RECORDED = 1000;
/** Characters of a URL that are recorded: a peer names URLs of any length. */
const MAX_URL = 512;
/** Parts of a query that this program writes itself; others may carry a peer's secrets, and are not shown. */
const OWN_QUERY: ReadonlySet<string> = new Set(["artifactType", "ns", "did", "collection", "rkey", "service", "scope"]);

/** A request that was sent, or evidence from the cache that made one unnecessary. */
export interface RecordedRequest {
  /** `registry`, `token server`, `directory`, `did:web host`, `PDS`, `handle` or `DNS`; `cache` for cached evidence. */
  readonly purpose: string;
  /** `TXT` is a lookup in DNS. */
  readonly method: "GET" | "HEAD" | "POST" | "TXT";
  /** Printable, without secrets, at most {@link MAX_URL} characters; of DNS the name. */
  readonly url: string;
  /** Whether the answer came from the cache; then the other figures are those of the cached bytes. */
  readonly cached: boolean;
  /** When it was sent, or the cached answer was fetched; milliseconds since 1970. */
  readonly at: number;
  /** Milliseconds until the whole answer, redirects included; 0 for the cache. */
  readonly ms: number;
  /** Absent where there was no answer, for DNS and for the cache. */
  readonly status?: number;
  /** Why there was no answer. */
  readonly failure?: HttpFailure["kind"];
  /** Of the body, or of the texts from DNS. */
  readonly bytes: number;
}

/** Records the requests of one session, in the order in which they end. */
export class RequestLog {
  readonly #requests: RecordedRequest[] = [];
  readonly #now: () => number;
  #left = 0;

  /** @param now milliseconds since 1970 */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** At most {@link MAX_RECORDED}. */
  get requests(): readonly RecordedRequest[] {
    return this.#requests;
  }

  /** How many more there were. */
  get unrecorded(): number {
    return this.#left;
  }

  /** Wraps a client so that each of its requests is recorded; every attempt is one. */
  recorded(http: HttpClient): HttpClient {
    return async (request, deadline) => {
      const { purpose, form } = request;
      const [at, began] = [this.#now(), performance.now()];
      const method = form === undefined ? (request.method ?? "GET") : "POST";
      const base = { purpose, method, url: shownUrl(request), cached: false, at } as const;
      try {
        const answer = await http(request, deadline);
        this.#add({ ...base, ms: performance.now() - began, status: answer.status, bytes: answer.body.length });
        return answer;
      } catch (error) {
        this.#add({ ...base, ms: performance.now() - began, ...failureOf(error), bytes: 0 });
        throw error;
      }
    };
  }

  /** Wraps a lookup in DNS in the same way. */
  recordedTxt(lookUp: TxtLookup): TxtLookup {
    return async (request, deadline) => {
      const [at, began] = [this.#now(), performance.now()];
      const base = { purpose: "DNS", method: "TXT", url: shown(request.name), cached: false, at } as const;
      try {
        const texts = await lookUp(request, deadline);
        this.#add({ ...base, ms: performance.now() - began, bytes: texts.join("").length });
        return texts;
      } catch (error) {
        this.#add({ ...base, ms: performance.now() - began, ...failureOf(error), bytes: 0 });
        throw error;
      }
    };
  }

  /** Records what a verdict took from the cache: the answers among its evidence for which no request was sent. */
  addCached(evidence: Evidence | undefined): void {
    const sent = new Set(this.#requests.map(({ url }) => url));
    const used = evidence?.signatures.flatMap(({ identity, record, tag }) => [identity, record, tag]) ?? [];
    for (const { url, bytes, fetchedAt } of used.filter((one): one is Fetched => one !== undefined)) {
      const own = shownUrl({ url });
      if (sent.has(own)) continue;
      this.#add({ purpose: "cache", method: "GET", url: own, cached: true, at: fetchedAt, ms: 0, bytes: bytes.length });
    }
  }

  #add(request: RecordedRequest): void {
    if (this.#requests.length < MAX_RECORDED) this.#requests.push(request);
    else this.#left++;
  }
}

/** Without user, password, fragment and what of the query is not this program's own. */
function shownUrl({ url, headers, form, secrets = [] }: Pick<HttpRequest, "url" | "headers" | "form" | "secrets">) {
  const parsed = URL.parse(url);
  if (parsed === null) return WITHHELD;
  const query = [...parsed.searchParams]
    .filter(([name]) => OWN_QUERY.has(name))
    .map(([name, value]) => `${name}=${value}`);
  const text = `${parsed.origin}${parsed.pathname}${query.length === 0 ? "" : `?${query.join("&")}`}`;
  const sent = [{ ...(headers && { headers }), ...(form && { form }) }, ...secrets];
  if (!repeatsSent(text, sent)) return shown(text);
  return repeatsSent(parsed.host, sent) ? WITHHELD : shown(`${parsed.origin}/ ${WITHHELD}`);
}

function shown(text: string): string {
  return printable(text.length > MAX_URL ? `${text.slice(0, MAX_URL - 3)}...` : text);
}

function failureOf(error: unknown): Pick<RecordedRequest, "failure"> {
  return error instanceof HttpFailure ? { failure: error.kind } : {};
}
