import type { Requirement } from "./policy.ts";

/**
 * Whether the handle in a name must be the signer's: where the rule does not say, on ATCR's hosts
 * (spec 5.8).
 *
 * @param host the name's, attacker-controlled
 */
export function demandsOwner(
  { owner }: Pick<Requirement, "owner">,
  host: string,
  atcrHosts: readonly string[],
): boolean {
  return owner === undefined ? atcrHosts.includes(host) : owner === "match";
}
