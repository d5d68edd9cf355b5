import type { Config } from "../../core/config/config.ts";
import { toUtf8 } from "../../core/encoding/bytes.ts";
import { sha256Hex } from "../../core/encoding/sha256.ts";
import type { Evidence, Subject } from "../../core/evidence/evidence.ts";
import { formatReference } from "../../core/oci/reference.ts";
import type { Question } from "../../core/verify/question.ts";
import type { Allow } from "../../core/verify/verdict.ts";
import { answerFromCache } from "../cache/fresh.ts";
import type { Stores } from "./open-stores.ts";
import type { QuestionLocks } from "./question-locks.ts";
import type { Session } from "./session.ts";

/** Fraction of the remaining time to wait for another verification of the same image. */
const WAIT_SHARE = 5 / 8;

/** An allow by cached evidence. */
export interface JudgedCached {
  readonly verdict: Allow;
  readonly cache: "fresh";
  readonly evidence: () => Evidence;
}

/** Judges fresh cached evidence, waiting for another verification that fetches it for the same image. */
export async function judgeCached(
  question: Question,
  config: Config,
  session: Session,
  stores: Stores,
  locks: QuestionLocks,
): Promise<JudgedCached | undefined> {
  const { deadline } = session;
  if (!config.cacheEnabled) return undefined;
  const look = () => answerFromCache(question, { ...stores, config, deadline, now: () => session.now() });
  return deadline.track(`the cache in ${config.cacheDir}`, async () => {
    let found = await look();
    // Without a key the one that is waited for could not cache what it finds.
    if (found === undefined && stores.isCacheShared()) {
      const maxWait = deadline.remaining() * WAIT_SHARE;
      const opened = await locks.open();
      found = await deadline.track("another process that verifies this image", () =>
        opened.findOrTake(lockOf(question.subject), maxWait, look),
      );
    }
    if (found === undefined) return undefined;
    const { verdict, signatures, owner } = found;
    const evidence = (): Evidence => ({ pointers: [], gaps: [], signatures: signatures(), ...(owner && { owner }) });
    return { verdict, cache: "fresh", evidence };
  });
}

/**
 * Name of an image's lock. It covers the image's name too: with the digest alone, a pull of the same digest from a slow
 * registry would make all others wait.
 */
function lockOf({ name, digest }: Subject): string {
  return `image-${sha256Hex(toUtf8(`${formatReference(name)} ${digest}`))}`;
}
