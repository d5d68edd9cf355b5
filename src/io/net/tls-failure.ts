import type { HttpFailureKind, Sent } from "./exchange.ts";
import { HANDSHAKE_FAILED } from "./failure.ts";
import { quotePeer } from "./quote-peer.ts";
import { type Handshake, type HandshakeResult, shakeHands } from "./tls-handshake.ts";

type PeerCertificate = HandshakeResult["chain"][number];

/** Why a host was not trusted, or no connection to it was secured, and what to do. */
export interface TlsFailure {
  readonly kind: HttpFailureKind;
  /** About the host, as the rest of a sentence. */
  readonly text: string;
  /** Whether it answers something else than TLS. */
  readonly speaksNoTls: boolean;
}

/** Most milliseconds that are spent on finding out what to say. */
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
  protocol_version: "TLS 1.2 and 1.3 are spoken here",
  handshake_failure: "it accepts none of the ciphers or signatures that are spoken here",
  insufficient_security: "it accepts none of the ciphers that are spoken here",
  unrecognized_name: "it does not know this name",
  certificate_required: "it wants a client certificate: see client in hosts.toml",
  bad_certificate: "it wants another client certificate: see client in hosts.toml",
  unknown_ca: "it does not trust who issued our client certificate: see client in hosts.toml",
};

/**
 * Says what is wrong with a host's TLS. Bun's fetch has one code for all handshakes that fail and shows no
 * certificate, so the host is asked for another handshake. What follows from that is no more than the text, and that a
 * host which speaks no TLS may be asked by http where that is listed.
 *
 * @param code of fetch's error
 * @param time milliseconds that are left
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

/** What the host shows, and what of it is not quoted. */
interface Shown {
  readonly leaf: PeerCertificate | undefined;
  readonly sent: readonly Sent[];
}

function explain(reason: string, named: string, { leaf, sent }: Shown, authorities: number): string {
  if (UNTRUSTED.has(reason)) {
    const issuer = leaf === undefined ? "" : `, issued by ${describeName(leaf.issuer, sent)},`;
    return `${named}${issuer} leads to none of the ${authorities} authorities that are trusted for it: name its authority in network.caFiles or as ca in hosts.toml, or have it send its intermediate certificates`;
  }
  if (reason === "ERR_TLS_CERT_ALTNAME_INVALID" || reason === "HOSTNAME_MISMATCH") {
    const names = leaf?.subjectaltname === undefined ? "other names" : quoted(leaf.subjectaltname, sent);
    return `${named} is for ${names} and not for this name`;
  }
  if (reason === "CERT_HAS_EXPIRED") return `${named}, or who issued it, has expired${dateOf(leaf?.valid_to, sent)}`;
  if (reason === "CERT_NOT_YET_VALID")
    return `${named}, or who issued it, is not valid yet${dateOf(leaf?.valid_from, sent)}: is the clock right?`;
  if (reason.endsWith("KEY_USAGE_BIT_INCORRECT"))
    return "its certificate's key usage forbids signing, which TLS needs: have it issued with digitalSignature";
  if (isNoTls(reason)) return "it does not speak TLS at this port";
  if (isOtherProtocol(reason)) return "it speaks no HTTP/1.1, perhaps HTTP/2 alone";
  const alert = /^ERR_SSL_(?:TLSV1|TLSV13|SSLV3)(?:_ALERT)?_([A-Z_]+)$/.exec(reason)?.[1]?.toLowerCase();
  if (alert === undefined) return `${named} is refused`;
  const meaning = ALERTS[alert];
  return `it ended the handshake by the alert ${alert}${meaning === undefined ? "" : `: ${meaning}`}`;
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
