import type { LocatedPolicy } from "../policy/parse-policy.ts";
import type { PolicyRule, TrustedSigner } from "../policy/policy.ts";
import type { Place } from "../rejection.ts";

/**
 * Something about a valid policy that its author should know (docs/reference/policy.md): an error
 * where the policy certainly does not do what it says, a warning where that is likely.
 */
export interface PolicyFinding {
  readonly severity: "error" | "warning";
  /** Stable, in kebab-case: scripts may rely on it. */
  readonly name: string;
  /** One sentence, without a full stop. May contain text of others, such as a signer's handle. */
  readonly message: string;
  /** What to do about it. */
  readonly advice: string;
  /** Absent if no place in a file is at fault. */
  readonly place?: Place;
}

/** A policy, and what it is checked against. */
export interface PolicyQuestion extends LocatedPolicy {
  /** Hosts where names are HANDLE/REPOSITORY. */
  readonly atcrHosts: readonly string[];
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Whether a rule requires signatures. */
export function isJudging({ action }: PolicyRule): boolean {
  return action === "enforce" || action === "audit";
}

/** A signer as people read it: the name that the policy gives, and the DID. */
export function called({ did, name }: TrustedSigner): string {
  return name === undefined ? did : `${name} (${did})`;
}

/** At most three by name, so that a message stays one sentence. */
export function listed<T>(all: readonly T[], text: (one: T) => string): string {
  const more = all.length - 3;
  return `${all.slice(0, 3).map(text).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** A place as an optional property. */
export function at(place: Place | undefined): { readonly place?: Place } {
  return place === undefined ? {} : { place };
}
