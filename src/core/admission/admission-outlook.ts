import type { ServerSettings } from "../config/server-settings.ts";
import type { ImageReference } from "../oci/reference.ts";
import type { TrustPolicy } from "../policy/policy.ts";
import { auditsEverything } from "../policy-tools/audits-everything.ts";
import type { Explanation } from "../policy-tools/explain.ts";
import type { Rejection, RejectionCode } from "../rejection.ts";

/** What a cluster's gates do with an image before they judge a signature: its name alone decides. */
export interface AdmissionOutlook {
  /** `allowed` and `refused` are final; `judged`: evidence decides; `audited`: refused, but the rule only audits. */
  readonly outcome: "allowed" | "refused" | "judged" | "audited";
  /** Of a refusal, or of what is audited. */
  readonly code?: RejectionCode;
  /** In a sentence each. */
  readonly because: readonly string[];
}

const BY_DIGEST = "Its digest is judged; a tag beside it is not looked at.";
const RESOLVES = "/v1/verify and /mutate resolve the tag.";
const TEMPLATE = "At /admit a workload's tag is resolved, and what it names then is judged.";
const PODS_AFTER =
  "Its pods are judged again: by digest where /mutate is registered, else they are refused (image.not_pinned).";

/** Where an image is named, and what the server does with tags. */
export interface Gates {
  /** `server.tags` of its configuration. */
  readonly tags: ServerSettings["tags"];
  /** Whether a Pod names it, and not templates of pods alone. */
  readonly isOfPod: boolean;
}
const PINNED_FIRST = "A pod whose tag /mutate has pinned before, where that is registered, is judged by its digest.";

/**
 * What admission says of an image by its name and the policy.
 *
 * @param name normalised
 * @param explanation of that name and its digest
 */
export function admissionOutlook(
  name: ImageReference,
  { action, decidedBy, digestsNotLookedAt }: Explanation,
  { tags, isOfPod }: Gates,
): AdmissionOutlook {
  if (action === "allow") {
    const unless = "Its tag is resolved only to see that it leads to no digest that the policy denies.";
    return {
      outcome: "allowed",
      because: [digestsNotLookedAt ? unless : "No registry is asked, and a tag stays as it is."],
    };
  }
  if (action === "deny") {
    const code = decidedBy === "default" ? "policy.no_match" : "policy.denied";
    return { outcome: "refused", code, because: ["Every gate refuses it, and no registry is asked."] };
  }
  if (name.digest !== undefined) return { outcome: "judged", because: [BY_DIGEST] };
  if (tags === "resolve-unpinned") {
    const race = "The tag is resolved and what it names then is judged; a node may pull what it names later.";
    return { outcome: "judged", because: [race, PINNED_FIRST] };
  }
  if (!isOfPod) return { outcome: "judged", because: [TEMPLATE, PODS_AFTER] };
  const refuses = "It has no digest, so /admit, /gatekeeper/verify and /imagereview do not judge it.";
  const outcome = action === "audit" ? "audited" : "refused";
  return { outcome, code: "image.not_pinned", because: [refuses, PINNED_FIRST, RESOLVES] };
}

/**
 * What admission says of a name that cannot be read, and so of which no rule is known.
 *
 * @param problem why it cannot be read
 */
export function unreadableOutlook({ code, message }: Rejection, policy: TrustPolicy): AdmissionOutlook {
  // It may have a denied digest, which no audit lets through.
  const isAudited = policy.deniedDigests.size === 0 && auditsEverything(policy) !== undefined;
  const audited = "No rule of the policy refuses an image, so it is admitted as well.";
  return { outcome: isAudited ? "audited" : "refused", code, because: [message, ...(isAudited ? [audited] : [])] };
}
