import type { Socket } from "node:net";
import { createServer } from "node:tls";
import { reject } from "../../../core/rejection.ts";
import type { TlsMaterial } from "./certificates.ts";

/** Suites of TLS 1.2: forward secrecy and authenticated encryption only (RFC 9325). Those of 1.3 are all so. */
const CIPHERS = [
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
].join(":");

export type MinimalTls = "TLSv1.2" | "TLSv1.3";

/** Shakes hands on a connection that somebody else accepted. */
export type TlsFront = (raw: Socket) => void;

/**
 * What shakes hands with one certificate. It listens nowhere, so that another certificate needs no other listener
 * (decision 0072), and its sessions end with its certificate and its authorities. A handshake that fails closes the
 * connection.
 *
 * @param secured called after a handshake, with the client's certificate verified where one is required; not with the
 *   socket that was accepted, but one with the same ends
 * @throws Rejection config.invalid where the runtime cannot use certificate or key
 */
export function tlsFront({ cert, key, ca }: TlsMaterial, minVersion: MinimalTls, secured: TlsFront): TlsFront {
  const clients = ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true };
  const server = serverFor(() =>
    createServer({ cert, key, ...clients, minVersion, ciphers: CIPHERS, ALPNProtocols: ["http/1.1"] }),
  );
  server.on("secureConnection", (socket) => {
    // Both runtimes refuse before this; not to depend on it.
    if (ca !== undefined && !socket.authorized) socket.destroy();
    else secured(socket);
  });
  server.on("tlsClientError", (_, socket) => socket.destroy());
  return (raw) => {
    server.emit("connection", raw);
  };
}

function serverFor<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    return reject("config.invalid", `certificate and key cannot be used for TLS: ${(error as Error).message}`, error);
  }
}
