import type { Server, Socket } from "node:net";

/** The TCP sockets of a server: below TLS, where a TLS socket cannot be reset by itself. */
export class RawSockets {
  readonly #sockets = new Map<string, Socket>();

  constructor(server: Server) {
    server.on("connection", (socket: Socket) => {
      const key = keyOf(socket);
      this.#sockets.set(key, socket);
      socket.once("close", () => {
        // Another connection may have the port by now.
        if (this.#sockets.get(key) === socket) this.#sockets.delete(key);
      });
    });
  }

  /**
   * Ends the connection that a socket of this server belongs to, so that the peer sees a reset, unless
   * it has closed the connection itself.
   */
  reset(socket: Socket): void {
    this.#sockets.get(keyOf(socket))?.resetAndDestroy();
  }
}

function keyOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
