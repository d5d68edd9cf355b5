/**
 * The reference resolvers of did:web and of handles, which say what is asked and how an answer is read; asking is for
 * those who call. Imported only when such an identity is asked for, at the same time: what they bring with them takes as
 * long to load as a near host to answer.
 */
import { DidWebResolver, HandleResolver } from "@atproto/identity";
import type { Handle } from "../../core/atproto/handle.ts";
import type { Did } from "../../core/atproto/syntax.ts";

/** Answers a request of a resolver. */
type Fetch = (url: string) => Promise<Response>;

/** Where the two places that may name a handle's owner are asked. */
export interface HandleSources {
  /** @param didIn the DID that TXT records name; undefined where it is none or several */
  readonly dns: (didIn: (texts: readonly string[]) => string | undefined) => Promise<string | undefined>;
  readonly https: Fetch;
}

/** Has the document of a did:web fetched; what is made of it is for the core. @param timeout in milliseconds */
export async function resolveDidWeb(did: Did, timeout: number, fetch: Fetch): Promise<void> {
  await new DidWebResolver(timeout, undefined, (input) => fetch(urlOf(input))).resolveNoCheck(did);
}

/**
 * What DNS says has precedence, and where it says nothing the host is heard.
 *
 * @param timeout in milliseconds
 * @returns what it says: perhaps no DID
 */
export async function resolveHandle(
  handle: Handle,
  timeout: number,
  sources: HandleSources,
): Promise<string | undefined> {
  return new SourcedHandleResolver(timeout, sources).resolve(handle);
}

class SourcedHandleResolver extends HandleResolver {
  readonly #dns: HandleSources["dns"];

  constructor(timeout: number, { dns, https }: HandleSources) {
    super({ timeout, fetch: (input) => https(urlOf(input)) });
    this.#dns = dns;
  }

  override resolveDns(): Promise<string | undefined> {
    return this.#dns((texts) => this.parseDnsResult(texts.map((text) => [text])));
  }
}

function urlOf(input: string | URL | Request): string {
  return input instanceof Request ? input.url : String(input);
}
