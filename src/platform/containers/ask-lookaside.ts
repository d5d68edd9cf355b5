import { connect } from "node:net";

/** The first line of an answer. */
export interface LookasideAnswer {
  readonly status: number;
  /** Untrusted: printed only as printable text. */
  readonly phrase: string;
}

/** Milliseconds in which a daemon on loopback answers what needs no network; systemd may have to start it. */
const TIMEOUT = 15_000;
/** Bytes of which the first line is read. */
const MAX_HEAD = 4096;

/**
 * Asks the lookaside responder as containers/image does, and reads no more than the status line. Not by fetch: what is asked
 * is a fixed address of this machine, past every proxy.
 *
 * @param target of the request: begins with `/`
 * @returns the answer, or why there is none, as a clause
 */
export function askLookaside(address: string, port: number, target: string): Promise<LookasideAnswer | string> {
  return new Promise((resolve) => {
    let head = "";
    const socket = connect({ host: address, port });
    const end = (result: LookasideAnswer | string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    };
    const timer = setTimeout(() => end(`it did not answer within ${TIMEOUT / 1000} s`), TIMEOUT);
    const host = `${address.includes(":") ? `[${address}]` : address}:${port}`;
    socket.once("connect", () => {
      socket.write(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    });
    socket.on("data", (chunk: Buffer) => {
      head += chunk.toString("latin1");
      const [, status, phrase] = /^HTTP\/1\.[01] (\d{3}) ?([^\r\n]*)\r?\n/.exec(head) ?? [];
      if (status !== undefined && phrase !== undefined) end({ status: Number(status), phrase });
      else if (head.length > MAX_HEAD) end("its answer is no HTTP");
    });
    socket.on("end", () => end("it closed the connection without an answer"));
    socket.on("error", (error) => end(error.message));
  });
}
