import { HandleResolver } from "@atproto/identity";
import { type Handle, isReserved } from "../atproto/handle.ts";
import { isDid } from "../atproto/syntax.ts";
import { isUnanswered, type OwnerAnswer } from "../verify/evidence.ts";
import { ask, askTxt, badStatus, type CollectContext, Missing } from "./context.ts";
import { itSays, readError } from "./said.ts";

/** An answer is a DID and perhaps a newline: a host that never stops sending is cut off here. */
const MAX_ANSWER = 2 * 1024;
/**
 * ATProto allows redirects here, and people have them, from `example.com` to `www.example.com`. A host
 * that leads round in circles is left here.
 */
const MAX_REDIRECTS = 3;

/**
 * Asks whom a handle belongs to (spec 5.8), DNS and its https host at the same time, by the reference
 * resolver: what DNS says has precedence, and where it says nothing the host is heard.
 * It is for the core to say what that proves; the DID must lead back to the handle.
 *
 * Unlike the reference, "names nobody" and "could not be asked" are told apart.
 *
 * @param handle attacker-controlled: it stands in the image's name
 * @throws Missing where no DID was named and at least one of the two could not be asked
 */
export async function fetchOwner(handle: Handle, context: CollectContext): Promise<OwnerAnswer> {
  if (isReserved(handle) && !context.config.network.hosts.includes(handle)) {
    const why = "names like it belong to nobody; only a host listed in network.allow may have one";
    throw new Missing("net.forbidden_address", `the handle ${handle} is not looked up: ${why}`);
  }

  const askedAt = context.now();
  const resolver = new TellingResolver(handle, context);
  const did = await resolver.resolve(handle);
  if (resolver.bug !== undefined) throw resolver.bug;
  const answer = { handle, source: resolver.source, fetchedAt: askedAt };
  if (resolver.isAmbiguous) return { ...answer, source: resolver.dnsSource };
  if (did !== undefined && isDid(did)) return { ...answer, did };
  const failures = [resolver.failed.dns, resolver.failed.https].filter((failure) => failure !== undefined);
  const [first, second] = failures;
  if (first === undefined) return answer;
  // What answered is told before what did not: only silence may be made up for by memory.
  const answered = failures.find((failure) => !isUnanswered(failure))?.code;
  const code = answered ?? (second === undefined ? "handle.bad_response" : first.code);
  throw new Missing(code, failures.map(({ message }) => message).join("; "), { cause: first });
}

const DNS = "dns:";
/** What stands before the DID in a TXT record. */
const PREFIX = "did=";

/** The reference resolver takes a failure for an answer that names nobody; this one keeps failures. */
class TellingResolver extends HandleResolver {
  readonly failed: { dns?: Missing; https?: Missing } = {};
  bug: Error | undefined;
  /** Where the answer came from. */
  source: string;
  readonly dnsSource: string;
  /** DNS names several, or one that is no DID: then the handle has no owner, whatever the host says. */
  isAmbiguous = false;
  readonly #context: CollectContext;

  constructor(handle: Handle, context: CollectContext) {
    super({
      timeout: context.config.didResolverTimeout,
      fetch: (input) => this.#wellKnown(input instanceof Request ? input.url : String(input)),
    });
    this.source = `https://${handle}/.well-known/atproto-did`;
    this.dnsSource = `${DNS}_atproto.${handle}`;
    this.#context = context;
  }

  override async resolveDns(): Promise<string | undefined> {
    const name = this.dnsSource.slice(DNS.length);
    try {
      const texts = await askTxt("handle", { name, timeout: this.#context.config.didResolverTimeout }, this.#context);
      const did = this.parseDnsResult(texts.map((text) => [text]));
      const isUsable = did !== undefined && isDid(did);
      this.isAmbiguous = !isUsable && texts.some((text) => text.startsWith(PREFIX));
      if (!isUsable) return undefined;
      this.source = this.dnsSource;
      return did;
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
      this.failed.dns = error;
      return undefined;
    }
  }

  async #wellKnown(url: string): Promise<Response> {
    try {
      const response = await ask(
        "handle",
        {
          url,
          accept: "text/plain",
          maxBytes: MAX_ANSWER,
          timeout: this.#context.config.didResolverTimeout,
          maxRedirects: MAX_REDIRECTS,
          originMayBePrivate: false,
          purpose: "handle",
        },
        this.#context,
      );
      // The resolver reads the body of any status; of these two none is an answer.
      if (response.status === 404 || response.status === 410) return new Response("");
      if (response.status < 200 || response.status > 299) badStatus("handle", response, itSays(readError(response)));
      return new Response(response.body.slice());
    } catch (error) {
      if (error instanceof Missing) this.failed.https = error;
      else this.bug = error as Error;
      throw error;
    }
  }
}
