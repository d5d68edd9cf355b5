import type { Digest } from "../../core/oci/digest.ts";
import { formatReference, type ImageReference, normaliseReference } from "../../core/oci/reference.ts";
import { isProbePath } from "../../core/oci/reserved-name.ts";
import { selectByName } from "../../core/policy/select.ts";
import { type Answer, refusalOf } from "../../core/verify/answer.ts";
import type { Session } from "../../verifier/service/session.ts";
import { faultOf } from "./fault-of.ts";
import { type Judging, resolveAndVerify } from "./judge-image.ts";

/** What an image's name is pinned to. */
export interface Pin {
  /** `NAME:TAG@sha256:DIGEST`; absent where the name stays as it is. */
  readonly pinned?: string;
  readonly digest?: Digest;
  /** Why the name stays as it is; without a meaning where it is pinned. */
  readonly answer: Answer;
}

const LEFT: Pin = { answer: refusalOf("image.not_pinned", "it is not for this gate to pin it") };

/**
 * Resolves a name without a digest. Nothing is judged by that, but for rules with `tag: match`: once the name has a
 * digest no gate looks at its tag any more, so such a tag is pinned only where its signer put it there.
 *
 * What a rule exempts keeps its tag and nobody is asked; what cannot be resolved stays, and the validating gate refuses
 * it. Never throws.
 *
 * @param text attacker-controlled
 */
export async function pinImage(
  text: string,
  { verifier, policy }: Pick<Judging, "verifier" | "policy">,
  session: Session,
): Promise<Pin> {
  try {
    const name = normaliseReference(text);
    if (name.digest !== undefined || isProbePath(name)) return LEFT;
    const selection = selectByName(policy, name);
    if (selection.kind !== "judge") return LEFT;
    if (selection.rule.requirement.tag === "match") {
      const { answer, digest } = await resolveAndVerify(name, verifier, session);
      return answer.outcome === "allow" && digest !== undefined ? pinnedTo(name, digest, answer) : { answer };
    }
    return pinnedTo(name, (await verifier.resolve(name, session)).digest, LEFT.answer);
  } catch (error) {
    return { answer: faultOf(error) };
  }
}

function pinnedTo(name: ImageReference, digest: Digest, answer: Answer): Pin {
  return { pinned: formatReference({ ...name, tag: name.tag ?? "latest", digest }), digest, answer };
}
