import { type Handle, isReserved } from "../../core/atproto/handle.ts";
import { isDid } from "../../core/atproto/syntax.ts";
import { isUnanswered, type OwnerAnswer } from "../../core/evidence/evidence.ts";
import { ask, askTxt, badStatus, type CollectContext, UnavailableError } from "./context.ts";
import { itSays, readError } from "./peer-error.ts";
import type { HandleSources } from "./reference-resolvers.ts";

/** Bytes of an answer, which is a DID and perhaps a newline; stops an endless one. */
const MAX_ANSWER = 2 * 1024;
/**
 * ATProto allows redirects here, and they are common, from `example.com` to `www.example.com`. The bound stops a
 * redirect loop.
 */
const MAX_REDIRECTS = 3;

/**
 * Looks up the owner of a handle (spec 5.8): DNS and the https host in parallel, while the reference resolver, which
 * decides between them, is loaded. A DID in DNS takes precedence. The core checks that the DID claims the handle too.
 *
 * Unlike the reference, it distinguishes "names no DID" from "could not be reached".
 *
 * @param handle attacker-controlled: it is part of the image's name
 * @throws UnavailableError where no DID was found and at least one of the two could not be reached
 */
export async function fetchOwner(handle: Handle, context: CollectContext): Promise<OwnerAnswer> {
  if (isReserved(handle) && !context.config.network.hosts.includes(handle)) {
    const why = "its top-level domain is reserved, and network.allow does not list the handle";
    throw new UnavailableError("net.forbidden_address", `the handle ${handle} is not looked up: ${why}`);
  }

  const askedAt = context.now();
  const asked = new AskedSources(handle, context);
  const { resolveHandle } = await import("./reference-resolvers.ts");
  const did = await resolveHandle(handle, context.config.didResolverTimeout, asked);
  if (asked.bug !== undefined) throw asked.bug;
  const answer = { handle, source: asked.source, fetchedAt: askedAt };
  if (asked.isAmbiguous) return { ...answer, source: asked.dnsSource };
  if (did !== undefined && isDid(did)) return { ...answer, did };
  const failures = [asked.failed.dns, asked.failed.https].filter((failure) => failure !== undefined);
  const [first, second] = failures;
  if (first === undefined) return answer;
  // Report an unusable answer before a missing one: stale evidence may only replace silence.
  const answered = failures.find((failure) => !isUnanswered(failure))?.code;
  const code = answered ?? (second === undefined ? "handle.bad_response" : first.code);
  throw new UnavailableError(code, failures.map(({ message }) => message).join("; "), { cause: first });
}

const DNS = "dns:";
/** Prefix of the DID in a TXT record. */
const PREFIX = "did=";

/**
 * The lookups of one handle by DNS and https, started by the constructor. The reference resolver treats a failure as
 * "no DID"; this records it.
 */
class AskedSources implements HandleSources {
  readonly failed: { dns?: UnavailableError; https?: UnavailableError } = {};
  bug: Error | undefined;
  /** Where the answer came from. */
  source: string;
  readonly dnsSource: string;
  /** DNS has several DIDs, or an invalid one: then the handle has no owner, whatever the host says. */
  isAmbiguous = false;
  readonly #context: CollectContext;
  readonly #url: string;
  readonly #texts: Promise<readonly string[]>;
  readonly #response: Promise<Response>;

  constructor(handle: Handle, context: CollectContext) {
    this.#url = `https://${handle}/.well-known/atproto-did`;
    this.source = this.#url;
    this.dnsSource = `${DNS}_atproto.${handle}`;
    this.#context = context;
    const name = this.dnsSource.slice(DNS.length);
    this.#texts = askTxt("handle", { name, timeout: context.config.didResolverTimeout }, context);
    this.#response = this.#askHost();
    // A failure counts when the resolver reads the answer; it does not where the handle is no valid host of a URL.
    for (const asked of [this.#texts, this.#response]) asked.catch(() => {});
  }

  readonly dns: HandleSources["dns"] = async (didIn) => {
    try {
      const texts = await this.#texts;
      const did = didIn(texts);
      const isUsable = did !== undefined && isDid(did);
      this.isAmbiguous = !isUsable && texts.some((text) => text.startsWith(PREFIX));
      if (!isUsable) return undefined;
      this.source = this.dnsSource;
      return did;
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      this.failed.dns = error;
      return undefined;
    }
  };

  readonly https: HandleSources["https"] = async (url) => {
    try {
      if (url !== this.#url) throw new Error(`the reference resolver asks ${url}, and ${this.#url} was asked`);
      return await this.#response;
    } catch (error) {
      if (error instanceof UnavailableError) this.failed.https = error;
      else this.bug = error as Error;
      throw error;
    }
  };

  async #askHost(): Promise<Response> {
    const response = await ask(
      "handle",
      {
        url: this.#url,
        accept: "text/plain",
        maxBytes: MAX_ANSWER,
        timeout: this.#context.config.didResolverTimeout,
        maxRedirects: MAX_REDIRECTS,
        originMayBePrivate: false,
        purpose: "handle",
      },
      this.#context,
    );
    // The resolver reads the body of any status; with these two it is not an answer.
    if (response.status === 404 || response.status === 410) return new Response("");
    if (response.status < 200 || response.status > 299) badStatus("handle", response, itSays(readError(response)));
    return new Response(response.body.slice());
  }
}
