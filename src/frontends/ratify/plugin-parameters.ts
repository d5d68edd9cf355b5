import type { Config } from "../../core/config/config.ts";
import { parseConfig } from "../../core/config/parse-config.ts";
import { closest } from "../../core/encoding/closest.ts";
import type { JsonObject } from "../../core/encoding/json.ts";
import { parsePolicy } from "../../core/policy/parse-policy.ts";
import type { TrustPolicy } from "../../core/policy/policy.ts";
import { Rejection } from "../../core/rejection.ts";
import { PluginError } from "./plugin-error.ts";

/** Keys of `config` that are the host's own, and not parameters (Ratify v1.4: pkg/verifier/types). */
const OF_THE_HOST = ["name", "type", "artifactTypes", "nestedReferences", "source", "version"];
/** Parameters that are keys of this program's configuration, and mean the same. */
const SETTINGS = ["trustPolicyPath", "didResolverTimeout", "pdsTimeout", "cacheEnabled", "cacheTTL"] as const;
const TRUSTED = "trustedDIDs";
const KNOWN = [...SETTINGS, TRUSTED];
/** How messages name the place of what is read. */
const PLACE = "parameters";

/** The parameters of a Verifier resource. */
export interface PluginParameters {
  /** What they replace of the node's configuration. */
  readonly settings: Partial<Pick<Config, (typeof SETTINGS)[number]>>;
  /** The policy that trusts `trustedDIDs` and nobody else; absent: the policy is a file. */
  readonly policy?: TrustPolicy;
}

/**
 * Reads the parameters strictly: a misspelt `trustPolicyPath` must not leave the default policy in force.
 *
 * @param config of the host's request: the parameters, and the host's own keys
 * @throws PluginError parameters
 */
export function readParameters(config: JsonObject): PluginParameters {
  const given = Object.keys(config).filter((key) => !OF_THE_HOST.includes(key));
  for (const key of given) if (!KNOWN.includes(key)) refuseUnknown(key);
  if (given.includes(TRUSTED) && given.includes("trustPolicyPath")) {
    const advice = `name the DIDs in the policy's file, or leave out trustPolicyPath`;
    throw new PluginError(
      "parameters",
      `${TRUSTED} is a policy of its own, and trustPolicyPath names another; ${advice}`,
    );
  }
  const set = SETTINGS.filter((key) => given.includes(key));
  const parsed = mistaken(() => parseConfig(JSON.stringify(only(config, set)), PLACE));
  return {
    settings: only(parsed, set),
    ...(given.includes(TRUSTED) && { policy: policyOf(config[TRUSTED]) }),
  };
}

/** Every image must be signed by one of these. */
function policyOf(dids: unknown): TrustPolicy {
  const text = `version: 1.0
trustedDIDs: ${JSON.stringify(dids)}
policies:
  - { name: ${TRUSTED}, scope: "**", action: enforce }
default: deny
`;
  return mistaken(() => parsePolicy(text, PLACE));
}

function refuseUnknown(key: string): never {
  const near = closest(key, KNOWN);
  const advice = near === undefined ? `expected one of ${KNOWN.join(", ")}` : `did you mean ${near}?`;
  throw new PluginError("parameters", `unknown parameter "${key}"; ${advice}`);
}

/** A mistake with its parameter instead of its line, as there is no file. */
function mistaken<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    const { mistake } = error;
    if (mistake?.key === undefined) throw new PluginError("parameters", error.message);
    const { key, found, expected, advice } = mistake;
    const more = advice === undefined ? "" : `; ${advice}`;
    throw new PluginError("parameters", `the parameter ${key}: found ${found}, expected ${expected}${more}`);
  }
}

function only<T extends object, K extends keyof T & string>(values: T, keys: readonly K[]): Pick<T, K> {
  return Object.fromEntries(keys.map((key) => [key, values[key]])) as Pick<T, K>;
}
