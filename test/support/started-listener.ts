import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { type Agent, request as httpsRequest } from "node:https";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import type { GateName } from "../../src/core/config/server-settings.ts";
import { limitsFor } from "../../src/frontends/server/listening/listen-limits.ts";
import { type Handler, listen } from "../../src/frontends/server/listening/listener.ts";
import { CertificateAuthority, type TlsIdentity } from "./certificates.ts";

const HOST = "127.0.0.1";
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
/** Of the servers, and of their clients. */
export const authority = new CertificateAuthority("Cluster CA");
export const first = authority.issue({ names: [HOST, "first.svc"] });
export const second = authority.issue({ names: [HOST, "second.svc"] });
export const client = authority.issue({ names: ["api-server"], purposes: [CLIENT_AUTH] });
/** Of another authority. */
export const foreign = new CertificateAuthority("Another").issue({ names: ["api-server"], purposes: [CLIENT_AUTH] });

interface Options {
  readonly gates?: readonly GateName[];
  readonly handler?: Handler;
  readonly limits?: Partial<ReturnType<typeof limitsFor>>;
  readonly isPlain?: true;
  /** Authority of clients. */
  readonly ca?: string;
}

const stops: (() => Promise<void>)[] = [];
let folder: string | undefined;

/** The path of a file of the listener that was started last. */
export function file(name: "tls.crt" | "tls.key" | "ca.crt"): string {
  folder ??= mkdtempSync(join(tmpdir(), "listener-"));
  return join(folder, name);
}

/** A listener on a free port of loopback, and what it counted and said. */
export async function startListener(options: Options = {}) {
  const { gates = ["admit"], handler = echo, limits = {}, isPlain, ca } = options;
  const write = ({ cert, key }: TlsIdentity) => {
    writeFileSync(file("tls.crt"), cert);
    writeFileSync(file("tls.key"), key, { mode: 0o600 });
  };
  write(first);
  if (ca !== undefined) writeFileSync(file("ca.crt"), ca);
  const tls = {
    certFile: file("tls.crt"),
    keyFile: file("tls.key"),
    ...(ca !== undefined && { clientCaFile: file("ca.crt") }),
  };
  const seen = {
    counted: [] as string[],
    warned: [] as string[],
    reloaded: [] as boolean[],
    said: [] as string[],
    failed: [] as unknown[],
  };
  const listening = await listen(
    { key: "server", address: HOST, port: 0, gates, ...(isPlain === undefined && { tls }) },
    handler,
    {
      count: (event) => seen.counted.push(event),
      warn: (text) => seen.warned.push(text),
      reloaded: (_, isUsed, message) => {
        seen.reloaded.push(isUsed);
        seen.said.push(message);
      },
      failed: (error) => seen.failed.push(error),
    },
    { ...limitsFor(gates), ...limits },
  );
  stops.push(() => listening.stop(0));
  return { ...seen, ...listening, write };
}

/** Stops all listeners, and removes their files. */
export async function stopListeners(): Promise<void> {
  await Promise.all(stops.splice(0).map((stop) => stop()));
  if (folder !== undefined) rmSync(folder, { recursive: true });
  folder = undefined;
}

/** Answers with the target and the length of the body. */
export const echo: Handler = async (request, response) => {
  let size = 0;
  for await (const chunk of request) size += (chunk as Uint8Array).length;
  response.end(`${request.url} ${size}`);
};

/** Sends these bytes. @returns what comes back until the server closes the connection, with an error in brackets */
export function sendPlain(port: number, bytes: string, later?: (socket: Socket) => void): Promise<string> {
  return collect(connect({ port, host: HOST, allowHalfOpen: true }), "connect", bytes, later);
}

/** As {@link sendPlain}. */
export function sendTls(port: number, bytes: string, options: ConnectionOptions = {}): Promise<string> {
  return collect(dial(port, options), "secureConnect", bytes);
}

export function dial(port: number, options: ConnectionOptions = {}): TLSSocket {
  return connectTls({ port, host: HOST, ca: authority.cert, ...options });
}

function collect(socket: Socket, ready: string, bytes: string, later?: (socket: Socket) => void): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      text += `[${error.code}]`;
    });
    socket.on("end", () => socket.destroy());
    socket.on("close", () => resolve(text));
    socket.once(ready, () => {
      socket.write(bytes, "latin1");
      later?.(socket);
    });
  });
}

/** A request without a body. */
export function requestOf(target: string, ...fields: readonly string[]): string {
  return [`GET ${target} HTTP/1.1`, "Host: x", ...fields, "", ""].join("\r\n");
}

/** Asks over TLS. @returns status, Connection and body */
export function ask(port: number, options: { agent?: Agent; path?: string } & ConnectionOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = httpsRequest(
      { host: HOST, port, path: "/", ca: authority.cert, agent: false, ...options },
      (answer: IncomingMessage) => {
        let body = "";
        answer.on("data", (chunk: Buffer) => {
          body += chunk.toString();
        });
        answer.on("end", () => resolve(`${answer.statusCode} ${answer.headers.connection} ${body}`));
      },
    );
    asked.on("error", reject);
    asked.end();
  });
}

/** Waits until it is so. */
export async function until(isSo: () => boolean): Promise<void> {
  for (const began = performance.now(); !isSo(); await new Promise((resolve) => setTimeout(resolve, 5))) {
    if (performance.now() - began > 3000) throw new Error("it did not come to be within 3 s");
  }
}
