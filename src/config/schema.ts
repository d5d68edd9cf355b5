import * as shape from "../policy/shape.ts";

/** The shape of the configuration file; what its strings mean is checked by config.ts. */
const duration = shape.text("a duration such as 8s or 1500ms");

export const CONFIG_SHAPE = shape.keys(
  {
    trustPolicyPath: shape.optional(shape.text("the absolute path of a trust policy")),
    stateDir: shape.optional(shape.text("the absolute path of a folder")),
    cacheDir: shape.optional(shape.text("the absolute path of a folder")),
    deadline: shape.optional(duration),
    didResolverTimeout: shape.optional(duration),
    pdsTimeout: shape.optional(duration),
    registryTimeout: shape.optional(duration),
    plcDirectories: shape.optional(shape.nonEmptyList(shape.text("https://HOST of a PLC directory"), "a list of URLs")),
    atcrHosts: shape.optional(shape.nonEmptyList(shape.text("a host such as atcr.io"), "a list of hosts")),
    network: shape.optional(
      shape.keys(
        {
          allow: shape.optional(
            shape.list(
              shape.text("an address range, an address, a host or http://HOST"),
              "a list of address ranges and hosts, or [] for none",
            ),
          ),
        },
        "a map with the list allow",
      ),
    ),
  },
  "a configuration: a map with keys such as deadline",
);

/** Keys of later versions, which this one would have to ignore (spec, "The configuration file"). */
export const UNSUPPORTED_CONFIG_KEYS: ReadonlySet<string> = new Set([
  "cacheEnabled",
  "cacheTTL",
  "registryConfigPath",
  "registryCredentials",
  "decisionLog",
]);

export type ConfigShape = shape.Infer<typeof CONFIG_SHAPE>;
