import type { Subject } from "../../core/evidence/evidence.ts";
import type { Digest } from "../../core/oci/digest.ts";
import { formatReference, type ImageReference, normaliseReference } from "../../core/oci/reference.ts";
import { isProbePath } from "../../core/oci/reserved-name.ts";
import type { BreakGlassFile } from "../../core/policy/break-glass.ts";
import type { Rule, TrustPolicy } from "../../core/policy/policy.ts";
import { select, selectByName } from "../../core/policy/select.ts";
import { auditsEverything } from "../../core/policy-tools/audits-everything.ts";
import { type Answer, type Failure, probeRefusal, refusalOf } from "../../core/verify/answer.ts";
import { isImageType } from "../../core/verify/check-facts.ts";
import { enforce } from "../../core/verify/enforce.ts";
import type { Refusal } from "../../core/verify/verdict.ts";
import type { Decision } from "../../verifier/service/decision.ts";
import type { Resolved } from "../../verifier/service/resolve-image.ts";
import type { Session } from "../../verifier/service/session.ts";
import type { Verifier } from "../../verifier/service/verifier.ts";
import { faultOf } from "./fault-of.ts";

/** What one image is judged by. */
export interface Judging {
  readonly verifier: Verifier;
  readonly policy: TrustPolicy;
  /** Absent where none is active for the namespace, or where the gate knows no namespace that can be trusted. */
  readonly breakGlass?: BreakGlassFile | undefined;
  /** What becomes of a name without a digest: a gate whose answer outlives its resolving must refuse it. */
  readonly unpinned: "refuse" | "resolve";
}

/** The judgement of one image. */
export interface Judged {
  readonly answer: Answer;
  /** Absent where the name could not be read. */
  readonly name?: ImageReference;
  /** That was judged; absent where the name decided, or none was found. */
  readonly digest?: Digest;
  /** Absent where the verifier was not asked. */
  readonly decision?: Pick<Decision, "rule"> & Partial<Decision>;
  /** Where the name had no digest and was resolved. */
  readonly resolved?: Resolved;
}

/** The image's name stands before it wherever it is shown. */
const NOT_PINNED = refusalOf(
  "image.not_pinned",
  "it has no digest, and this gate judges digests alone, as a tag may name another image at the pull; write NAME:TAG@sha256:DIGEST, or let /mutate pin it; where /mutate is registered it could not, and the server's log says why (gate mutate)",
);

/**
 * Judges an image that the policy decides without evidence. Nobody is asked.
 *
 * @param text attacker-controlled
 * @returns undefined where evidence decides, or a registry has to be asked for the digest
 */
export async function judgeByPolicy(text: string, judging: Judging, session: Session): Promise<Judged | undefined> {
  const { verifier, policy, unpinned } = judging;
  return inAnyCase(text, judging, async (name) => {
    if (isProbePath(name)) return { answer: probeRefusal(name.digest ?? formatReference(name)) };
    if (name.digest !== undefined) {
      if (select(policy, name, name.digest).kind === "judge") return undefined;
      const decision = await verifier.verify(subjectOf(name, name.digest), session);
      return { answer: decision.answer, digest: name.digest, decision };
    }
    const decided = verifier.decideByName(name);
    if (decided !== undefined)
      return { answer: decided.answer, ...(decided.rule && { decision: { rule: decided.rule } }) };
    const selection = selectByName(policy, name);
    // An exempt name is resolved even so, where the policy also lists denied digests.
    if (unpinned === "resolve" || selection.kind !== "judge") return undefined;
    const refused = refuseTag(name, selection.rule);
    // Neither audit nor break-glass lets a denied digest through, so a tag that either would let through is resolved.
    const isLetThrough = inEmergency(refused.answer, name, judging).outcome === "allow";
    return isLetThrough && policy.deniedDigests.size > 0 ? undefined : refused;
  });
}

