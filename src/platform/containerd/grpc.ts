import type { ClientHttp2Session, IncomingHttpHeaders } from "node:http2";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectSocket } from "node:net";

// Enough of gRPC to speak to containerd: its framing over HTTP/2, and messages that consist of strings and
// messages only.

/** A gRPC status other than OK. */
export class GrpcError extends Error {
  readonly status: number;

  constructor(method: string, status: number, message: string) {
    super(`${method} answered with gRPC status ${status}: ${message}`);
    this.status = status;
  }
}

/** Why a session ended; its calls themselves only report that they were canceled. */
const endings = new WeakMap<ClientHttp2Session, Error>();

/** Connects to a Unix socket. If that fails, each call reports why. */
export function connectGrpc(socket: string): ClientHttp2Session {
  const session = connectHttp2("http://localhost", { createConnection: () => connectSocket(socket) });
  session.on("error", (error: Error) => endings.set(session, error));
  return session;
}

/**
 * Connects to a Unix socket for some calls, and disconnects.
 *
 * @param timeout milliseconds for all of them
 * @throws what `use` throws; Error if there is no answer in time
 */
export async function useGrpc<T>(
  socket: string,
  timeout: number,
  use: (session: ClientHttp2Session) => Promise<T>,
): Promise<T> {
  const session = connectGrpc(socket);
  const late = () => session.destroy(new Error(`containerd did not answer within ${timeout / 1000} s`));
  const timer = setTimeout(late, timeout);
  try {
    return await use(session);
  } finally {
    clearTimeout(timer);
    session.destroy();
  }
}

/** The last value of each length-delimited field, by number. */
export type Fields = ReadonlyMap<number, Uint8Array>;

const GRPC_PREFIX = 5;

/** Bytes of an answer: twice what containerd sends at most. */
const MAX_ANSWER = 32 * 1024 * 1024;

/** One call. @param method `/SERVICE/METHOD` @returns the fields of the answer @throws as {@link callRaw} */
export async function call(
  session: ClientHttp2Session,
  method: string,
  message: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<Fields> {
  return readFields(await callRaw(session, method, message, headers));
}

/**
 * One call.
 *
 * @param headers in addition to those of gRPC
 * @returns the message of the answer
 * @throws GrpcError if the status is not OK, Error if there is no answer
 */
export function callRaw(
  session: ClientHttp2Session,
  method: string,
  message: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ...headers,
      ":method": "POST",
      ":path": method,
      "content-type": "application/grpc",
      te: "trailers",
    });
    const chunks: Buffer[] = [];
    let size = 0;
    let status = "-1";
    let reason = "no status";
    const readStatus = (answer: IncomingHttpHeaders): void => {
      status = answer["grpc-status"]?.toString() ?? status;
      reason = answer["grpc-message"]?.toString() ?? reason;
    };
    // An error without a body has its status in the headers, all others in the trailers.
    stream.on("response", readStatus);
    stream.on("trailers", readStatus);
    stream.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_ANSWER) stream.destroy(new Error(`${method} answered with more than ${MAX_ANSWER} bytes`));
      else chunks.push(chunk);
    });
    stream.on("error", (error: Error) => reject(endings.get(session) ?? error));
    stream.on("close", () => {
      if (status === "0") resolve(Buffer.concat(chunks).subarray(GRPC_PREFIX));
      else reject(new GrpcError(method, Number(status), unescaped(reason)));
    });
    const prefix = Buffer.alloc(GRPC_PREFIX);
    prefix.writeUInt32BE(message.length, 1);
    stream.end(Buffer.concat([prefix, message]));
  });
}

/** gRPC percent-encodes messages; an invalid encoding is returned as it is. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A field as text; empty if it is absent. */
export function textOf(fields: Fields, number: number): string {
  return Buffer.from(fields.get(number) ?? "").toString();
}

/** One length-delimited field of protobuf. */
export function encodeField(number: number, value: Uint8Array): Uint8Array {
  return Buffer.concat([varint((number << 3) | 2), varint(value.length), value]);
}

function varint(value: number): Uint8Array {
  const bytes = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) {
    bytes.push((rest & 0x7f) | 0x80);
  }
  return Uint8Array.of(...bytes, rest);
}

/** Reads a message: the last value of each field. @throws Error if it is malformed */
export function readFields(message: Uint8Array): Fields {
  return new Map(readAll(message));
}

/** Reads a message: each field, in order. @throws Error as {@link readFields} */
export function readAll(message: Uint8Array): readonly (readonly [number: number, value: Uint8Array])[] {
  const fields: [number, Uint8Array][] = [];
  let position = 0;
  const readVarint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[position++];
      if (byte === undefined) throw new Error("a protobuf message ends in the middle of a number");
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (position < message.length) {
    const tag = readVarint();
    switch (tag & 7) {
      case 0:
        readVarint();
        break;
      case 2: {
        const length = readVarint();
        if (position + length > message.length) throw new Error("a protobuf message ends in the middle of a field");
        fields.push([tag >>> 3, message.subarray(position, position + length)]);
        position += length;
        break;
      }
      default:
        throw new Error(`unexpected protobuf wire type ${tag & 7}`);
    }
  }
  return fields;
}
