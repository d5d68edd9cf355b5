import type { DetailedPeerCertificate } from "node:tls";
import { openTunnel } from "./tunnel.ts";

/** With whom, and who may vouch for it. */
export interface Handshake {
  /** An address, or a name that the system resolves. */
  readonly host: string;
  readonly port: number;
  /** URL of the proxy that leads there and looks the host up; its own host is a checked address. */
  readonly proxy?: string;
  readonly serverName?: string;
  /** PEM texts. */
  readonly authorities: readonly string[];
  /** Most milliseconds. */
  readonly time: number;
}

/** What came of it. */
export interface HandshakeResult {
  /** Attacker-controlled: the host's own first, then who issued the one before it; empty where none came. */
  readonly chain: readonly DetailedPeerCertificate[];
  /** By BoringSSL: why the chain is not trusted, or why the handshake failed; absent where neither is so. */
  readonly error?: string;
}

/** Certificates of a chain that are looked at. */
const MAX_CHAIN = 10;
/** Milliseconds in which a host that the handshake satisfies may still refuse us: in TLS 1.3 it does so afterwards. */
const AFTERTHOUGHT = 200;

/**
 * Shakes hands and hangs up: to see what Bun's fetch does not tell, for messages and for the doctor. Nothing is sent,
 * no certificate of ours is shown, and whether a host is trusted is fetch's own judgement.
 *
 * @returns never rejects; undefined where nothing was to be seen in time
 */
export async function shakeHands(handshake: Handshake): Promise<HandshakeResult | undefined> {
  const { host, port, proxy, serverName, authorities, time } = handshake;
  const { connect } = await import("node:tls"); // 7 ms of start-up that only a failure pays
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
      // An untrusted chain is to be seen, not to be used.
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
