import type { PolicyRule, TrustPolicy } from "./policy.ts";

/** The registries that a policy has rules for. */
export interface RuleHosts {
  /** As in an ImageReference, in the order of the rules, each once. */
  readonly hosts: readonly string[];
  /** Scopes whose host has a wildcard, so that they name no registry. */
  readonly wildcards: readonly { readonly scope: string; readonly rule: PolicyRule }[];
}

/** For gates whose settings name each registry by its host, such as the policy.json of containers/image. */
export function hostsOfRules({ rules }: Pick<TrustPolicy, "rules">): RuleHosts {
  const scopes = rules.flatMap((rule) =>
    rule.scopes.map(({ text, segments }) => ({ rule, text, host: segments[0] ?? "" })),
  );
  const isWildcard = ({ host }: { readonly host: string }): boolean => host.includes("*");
  return {
    hosts: [...new Set(scopes.filter((one) => !isWildcard(one)).map(({ host }) => host))],
    wildcards: scopes.filter(isWildcard).map(({ text, rule }) => ({ scope: text, rule })),
  };
}
