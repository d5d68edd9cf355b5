import { resolve } from "node:path";
import type { Environment } from "../../io/process/environment.ts";
import type { Daemon } from "./daemon.ts";

/** Of the environment: what a pull heeds, apart from what a process heeds as it starts. */
const HEEDED =
  /^(?:ATCR_VERIFY_.*|DOCKER_CONFIG|REGISTRY_AUTH_FILE|XDG_RUNTIME_DIR|HOME|https?_proxy|no_proxy|all_proxy)$/i;

/** Of these, which are paths. */
const PATHS = /^(?:ATCR_VERIFY_.*|DOCKER_CONFIG|REGISTRY_AUTH_FILE|XDG_RUNTIME_DIR|HOME)$/;

/**
 * The environment by which this process finds the configuration, the break-glass file, credentials and proxies that a
 * pull finds, which the caller's shell may name otherwise. Certificate authorities are not among it.
 *
 * @param environment of this process
 */
export function asContainerdSees(environment: Environment, daemon: Daemon | undefined): Environment {
  if (daemon === undefined) return environment;
  const own = Object.entries(environment).filter(([name]) => !HEEDED.test(name));
  const given = [...daemon.environment].filter(([name]) => HEEDED.test(name));
  // A relative path is meant from where containerd, and so a pull, is.
  const meant = given.map(([name, value]): readonly [string, string] => [
    name,
    PATHS.test(name) && value !== "" ? resolve(daemon.folder, value) : value,
  ]);
  return Object.freeze(Object.fromEntries([...own, ...meant]));
}
