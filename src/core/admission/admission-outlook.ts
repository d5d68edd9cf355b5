import type { ServerSettings } from "../config/server-settings.ts";
import type { ImageReference } from "../oci/reference.ts";
import type { TrustPolicy } from "../policy/policy.ts";
import { auditsEverything } from "../policy-tools/audits-everything.ts";
import type { Explanation } from "../policy-tools/explain.ts";
import type { Rejection, RejectionCode } from "../rejection.ts";

/** What a cluster's gates do with an image before they judge a signature: its name alone decides. */
export interface AdmissionOutlook extends Outlook {
  /** In a sentence each. */
  readonly because: readonly string[];
  /** The answer where the cluster does not call /mutate before, if that is another. */
  readonly withoutMutate?: Outlook;
}

interface Outlook {
  /** `allowed` and `refused` are final; `judged`: evidence decides; `audited`: refused, but the rule only audits. */
  readonly outcome: "allowed" | "refused" | "judged" | "audited";
  /** Of a refusal, or of what is audited. */
  readonly code?: RejectionCode;
}

const BY_DIGEST = "Its digest is judged; a tag beside it is not looked at.";
const TEMPLATE = "At /admit a workload's tag is resolved, and what it names then is judged.";
const PODS_AFTER =
  "Its pods are judged again: by digest where /mutate is registered, else they are refused (image.not_pinned).";
const PODS_REFUSED =
  "Its pods are judged again and refused (image.not_pinned), as no listener of the configuration serves /mutate.";
const PINS = "/mutate writes the digest that the tag names into the pod, and that digest is judged.";
const PINS_NOT = "A tag that it cannot pin stays, and is answered as where it is not registered.";
const PINNED_FIRST = "A pod whose tag /mutate has pinned before, where that is registered, is judged by its digest.";
const NEEDS_DIGEST = "It has no digest, so /admit, /gatekeeper/verify and /imagereview do not judge it.";
const NO_MUTATE =
  "No listener of the configuration serves /mutate, which would pin the tag; /v1/verify and /gatekeeper/mutate resolve it.";

/** Where an image is named, and what the server does with tags. */
export interface Gates {
  /** `server.tags` of its configuration. */
  readonly tags: ServerSettings["tags"];
  /** Whether /mutate is served, which pins the tags of pods before anything is judged. */
  readonly isPinning: boolean;
  /** Whether a Pod names it, and not templates of pods alone. */
  readonly isOfPod: boolean;
}

/**
 * What admission says of an image by its name and the policy.
 *
 * @param name normalised
 * @param explanation of that name and its digest
 */
export function admissionOutlook(
  name: ImageReference,
  { action, decidedBy, digestsNotLookedAt }: Explanation,
  gates: Gates,
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
  return name.digest === undefined ? tagOutlook(action, gates) : { outcome: "judged", because: [BY_DIGEST] };
}

function tagOutlook(action: "enforce" | "audit", { tags, isPinning, isOfPod }: Gates): AdmissionOutlook {
  if (tags === "resolve-unpinned") {
    const race = "The tag is resolved and what it names then is judged; a node may pull what it names later.";
    return { outcome: "judged", because: [race, ...(isPinning ? [PINNED_FIRST] : [])] };
  }
  if (!isOfPod) return { outcome: "judged", because: [TEMPLATE, isPinning ? PODS_AFTER : PODS_REFUSED] };
  const unpinned = { outcome: action === "audit" ? "audited" : "refused", code: "image.not_pinned" } as const;
  if (!isPinning) return { ...unpinned, because: [NEEDS_DIGEST, NO_MUTATE] };
  return { outcome: "judged", because: [PINS, PINS_NOT], withoutMutate: unpinned };
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
