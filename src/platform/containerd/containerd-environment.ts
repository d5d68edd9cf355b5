import { resolve } from "node:path";
import type { Daemon } from "./daemon.ts";

/** Of the environment: what a pull heeds, and what can still be changed in a process that has begun. */
const HEEDED =
  /^(?:ATCR_VERIFY_.*|DOCKER_CONFIG|REGISTRY_AUTH_FILE|XDG_RUNTIME_DIR|HOME|https?_proxy|no_proxy|all_proxy)$/i;

/** Of these, which are paths. */
const PATHS = /^(?:ATCR_VERIFY_.*|DOCKER_CONFIG|REGISTRY_AUTH_FILE|XDG_RUNTIME_DIR|HOME)$/;

/**
 * Has this process find the configuration, the break-glass file, credentials and proxies that a pull finds, which
 * the caller's shell may name otherwise. Certificate authorities are chosen when a process starts, so they are not among it.
 */
export function seeAsContainerd(daemon: Daemon | undefined): void {
  if (daemon === undefined) return;
  for (const name of Object.keys(process.env)) if (HEEDED.test(name)) delete process.env[name];
  for (const [name, value] of daemon.environment) {
    // A relative path is meant from where containerd, and so a pull, is.
    if (HEEDED.test(name)) process.env[name] = PATHS.test(name) && value !== "" ? resolve(daemon.folder, value) : value;
  }
}
