import type { ClientHttp2Session, IncomingHttpHeaders } from "node:http2";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectSocket } from "node:net";

// Enough of the Kubernetes CRI (runtime.v1) to pull as a kubelet does: gRPC's framing over HTTP/2 and
// messages that consist of strings and messages only.

/** An answer of gRPC other than OK. */
export class GrpcError extends Error {
  readonly status: number;

  constructor(method: string, status: number, message: string) {
    super(`${method} answered with gRPC status ${status}: ${message}`);
    this.status = status;
  }
}

export interface CriClient {
  /** `RuntimeService/Version`. */
  version(): Promise<{ name: string; version: string }>;
  /** `ImageService/PullImage`: the image's id. @throws GrpcError when refused */
  pullImage(name: string): Promise<string>;
  /** `ImageService/ImageStatus`: the image's id, or undefined when it is not there. */
  imageStatus(name: string): Promise<string | undefined>;
  /** `ImageService/RemoveImage`. Removing what is not there succeeds. */
  removeImage(name: string): Promise<void>;
  close(): void;
}

/** Connects to containerd's socket. */
export function connectCri(socket: string): CriClient {
  const session = connectHttp2("http://localhost", { createConnection: () => connectSocket(socket) });
  session.on("error", () => {
    // Every call that it ends reports it.
  });
  const image = (name: string): Uint8Array => field(1, field(1, Buffer.from(name)));
  return {
    async version() {
      const answer = await call(session, "/runtime.v1.RuntimeService/Version", new Uint8Array());
      return { name: text(answer, 2), version: text(answer, 3) };
    },
    async pullImage(name) {
      return text(await call(session, "/runtime.v1.ImageService/PullImage", image(name)), 1);
    },
    async imageStatus(name) {
      const found = (await call(session, "/runtime.v1.ImageService/ImageStatus", image(name))).get(1);
      return found && text(readFields(found), 1);
    },
    async removeImage(name) {
      await call(session, "/runtime.v1.ImageService/RemoveImage", image(name));
    },
    close() {
      session.close();
    },
  };
}

/** The last value of each length-delimited field, by number. */
type Fields = ReadonlyMap<number, Uint8Array>;

const GRPC_PREFIX = 5;

function call(session: ClientHttp2Session, method: string, message: Uint8Array): Promise<Fields> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": method,
      "content-type": "application/grpc",
      te: "trailers",
    });
    const chunks: Buffer[] = [];
    let status = "-1";
    let reason = "no status";
    const readStatus = (headers: IncomingHttpHeaders): void => {
      status = headers["grpc-status"]?.toString() ?? status;
      reason = headers["grpc-message"]?.toString() ?? reason;
    };
    // An error without a body has its status in the headers, all others in the trailers.
    stream.on("response", readStatus);
    stream.on("trailers", readStatus);
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("close", () => {
      if (status === "0") {
        resolve(readFields(Buffer.concat(chunks).subarray(GRPC_PREFIX)));
      } else {
        reject(new GrpcError(method, Number(status), decodeURIComponent(reason)));
      }
    });
    const prefix = Buffer.alloc(GRPC_PREFIX);
    prefix.writeUInt32BE(message.length, 1);
    stream.end(Buffer.concat([prefix, message]));
  });
}

function text(fields: Fields, number: number): string {
  return Buffer.from(fields.get(number) ?? "").toString();
}

/** One length-delimited field of protobuf. */
function field(number: number, value: Uint8Array): Uint8Array {
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

function readFields(message: Uint8Array): Fields {
  const fields = new Map<number, Uint8Array>();
  let position = 0;
  const readVarint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[position++];
      if (byte === undefined) {
        throw new Error("a protobuf message ends in the middle of a number");
      }
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        return value;
      }
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
        fields.set(tag >>> 3, message.subarray(position, position + length));
        position += length;
        break;
      }
      default:
        throw new Error(`protobuf wire type ${tag & 7} was not expected in these messages`);
    }
  }
  return fields;
}
