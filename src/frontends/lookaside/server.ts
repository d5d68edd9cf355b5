import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createListener, type Socket } from "node:net";
import { listenText } from "../../core/config/listen-address.ts";
import type { LookasideSettings } from "../../core/config/lookaside-settings.ts";
import { reject } from "../../core/rejection.ts";
import { hasCode } from "../../io/fs/error-code.ts";
import { ROOT } from "./peer-queue.ts";
import { peerOf } from "./peer-uid.ts";

/** The file descriptor of the first socket that systemd passes (sd_listen_fds(3)). */
const INHERITED = 3;
/** Bytes of all header fields. Stops a client from filling memory. */
const MAX_HEADERS = 8192;
/** Milliseconds from the connection to the end of its request's header. Stops clients that send nothing. */
const HEADER_TIME = 5000;
/** Connections at one time, of them those for root alone, and those of one user. Stop users from taking the places of others. */
const MAX_CONNECTIONS = 256;
const OF_ROOT = 64;
const MAX_OF_PEER = 32;

/** Header fields, beside `Sec-Fetch-*`, that only browsers send. */
const OF_BROWSERS: ReadonlySet<string> = new Set(["origin", "referer", "cookie"]);

/** What a request is answered with. */
export interface Reply {
  readonly status: number;
  /** In the status line: printable ASCII. */
  readonly phrase: string;
  readonly body?: Uint8Array;
}

/** Answers the target of a request, as it stands in its line. @param peer who asks */
export type Respond = (target: string, peer: string) => Promise<Reply>;

interface Listening {
  /** Takes no further connection; resolves once those under way are answered. */
  readonly stop: () => Promise<void>;
}

/**
 * Serves one request for each connection, on the address of loopback that the configuration names.
 *
 * Web pages must get no answer: `Host` must be that address, since a page's own host name can resolve to it, and no
 * header of a browser may be there. Bun's own server drops the phrase of the status line, by which the reason reaches the
 * user, and node:http cannot listen on a socket of systemd there, so node:net listens (decision 0064).
 *
 * @param isInherited whether systemd holds the socket, as descriptor 3
 * @throws Rejection config.invalid where it cannot listen
 */
export async function listen(settings: LookasideSettings, isInherited: boolean, respond: Respond): Promise<Listening> {
  const host = listenText(settings);
  /** All connections, and those of which no request was read yet. */
  const all = new Set<Socket>();
  const open = new Map<Socket, string>();
  const answering = new Set<Promise<void>>();
  const web = createServer({ maxHeaderSize: MAX_HEADERS }, (request, response) => {
    const { socket } = request;
    const peer = open.get(socket);
    // A second request on one connection: it is closed after the first.
    if (peer === undefined) return void socket.destroy();
    open.delete(socket);
    const work = answer(request, response, { host, peer, respond }).finally(() => answering.delete(work));
    answering.add(work);
  });
  web.on("clientError", (_, socket) => socket.destroy());
  for (const event of ["upgrade", "connect"]) web.on(event, (request: IncomingMessage) => request.socket.destroy());
  const listener = createListener((socket) => {
    const peer = peerOf(socket);
    const ofPeer = [...open.values()].filter((other) => other === peer).length;
    const most = peer === ROOT ? MAX_CONNECTIONS : MAX_CONNECTIONS - OF_ROOT;
    if (ofPeer >= MAX_OF_PEER || all.size >= most) return void socket.destroy();
    all.add(socket);
    open.set(socket, peer);
    const timer = setTimeout(() => open.delete(socket) && socket.destroy(), HEADER_TIME);
    socket.on("close", () => {
      clearTimeout(timer);
      all.delete(socket);
      open.delete(socket);
    });
    socket.on("error", () => socket.destroy());
    web.emit("connection", socket);
  });
  try {
    await new Promise<void>((resolve, fail) => {
      listener.once("error", fail);
      if (isInherited) listener.listen({ fd: INHERITED }, resolve);
      else listener.listen(settings.port, settings.address, resolve);
    });
  } catch (error) {
    const why = `cannot listen on ${host} (lookaside.listen): ${(error as Error).message}`;
    reject("config.invalid", `${why}${adviceFor(error, settings.port)}`, error);
  }
  const { address, port } = listener.address() as AddressInfo;
  if (address !== settings.address || port !== settings.port) {
    const found = listenText({ address, port });
    reject(
      "config.invalid",
      `the socket that systemd passes is ${found}, but lookaside.listen is ${host}; make them agree`,
    );
  }
  const stop = async (): Promise<void> => {
    listener.close();
    for (const socket of open.keys()) socket.destroy();
    await Promise.all(answering);
  };
  return { stop };
}

function adviceFor(error: unknown, port: number): string {
  if (hasCode(error, "EACCES"))
    return "; a port below 1024 is root's, and systemd takes it: systemctl start atcr-verify-lookaside.socket";
  if (!hasCode(error, "EADDRINUSE")) return "";
  const ours = "if it is systemd's for atcr-verify-lookaside.socket, nothing else needs to be started";
  return `; see who has the port: ss -ltnp 'sport = :${port}'; ${ours}`;
}

interface Asked {
  /** The only one that a request may name. */
  readonly host: string;
  readonly peer: string;
  readonly respond: Respond;
}

async function answer(request: IncomingMessage, response: ServerResponse, asked: Asked): Promise<void> {
  const {
    status,
    phrase,
    body = new Uint8Array(),
  } = refuseForeign(request, asked.host) ?? (await asked.respond(request.url ?? "", asked.peer));
  response.writeHead(status, phrase, {
    connection: "close",
    "content-length": body.length,
    "content-type": "application/octet-stream",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(body);
}

/** A request that no program of containers/image sends. */
function refuseForeign({ method, httpVersion, rawHeaders }: IncomingMessage, host: string): Reply | undefined {
  const names = rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
  const hosts = names.flatMap((name, i) => (name === "host" ? [rawHeaders[2 * i + 1]] : []));
  if (hosts.length !== 1 || hosts[0] !== host) return { status: 400, phrase: `the host of this server is ${host}` };
  if (names.some((name) => OF_BROWSERS.has(name) || name.startsWith("sec-fetch-")))
    return { status: 403, phrase: "requests of web pages are refused" };
  if (httpVersion !== "1.1") return { status: 400, phrase: "only HTTP/1.1 is answered" };
  if (method !== "GET") return { status: 405, phrase: "only GET is answered" };
  if (names.some((name) => name === "content-length" || name === "transfer-encoding"))
    return { status: 400, phrase: "no body is read" };
  return undefined;
}
