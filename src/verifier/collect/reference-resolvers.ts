/**
 * The reference resolvers of did:web and of handles: they define the URLs and how answers are read; the caller sends
 * the requests. Imported on demand, while the request is under way: loading them takes as long as a nearby host takes to
 * answer.
 */
import { DidWebResolver, HandleResolver } from "@atproto/identity";
import type { Handle } from "../../core/atproto/handle.ts";
import type { Did } from "../../core/atproto/syntax.ts";

/** Answers a resolver's request. */
type Fetch = (url: string) => Promise<Response>;

/** The two sources that may name a handle's owner. */
export interface HandleSources {
  /** @param didIn the DID that TXT records name; undefined where it is none or several */
  readonly dns: (didIn: (texts: readonly string[]) => string | undefined) => Promise<string | undefined>;
  readonly https: Fetch;
}

/** Fetches a did:web's document; the core reads it. @param timeout in milliseconds */
export async function resolveDidWeb(did: Did, timeout: number, fetch: Fetch): Promise<void> {
  await new DidWebResolver(timeout, undefined, (input) => fetch(urlOf(input))).resolveNoCheck(did);
}

/**
 * DNS takes precedence; without a DID there, the host's answer counts.
 *
 * @param timeout in milliseconds
 * @returns the text found, which may not be a DID
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
