import { HttpFailure, type HttpFailureKind, type Sent } from "./exchange.ts";
import { errorCode, failureKind, HANDSHAKE_FAILED, mostTelling } from "./failure.ts";
import type { FailedAttempt } from "./happy-eyeballs.ts";
import { bare, withHost } from "./url-host.ts";

/** Who was asked, and how. */
export interface FailedHop {
  readonly url: URL;
  readonly proxy: URL | undefined;
  /** The name that the certificate must have. */
  readonly serverName?: string;
  /** PEM texts; asked for only where TLS failed. */
  readonly authorities: () => readonly string[];
  /** Addresses that were not tried, and why. */
  readonly refused: readonly string[];
  /** What no message may repeat of whoever answers. */
  readonly sent: readonly Sent[];
}

/**
 * What one hop failed by, at all addresses that were tried.
 *
 * @param time milliseconds that are left
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
  /** As in a HttpFailure. */
  readonly noTlsAt?: string;
}

/** The same, with what is wrong at the first address that failed by its TLS: one is enough to say it. */
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
  // One of its addresses that shows a certificate speaks TLS.
  const isAlike = failed.every((other) => kindOf(other) !== "tls" || errorCode(other.error) === HANDSHAKE_FAILED);
  return {
    failed: failed.with(first, { address, error: new HttpFailure(kind, text, { cause }) }),
    ...(speaksNoTls && isAlike && { noTlsAt: url.origin }),
  };
}

function kindOf(attempt: FailedAttempt): HttpFailureKind {
  return "error" in attempt ? failureKind(attempt.error) : "timeout";
}

/** A proxy is spoken to without TLS: what fails by its TLS is the host behind it. */
function describeAttempt(attempt: FailedAttempt, { url, proxy }: FailedHop): string {
  const { address, error } = attempt;
  const by = proxy === undefined ? address : `by the proxy ${proxy.host}: ${address}`;
  if (!("error" in attempt)) return `${by}: no answer`;
  const what = error instanceof HttpFailure ? error.message : errorCode(error);
  const isBehind = proxy !== undefined && kindOf(attempt) === "tls";
  return isBehind ? `${url.host}, through the proxy ${proxy.host}: ${what}` : `${by}: ${what}`;
}
