import { toUtf8 } from "../encoding/bytes.ts";
import { parseDateTime } from "../encoding/time.ts";
import { parseDigest } from "../oci/digest.ts";
import { parseReference } from "../oci/reference.ts";
import { parsePolicy } from "../policy/parse.ts";
import { Rejection, type RejectionCode, type RejectionKind } from "../rejection.ts";
import { readBundle } from "../verify/bundle.ts";
import { judgeBundle } from "../verify/offline.ts";
import type { Allow } from "../verify/verdict.ts";

/** One question with all that is known about it, and the one right answer. */
export interface Vector {
  /** Its name: the answer, and what is special about it. */
  readonly file: string;
  /** What is special about it, as a sentence. */
  readonly description: string;
  /** Text of the policy file. */
  readonly policy: string;
  /** Full image name without digest. */
  readonly name: string;
  readonly digest: string;
  /** As the registry served it; absent where the caller did not know. */
  readonly mediaType?: string;
  /** RFC 3339 */
  readonly now: string;
  /** A saved bundle as JSON (verify/bundle.ts), possibly malformed. */
  readonly bundle: unknown;
  readonly expected: Expected;
}

export interface Expected {
  /** An outcome, or the kind of rejection that there is instead. */
  readonly outcome: "allow" | RejectionKind;
  /** The headline; under `because: audited` that of the refusal which was not enforced. */
  readonly code?: RejectionCode;
  /** For `allow` alone. */
  readonly because?: Allow["because"]["kind"];
}

/** What this program makes of a vector, as of a pull but without the network. @throws what is no Rejection: a bug */
export function judgeVector({ policy, name: text, digest, mediaType, bundle, now }: Vector): Expected {
  const time = parseDateTime(now);
  if (time === undefined) throw new Error(`${now} is no date and time`);
  try {
    const name = parseReference(text);
    const verdict = judgeBundle({
      policy: parsePolicy(policy, "trust-policy.yaml"),
      name,
      ...(name.tag === undefined ? {} : { tag: name.tag }),
      digest: parseDigest(digest, "the vector's digest"),
      ...(mediaType === undefined ? {} : { mediaType }),
      bundle: readBundle(toUtf8(JSON.stringify(bundle))),
      atcrHosts: ["atcr.io"],
      now: time,
    });
    if (verdict.outcome !== "allow") return { outcome: verdict.outcome, code: verdict.code };
    const { because } = verdict;
    const would = because.kind === "audited" ? { code: because.would.code } : {};
    return { outcome: "allow", because: because.kind, ...would };
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    return { outcome: error.kind, code: error.code };
  }
}
