import type { HttpRequest, HttpResponse } from "../net/exchange.ts";
import { type Authorisation, type AuthoriseContext, authorise } from "./authorise.ts";
import type { Endpoint } from "./endpoints.ts";

/** An answer, and how we said who we are, where we were asked. */
export interface RegistryAnswer {
  readonly response: HttpResponse;
  /** What was tried to be let in, without any secret; absent where nothing was wanted. */
  readonly tried?: string;
  /** As {@link Authorisation.isBusy}. */
  readonly isBusy?: true;
}

export type RegistryRequest = Pick<HttpRequest, "accept" | "maxBytes" | "maxRedirects">;

/** One repository at one endpoint. A token that was given for it serves all requests to it. */
export class RegistryClient {
  readonly endpoint: Endpoint;
  readonly #repository: string;
  readonly #context: AuthoriseContext;
  #authorisation: Promise<Authorisation> | undefined;

  /** @param repository path of the repository, as in an ImageReference */
  constructor(endpoint: Endpoint, repository: string, context: AuthoriseContext) {
    this.endpoint = endpoint;
    this.#repository = repository;
    this.#context = context;
  }

  /** Absolute URL of what lies below the repository. */
  urlOf(target: string): string {
    const url = new URL(target, `${this.endpoint.root}/${this.#repository}/`);
    if (this.endpoint.namespace !== undefined) url.searchParams.set("ns", this.endpoint.namespace);
    return url.href;
  }

  /**
   * Asks for a URL of this endpoint; where it wants to know who asks, once more.
   *
   * @throws what the context's `ask` throws
   */
  async get(url: string, request: RegistryRequest): Promise<RegistryAnswer> {
    const known = await this.#authorisation;
    const first = await this.#ask(url, request, known);
    if (first.status !== 401 || known !== undefined) return { response: first, ...howOf(known) };
    // Requests side by side share one token.
    this.#authorisation ??= authorise(
      first.headers.get("www-authenticate"),
      this.endpoint,
      this.#repository,
      this.#context,
    );
    const authorisation = await this.#authorisation;
    const isLetIn = authorisation.header !== undefined;
    return { response: isLetIn ? await this.#ask(url, request, authorisation) : first, ...howOf(authorisation) };
  }

  #ask(url: string, request: RegistryRequest, authorisation: Authorisation | undefined): Promise<HttpResponse> {
    const { headers: further, tls } = this.endpoint;
    const authorised = authorisation?.header === undefined ? {} : { Authorization: authorisation.header };
    const headers = { ...further, ...authorised };
    return this.#context.ask({
      ...request,
      url,
      timeout: this.#context.timeout,
      originMayBePrivate: true,
      ...(Object.keys(headers).length > 0 && { headers }),
      ...(tls && { tls }),
      purpose: "registry",
    });
  }
}

function howOf(authorisation: Authorisation | undefined): Omit<RegistryAnswer, "response"> {
  if (authorisation === undefined) return {};
  const { tried, isBusy } = authorisation;
  return { tried, ...(isBusy && { isBusy }) };
}
