import { formatReference, type ImageReference } from "../../core/oci/reference.ts";
import { isProbePath } from "../../core/oci/reserved-name.ts";
import type { TrustPolicy } from "../../core/policy/policy.ts";
import { select, selectByName } from "../../core/policy/select.ts";
import { rejectionOf } from "../../core/rejection.ts";
import { failureOf, probeRefusal, refusalOf } from "../../core/verify/answer.ts";
import { enforce } from "../../core/verify/enforce.ts";
import { refuseUntoldTag } from "../../core/verify/untold-tag.ts";
import type { Decision } from "../../verifier/service/decision.ts";
import type { Session } from "../../verifier/service/session.ts";
import type { Verifier } from "../../verifier/service/verifier.ts";

/** What a subject is judged by. */
export interface SubjectJudge {
  readonly verifier: Pick<Verifier, "decideByName" | "verify">;
  readonly policy: TrustPolicy;
}

const NOT_PINNED =
  "what Ratify saw under its tag need not be what is pulled; write NAME@sha256:DIGEST, or let Ratify's mutation pin it";
/** notaryproject/ratify issue 1460. */
const TAG_IS_LOST = "Ratify passes on names without the tag once they have a digest";

/** Judges the image that the host names. The verifier is asked only where evidence decides and there is a digest. */
export async function judgeSubject(
  name: ImageReference,
  { verifier, policy }: SubjectJudge,
  session: Session,
): Promise<Pick<Decision, "answer" | "error">> {
  const { tag: _, ...untagged } = name;
  const { digest } = name;
  if (isProbePath(name)) return { answer: probeRefusal(digest ?? formatReference(name)) };
  if (digest === undefined) return verifier.decideByName(name) ?? { answer: notPinned(name, policy) };
  const selection = select(policy, name, digest);
  const untold = rejectionOf(() => refuseUntoldTag(selection, TAG_IS_LOST));
  if (untold !== undefined) return { answer: enforce(failureOf(untold), { image: name, ...ruleOf(selection) }) };
  return verifier.verify({ name: untagged, digest }, session);
}

function notPinned(name: ImageReference, policy: TrustPolicy): Decision["answer"] {
  const refusal = refusalOf("image.not_pinned", `${formatReference(name)} has no digest, and ${NOT_PINNED}`);
  return enforce(refusal, { image: name, ...ruleOf(selectByName(policy, name)) });
}

/** Whether a refusal is enforced or only audited is the rule's decision. */
function ruleOf(selection: ReturnType<typeof select>) {
  return selection.kind === "judge" ? { rule: selection.rule } : {};
}
