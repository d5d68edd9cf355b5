import type { Did } from "../../core/atproto/syntax.ts";
import type { Subject } from "../../core/evidence/evidence.ts";
import type { Digest } from "../../core/oci/digest.ts";
import type { IndexChild } from "../../core/oci/image-index.ts";
import { type RejectionCode, reject } from "../../core/rejection.ts";
import type { Answer } from "../../core/verify/answer.ts";
import type { Resolved } from "./resolve-image.ts";
import type { Session } from "./session.ts";
import type { Verifier } from "./verifier.ts";

/** Images of an unsigned index that are verified to explain its refusal; an index may list a thousand. */
const MAX_ASKED = 8;

/** A signed image of an index. */
export interface SignedChild {
  readonly digest: Digest;
  readonly platform?: string;
  readonly signers: readonly Did[];
}

/** Refusals that say that nobody signed this digest. */
const UNSIGNED: ReadonlySet<RejectionCode> = new Set(["signature.none", "record.absent"]);

/** Whether the image is refused, or audited, because nobody has signed its digest. */
export function isUnsigned(answer: Answer): boolean {
  const refusal = answer.outcome === "allow" ? ("would" in answer.because ? answer.because.would : undefined) : answer;
  return refusal !== undefined && UNSIGNED.has(refusal.code);
}

/**
 * Finds signed images of an unsigned index, so that the report can say so: at most {@link MAX_ASKED} are verified, by the
 * same policy and the same deadline. This changes no verdict: the index decides.
 */
export async function findSignedChildren(
  verifier: Pick<Verifier, "verify">,
  index: Subject,
  children: readonly IndexChild[],
  session: Session,
): Promise<readonly SignedChild[]> {
  const quiet = silenced(session);
  const verified = await Promise.all(
    children.slice(0, MAX_ASKED).map(async (child): Promise<readonly SignedChild[]> => {
      const { answer } = await verifier.verify(childSubject(index, child), quiet);
      if (answer.outcome !== "allow" || answer.because.kind !== "signed") return [];
      const { digest, platform } = child;
      const signers = answer.because.signatures.map(({ signer }) => signer);
      return [{ digest, ...(platform !== undefined && { platform }), signers }];
    }),
  );
  return verified.flat();
}

/** An image of an index as a subject of its own: nothing says that a tag points to it. */
export function childSubject({ name }: Subject, { digest, mediaType }: IndexChild): Subject {
  const { tag: _tag, digest: _digest, ...repository } = name;
  return { name: repository, digest, ...(mediaType !== "" && { mediaType }) };
}

/**
 * The image of an index for a platform.
 *
 * @param platform as `parsePlatform` writes it
 * @returns undefined where the name stands for a single image
 * @throws Rejection input.malformed where the index has none for it; registry.bad_response where the index was not read
 */
export function childFor(
  platform: string,
  digest: Digest,
  { children, unread }: Pick<Resolved, "children" | "unread">,
): IndexChild | undefined {
  if (unread !== undefined) reject("registry.bad_response", `the index ${digest} could not be read: ${unread}`);
  if (children === undefined) return undefined;
  const found = children.find((child) => child.platform === platform);
  if (found !== undefined) return found;
  const platforms = [...new Set(children.flatMap((child) => child.platform ?? []))].slice(0, MAX_ASKED);
  const has = platforms.length === 0 ? "it names no platform" : `it has ${platforms.join(", ")}`;
  return reject("input.malformed", `the index ${digest} has no image for --platform ${platform}; ${has}`);
}

/** The same session for work that only explains: its warnings came up before. */
function silenced(session: Session): Session {
  const { requestLog, privateRegistry } = session;
  return {
    deadline: session.deadline,
    requestCounts: session.requestCounts,
    ...(requestLog && { requestLog }),
    ...(privateRegistry && { privateRegistry }),
    now: () => session.now(),
    warn: () => {},
    ruleSelected: () => {},
    beforeHeavyWork: () => {},
  };
}
