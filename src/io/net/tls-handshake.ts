import type { DetailedPeerCertificate } from "node:tls";
import { openTunnel } from "./tunnel.ts";

/** The peer, and the authorities trusted for it. */
export interface Handshake {
  /** An address, or a name that the system resolves. */
  readonly host: string;
  readonly port: number;
  /** URL of the proxy, which also resolves the host; the proxy's own host is a checked address. */
  readonly proxy?: string;
  readonly serverName?: string;
  /** PEM texts. */
  readonly authorities: readonly string[];
  /** Most milliseconds. */
  readonly time: number;
}

/** The result. */
export interface HandshakeResult {
  /** Attacker-controlled: leaf first, each followed by its issuer; empty where none was received. */
  readonly chain: readonly DetailedPeerCertificate[];
  /** BoringSSL's code: why the chain is not trusted, or why the handshake failed; absent where it succeeded. */
  readonly error?: string;
}

/** Certificates of a chain that are examined. */
const MAX_CHAIN = 10;
/** Milliseconds to wait for a late alert: in TLS 1.3 a host rejects a client only after the handshake. */
const AFTERTHOUGHT = 200;

/**
 * Makes a TLS handshake and closes the connection, to see what Bun's fetch does not report; for messages and the doctor.
 * It sends no data and no client certificate; whether a host is trusted is decided by fetch alone.
 *
 * @returns never rejects; undefined where there was no result in time
 */
export async function shakeHands(handshake: Handshake): Promise<HandshakeResult | undefined> {
  const { host, port, proxy, serverName, authorities, time } = handshake;
  const { connect } = await import("node:tls"); // takes 7 ms to load, so only on a failure
  const endsAt = performance.now() + time;
  const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const tunnel = proxy === undefined ? undefined : await openTunnel(proxy, authority, time);
  if (proxy !== undefined && tunnel === undefined) return undefined;
  return new Promise((resolve) => {
    const socket = connect({
      ...(tunnel ? { socket: tunnel } : { host, port }),
      ...(serverName !== undefined && { servername: serverName }),
      ca: [...authorities],
      allowPartialTrustChain: true,
      ALPNProtocols: ["http/1.1"],
      // An untrusted chain is inspected here, never used.
      rejectUnauthorized: false,
    });
    const end = (result?: HandshakeResult): void => {
      clearTimeout(timer);
      resolve(result);
      socket.destroy();
      tunnel?.destroy();
    };
    const left = Math.max(0, endsAt - performance.now());
    let timer = setTimeout(end, left);
    socket.on("error", (error: NodeJS.ErrnoException) => end({ chain: [], error: error.code ?? error.name }));
    socket.once("secureConnect", () => {
      const chain = chainOf(socket.getPeerCertificate(true));
      const error = socket.authorizationError as unknown;
      if (typeof error === "string") return end({ chain, error });
      clearTimeout(timer);
      timer = setTimeout(() => end({ chain }), Math.min(left, AFTERTHOUGHT));
    });
  });
}

function chainOf(leaf: DetailedPeerCertificate): readonly DetailedPeerCertificate[] {
  const chain: DetailedPeerCertificate[] = [];
  for (let next: DetailedPeerCertificate | undefined = leaf; next?.raw !== undefined && chain.length < MAX_CHAIN; ) {
    chain.push(next);
    next = next.issuerCertificate === next ? undefined : next.issuerCertificate;
  }
  return chain;
}
