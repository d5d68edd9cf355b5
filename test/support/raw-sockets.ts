import type { Server, Socket } from "node:net";

/** The TCP sockets of a server: below TLS, where a TLS socket cannot be reset by itself. */
export class RawSockets {
  readonly #sockets = new Map<string, Socket>();

  constructor(server: Server) {
    server.on("connection", (socket: Socket) => {
      const key = keyOf(socket);
      this.#sockets.set(key, socket);
      socket.once("close", () => this.#sockets.delete(key));
    });
  }

  /** Ends the connection that a socket of this server belongs to, so that the peer is told it was reset. */
  reset(socket: Socket): void {
    const raw = this.#sockets.get(keyOf(socket));
    if (raw === undefined) throw new Error("a socket of this server, and one that is open, was expected");
    raw.resetAndDestroy();
  }
}

function keyOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
