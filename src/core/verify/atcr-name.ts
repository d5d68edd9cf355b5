import type { ImageReference } from "../oci/reference.ts";

/** An image's name on a host where names are `HANDLE/REPOSITORY`. */
export interface AtcrName {
  readonly handle: string;
  readonly repository: string;
}

/**
 * Splits the name if its host is one of atcrHosts (spec 5.6, 5.8).
 *
 * @param name attacker-controlled, canonical
 * @returns undefined on other hosts, and where the path has only one component
 */
export function atcrName({ host, path }: ImageReference, atcrHosts: readonly string[]): AtcrName | undefined {
  const slash = path.indexOf("/");
  if (!atcrHosts.includes(host) || slash === -1) return undefined;
  return { handle: path.slice(0, slash), repository: path.slice(slash + 1) };
}
