import { HttpFailure, type HttpFailureKind } from "./exchange.ts";

/** Codes of Bun and the kernel for a connection that failed or broke. */
const UNREACHABLE: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "ENETUNREACH",
  "EHOSTUNREACH",
  "ENETDOWN",
  "EHOSTDOWN",
  "ETIMEDOUT",
  "EPIPE",
  "EADDRNOTAVAIL",
  "EACCES",
  "EPERM",
  "ENOTCONN",
  "ERR_PROXY_TUNNEL", // the proxy could not connect
  "FailedToOpenSocket",
  "EMFILE",
  "ENFILE",
]);

/** Bun's code for every handshake that failed before the certificate was checked. */
export const HANDSHAKE_FAILED = "EPROTO";

/** Bun's names of BoringSSL's certificate errors; others share the prefixes below. */
const TLS: ReadonlySet<string> = new Set([
  HANDSHAKE_FAILED,
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "INVALID_CA",
  "INVALID_PURPOSE",
  "PATH_LENGTH_EXCEEDED",
  "HOSTNAME_MISMATCH",
]);
const TLS_PREFIXES = ["ERR_TLS_", "ERR_SSL_", "CERT_", "CRL_", "UNABLE_TO_", "ERROR_IN_CERT_", "ERROR_IN_CRL_"];

/**
 * Classifies an error of Bun's fetch by its code: codes are stable, texts are not. An unknown code comes from reading
 * an answer (`Malformed_HTTP_Response`, `InvalidContentLength`, `ResponseHeadersTooLarge`, …): failed connections have
 * the kernel's codes.
 */
export function failureKind(error: unknown): HttpFailureKind {
  if (error instanceof HttpFailure) return error.kind;
  const code = errorCode(error);
  if (UNREACHABLE.has(code)) return "unreachable";
  if (TLS.has(code) || TLS_PREFIXES.some((prefix) => code.startsWith(prefix))) return "tls";
  return "bad_response";
}

/** The error's code, else its name: short, and without the URL that Bun's messages contain. */
export function errorCode(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  return typeof code === "string" ? code : String(name ?? error);
}

/** Where addresses failed in different ways, the first kind in this order names the failure. */
const TELLING: readonly HttpFailureKind[] = ["tls", "bad_response", "timeout", "unreachable"];

export function mostTelling(kinds: readonly HttpFailureKind[]): HttpFailureKind {
  return TELLING.find((kind) => kinds.includes(kind)) ?? "unreachable";
}
