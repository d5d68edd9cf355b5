import * as shape from "../policy/shape.ts";
import { SERVER_SHAPE } from "./server-schema.ts";

/** The shape of the configuration file; parse-config.ts checks what its strings mean. */
const duration = shape.text("a duration such as 8s or 1500ms");
const hosts = (expected: string) => shape.list(shape.text("a host such as registry.local:5000"), expected);
const paths = (expected: string) => shape.list(shape.text("the absolute path of a file"), expected);

export const CONFIG_SHAPE = shape.keys(
  {
    trustPolicyPath: shape.optional(shape.text("the absolute path of a trust policy")),
    stateDir: shape.optional(shape.text("the absolute path of a folder")),
    cacheDir: shape.optional(shape.text("the absolute path of a folder")),
    cacheEnabled: shape.optional(shape.boolean()),
    cacheTTL: shape.optional(duration),
    offline: shape.optional(shape.boolean()),
    bundleDir: shape.optional(shape.text("the absolute path of a folder")),
    bundleKeys: shape.optional(paths("a list of files with public keys, or [] for none")),
    deadline: shape.optional(duration),
    didResolverTimeout: shape.optional(duration),
    pdsTimeout: shape.optional(duration),
    registryTimeout: shape.optional(duration),
    plcDirectories: shape.optional(shape.nonEmptyList(shape.text("https://HOST of a PLC directory"), "a list of URLs")),
    atcrHosts: shape.optional(shape.nonEmptyList(shape.text("a host such as atcr.io"), "a list of hosts")),
    registryConfigPath: shape.optional(
      shape.text("the absolute path of a folder such as /etc/containerd/certs.d, or several with : between them"),
    ),
    registryCredentials: shape.optional(
      shape.keys(
        {
          files: shape.optional(paths("a list of files in the form of docker's config.json, or [] for none")),
          realms: shape.optional(
            shape.nonEmptyMap(
              shape.text("a host such as docker.io"),
              hosts("a list of hosts, or [] for none"),
              "a map from registry hosts to lists of hosts",
            ),
          ),
        },
        "a map with the keys files and realms",
      ),
    ),
    decisionLog: shape.optional(
      shape.text(
        "the absolute path of a file, journald, journald:SOCKET with the absolute path of its socket, or none",
      ),
    ),
    metricsFile: shape.optional(shape.text("the absolute path of a file that ends in .prom")),
    lookaside: shape.optional(
      shape.keys(
        {
          listen: shape.optional(shape.text("a loopback address and a port, such as 127.0.0.1:947")),
          keyFile: shape.optional(shape.text("the absolute path of a file")),
        },
        "a map with the keys listen and keyFile",
      ),
    ),
    server: shape.optional(SERVER_SHAPE),
    network: shape.optional(
      shape.keys(
        {
          allow: shape.optional(
            shape.list(
              shape.text("an address range, an address, a host or http://HOST"),
              "a list of address ranges and hosts, or [] for none",
            ),
          ),
          skipVerify: shape.optional(hosts("a list of hosts, or [] for none")),
          caFiles: shape.optional(paths("a list of files of certificates in PEM, or [] for none")),
          proxy: shape.optional(
            shape.either(
              shape.oneOf(["none"], "none"),
              shape.keys(
                {
                  https: shape.optional(shape.text("http://HOST:PORT of a proxy")),
                  http: shape.optional(shape.text("http://HOST:PORT of a proxy")),
                  noProxy: shape.optional(
                    shape.list(
                      shape.text("a host, a domain, an address or a range of addresses"),
                      "a list of hosts and ranges that are contacted without a proxy, or [] for none",
                    ),
                  ),
                },
                "a map with keys such as https",
              ),
              "none, or a map with the keys https, http and noProxy",
            ),
          ),
        },
        "a map with keys such as allow",
      ),
    ),
  },
  "a configuration: a map with keys such as deadline",
);

export type ConfigShape = shape.Infer<typeof CONFIG_SHAPE>;
