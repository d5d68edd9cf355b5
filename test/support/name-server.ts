import { createSocket, type Socket } from "node:dgram";
import { parseIp } from "../../src/core/encoding/ip-address.ts";
import { throughFile } from "./mounted-file.ts";

/** How a question is answered: with records, or with a response code; or not at all. */
export type Answer = readonly string[] | "no such name" | "server failure" | "refused" | "silent";

const RESPONSE_CODES = { "no such name": 3, "server failure": 2, refused: 5 } as const;
const TYPES = { A: 1, TXT: 16, AAAA: 28 } as const;
type Type = keyof typeof TYPES;
const HEADER = 12;

/**
 * A name server over UDP (RFC 1035) at port 53 of a loopback address of its own, for which it needs root.
 * Unknown names do not exist.
 */
export class NameServer {
  /** By type and name: `TXT _atproto.a.example`, `A a.example`, `AAAA a.example`. May be changed at any time. */
  readonly answers = new Map<string, Answer>();
  /** Every query received. */
  readonly asked: string[] = [];
  readonly #address: string;
  readonly #socket: Socket = createSocket("udp4");

  private constructor(address: string) {
    this.#address = address;
    this.#socket.on("message", (query, { port, address: from }) => {
      const reply = this.#reply(query);
      if (reply !== undefined) this.#socket.send(reply, port, from);
    });
  }

  /** @param net tells servers of one process apart: the second number of the address */
  static async start(net: number): Promise<NameServer> {
    const server = new NameServer(ownAddress(net));
    await new Promise<void>((resolve, reject) =>
      server.#socket.once("error", reject).bind(53, server.#address, resolve),
    );
    return server;
  }

  stop(): void {
    this.#socket.close();
  }

  /**
   * A program that runs another, with its arguments, in a mount namespace where this is the only name
   * server.
   *
   * @param folder where a file may be written
   * @param more further lines of resolv.conf
   */
  through(folder: string, more = ""): readonly string[] {
    const text = `search search.example\nnameserver ${this.#address}\n${more}`;
    return throughFile("/etc/resolv.conf", text, folder);
  }

  #reply(query: Buffer): Buffer | undefined {
    const labels: string[] = [];
    let at = HEADER;
    for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
      labels.push(query.toString("latin1", at + 1, at + 1 + length));
      at += 1 + length;
    }
    const end = at + 5;
    const asked = query.readUInt16BE(at + 1);
    const type = (Object.keys(TYPES) as Type[]).find((name) => TYPES[name] === asked);
    const question = `${type ?? "other"} ${labels.join(".")}`;
    this.asked.push(question);
    const answer = this.answers.get(question) ?? (this.#exists(labels.join(".")) ? [] : "no such name");
    if (answer === "silent") return undefined;
    const records = typeof answer === "string" ? [] : answer.map((text) => record(type ?? "A", text));
    const reply = Buffer.concat([query.subarray(0, end), ...records]);
    reply.writeUInt16BE(0x8180 | (typeof answer === "string" ? RESPONSE_CODES[answer] : 0), 2);
    for (const [i, count] of [1, records.length, 0, 0].entries()) reply.writeUInt16BE(count, 4 + 2 * i);
    return reply;
  }

  #exists(name: string): boolean {
    return [...this.answers.keys()].some((question) => question.endsWith(` ${name}`));
  }
}

/** A loopback address of this process's own, because another test run may be in progress. */
export function ownAddress(net: number): string {
  return `127.${net}.${(process.pid >> 8) & 255}.${process.pid & 255}`;
}

/** A resource record about the name in the question; a text is split after 255 characters. */
function record(type: Type, text: string): Buffer {
  const data = type === "TXT" ? strings(text) : Buffer.from(parseIp(text) ?? []);
  const head = Buffer.from([0xc0, HEADER, 0, TYPES[type], 0, 1, 0, 0, 0, 0, 0, 0]);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function strings(text: string): Buffer {
  const parts = text.match(/.{1,255}/gs) ?? [""];
  return Buffer.concat(parts.map((part) => Buffer.concat([Buffer.of(part.length), Buffer.from(part, "latin1")])));
}
