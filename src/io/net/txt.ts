import type { Deadline } from "../process/deadline.ts";
import { HttpFailure } from "./exchange.ts";
import { errorCode } from "./failure.ts";
import { orAbort } from "./resolve.ts";

/** Texts taken from one answer: a name may have TXT records for many purposes, but not without end. */
const MAX_TEXTS = 256;
/** Characters of them together; an answer over TCP may have 64 KiB, all of which would be looked at. */
const MAX_TEXT = 16 * 1024;

/** What c-ares calls an answer that says there is none; Bun has one code for both kinds. */
const NONE: ReadonlySet<string> = new Set(["ENOTFOUND", "ENODATA"]);

export interface TxtRequest {
  /** Of the domain; may be attacker-controlled. */
  readonly name: string;
  /** Most milliseconds; cut to what is left of the deadline. */
  readonly timeout: number;
}

/**
 * Looks up TXT records.
 *
 * @returns the texts, attacker-controlled; none where DNS says that there is none
 * @throws HttpFailure alone, also here, so that a failed look-up is told like every other exchange
 */
export type TxtLookup = (request: TxtRequest, deadline: Deadline) => Promise<readonly string[]>;

/** The strings of each record, as node:dns has them. */
type ResolveTxt = (name: string) => Promise<readonly (readonly string[])[]>;

/** @param resolve another source of records than the system's name servers */
export function createTxtLookup(resolve: ResolveTxt = resolveByCares): TxtLookup {
  return (request, deadline) =>
    deadline.track(`DNS ${request.name}`, async () => {
      const clock = new AbortController();
      const time = Math.min(request.timeout, deadline.remaining());
      const ending = setTimeout(() => clock.abort(), time);
      try {
        return bounded(await orAbort(resolve(request.name), clock.signal), request.name);
      } catch (cause) {
        if (cause instanceof HttpFailure) throw cause;
        const after = `(after ${(time / 1000).toFixed(1)} s)`;
        if (clock.signal.aborted) throw failure("timeout", `${request.name} got no answer ${after}`, cause);
        if (NONE.has(errorCode(cause))) return [];
        throw failure("unreachable", `${request.name} failed (${errorCode(cause)})`, cause);
      } finally {
        clearTimeout(ending);
      }
    });
}

function bounded(records: readonly (readonly string[])[], name: string): readonly string[] {
  const texts = records.map((strings) => strings.join(""));
  const size = texts.reduce((sum, text) => sum + text.length, 0);
  if (texts.length > MAX_TEXTS || size > MAX_TEXT) {
    const found = `${texts.length} texts of ${size} characters`;
    throw failure("bad_response", `${name} has ${found}; at most ${MAX_TEXTS} of ${MAX_TEXT} are looked at`);
  }
  return texts;
}

function failure(kind: HttpFailure["kind"], what: string, cause?: unknown): HttpFailure {
  return new HttpFailure(kind, `the look-up of TXT records of ${what}`, { cause });
}

/**
 * c-ares over /etc/resolv.conf, as Bun has it built in: it needs no thread, so a name server that is
 * silent holds up nothing else, and it adds no search domain to a name.
 *
 * Bun gives each string of a record as a record of its own. What is longer than the 255 characters of
 * a string, which the DID of a very long did:web can be, is therefore not put together again.
 */
const resolveByCares: ResolveTxt = async (name) => {
  const { resolveTxt } = await import("node:dns/promises");
  return resolveTxt(name);
};
