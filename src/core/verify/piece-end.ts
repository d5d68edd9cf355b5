import { asOutside, type ImportedPiece } from "../evidence/imported-piece.ts";
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

/** {@link PieceEnd} of something that was imported. */
export interface ImportedEnd extends PieceEnd {
  readonly digest: Digest;
  readonly stateAt: (now: number) => ReturnType<typeof stateOf>;
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

/**
 * When what was imported ends. Of several entries of a piece for one name, as of a tag and without it, the last counts.
 *
 * @param keys did:key of the keys whose seals count
 */
export function importedEnds(
  pieces: readonly ImportedPiece[],
  policy: TrustPolicy,
  keys: readonly string[],
): readonly ImportedEnd[] {
  const last = new Map<string, ImportedEnd>();
  for (const { digest, signer, entries } of pieces) {
    for (const entry of entries.filter(({ isNo }) => isNo !== true)) {
      const from = asOutside(entry, keys).witness.at;
      for (const end of endsOf(policy, { names: entry.names, digest, from })) {
        const key = `${end.name} ${digest} ${signer}`;
        const there = last.get(key);
        if (there === undefined || (end.at ?? 0) > (there.at ?? 0)) {
          last.set(key, { ...end, digest, stateAt: (now) => stateOf(end, now) });
        }
      }
    }
  }
  return [...last.values()];
}

/** Whether evidence has ended, or will before long. */
export function stateOf({ at, window }: PieceEnd, now: number): "not accepted" | "ended" | "ends soon" | "counts" {
  if (at === undefined || window === undefined) return "not accepted";
  if (now > at) return "ended";
  return at - now <= window * SOON ? "ends soon" : "counts";
}
