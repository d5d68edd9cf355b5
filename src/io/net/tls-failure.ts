import { ADD_AUTHORITY } from "./authorities.ts";
import type { HttpFailureKind, Sent } from "./exchange.ts";
import { HANDSHAKE_FAILED } from "./failure.ts";
import { quotePeer } from "./quote-peer.ts";
import { type Handshake, type HandshakeResult, shakeHands } from "./tls-handshake.ts";

type PeerCertificate = HandshakeResult["chain"][number];

/** Why TLS with a host failed, and what to do. */
export interface TlsFailure {
  readonly kind: HttpFailureKind;
  /** The rest of a sentence about the host. */
  readonly text: string;
  /** Whether it does not speak TLS at all. */
  readonly speaksNoTls: boolean;
}

/** Most milliseconds for the diagnostic handshake. */
const MOST = 1_000;
const UNTRUSTED: ReadonlySet<string> = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

/** Alerts of RFC 8446, section 6, and what they mean here. */
const ALERTS: Readonly<Record<string, string>> = {
  protocol_version: "atcr-verify speaks TLS 1.2 and 1.3",
  handshake_failure: "it accepts none of the cipher suites or signature algorithms that atcr-verify offers",
  insufficient_security: "it accepts none of the cipher suites that atcr-verify offers",
  unrecognized_name: "it does not know this name",
  certificate_required: "it requires a client certificate: set client in hosts.toml",
  bad_certificate: "it does not accept the client certificate: check client in hosts.toml",
  unknown_ca: "it does not trust the issuer of the client certificate: check client in hosts.toml",
};

/**
 * Diagnoses a TLS failure. Bun's fetch has one code for all failed handshakes and exposes no certificate, so another
 * handshake is made. Its result is used only for the message, and to try plain http where hosts.toml and network.allow
 * permit that.
 *
 * @param code of fetch's error
 * @param time milliseconds left
 * @param sent what the peer was sent before, which its certificate may repeat
 */
export async function describeTlsFailure(
  code: string,
  peer: Omit<Handshake, "time">,
  time: number,
  sent: readonly Sent[],
): Promise<TlsFailure> {
  const seen = await shakeHands({ ...peer, time: Math.min(MOST, time) });
  const reason = code === HANDSHAKE_FAILED ? seen?.error : code;
  if (reason === undefined) return { kind: "tls", text: `the TLS handshake failed (${code})`, speaksNoTls: false };
  const [leaf] = seen?.chain ?? [];
  const named = leaf === undefined ? "its certificate" : `its certificate ${describeName(leaf.subject, sent)}`;
  const inner = explain(reason, named, { leaf, sent }, peer.authorities.length);
  const kind = isOtherProtocol(reason) ? "bad_response" : "tls";
  return { kind, text: `${inner} (${reason})`, speaksNoTls: isNoTls(reason) };
}

/** The host's certificate, and what must not be quoted from it. */
interface Shown {
  readonly leaf: PeerCertificate | undefined;
  readonly sent: readonly Sent[];
}

function explain(reason: string, named: string, { leaf, sent }: Shown, authorities: number): string {
  if (UNTRUSTED.has(reason)) {
    const issuer = leaf === undefined ? "" : `, issued by ${describeName(leaf.issuer, sent)},`;
    return `${named}${issuer} does not chain to any of the ${authorities} trusted certificate authorities: ${ADD_AUTHORITY}`;
  }
  if (reason === "ERR_TLS_CERT_ALTNAME_INVALID" || reason === "HOSTNAME_MISMATCH") {
    const names = leaf?.subjectaltname === undefined ? "other names" : quoted(leaf.subjectaltname, sent);
    return `${named} is for ${names}, not for this host`;
  }
  if (reason === "CERT_HAS_EXPIRED") return `${named} or its issuer's has expired${dateOf(leaf?.valid_to, sent)}`;
  if (reason === "CERT_NOT_YET_VALID")
    return `${named} or its issuer's is not valid yet${dateOf(leaf?.valid_from, sent)}: is this node's clock right?`;
  if (reason.endsWith("KEY_USAGE_BIT_INCORRECT"))
    return "its certificate's key usage forbids signing, which TLS requires: reissue it with digitalSignature";
  if (isNoTls(reason)) return "it does not speak TLS on this port";
  if (isOtherProtocol(reason)) return "it does not speak HTTP/1.1, perhaps only HTTP/2";
  const alert = /^ERR_SSL_(?:TLSV1|TLSV13|SSLV3)(?:_ALERT)?_([A-Z_]+)$/.exec(reason)?.[1]?.toLowerCase();
  if (alert === undefined) return `${named} was rejected`;
  const meaning = ALERTS[alert];
  return `it ended the handshake with the alert ${alert}${meaning === undefined ? "" : `: ${meaning}`}`;
}

function isNoTls(reason: string): boolean {
  return reason.endsWith("WRONG_VERSION_NUMBER") || reason.endsWith("HTTP_REQUEST");
}

function isOtherProtocol(reason: string): boolean {
  return reason.endsWith("ALERT_NO_APPLICATION_PROTOCOL");
}

/** Quoted, as `"CN=a, O=b"`. @param name attacker-controlled */
export function describeName(name: PeerCertificate["subject"], sent: readonly Sent[] = []): string {
  const parts = Object.entries(name).map(([key, value]) => `${key}=${String(value)}`);
  return quoted(parts.join(", "), sent);
}

function quoted(text: string, sent: readonly Sent[]): string {
  return quotePeer([text], sent) ?? "without a name";
}

function dateOf(text: string | undefined, sent: readonly Sent[]): string {
  return text === undefined ? "" : ` (${quoted(text, sent)})`;
}
