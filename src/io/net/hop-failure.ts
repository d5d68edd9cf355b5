import { HttpFailure, type HttpFailureKind, type Sent } from "./exchange.ts";
import { errorCode, failureKind, HANDSHAKE_FAILED, mostTelling } from "./failure.ts";
import type { FailedAttempt } from "./happy-eyeballs.ts";
import { bare, withHost } from "./url-host.ts";

/** The request that failed. */
export interface FailedHop {
  readonly url: URL;
  readonly proxy: URL | undefined;
  /** The name that the certificate must have. */
  readonly serverName?: string;
  /** PEM texts; asked for only where TLS failed. */
  readonly authorities: () => readonly string[];
  /** Addresses that were not tried, and why. */
  readonly refused: readonly string[];
  /** What no message may repeat from the peer's answer. */
  readonly sent: readonly Sent[];
}

/**
 * Describes why one hop failed, at all addresses that were tried.
 *
 * @param time milliseconds left
 */
export async function hopFailure(
  attempts: readonly FailedAttempt[],
  hop: FailedHop,
  time: number,
): Promise<HttpFailure> {
  const { failed, noTlsAt } = await explained(attempts, hop, time);
  const how = failed.map((attempt) => describeAttempt(attempt, hop));
  return new HttpFailure(mostTelling(failed.map(kindOf)), [...how, ...hop.refused].join("; "), { noTlsAt });
}

interface Explained {
  readonly failed: readonly FailedAttempt[];
  /** As in an HttpFailure. */
  readonly noTlsAt?: string;
}

/** Adds an explanation for the first address whose TLS failed; one is enough. */
async function explained(
  failed: readonly FailedAttempt[],
  { url, proxy, serverName, authorities, sent }: FailedHop,
  time: number,
): Promise<Explained> {
  const first = failed.findIndex((attempt) => kindOf(attempt) === "tls" && !(attempt.error instanceof HttpFailure));
  const attempt = failed[first];
  if (attempt === undefined) return { failed };
  const peer = {
    host: proxy === undefined ? attempt.address : bare(url),
    port: Number(url.port || 443),
    ...(proxy && { proxy: withHost(proxy, attempt.address) }),
    ...(serverName !== undefined && { serverName }),
    authorities: authorities(),
  };
  const { describeTlsFailure } = await import("./tls-failure.ts");
  const { address, error: cause } = attempt;
  const { kind, text, speaksNoTls } = await describeTlsFailure(errorCode(cause), peer, time, sent);
  // If any address showed a certificate, the host speaks TLS.
  const isAlike = failed.every((other) => kindOf(other) !== "tls" || errorCode(other.error) === HANDSHAKE_FAILED);
  return {
    failed: failed.with(first, { address, error: new HttpFailure(kind, text, { cause }) }),
    ...(speaksNoTls && isAlike && { noTlsAt: url.origin }),
  };
}

function kindOf(attempt: FailedAttempt): HttpFailureKind {
  return "error" in attempt ? failureKind(attempt.error) : "timeout";
}

/** Proxies are contacted without TLS, so a TLS failure is that of the host behind it. */
function describeAttempt(attempt: FailedAttempt, { url, proxy }: FailedHop): string {
  const { address, error } = attempt;
  const by = proxy === undefined ? address : `proxy ${proxy.host} at ${address}`;
  if (!("error" in attempt)) return `${by}: no answer`;
  const what = error instanceof HttpFailure ? error.message : errorCode(error);
  const isBehind = proxy !== undefined && kindOf(attempt) === "tls";
  return isBehind ? `${url.host}, through the proxy ${proxy.host}: ${what}` : `${by}: ${what}`;
}
