import { HttpFailure, type HttpFailureKind } from "./exchange.ts";

/** What Bun and the kernel call a connection that did not come about or broke. */
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
  "ERR_PROXY_TUNNEL", // the proxy does not connect
  "FailedToOpenSocket",
  "EMFILE",
  "ENFILE",
]);

/** What Bun's fetch calls every handshake that failed before a certificate was judged. */
export const HANDSHAKE_FAILED = "EPROTO";

/** BoringSSL's verdicts on a certificate, as Bun names them; others share the prefixes below. */
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
 * What an error of Bun's fetch means, by its code, for these are stable and the texts are not. A
 * code not known here comes from reading an answer (`Malformed_HTTP_Response`, `InvalidContentLength`,
 * `ResponseHeadersTooLarge`, …): a connection that never was has a name of the kernel's.
 */
export function failureKind(error: unknown): HttpFailureKind {
  if (error instanceof HttpFailure) return error.kind;
  const code = errorCode(error);
  if (UNREACHABLE.has(code)) return "unreachable";
  if (TLS.has(code) || TLS_PREFIXES.some((prefix) => code.startsWith(prefix))) return "tls";
  return "bad_response";
}

/** The error's code, else its name: short, and without the URL that Bun's messages repeat. */
export function errorCode(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  return typeof code === "string" ? code : String(name ?? error);
}

/** Which kind names the whole, where addresses failed differently: the most telling one. */
const TELLING: readonly HttpFailureKind[] = ["tls", "bad_response", "timeout", "unreachable"];

export function mostTelling(kinds: readonly HttpFailureKind[]): HttpFailureKind {
  return TELLING.find((kind) => kinds.includes(kind)) ?? "unreachable";
}
