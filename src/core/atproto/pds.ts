import { reject } from "../rejection.ts";

/**
 * Reads a PDS endpoint: the origin of an https (or, in development, http) URL without path, query,
 * user or password. The network layer decides whether the host may be contacted.
 *
 * @param endpoint attacker-controlled
 * @returns `https://host[:port]`
 * @throws Rejection identity.invalid
 */
export function parsePdsEndpoint(endpoint: unknown): string {
  if (typeof endpoint !== "string") reject("identity.invalid", "the identity names no PDS");
  let url: URL;
  try {
    url = new URL(endpoint);
  } catch (error) {
    reject("identity.invalid", `the PDS endpoint "${endpoint}" is not a URL`, error);
  }
  const plain = url.protocol === "https:" || url.protocol === "http:";
  if (!plain || url.href !== `${url.origin}/`) {
    reject("identity.invalid", `the PDS endpoint "${endpoint}" is not just https://host[:port]`);
  }
  return url.origin;
}
