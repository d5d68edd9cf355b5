import type { Server, Socket } from "node:net";

/** The TCP sockets of a server: below TLS, where a TLS socket cannot be reset by itself. */
export class RawSockets {
  readonly #sockets = new Map<string, Socket>();

  constructor(server: Server) {
    server.on("connection", (socket: Socket) => {
      const key = keyOf(socket);
      this.#sockets.set(key, socket);
      socket.once("close", () => {
        // The port may be another connection's by now.
        if (this.#sockets.get(key) === socket) this.#sockets.delete(key);
      });
    });
  }

  /**
   * Ends the connection that a socket of this server belongs to, so that the peer is told it was reset. One that
   * has hung up by itself is told nothing.
   */
  reset(socket: Socket): void {
    this.#sockets.get(keyOf(socket))?.resetAndDestroy();
  }
}

function keyOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
