import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export interface ProxyOptions {
  /** Required `user:password`. */
  readonly credentials?: string;
  /** Loopback ports by name: `plc.example:443` to 40001. */
  readonly ports?: Readonly<Record<string, number>>;
}

/** An HTTP proxy on loopback: CONNECT, and requests in absolute form. Names are resolved by its table. */
export class StandInProxy {
  /** Heads of the requests, in order. */
  readonly asked: string[] = [];
  readonly ports = new Map<string, number>();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #credentials: string | undefined;

  private constructor({ credentials, ports = {} }: ProxyOptions) {
    this.#credentials = credentials;
    for (const [name, port] of Object.entries(ports)) this.ports.set(name, port);
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async start(options: ProxyOptions = {}): Promise<StandInProxy> {
    const proxy = new StandInProxy(options);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  /** `127.0.0.1:40001` */
  get authority(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get origin(): string {
    return `http://${this.authority}`;
  }

  /** CONNECT targets, or URLs. */
  get targets(): readonly string[] {
    return this.asked.map((head) => head.split(" ")[1] ?? "");
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => this.#sockets.delete(socket));
  }

  #serve(socket: Socket): void {
    this.#track(socket);
    let received = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      received = Buffer.concat([received, chunk]);
      const end = received.indexOf("\r\n\r\n");
      if (end < 0) return;
      socket.off("data", onData);
      this.#answer(socket, received.subarray(0, end + 4).toString("latin1"));
    };
    socket.on("data", onData);
  }

  #answer(socket: Socket, head: string): void {
    this.asked.push(head);
    const wanted = this.#credentials && `Basic ${Buffer.from(this.#credentials).toString("base64")}`;
    if (wanted !== undefined && /^proxy-authorization: *(.*)\r$/im.exec(head)?.[1] !== wanted) {
      socket.end("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n");
      return;
    }
    const [method = "", target = "", version = ""] = head.split(/ |\r\n/, 3);
    const url = method === "CONNECT" ? undefined : new URL(target);
    const port = this.ports.get(url === undefined ? target : `${url.hostname}:${url.port || "80"}`);
    if (port === undefined) {
      socket.end("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
      return;
    }
    const upstream = connect(port, "127.0.0.1", () => {
      if (url === undefined) socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      else upstream.write(head.replace(`${target} ${version}`, `${url.pathname}${url.search} ${version}`));
      upstream.pipe(socket);
      socket.pipe(upstream);
    });
    this.#track(upstream);
    socket.once("close", () => upstream.destroy());
    upstream.once("close", () => socket.destroy());
  }
}
