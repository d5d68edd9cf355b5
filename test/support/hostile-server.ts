import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { addressInUrl } from "./certificates.ts";
import { type Behaviour, HOSTILE_BEHAVIOURS, type HostileBehaviour } from "./hostile-behaviours.ts";
import type { Exchange, Override, ServerOptions } from "./http-server.ts";
import { RawSockets } from "./raw-sockets.ts";

/** Faults below HTTP, which are in place before a request can be read. */
export type ConnectionFault =
  /** Nothing listens on the port. */
  | "refuse"
  /** Connections are accepted and nothing ever comes, no TLS handshake either. */
  | "accept and be silent"
  /** Answers the first bytes with plain HTTP: what a TLS client takes for a broken handshake. */
  | "plain text"
  /** Connections are reset when the first bytes arrive. */
  | "reset"
  /** Connections are closed when the first bytes arrive. */
  | "hang up";

const CONNECTION_FAULTS: Record<Exclude<ConnectionFault, "refuse">, (socket: Socket) => void> = {
  "accept and be silent": () => {},
  "plain text": (socket) => socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")),
  reset: (socket) => socket.once("data", () => socket.resetAndDestroy()),
  "hang up": (socket) => socket.once("data", () => socket.end()),
};

export const CONNECTION_FAULT_NAMES = ["refuse", ...Object.keys(CONNECTION_FAULTS)] as readonly ConnectionFault[];

/** A raw server that meets each request with one behaviour, or each connection with one fault. */
export class HostileServer {
  /** `METHOD URL` of each request, in order. */
  readonly requests: string[] = [];
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #raw: RawSockets;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #options: ServerOptions;
  #origin = "";

  private constructor(what: HostileBehaviour | ConnectionFault | Behaviour, options: ServerOptions) {
    this.#options = options;
    const fault = typeof what === "string" && what in CONNECTION_FAULTS ? what : undefined;
    const onConnection = (socket: Socket): void => {
      this.connections += 1;
      this.#track(socket);
      if (fault !== undefined) CONNECTION_FAULTS[fault as keyof typeof CONNECTION_FAULTS](socket);
      else this.#read(socket, behaviourOf(what as HostileBehaviour | Behaviour));
    };
    // A fault comes before TLS, whatever the scheme in the origin.
    this.#server =
      options.tls === undefined || fault !== undefined || what === "refuse"
        ? createServer(onConnection)
        : createTlsServer({ ...options.tls }, onConnection);
    this.#raw = new RawSockets(this.#server);
    this.#server.on("tlsClientError", () => {});
    this.#server.on("connection", (socket: Socket) => this.#track(socket));
  }

  /** With `tls` the origin is https; behaviours speak TLS then, connection faults do not get that far. */
  static async start(
    what: HostileBehaviour | ConnectionFault | Behaviour,
    options: ServerOptions = {},
  ): Promise<HostileServer> {
    const server = new HostileServer(what, options);
    await server.#listen();
    if (what === "refuse") await server.stop();
    return server;
  }

  get origin(): string {
    return this.#origin;
  }

  get authority(): string {
    return new URL(this.#origin).host;
  }

  async #listen(): Promise<void> {
    const { host = "127.0.0.1", port = 0, name, tls } = this.#options;
    await new Promise<void>((resolve, rejectStart) => {
      this.#server.once("error", rejectStart);
      this.#server.listen(port, host, resolve);
    });
    const bound = (this.#server.address() as AddressInfo).port;
    this.#origin = `${tls === undefined ? "http" : "https"}://${name ?? addressInUrl(host)}:${bound}`;
  }

  /** Ends every connection and timer. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers.clear();
    for (const socket of this.#sockets) socket.destroy();
    if (this.#server.listening) await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {}); // Victims hang up; that is what is hoped for.
    socket.once("close", () => this.#sockets.delete(socket));
  }

  /** Reads one request (none of the victims sends a body) and hands it over. */
  #read(socket: Socket, behave: Behaviour): void {
    let received = "";
    const onData = (chunk: Buffer): void => {
      received += chunk.toString("latin1");
      if (!received.includes("\r\n\r\n")) return;
      socket.off("data", onData);
      socket.on("data", () => {});
      const [method = "", url = ""] = received.split(" ", 2);
      const nth = this.requests.length;
      this.requests.push(`${method} ${url}`);
      const authority = /^host: *(.*)\r$/im.exec(received)?.[1] ?? this.authority;
      const scheme = this.#options.tls === undefined ? "http" : "https";
      const every = everyOn(socket, this.#timers);
      const reset = (): void => this.#raw.reset(socket);
      void Promise.resolve(behave({ socket, method, url, authority, scheme, nth, every, reset })).catch(() =>
        socket.destroy(),
      );
    };
    socket.on("data", onData);
  }
}

/** The behaviour as an override, for a stand-in that misbehaves at some of its paths only. */
export function hostile(what: HostileBehaviour | Behaviour): Override {
  const timers = new Set<NodeJS.Timeout>();
  let nth = 0;
  return async ({ request, incoming, reset }: Exchange) => {
    const { socket } = incoming;
    socket.once("close", () => {
      for (const timer of timers) clearInterval(timer);
    });
    const scheme = "encrypted" in socket ? "https" : "http";
    const authority = request.headers.host ?? "";
    const victim = {
      socket,
      method: request.method,
      url: request.url,
      authority,
      scheme,
      nth,
      every: everyOn(socket, timers),
      reset,
    };
    nth += 1;
    await behaviourOf(what)(victim as Parameters<Behaviour>[0]);
    return undefined;
  };
}

function behaviourOf(what: HostileBehaviour | Behaviour): Behaviour {
  return typeof what === "function" ? what : HOSTILE_BEHAVIOURS[what];
}

function everyOn(socket: Socket, timers: Set<NodeJS.Timeout>) {
  return (milliseconds: number, step: () => boolean): void => {
    const stop = (): void => {
      clearInterval(timer);
      timers.delete(timer);
    };
    const timer = setInterval(() => {
      if (socket.destroyed || !step()) stop();
    }, milliseconds);
    timers.add(timer);
    socket.once("close", stop);
  };
}
