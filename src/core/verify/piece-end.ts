import type { Digest } from "../oci/digest.ts";
import { parseReference } from "../oci/reference.ts";
import type { TrustPolicy } from "../policy/policy.ts";
import { select } from "../policy/select.ts";

/** When evidence from outside ends to count for an image's name. */
export interface PieceEnd {
  readonly name: string;
  /** The rule that covers it. */
  readonly rule: string;
  /** Milliseconds since 1970; absent where the rule does not accept evidence from outside. */
  readonly at?: number;
  /** The rule's offlineFor, in milliseconds; absent like `at`. */
  readonly window?: number;
}

/** Share of the window that is left when a piece ends soon: time to carry the next bundle in. */
const SOON = 1 / 5;

/**
 * When evidence ends for each name that a rule covers which asks for signatures.
 *
 * @param names without digests
 * @param from when the window begins: the time of the witness
 */
export function endsOf(
  policy: TrustPolicy,
  { names, digest, from }: { readonly names: readonly string[]; readonly digest: Digest; readonly from: number },
): readonly PieceEnd[] {
  return names.flatMap((name): PieceEnd[] => {
    const selection = select(policy, parseReference(name), digest);
    if (selection.kind !== "judge") return [];
    const { rule } = selection;
    const { offlineFor } = rule.requirement;
    const end = offlineFor === undefined ? {} : { at: from + offlineFor, window: offlineFor };
    return [{ name, rule: rule.name, ...end }];
  });
}

/** Whether evidence has ended, or will before long. */
export function stateOf({ at, window }: PieceEnd, now: number): "not accepted" | "ended" | "ends soon" | "counts" {
  if (at === undefined || window === undefined) return "not accepted";
  if (now > at) return "ended";
  return at - now <= window * SOON ? "ends soon" : "counts";
}
