import { listenText } from "../../../core/config/listen-address.ts";
import type { TrustPolicy } from "../../../core/policy/policy.ts";
import { auditsEverything } from "../../../core/policy-tools/audits-everything.ts";
import { amount } from "../../process/report.ts";
import type { ServerConfig } from "./running-config.ts";

/** What the server was started with. */
export interface Started {
  readonly config: ServerConfig;
  /** That of a name, or of trustPolicyPath. */
  readonly policyOf: (name: string | undefined) => TrustPolicy | undefined;
  /** How many are accepted; undefined where none is demanded. */
  readonly tokens: number | undefined;
  /** Whether the signer history can be written. */
  readonly hasHistory: boolean;
}

/** What it answers by and where, as lines for people. @param program its name and version */
export function startLines({ config, policyOf, tokens, hasHistory }: Started, program: string): readonly string[] {
  const { trustPolicyPath, server, stateDir } = config;
  const policies = [[undefined, trustPolicyPath] as const, ...server.policies].flatMap(([name, path]) => {
    const policy = policyOf(name);
    return policy === undefined ? [] : `policy${name === undefined ? "" : ` ${name}`}: ${path}: ${described(policy)}`;
  });
  const listeners = server.listeners.map(
    (one) => `http${one.tls === undefined ? "" : "s"}://${listenText(one)} (${one.gates.join(", ")})`,
  );
  return [
    ...policies,
    ...(tokens === undefined ? [] : [`/v1/verify demands one of ${amount(tokens, "token")}`]),
    ...(hasHistory ? [`the signer history is in ${stateDir}`] : []),
    `${program} answers on ${listeners.join("; ")}`,
  ];
}

/** A policy as a clause, with the hash that the lines of its decisions have. */
export function described(policy: TrustPolicy): string {
  const { rules, everyone, deniedDigests, fallback, hash } = policy;
  const denied = deniedDigests.size === 0 ? "" : ` except ${amount(deniedDigests.size, "denied digest")}`;
  const enforces = `enforces${fallback === "deny" ? "" : `, but default ${fallback}`}`;
  const does = auditsEverything(policy) === undefined ? enforces : `only audits, and refuses nothing${denied}`;
  return `${amount(rules.length, "rule")}, ${amount(everyone.length, "signer")}; ${does}; SHA-256 ${hash}`;
}
