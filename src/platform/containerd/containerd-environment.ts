import { resolve } from "node:path";
import type { Environment } from "../../io/process/environment.ts";
import type { Daemon } from "./daemon.ts";

/** Variables that a verification reads, apart from those that the runtime reads as it starts. */
const HEEDED =
  /^(?:ATCR_VERIFY_.*|DOCKER_CONFIG|REGISTRY_AUTH_FILE|XDG_RUNTIME_DIR|HOME|https?_proxy|no_proxy|all_proxy)$/i;

/** Those of them that are paths. The key of the cache is not among them: a pull does not use a relative path of it. */
const PATHS = /^(?:ATCR_VERIFY_(?!CACHE_KEY$).*|DOCKER_CONFIG|REGISTRY_AUTH_FILE|XDG_RUNTIME_DIR|HOME)$/;

/**
 * Environment in which a command finds the same configuration, break-glass file, credentials and proxies as a pull,
 * whatever the caller's shell sets. It does not carry over containerd's certificate authorities.
 *
 * @param environment of this process
 */
export function asContainerdSees(environment: Environment, daemon: Daemon | undefined): Environment {
  if (daemon === undefined) return environment;
  const own = Object.entries(environment).filter(([name]) => !HEEDED.test(name));
  const given = [...daemon.environment].filter(([name]) => HEEDED.test(name));
  // Relative paths are resolved against containerd's working directory, as at a pull.
  const meant = given.map(([name, value]): readonly [string, string] => [
    name,
    PATHS.test(name) && value !== "" ? resolve(daemon.folder, value) : value,
  ]);
  return Object.freeze(Object.fromEntries([...own, ...meant]));
}
