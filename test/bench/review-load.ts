import { connect, type TLSSocket } from "node:tls";

/** Where reviews are sent. */
export interface Target {
  readonly port: number;
  /** PEM. */
  readonly ca: string;
  /** With its query. */
  readonly path: string;
}

/** What a load came to; times in milliseconds. */
export interface Load {
  /** Of each answer. */
  readonly latencies: readonly number[];
  /** From the first request to the last answer. */
  readonly wall: number;
  /** Answers that were not the expected ones, and connections that ended. */
  readonly errors: number;
  /** The first of them. */
  readonly error: string | undefined;
}

/** Answers with a text that a load expects, such as `"allowed":true`. */
export type Review = { readonly body: string; readonly expected: string };

const PATIENCE = 30_000;

/**
 * One kept TLS connection on which one request follows the other. By hand, because a client library's work would be
 * counted as the server's latency where both share two cores.
 */
class ReviewConnection {
  readonly #target: Target;
  #socket: TLSSocket | undefined;
  #received: Buffer[] = [];
  #waiting: { done: (answer: string) => void; fail: (error: Error) => void } | undefined;

  constructor(target: Target) {
    this.#target = target;
  }

  /** Connects, so that no handshake is measured. */
  open(): Promise<void> {
    const socket = connect({ host: "127.0.0.1", port: this.#target.port, ca: this.#target.ca });
    socket.setNoDelay(true);
    this.#socket = socket;
    this.#received = [];
    socket.on("data", (chunk: Buffer) => {
      this.#received.push(chunk);
      this.#take();
    });
    const failed = (why: string) => () => {
      this.#socket = undefined;
      this.#waiting?.fail(new Error(why));
    };
    socket.once("error", failed("the connection failed"));
    socket.once("close", failed("the connection was closed"));
    return new Promise((done, fail) => {
      socket.once("secureConnect", done);
      socket.once("error", fail);
    });
  }

  async ask({ body }: Review): Promise<string> {
    if (this.#socket === undefined) await this.open();
    const head = `POST ${this.#target.path} HTTP/1.1\r\nHost: 127.0.0.1:${this.#target.port}\r\nContent-Type: application/json\r\n`;
    const timer = setTimeout(() => this.#socket?.destroy(), PATIENCE);
    try {
      return await new Promise<string>((done, fail) => {
        this.#waiting = { done, fail };
        this.#socket?.write(`${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
      });
    } finally {
      clearTimeout(timer);
      this.#waiting = undefined;
    }
  }

  #take(): void {
    const all = Buffer.concat(this.#received);
    const end = all.indexOf("\r\n\r\n");
    if (end === -1) return;
    const length = /\r\ncontent-length: *(\d+)/i.exec(all.subarray(0, end).toString("latin1"))?.[1];
    if (length === undefined) {
      this.#waiting?.fail(new Error("an answer without its length"));
      return;
    }
    if (all.length < end + 4 + Number(length)) return;
    this.#received = [];
    this.#waiting?.done(all.toString("utf8"));
  }

  close(): void {
    this.#socket?.destroy();
  }
}

/** Kept connections to one server. */
export class ReviewClients {
  readonly #connections: readonly ReviewConnection[];

  private constructor(connections: readonly ReviewConnection[]) {
    this.#connections = connections;
  }

  static async open(count: number, target: Target): Promise<ReviewClients> {
    const connections = Array.from({ length: count }, () => new ReviewConnection(target));
    // A few at a time, as a server's queue of new connections is short.
    for (let at = 0; at < count; at += 20) {
      await Promise.all(connections.slice(at, at + 20).map((connection) => connection.open()));
    }
    return new ReviewClients(connections);
  }

  /** Each connection asks again as soon as it is answered, until there is no further review. */
  async closedLoop(next: () => Review | undefined): Promise<Load> {
    const tally = new Tally();
    await Promise.all(
      this.#connections.map(async (connection) => {
        for (let review = next(); review !== undefined; review = next()) {
          await tally.count(connection, review, performance.now());
        }
      }),
    );
    return tally.load();
  }

  /**
   * Reviews begin at a fixed rate, whatever the answers take: one that finds no free connection waits, and the wait is
   * part of its time.
   */
  async openLoop(perSecond: number, seconds: number, review: Review): Promise<Load> {
    const tally = new Tally();
    const free = [...this.#connections];
    const due: number[] = [];
    const started: Promise<void>[] = [];
    const serve = (): void => {
      while (free.length > 0 && due.length > 0) {
        const [connection, at] = [free.pop() as ReviewConnection, due.shift() as number];
        const asked = tally.count(connection, review, at).then(() => {
          free.push(connection);
          serve();
        });
        started.push(asked);
      }
    };
    const begun = performance.now();
    for (let sent = 0; sent < perSecond * seconds; ) {
      const now = performance.now();
      for (; sent < perSecond * seconds && begun + (sent * 1000) / perSecond <= now; sent++) {
        due.push(begun + (sent * 1000) / perSecond);
      }
      serve();
      await new Promise((done) => setTimeout(done, 1));
    }
    while (due.length > 0) await new Promise((done) => setTimeout(done, 1));
    await Promise.all(started);
    return tally.load();
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }
}

class Tally {
  readonly #begun = performance.now();
  readonly #latencies: number[] = [];
  #errors = 0;
  #error: string | undefined;

  async count(connection: ReviewConnection, review: Review, since: number): Promise<void> {
    try {
      const answer = await connection.ask(review);
      this.#latencies.push(performance.now() - since);
      if (!answer.includes(review.expected)) this.#failed(answer.slice(-600));
    } catch (error) {
      this.#failed(String(error));
    }
  }

  #failed(why: string): void {
    this.#errors += 1;
    this.#error ??= why;
  }

  load(): Load {
    const wall = performance.now() - this.#begun;
    return { latencies: this.#latencies, wall, errors: this.#errors, error: this.#error };
  }
}

/** @param share 0.5 is the median; @returns NaN where there are no values */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
