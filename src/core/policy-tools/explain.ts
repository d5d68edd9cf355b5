import type { Did } from "../atproto/syntax.ts";
import type { Digest } from "../oci/digest.ts";
import type { ImageReference } from "../oci/reference.ts";
import { demandsOwner } from "../policy/owner.ts";
import type { PolicyRule, Requirement, TrustedSigner, TrustPolicy } from "../policy/policy.ts";
import { matchSegment, type Scope } from "../policy/scope.ts";
import { decisionOn, type PolicyDecision, selectionOf } from "../policy/select.ts";
import { type SignerStatus, signerStatus } from "../policy/standing.ts";

/** What a policy says about an image, and why. */
export interface Explanation {
  readonly action: PolicyDecision["action"];
  readonly decidedBy: PolicyDecision["by"];
  /** Name of the rule that decides. */
  readonly rule?: string;
  /** The rules before it, or all rules if none applies; empty if a list of digests decides. */
  readonly passedOver: readonly PassedRule[];
  /** Set if the policy has lists of digests, which come before all rules, but no digest is known. */
  readonly digestsNotLookedAt?: true;
  /** What a signature must satisfy; absent if none is required. */
  readonly requires?: Required;
}

export interface PassedRule {
  readonly rule: string;
  readonly scopes: readonly { readonly scope: string; readonly because: string }[];
}

/** A requirement as it applies to one image now. */
export interface Required extends Omit<Requirement, "signers" | "owner"> {
  readonly signers: readonly { readonly signer: TrustedSigner; readonly standing: SignerStatus }[];
  readonly owner: "match" | "any";
}

interface Question {
  readonly policy: TrustPolicy;
  readonly atcrHosts: readonly string[];
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * Finds which part of the policy decides about an image and what it requires, by {@link decisionOn}, as a
 * pull does.
 *
 * @param digest if known: lists of digests come before all rules
 */
export function explain(question: Question, name: ImageReference, digest: Digest | undefined): Explanation {
  const { policy } = question;
  const decision = decisionOn(policy, name, digest);
  const selection = selectionOf(decision, policy, name);
  const hasLists = policy.deniedDigests.size + policy.allowedDigests.size > 0;
  return {
    action: decision.action,
    decidedBy: decision.by,
    ...(decision.by === "rule" ? { rule: decision.rule.name } : {}),
    passedOver: decision.passedOver.map((rule) => passedOver(rule, name)),
    ...(digest === undefined && hasLists ? { digestsNotLookedAt: true } : {}),
    ...(selection.kind === "judge" ? { requires: required(selection.rule.requirement, question, name) } : {}),
  };
}

/** The DIDs whose signatures can count under the explained rule: those that are not revoked. */
export function trustedBy({ requires }: Explanation): readonly Did[] {
  return (requires?.signers ?? []).filter(({ signer }) => !signer.revoked).map(({ signer }) => signer.did);
}

function required(requirement: Requirement, { atcrHosts, now }: Question, { host }: ImageReference): Required {
  const owner = demandsOwner(requirement, host, atcrHosts) ? "match" : "any";
  const signers = requirement.signers.map((signer) => ({ signer, standing: signerStatus(signer, now) }));
  return { ...requirement, owner, signers };
}

function passedOver({ name: rule, scopes }: PolicyRule, name: ImageReference): PassedRule {
  return { rule, scopes: scopes.map((scope) => ({ scope: scope.text, because: whyNot(scope, name) })) };
}

/** Why a scope does not match a name: the first difference. */
function whyNot({ segments }: Scope, { host, path }: ImageReference): string {
  const [wantedHost = "", ...wantedPath] = segments;
  if (wantedHost !== "**" && !matchSegment(wantedHost, host)) return `the image's host is ${host}`;
  const components = path.split("/");
  if (segments.includes("**")) return `the path ${path} does not match`;
  if (wantedPath.length !== components.length) {
    return `the scope's path has ${segmentCount(wantedPath)}, ${path} has ${components.length}`;
  }
  const at = wantedPath.findIndex((wanted, i) => !matchSegment(wanted, components[i] ?? ""));
  return `${wantedPath[at] ?? ""} does not match ${components[at] ?? ""}`;
}

function segmentCount({ length }: readonly string[]): string {
  return `${length} segment${length === 1 ? "" : "s"}`;
}
