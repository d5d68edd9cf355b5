import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createListener, type Server, type Socket } from "node:net";
import { listenText } from "../../../core/config/listen-address.ts";
import type { Listener, TlsFiles } from "../../../core/config/server-settings.ts";
import { Rejection, reject } from "../../../core/rejection.ts";
import { hasCode } from "../../../io/fs/error-code.ts";
import { TlsFault } from "./certificates.ts";
import { type ConnectionEvent, Connections } from "./connections.ts";
import { type ListenLimits, limitsFor, minimalTls } from "./listen-limits.ts";
import { ReloadingFront } from "./reloading-front.ts";
import type { TlsFront } from "./tls-front.ts";

export type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

export interface ListenHooks {
  readonly count: (event: ConnectionEvent) => void;
  /** The certificate's files changed, and were read or could not be used. @param message a line for people */
  readonly reloaded: (files: TlsFiles, isUsed: boolean, message: string) => void;
  /** A line for people. */
  readonly warn: (text: string) => void;
  /** The handler threw. */
  readonly failed: (error: unknown) => void;
}

export interface Listening {
  /** That was taken, where the settings say 0. */
  readonly port: number;
  /** Connections that are open. */
  readonly open: () => number;
  /** End of the certificate that new connections get, milliseconds since 1970; undefined without TLS. */
  readonly certificateUntil: () => number | undefined;
  /** Reads the certificate's files again now. */
  readonly reload: () => void;
  /** From now on answers say `Connection: close`, so that clients go elsewhere; connections are still accepted. */
  readonly drain: () => void;
  /**
   * Drains, accepts no further connection, closes those that wait for a request, and resolves when all answers are given.
   *
   * @param grace milliseconds until the remaining connections are closed without an answer
   */
  readonly stop: (grace: number) => Promise<void>;
}

/** Bytes of all header fields, a bearer token among them. Stops a client from filling memory. */
const MAX_HEADERS = 8192;
/** Milliseconds without anything from the other end, until the kernel asks whether it is still there. */
const KEEP_ALIVE = 30_000;

/**
 * Serves HTTP/1.1 on one address. node:net accepts, so that another certificate needs no other listener and no connection
 * is refused meanwhile (decision 0072).
 *
 * @throws Rejection config.invalid where it cannot listen, or the certificate cannot be used
 */
export async function listen(
  served: Listener,
  handler: Handler,
  hooks: ListenHooks,
  limits: ListenLimits = limitsFor(served.gates),
): Promise<Listening> {
  const connections = new Connections(limits, hooks.count);
  // Connections looks after those that are kept.
  const options = { maxHeaderSize: MAX_HEADERS, keepAliveTimeout: 0 };
  const web = createServer(options, (request, response) => {
    if (!connections.requested(request.socket, response)) return;
    void answer(request, response, handler, hooks);
  });
  web.on("clientError", (error, socket) => {
    hooks.count("bad_request");
    if (socket.writable && !connections.isAnswering(socket as Socket)) socket.write(refusalOf(error));
    (socket as Socket).destroySoon();
  });
  web.on("connect", (_, socket) => socket.destroy());
  const begin = (socket: Socket): void => {
    if (connections.secured(socket)) web.emit("connection", socket);
  };
  const front = frontOf(served, begin, hooks);
  const listener = createListener({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE }, (raw) => {
    if (!connections.accept(raw)) return;
    if (front === undefined) begin(raw);
    else front.shake(raw);
  });
  await bind(listener, served);
  const polling = front && setInterval(() => front.poll(), limits.poll).unref();
  return {
    port: (listener.address() as AddressInfo).port,
    open: () => connections.size,
    certificateUntil: () => front?.until,
    reload: () => front?.poll(),
    drain: () => connections.drain(),
    stop: async (grace) => {
      clearInterval(polling);
      const closed = new Promise<void>((resolve) => {
        listener.close(() => resolve());
      });
      connections.finish();
      const timer = setTimeout(() => connections.close(), grace);
      await closed;
      clearTimeout(timer);
      connections.close();
    },
  };
}

/** At the start, a file that cannot be used is named by its key too. */
function frontOf({ key, tls, gates }: Listener, secured: TlsFront, hooks: ListenHooks): ReloadingFront | undefined {
  try {
    return tls && new ReloadingFront(tls, minimalTls(gates), secured, hooks);
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    const part = error instanceof TlsFault ? `.${error.part}` : "";
    return reject(error.code, `${error.message} (${key}.tls${part})`, error);
  }
}

async function bind(listener: Server, { key, address, port }: Listener): Promise<void> {
  try {
    await new Promise<void>((resolve, fail) => {
      listener.once("error", fail);
      listener.listen(port, address, resolve);
    });
  } catch (error) {
    const advice = hasCode(error, "EADDRINUSE") ? `; see who has the port: ss -ltnp 'sport = :${port}'` : "";
    const where = listenText({ address, port });
    reject("config.invalid", `cannot listen on ${where} (${key}.listen): ${(error as Error).message}${advice}`, error);
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  handler: Handler,
  { count, failed }: ListenHooks,
): Promise<void> {
  try {
    if (isUnderstood(request)) return await handler(request, response);
    count("bad_request");
    response.writeHead(400, { connection: "close" }).end();
  } catch (error) {
    failed(error);
    if (response.headersSent) response.destroy();
    else response.writeHead(500, { connection: "close" }).end();
  }
}

/** A target with a host of its own would have to be compared with Host, and HTTP/0.9 has neither status nor length. */
function isUnderstood({ url, httpVersion, rawHeaders }: IncomingMessage): boolean {
  const hosts = rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === "host").length;
  return url?.startsWith("/") === true && (httpVersion === "1.1" ? hosts === 1 : httpVersion === "1.0" && hosts <= 1);
}

function refusalOf(error: unknown): string {
  const status = hasCode(error, "HPE_HEADER_OVERFLOW") ? "431 Request Header Fields Too Large" : "400 Bad Request";
  return `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
}
