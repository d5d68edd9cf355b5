import type { Socket } from "node:net";
import { constants, deflateRawSync, gzipSync } from "node:zlib";
import { carFile, cidOfBytes, encodeBlock, rawCar } from "./forged-proof.ts";

/** One request of a victim, and what a behaviour needs to misbehave. */
export interface Victim {
  readonly socket: Socket;
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  /** Value of the Host header. */
  readonly authority: string;
  readonly scheme: "http" | "https";
  /** How many requests the server got before this one. */
  readonly nth: number;
  /** Calls `step` every so often until it answers false, the socket closes or the server stops. */
  readonly every: (milliseconds: number, step: () => boolean) => void;
  /** Resets the connection, below TLS. */
  readonly reset: () => void;
}

export type Behaviour = (victim: Victim) => Promise<void> | void;

const INDEX_TYPE = "application/vnd.oci.image.index.v1+json";
const CAR_TYPE = "application/vnd.ipld.car";
const MIB = 1024 * 1024;
/** What the endless behaviours send at most, should the victim never hang up. */
const ENOUGH = 256 * MIB;

/** Behaviours after a request was read. The names say what the victim sees. */
export const HOSTILE_BEHAVIOURS = {
  // --- silence and slowness ---
  "no answer": () => {},
  "one byte a second": ({ socket, every }) => {
    socket.write(head(200, { "content-type": "application/json", "content-length": "10000" }));
    every(1000, () => socket.write("[") || true);
  },
  "a header byte a second": ({ socket, every }) => {
    socket.write("HTTP/1.1 200 OK\r\nx-slow: ");
    every(1000, () => socket.write("a") || true);
  },
  "a stalled body": ({ socket }) => {
    socket.write(`${head(200, { "content-type": "application/json", "content-length": "100" })}{"a":`);
  },
  "informational answers without end": ({ socket, every }) => {
    every(1, () => socket.write("HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n") || true);
  },

  // --- too much ---
  "headers without end": ({ socket }) => {
    socket.write("HTTP/1.1 200 OK\r\n");
    pour(socket, Buffer.from(`x-filler: ${"a".repeat(1000)}\r\n`.repeat(60)));
  },
  "a header of one MiB": ({ socket }) => {
    end(socket, `${head(200, { "x-huge": "a".repeat(MIB), "content-length": "2" })}{}`);
  },
  "a body without end": ({ socket }) => {
    socket.write(head(200, { "content-type": "application/json", "transfer-encoding": "chunked" }));
    pour(socket, Buffer.from(`10000\r\n${" ".repeat(0x10000)}\r\n`));
  },
  "a body without end or framing": ({ socket }) => {
    socket.write(head(200, { "content-type": "application/json", connection: "close" }));
    pour(socket, Buffer.alloc(0x10000, " "));
  },
  "a gzip bomb": ({ socket }) => {
    const body = bomb();
    end(socket, head(200, gzipped({ "content-length": String(body.length) })), body);
  },
  "a gzip bomb without end": ({ socket }) => {
    socket.write(head(200, gzipped({ connection: "close" })));
    socket.write(Buffer.from("1f8b0800000000000003", "hex"));
    // A full flush forgets what came before, so the same deflate block may follow itself for ever.
    const block = deflateRawSync(Buffer.alloc(16 * MIB), { finishFlush: constants.Z_FULL_FLUSH });
    pour(socket, block, 4 * MIB); // 4 GiB, inflated
  },
  "2,000 referrers": ({ socket }) => {
    const manifests = Array.from({ length: 2000 }, (_, index) => referrer(index));
    sendJson(socket, { schemaVersion: 2, mediaType: INDEX_TYPE, manifests }, { "content-type": INDEX_TYPE });
  },
  "pages without end": ({ socket, url, nth }) => {
    const path = url.split("?")[0];
    const headers = { "content-type": INDEX_TYPE, link: `<${path}?page=${nth + 1}>; rel="next"` };
    sendJson(socket, { schemaVersion: 2, mediaType: INDEX_TYPE, manifests: [] }, headers);
  },
  "JSON nested deep": ({ socket }) => {
    const depth = 200_000;
    sendBytes(socket, Buffer.from("[".repeat(depth) + "]".repeat(depth)), { "content-type": "application/json" });
  },
  "JSON nested deep in a known field": ({ socket }) => {
    const depth = 100_000;
    const nested = `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
    const text = `{"schemaVersion":2,"mediaType":"${INDEX_TYPE}","manifests":[${nested}],"id":${nested}}`;
    sendBytes(socket, Buffer.from(text), { "content-type": INDEX_TYPE });
  },
  "CBOR nested deep": async ({ socket }) => {
    sendBytes(socket, await carOfDeepCbor(), { "content-type": CAR_TYPE });
  },
  "a CAR header nested deep": ({ socket }) => {
    sendBytes(socket, rawCar(deepCbor(500_000), []), { "content-type": CAR_TYPE });
  },
  "a CAR of many empty blocks": async ({ socket }) => {
    sendBytes(socket, await carOfEmptyBlocks(50_000), { "content-type": CAR_TYPE });
  },
  "a CAR of a million empty blocks": async ({ socket }) => {
    const [first, piece] = [await carOfEmptyBlocks(1), await emptyBlocks(1000)];
    socket.write(head(200, { "content-type": CAR_TYPE }));
    socket.write(first);
    pour(socket, piece, 999 * piece.length); // 37 MB, without a length that would give it away
  },
  "a CAR that announces a block of 2^50 bytes": async ({ socket }) => {
    const whole = await carOfEmptyBlocks(0);
    const size = Buffer.from("8080808080808002", "hex");
    sendBytes(socket, Buffer.concat([whole, size]), { "content-type": CAR_TYPE });
  },

  // --- broken off and wrong ---
  "closed without an answer": ({ socket }) => {
    socket.end();
  },
  "reset before the answer": ({ reset }) => {
    reset();
  },
  "reset within the body": ({ socket, every, reset }) => {
    socket.write(`${head(200, { "content-type": "application/json", "content-length": "1000" })}{"a":1`);
    every(50, () => {
      reset();
      return false;
    });
  },
  "a truncated body": ({ socket }) => {
    end(socket, `${head(200, { "content-type": "application/json", "content-length": "1000" })}[]`);
  },
  "a truncated chunked body": ({ socket }) => {
    end(socket, `${head(200, { "content-type": "application/json", "transfer-encoding": "chunked" })}2\r\n[]\r\n`);
  },
  "a truncated gzip body": ({ socket }) => {
    const whole = gzipSync(JSON.stringify({ a: "b".repeat(1000) }));
    const body = whole.subarray(0, whole.length / 2);
    end(socket, head(200, gzipped({ "content-length": String(body.length) })), body);
  },
  "gzip in name only": ({ socket }) => {
    sendBytes(socket, Buffer.from("[]"), gzipped({}));
  },
  "a longer body than announced": ({ socket }) => {
    end(socket, `${head(200, { "content-type": "application/json", "content-length": "2" })}[]garbage after the end`);
  },
  "two lengths": ({ socket }) => {
    end(socket, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 4\r\nconnection: close\r\n\r\n[]  ");
  },
  "a negative length": ({ socket }) => {
    end(socket, `${head(200, { "content-length": "-1" })}[]`);
  },
  "not HTTP": ({ socket }) => {
    end(socket, "SSH-2.0-OpenSSH_9.6\r\n");
  },
  "no status": ({ socket }) => {
    end(socket, "HTTP/1.1 OK\r\ncontent-length: 2\r\n\r\n[]");
  },
  "another content type": ({ socket }) => {
    sendBytes(socket, Buffer.from("<!doctype html><title>Welcome</title>"), { "content-type": "text/html" });
  },
  "an empty body": ({ socket }) => {
    sendBytes(socket, Buffer.alloc(0), { "content-type": "application/json" });
  },
  "status 204": ({ socket }) => {
    end(socket, "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
  },
  "status 206": ({ socket }) => {
    const headers = { "content-range": "bytes 0-1/1000", "content-length": "2", "content-type": "application/json" };
    end(socket, `${head(206, headers)}[]`);
  },
  "JSON null": ({ socket }) => {
    sendJson(socket, null);
  },
  "JSON of another shape": ({ socket }) => {
    const text = '{"schemaVersion":"2","manifests":{"length":1000000000},"id":[],"__proto__":{"length":1},"service":7}';
    sendBytes(socket, Buffer.from(text), { "content-type": "application/json" });
  },
  "JSON in invalid UTF-8": ({ socket }) => {
    sendBytes(socket, Buffer.from("7b2261223a22fffe227d", "hex"), { "content-type": "application/json" });
  },

  // --- refusing ---
  "status 401": ({ socket }) => {
    sendJson(socket, {}, { "www-authenticate": "Basic" }, 401);
  },
  "status 429": ({ socket }) => {
    sendJson(socket, { error: "RateLimitExceeded" }, { "retry-after": "3600" }, 429);
  },
  "status 500": ({ socket }) => {
    sendJson(socket, { error: "InternalServerError" }, {}, 500);
  },
  "status 503": ({ socket }) => {
    sendJson(socket, {}, { "retry-after": "1" }, 503);
  },

  // --- sending elsewhere ---
  "a redirect loop": ({ socket, url, authority, scheme }) => {
    redirect(socket, `${scheme}://${authority}${url}`);
  },
  "redirects without end": ({ socket, nth }) => {
    redirect(socket, `/hop/${nth + 1}`);
  },
  "a redirect to a link-local address": ({ socket, scheme }) => {
    redirect(socket, `${scheme}://169.254.169.254/latest/meta-data/`);
  },
  "a redirect to a private address": ({ socket, scheme }) => {
    redirect(socket, `${scheme}://10.0.0.1/`);
  },
  "a redirect to another loopback address": ({ socket, scheme, authority, url }) => {
    redirect(socket, `${scheme}://127.9.9.9:${portOf(authority)}${url}`);
  },
  "a redirect to a mapped address": ({ socket, scheme, authority, url }) => {
    redirect(socket, `${scheme}://[::ffff:127.0.0.1]:${portOf(authority)}${url}`);
  },
  "a redirect to a file": ({ socket }) => {
    redirect(socket, "file:///etc/passwd");
  },
  "a redirect to plain http": ({ socket, authority, url }) => {
    redirect(socket, `http://${authority}${url}`);
  },
  "a redirect with credentials": ({ socket, scheme, authority, url }) => {
    redirect(socket, `${scheme}://user:secret@${authority}${url}`);
  },
  "a redirect without a place": ({ socket }) => {
    end(socket, head(302, { "content-length": "0" }));
  },
  "a next page elsewhere": ({ socket, scheme, authority }) => {
    const link = `<${scheme}://127.9.9.9:${portOf(authority)}/v2/a/referrers/b>; rel="next"`;
    const index = { schemaVersion: 2, mediaType: INDEX_TYPE, manifests: [] };
    sendJson(socket, index, { "content-type": INDEX_TYPE, link });
  },
} as const satisfies Record<string, Behaviour>;

export type HostileBehaviour = keyof typeof HOSTILE_BEHAVIOURS;

/** All names, for tables of tests. */
export const HOSTILE_NAMES = Object.keys(HOSTILE_BEHAVIOURS) as readonly HostileBehaviour[];

function head(status: number, headers: Record<string, string>): string {
  const lines = Object.entries({ connection: "close", ...headers }).map(([name, value]) => `${name}: ${value}`);
  return `HTTP/1.1 ${status} Whatever\r\n${lines.join("\r\n")}\r\n\r\n`;
}

function end(socket: Socket, ...parts: readonly (string | Uint8Array)[]): void {
  for (const part of parts) socket.write(part);
  socket.end();
}

function sendBytes(socket: Socket, body: Uint8Array, headers: Record<string, string>, status = 200): void {
  end(socket, head(status, { "content-length": String(body.length), ...headers }), body);
}

function sendJson(socket: Socket, value: unknown, headers: Record<string, string> = {}, status = 200): void {
  sendBytes(socket, Buffer.from(JSON.stringify(value)), { "content-type": "application/json", ...headers }, status);
}

function redirect(socket: Socket, location: string): void {
  end(socket, head(302, { location, "content-length": "0" }));
}

function gzipped(headers: Record<string, string>): Record<string, string> {
  return { "content-type": "application/json", "content-encoding": "gzip", ...headers };
}

/** Writes the chunk repeatedly, as fast as the victim reads. */
function pour(socket: Socket, piece: Uint8Array, limit: number = ENOUGH): void {
  let sent = 0;
  const more = (): void => {
    while (sent < limit) {
      sent += piece.length;
      if (!socket.write(piece)) {
        socket.once("drain", more);
        return;
      }
    }
    socket.destroy();
  };
  more();
}

function portOf(authority: string): string {
  return authority.slice(authority.lastIndexOf(":") + 1);
}

function referrer(index: number): Record<string, unknown> {
  return {
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    digest: `sha256:${index.toString(16).padStart(64, "0")}`,
    size: 500,
    artifactType: "application/vnd.atproto.signature.v1+json",
  };
}

let bombBytes: Buffer | undefined;

/** 64 MiB of zeros in about 64 KiB. */
function bomb(): Buffer {
  bombBytes ??= gzipSync(Buffer.alloc(64 * MIB));
  return bombBytes;
}

/** An array in an array in an array. */
export function deepCbor(depth: number): Uint8Array {
  const bytes = new Uint8Array(depth + 1).fill(0x81);
  bytes[depth] = 0x80;
  return bytes;
}

/** A CAR whose root is deeply nested CBOR, with the hash that belongs to it. */
export async function carOfDeepCbor(depth = 500_000): Promise<Uint8Array> {
  const bytes = deepCbor(depth);
  const cid = (await cidOfBytes(bytes)).bytes;
  return carFile([cid], [{ cid, bytes }]);
}

/** A CAR's section for a block of no bytes (which hashes to its CID), repeated. */
async function emptyBlocks(count: number): Promise<Uint8Array> {
  const one = (await carOfEmptyBlocks(1)).subarray((await carOfEmptyBlocks(0)).length);
  return Buffer.concat(Array.from({ length: count }, () => one));
}

/** A CAR of one block of no bytes (which hashes to its CID), repeated. */
export async function carOfEmptyBlocks(count: number): Promise<Uint8Array> {
  const empty = await cidOfBytes(new Uint8Array());
  const header = await encodeBlock({ version: 1, roots: [empty] });
  const block = { cid: empty.bytes, bytes: new Uint8Array() };
  return rawCar(
    header.bytes,
    Array.from({ length: count }, () => block),
  );
}
