import type { Deadline } from "../process/deadline.ts";
import { HttpFailure } from "./exchange.ts";
import { errorCode } from "./failure.ts";
import { orAbort } from "./resolve.ts";

/** TXT records read from one answer: a name may have many, for other purposes. */
const MAX_TEXTS = 256;
/** Characters of all of them; an answer over TCP may have 64 KiB. */
const MAX_TEXT = 16 * 1024;

/** Codes of c-ares for an answer without records; Bun uses one code for both kinds. */
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
 * @returns the texts, attacker-controlled; empty where DNS answers that there are none
 * @throws only HttpFailure, so that a failed lookup is reported like every other exchange
 */
export type TxtLookup = (request: TxtRequest, deadline: Deadline) => Promise<readonly string[]>;

/** The strings of each record, as in node:dns. */
type ResolveTxt = (name: string) => Promise<readonly (readonly string[])[]>;

/** @param resolve replaces the system's name servers */
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
    const found = `${texts.length} records with ${size} characters`;
    throw failure(
      "bad_response",
      `${name} returned ${found}, more than the limit of ${MAX_TEXTS} records or ${MAX_TEXT} characters`,
    );
  }
  return texts;
}

function failure(kind: HttpFailure["kind"], what: string, cause?: unknown): HttpFailure {
  return new HttpFailure(kind, `the TXT lookup of ${what}`, { cause });
}

/**
 * Bun's built-in c-ares with /etc/resolv.conf: it needs no thread, so a silent name server blocks nothing else, and it
 * adds no search domain.
 *
 * Bun returns each string of a record as a separate record, so a text longer than 255 characters, such as the DID of a
 * very long did:web, is not joined.
 */
const resolveByCares: ResolveTxt = async (name) => {
  const { resolveTxt } = await import("node:dns/promises");
  return resolveTxt(name);
};
