import { errorWords } from "../../core/oci/error-body.ts";
import type { HttpRequest, HttpResponse, Sent } from "../net/exchange.ts";
import { nameHost, quotePeer, repeatsSent } from "../net/quote-peer.ts";
import { type Authorisation, type AuthoriseContext, authorise } from "./authorise.ts";
import type { Endpoint } from "./endpoints.ts";

const API = "/v2/";

/** An answer, and how the request was authorised. */
export interface RegistryAnswer {
  readonly response: HttpResponse;
  /** What was tried to authenticate, without secrets; absent where there was no challenge. */
  readonly tried?: string;
  /** As {@link Authorisation.isBusy}. */
  readonly isBusy?: true;
  /** `: it says "CODE: SENTENCE"`, to end a message about a status other than 200; or empty. */
  readonly said: string;
  /** The host that answered, for messages. */
  readonly host: string;
}

export type RegistryRequest = Pick<HttpRequest, "accept" | "maxBytes" | "maxRedirects" | "method" | "upload">;

/** One repository at one endpoint. Its token is used for all requests. */
export class RegistryClient {
  readonly endpoint: Endpoint;
  readonly #repository: string;
  /** The path after `/v2/` at this endpoint, for tokens and credentials. */
  readonly #ownName: string;
  readonly #context: AuthoriseContext;
  #authorisation: Promise<Authorisation> | undefined;
  /** Its result, once available. */
  #known: Authorisation | undefined;

  /** @param repository path of the repository, as in an ImageReference */
  constructor(endpoint: Endpoint, repository: string, context: AuthoriseContext) {
    this.endpoint = endpoint;
    this.#repository = repository;
    this.#ownName = `${prefixOf(endpoint)}${repository}`;
    this.#context = context;
  }

  /** Absolute URL of a path below the repository. */
  urlOf(target: string): string {
    const url = new URL(target, `${this.endpoint.root}/${this.#repository}/`);
    if (this.endpoint.namespace !== undefined) url.searchParams.set("ns", this.endpoint.namespace);
    return url.href;
  }

  /**
   * Requests a URL of this endpoint; after a challenge, once more with credentials.
   *
   * @throws what the context's `ask` throws
   */
  async get(url: string, request: RegistryRequest): Promise<RegistryAnswer> {
    const known = await this.#authorisation;
    const first = await this.#ask(url, request, known);
    if (first.status !== 401 || known !== undefined) return this.#answer(first, known);
    // Parallel requests share one token.
    this.#authorisation ??= authorise(
      first.headers.get("www-authenticate"),
      this.endpoint,
      this.#ownName,
      this.#context,
    );
    const authorisation = await this.#authorisation;
    this.#known = authorisation;
    const isLetIn = authorisation.header !== undefined;
    return this.#answer(isLetIn ? await this.#ask(url, request, authorisation) : first, authorisation);
  }

  #answer(response: HttpResponse, authorisation: Authorisation | undefined): RegistryAnswer {
    const { tried, isBusy } = authorisation ?? {};
    const quoted = response.status === 200 ? undefined : quotePeer(errorWords(response.body), this.#sent);
    return {
      response,
      ...(tried !== undefined && { tried }),
      ...(isBusy && { isBusy }),
      said: quoted === undefined ? "" : `: it says ${quoted}`,
      host: this.nameHost(response.url),
    };
  }

  /** The host of a URL that this registry named, for messages. */
  nameHost(url: string): string {
    const parsed = new URL(url);
    return parsed.host === new URL(this.endpoint.root).host ? parsed.host : nameHost(parsed, this.#sent);
  }

  /** Whether a text of this registry contains a part of what it was sent. */
  repeatsSent(text: string): boolean {
    return repeatsSent(text, this.#sent);
  }

  /** Everything that was sent to this registry and its token server. */
  get #sent(): readonly Sent[] {
    const { headers } = this.endpoint;
    const own: Sent = { headers: this.#headers(this.#known) };
    return [own, ...(headers ? [{ headers }] : []), ...(this.#known?.sent ?? [])];
  }

  #ask(url: string, request: RegistryRequest, authorisation: Authorisation | undefined): Promise<HttpResponse> {
    const { tls, dialTimeout } = this.endpoint;
    const headers = this.#headers(authorisation);
    return this.#context.ask({
      ...request,
      url,
      timeout: this.#context.timeout(),
      originMayBePrivate: this.endpoint.mustBePublic === undefined,
      ...(Object.keys(headers).length > 0 && { headers }),
      ...(tls && { tls }),
      ...(dialTimeout !== undefined && { dialTimeout }),
      secrets: this.#sent,
      purpose: "registry",
    });
  }

  #headers(authorisation: Authorisation | undefined): Readonly<Record<string, string>> {
    const { headers: further = {} } = this.endpoint;
    if (authorisation?.header === undefined) return further;
    return { ...withoutAuthorization(further), Authorization: authorisation.header };
  }
}

/** `proxy-hub/` for an endpoint at `/v2/proxy-hub` (override_path in hosts.toml). */
function prefixOf({ root }: Endpoint): string {
  const path = `${new URL(root).pathname.replace(/\/$/, "")}/`;
  const at = path.indexOf(API);
  return at < 0 ? "" : path.slice(at + API.length);
}

/** Field names are case-insensitive (RFC 9110 5.1). */
function withoutAuthorization(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== "authorization"));
}
