import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { StandInServer } from "./http-server.ts";

/** The first byte of a TLS connection (RFC 8446, 5.1). */
const HANDSHAKE = 0x16;

/** A port on loopback at which one server speaks TLS and another speaks http. */
export class TwoFacedPort implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(tls: StandInServer, plain: StandInServer) {
    this.#server = createServer((socket) => {
      this.#track(socket);
      socket.once("data", (first) => {
        const { port } = first[0] === HANDSHAKE ? tls : plain;
        const upstream = connect(port, "127.0.0.1", () => {
          upstream.write(first);
          socket.pipe(upstream).pipe(socket);
        });
        this.#track(upstream);
      });
    });
  }

  static async start(tls: StandInServer, plain: StandInServer): Promise<TwoFacedPort> {
    const port = new TwoFacedPort(tls, plain);
    await new Promise<void>((resolve) => port.#server.listen(0, "127.0.0.1", resolve));
    return port;
  }

  /** `127.0.0.1:40001` */
  get authority(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => this.#sockets.delete(socket));
  }
}
