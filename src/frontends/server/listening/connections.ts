import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** How many connections of one listener there may be, and how long each may be silent; milliseconds. */
export interface ConnectionLimits {
  readonly connections: number;
  /** From the connection to the end of its handshake. */
  readonly handshake: number;
  /** From the first byte of a request to the end of its header. */
  readonly header: number;
  /** From the handshake to the first request. */
  readonly first: number;
  /** Between two requests. */
  readonly idle: number;
  /** From the header of a request to the end of its answer. */
  readonly answer: number;
  /** From the end of an answer until the client has taken it. */
  readonly taken: number;
  /** Between two looks at all connections. */
  readonly sweep: number;
}

/** Why connections begin and end; a closed set. */
export const CONNECTION_EVENTS = [
  "accepted",
  "refused",
  "evicted",
  "tls_failed",
  "handshake_timeout",
  "header_timeout",
  "idle_timeout",
  "answer_timeout",
  "bad_request",
  "pipelined",
] as const;
export type ConnectionEvent = (typeof CONNECTION_EVENTS)[number];

/** Milliseconds that a client has for handshake and request where it connected just before the listener closed. */
const LATE = 1000;

/** What a connection does; times are on the monotonic clock, in milliseconds. */
type State =
  | { readonly name: "handshake"; readonly since: number }
  /** It waits for a request; `bytes`: read when that began. */
  | { readonly name: "first" | "idle"; readonly since: number; readonly bytes: number; headerSince?: number }
  | { readonly name: "answering"; readonly since: number; readonly response: ServerResponse; writtenAt?: number };

interface Connection {
  readonly ends: string;
  /** What requests are read from: that of TLS once its handshake is done. */
  socket: Socket;
  state: State;
}

/**
 * The connections of one listener. A client that is slow, or silent for too long, is disconnected. Where all places are
 * taken, a new connection gets that of the one that waits longest for a request, if one does.
 */
export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #count: (event: ConnectionEvent) => void;
  /** By their ends: the socket of TLS is another one than that which was accepted. */
  readonly #open = new Map<string, Connection>();
  /** By what requests are read from. Its ends take longer to look up. */
  readonly #secured = new WeakMap<Socket, Connection>();
  readonly #timer: ReturnType<typeof setInterval>;
  #phase: "serving" | "draining" | "closing" = "serving";

  constructor(limits: ConnectionLimits, count: (event: ConnectionEvent) => void) {
    this.#limits = limits;
    this.#count = count;
    this.#timer = setInterval(() => this.#sweep(performance.now()), limits.sweep);
    this.#timer.unref();
  }

  get size(): number {
    return this.#open.size;
  }

  /** Takes a connection that was accepted. @returns whether there is a place; otherwise it is closed */
  accept(raw: Socket): boolean {
    raw.on("error", () => raw.destroy());
    const ends = endsOf(raw);
    if (this.#open.size >= this.#limits.connections && !this.#evict()) {
      this.#count("refused");
      raw.destroy();
      return false;
    }
    const connection: Connection = { ends, socket: raw, state: { name: "handshake", since: performance.now() } };
    this.#open.set(ends, connection);
    this.#count("accepted");
    raw.on("close", () => {
      if (this.#open.get(ends) !== connection) return;
      this.#open.delete(ends);
      if (connection.state.name === "handshake") this.#count("tls_failed");
    });
    return true;
  }

  /** The handshake is done. @returns whether the connection is still wanted; otherwise it is closed */
  secured(socket: Socket): boolean {
    const connection = this.#open.get(endsOf(socket));
    if (connection === undefined) {
      socket.destroy();
      return false;
    }
    connection.socket = socket;
    this.#secured.set(socket, connection);
    connection.state = { name: "first", since: performance.now(), bytes: 0 };
    return true;
  }

  /**
   * The header of a request was read.
   *
   * @returns whether it may be answered. Not where the answer before is not written yet: no client of these protocols
   *   sends a request before it has the last answer, and a hostile one could have any number of them answered at one time
   */
  requested(socket: Socket, response: ServerResponse): boolean {
    const connection = this.#secured.get(socket);
    if (connection === undefined || this.#open.get(connection.ends) !== connection) return false;
    const { state } = connection;
    if (state.name === "answering" && !state.response.writableEnded) {
      this.#end(connection, "pipelined");
      return false;
    }
    const answering: State = { name: "answering", since: performance.now(), response };
    connection.state = answering;
    if (this.#phase !== "serving") response.setHeader("connection", "close");
    response.once("close", () => {
      if (connection.state !== answering) return;
      connection.state = { name: "idle", since: performance.now(), bytes: connection.socket.bytesRead };
      if (this.#phase === "closing") connection.socket.destroySoon();
    });
    return true;
  }

  /** Whether a request of it is being answered. */
  isAnswering(socket: Socket): boolean {
    return this.#secured.get(socket)?.state.name === "answering";
  }

  /** From now on answers say `Connection: close`, those under way too if nothing of them was sent. */
  drain(): void {
    if (this.#phase === "serving") this.#phase = "draining";
    for (const { state } of this.#open.values()) {
      if (state.name === "answering" && !state.response.headersSent) state.response.setHeader("connection", "close");
    }
  }

  /** Closes those that wait for a request, and each other once it has one answer more. New ones may still send one. */
  finish(): void {
    this.drain();
    this.#phase = "closing";
    for (const { socket, state } of this.#open.values()) if (state.name === "idle") socket.destroySoon();
  }

  /** Closes all. */
  close(): void {
    clearInterval(this.#timer);
    for (const { socket } of this.#open.values()) socket.destroy();
  }

  #sweep(now: number): void {
    const limits = this.#phase === "closing" ? { ...this.#limits, handshake: LATE, first: LATE } : this.#limits;
    for (const connection of this.#open.values()) {
      const event = overdue(connection, now, limits);
      if (event !== undefined) this.#end(connection, event);
    }
  }

  /** @returns whether there was one to close */
  #evict(): boolean {
    let oldest: Connection | undefined;
    for (const connection of this.#open.values()) {
      if (connection.state.name === "answering") continue;
      if (oldest === undefined || connection.state.since < oldest.state.since) oldest = connection;
    }
    if (oldest === undefined) return false;
    this.#end(oldest, "evicted");
    return true;
  }

  #end(connection: Connection, event: ConnectionEvent): void {
    this.#open.delete(connection.ends);
    this.#count(event);
    connection.socket.destroy();
  }
}

function overdue({ state, socket }: Connection, now: number, limits: ConnectionLimits): ConnectionEvent | undefined {
  const age = now - state.since;
  switch (state.name) {
    case "handshake":
      return age >= limits.handshake ? "handshake_timeout" : undefined;
    case "answering":
      if (state.response.writableEnded) state.writtenAt ??= now;
      return age >= limits.answer || now - (state.writtenAt ?? now) >= limits.taken ? "answer_timeout" : undefined;
    case "first":
    case "idle":
      // Clients that keep a connection open send nothing until they have a request.
      if (socket.bytesRead > state.bytes) state.headerSince ??= now;
      if (now - (state.headerSince ?? now) >= limits.header) return "header_timeout";
      return age >= (state.name === "first" ? limits.first : limits.idle) ? "idle_timeout" : undefined;
  }
}

function endsOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}