function refuseTag(name: ImageReference, rule: Rule): Pick<Judged, "answer" | "decision"> {
  const answer = enforce(NOT_PINNED, { image: name, rule });
  return { answer, decision: { rule } };
}

/**
 * Judges an image by evidence, asking a registry first where it is named by a tag. Never throws for what the caller
 * wrote, nor for what the world does.
 *
 * @param text attacker-controlled
 */
export async function judgeByEvidence(text: string, judging: Judging, session: Session): Promise<Judged> {
  const { verifier, policy, unpinned } = judging;
  return inAnyCase(text, judging, async (name) => {
    const selection = name.digest === undefined && unpinned === "refuse" ? selectByName(policy, name) : undefined;
    if (name.digest === undefined && selection?.kind !== "judge") return resolveAndVerify(name, verifier, session);
    const digest = name.digest ?? (await verifier.resolve(name, session)).digest;
    if (selection?.kind === "judge" && select(policy, name, digest).kind !== "denied")
      return refuseTag(name, selection.rule);
    const decision = await verifier.verify(subjectOf(name, digest), session);
    return { answer: decision.answer, digest, decision };
  });
}

/** The judgement of an image for which there was no time or no place. */
export function judgeUnasked(text: string, judging: Judging, refusal: Refusal | Failure): Promise<Judged> {
  return inAnyCase(text, judging, async (name) => ({ answer: answerTo(refusal, name, judging) }));
}

/** What is pulled has this digest, whatever the tag beside it: there is no tag to judge. */
function subjectOf(name: ImageReference, digest: Digest): Subject {
  const { tag: _, ...untagged } = name;
  return { name: untagged, digest };
}

/** Resolves a tag, and judges what it names now. @throws Rejection registry.*, net.* */
export async function resolveAndVerify(
  name: ImageReference,
  verifier: Verifier,
  session: Session,
): Promise<Pick<Judged, "answer" | "digest" | "decision" | "resolved">> {
  const resolved = await verifier.resolve(name, session);
  const { digest, size, mediaType } = resolved;
  const tag = name.tag ?? "latest";
  const subject = {
    name: { ...name, tag },
    digest,
    tag,
    // A registry may give no type, or an unspecific one; that is not compared.
    ...(isImageType(mediaType) && { mediaType }),
    ...(size !== undefined && { size }),
  };
  const decision = await verifier.verify(subject, session);
  return { answer: decision.answer, digest, decision, resolved };
}

type Work<T> = (name: ImageReference) => Promise<T>;

async function inAnyCase<T extends Omit<Judged, "name"> | undefined>(
  text: string,
  judging: Judging,
  work: Work<T>,
): Promise<T> {
  let name: ImageReference | undefined;
  try {
    name = normaliseReference(text);
    const judged = await work(name);
    return judged && { ...judged, name, answer: inEmergency(judged.answer, name, judging) };
  } catch (error) {
    return { answer: answerTo(faultOf(error), name, judging), ...(name && { name }) } as Judged as T;
  }
}

/** The verifier enforces its own answers; break-glass is the namespace's, and so applies only here. */
function inEmergency(answer: Answer, image: ImageReference, { breakGlass }: Judging): Answer {
  return answer.outcome === "allow" ? answer : enforce(answer, { image, breakGlass });
}

/** A tag that could not be resolved is a refusal like others: audited where its rule only audits. */
function answerTo(failure: Refusal | Failure, image: ImageReference | undefined, judging: Judging): Answer {
  const selection = image && selectByName(judging.policy, image);
  const rule =
    selection?.kind === "judge" ? selection.rule : image === undefined ? auditing(judging.policy) : undefined;
  return enforce(failure, { image, rule, breakGlass: judging.breakGlass });
}

/** A name that cannot be read may have a denied digest, which no audit lets through. */
function auditing(policy: TrustPolicy): Rule | undefined {
  return policy.deniedDigests.size > 0 ? undefined : auditsEverything(policy);
}
