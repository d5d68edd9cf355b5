import type { Requirement } from "./policy.ts";

/**
 * Whether the handle in a name must be the signer's (spec 5.8); by default only on atcrHosts.
 *
 * @param host of the name, attacker-controlled
 */
export function demandsOwner(
  { owner }: Pick<Requirement, "owner">,
  host: string,
  atcrHosts: readonly string[],
): boolean {
  return owner === undefined ? atcrHosts.includes(host) : owner === "match";
}
