import type { Readable } from "node:stream";

/** Bytes of an AdmissionReview: the object and the one before, of at most 1.5 MiB each in etcd, as JSON may escape them. */
export const MAX_REVIEW_BODY = 8 * 1024 * 1024;
/** Bytes of any other request: 1000 names of images. */
export const MAX_QUESTION_BODY = 1024 * 1024;
/** Bytes of all bodies that were read and are not answered yet, without the first of each. Stops them from filling memory. */
const MAX_BODIES = 16 * 1024 * 1024;
/** Bytes of a body that count towards nothing, as no connection has a second one: those of an ordinary pod. */
const FREE = 64 * 1024;
/** Milliseconds from the header to the end of the body. Stops clients that send slowly from holding its bytes. */
const MAX_BODY_TIME = 5000;

/** Why a body is not read, and the status to say so. */
export interface BodyRefusal {
  readonly status: 400 | 408 | 413 | 415 | 503;
  readonly why: string;
}

/** What is needed of node:http's request and its answer. */
type Incoming = Readable & { readonly headers: Readonly<Record<string, string | readonly string[] | undefined>> };
interface Outgoing {
  readonly setHeader: (name: string, value: string) => unknown;
  readonly once: (event: "close", listener: () => void) => unknown;
}

/** Reads the bodies of requests, within what all of them together may take. */
export class BodyReader {
  readonly #most: number;
  #taken = 0;

  /** @param most bytes of all bodies */
  constructor(most: number = MAX_BODIES) {
    this.#most = most;
  }

  /**
   * Reads the body of a POST, of which the bytes count until the answer is given.
   *
   * @param max bytes
   * @param remaining milliseconds until the request's deadline
   */
  async read(request: Incoming, response: Outgoing, max: number, remaining: number): Promise<Uint8Array | BodyRefusal> {
    const refusal = refuseHeaders(request, max);
    if (refusal !== undefined) return this.#refuse(response, refusal);
    let counted = 0;
    let isAnswered = false;
    response.once("close", () => {
      isAnswered = true;
      this.#taken -= counted;
    });
    const take = (size: number): boolean => {
      const more = Math.max(0, size - FREE) - counted;
      if (isAnswered || this.#taken + more > this.#most) return false;
      counted += more;
      this.#taken += more;
      return true;
    };
    const read = await readAll(request, { max, take, time: Math.min(MAX_BODY_TIME, remaining) });
    return "status" in read ? this.#refuse(response, read) : read;
  }

  /** What follows on the connection is the rest of this body. */
  #refuse(response: Outgoing, refusal: BodyRefusal): BodyRefusal {
    response.setHeader("connection", "close");
    return refusal;
  }
}

function refuseHeaders({ headers }: Incoming, max: number): BodyRefusal | undefined {
  const type = headers["content-type"];
  // Kyverno's apiCall sends none.
  if (type !== undefined && !/^application\/json[ \t]*(?:;|$)/i.test(String(type))) {
    return { status: 415, why: "expected a body of the type application/json" };
  }
  if (headers["content-encoding"] !== undefined) return { status: 415, why: "expected a body without an encoding" };
  return Number(headers["content-length"] ?? 0) > max ? tooLarge(max) : undefined;
}

interface Reading {
  readonly max: number;
  /** Counts the bytes so far. @returns whether there is memory for them */
  readonly take: (size: number) => boolean;
  /** Milliseconds. */
  readonly time: number;
}

function readAll(request: Incoming, { max, take, time }: Reading): Promise<Uint8Array | BodyRefusal> {
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    const done = (result: Uint8Array | BodyRefusal): void => {
      clearTimeout(timer);
      request.off("data", more);
      if ("status" in result) request.pause();
      resolve(result);
    };
    const more = (chunk: Uint8Array): void => {
      size += chunk.length;
      if (size > max) done(tooLarge(max));
      else if (!take(size)) done({ status: 503, why: "too many bodies are being read" });
      else chunks.push(chunk);
    };
    const timer = setTimeout(() => done({ status: 408, why: "the body did not arrive in time" }), time);
    request.on("data", more);
    request.on("end", () => done(Buffer.concat(chunks, size)));
    // Nobody reads this any more; a promise without an end would keep its place.
    for (const event of ["error", "close"])
      request.on(event, () => done({ status: 400, why: "the body is incomplete" }));
  });
}

function tooLarge(max: number): BodyRefusal {
  return { status: 413, why: `expected a body of at most ${max} bytes` };
}
