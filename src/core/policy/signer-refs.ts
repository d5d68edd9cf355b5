import type { PolicyRule, SignerRefs, TrustedSigner, TrustPolicy } from "./policy.ts";

/** The signers of one rule, in order. Takes time proportional to their number, so not for every rule. */
export function signersOf({ everyone }: Pick<TrustPolicy, "everyone">, refs: SignerRefs): readonly TrustedSigner[] {
  return [...everyone.slice(0, refs.inherited), ...refs.own.flatMap((index) => everyone[index] ?? [])];
}

export function countOf({ inherited, own }: SignerRefs): number {
  return inherited + own.length;
}

/** The signers that any of these rules trusts, without duplicates, in the order of the policy. */
export function signersOfAll(
  { everyone }: Pick<TrustPolicy, "everyone">,
  rules: readonly PolicyRule[],
): readonly TrustedSigner[] {
  const inherited = rules.reduce((most, { trusts }) => Math.max(most, trusts.inherited), 0);
  const own = new Set(rules.flatMap(({ trusts }) => trusts.own));
  return everyone.filter((_, index) => index < inherited || own.has(index));
}

/**
 * Filters the signers of rules by a predicate, which is evaluated only once for inherited signers.
 *
 * @returns a function from a rule to its matching signers, in order
 */
export function selecting(
  policy: Pick<TrustPolicy, "everyone">,
  holds: (signer: TrustedSigner) => boolean,
): (refs: SignerRefs) => readonly TrustedSigner[] {
  const { everyone } = policy;
  const known = new Map<number, readonly TrustedSigner[]>([[0, []]]);
  return ({ inherited, own }) => {
    const shared = known.get(inherited) ?? everyone.slice(0, inherited).filter(holds);
    known.set(inherited, shared);
    const more = own.flatMap((index) => everyone[index] ?? []).filter(holds);
    return more.length === 0 ? shared : [...shared, ...more];
  };
}
