import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { readBody } from "../../../../src/io/net/body.ts";
import { HttpFailure } from "../../../../src/io/net/exchange.ts";

const LIMIT = 100_000;
const never = new AbortController().signal;

function chunks(...parts: (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(typeof part === "string" ? Buffer.from(part) : part);
      controller.close();
    },
  });
}

async function read(
  body: ReadableStream<Uint8Array> | null,
  headers: Record<string, string> = {},
  maxBytes = LIMIT,
): Promise<string> {
  try {
    return Buffer.from(await readBody(new Response(body, { headers }), maxBytes, never)).toString();
  } catch (error) {
    return error instanceof HttpFailure ? error.kind : String(error);
  }
}

describe("readBody", () => {
  it("joins chunks of any size", async () => {
    expect(await read(chunks("ab", "", "c"))).toBe("abc");
    const many = Array.from({ length: 50_000 }, (_, i) => String(i % 10));
    expect(await read(chunks(...many))).toBe(many.join(""));
    expect(await read(null)).toBe("");
  });

  it("keeps no larger buffer than the body", async () => {
    const encodings = { identity: "abc", gzip: gzipSync("abc") };
    for (const [encoding, body] of Object.entries(encodings)) {
      const response = new Response(chunks(body), { headers: { "content-encoding": encoding } });
      expect((await readBody(response, LIMIT, never)).buffer.byteLength).toBe(3);
    }
  });

  it("reads as much as the cap and no byte more", async () => {
    expect(await read(chunks("12", "345"), {}, 5)).toBe("12345");
    expect(await read(chunks("12", "3456"), {}, 5)).toBe("bad_response");
    expect(await read(chunks("12345"), { "content-length": "5" }, 5)).toBe("12345");
    expect(await read(chunks("123456"), { "content-length": "5" }, 5)).toBe("bad_response");
  });

  it("stops reading at the cap", async () => {
    let pulled = 0;
    let cancelled = false;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled += 1;
        controller.enqueue(new Uint8Array(1000));
      },
      cancel() {
        cancelled = true;
      },
    });
    expect(await read(endless, {}, 10_000)).toBe("bad_response");
    expect(cancelled).toBe(true);
    expect(pulled).toBeLessThan(20);
  });

  it("refuses an announced length over the cap unread", async () => {
    let pulled = 0;
    const source = { pull: () => void pulled++, type: "bytes" as const };
    expect(await read(new ReadableStream(source), { "content-length": "6" }, 5)).toBe("bad_response");
    expect(pulled).toBe(0);
  });

  it.each(["2", "4"])("refuses 3 bytes announced as %s", async (length) => {
    expect(await read(chunks("abc"), { "content-length": length })).toBe("bad_response");
  });

  it("refuses framing that can be read in two ways", async () => {
    expect(await read(chunks("abc"), { "transfer-encoding": "chunked" })).toBe("abc");
    expect(await read(chunks("abc"), { "transfer-encoding": "Chunked" })).toBe("abc");
    expect(await read(chunks("abc"), { "transfer-encoding": "gzip, chunked" })).toBe("bad_response");
    expect(await read(chunks("abc"), { "transfer-encoding": "chunked", "content-length": "3" })).toBe("bad_response");
  });

  it("inflates gzip under the same cap", async () => {
    const zipped = gzipSync("x".repeat(1000));
    for (const name of ["gzip", "x-gzip", " GZIP "]) {
      expect(await read(chunks(zipped), { "content-encoding": name }, 1000)).toBe("x".repeat(1000));
    }
    expect(await read(chunks(zipped), { "content-encoding": "gzip" }, 999)).toBe("bad_response");
    expect(await read(chunks(zipped.subarray(0, -4)), { "content-encoding": "gzip" })).toBe("bad_response");
    expect(await read(chunks("[]"), { "content-encoding": "gzip" })).toBe("bad_response");
    expect(await read(null, { "content-encoding": "gzip" })).toBe("");
  });

  it("refuses every other encoding", async () => {
    for (const name of ["br", "deflate", "zstd", "gzip, gzip"]) {
      expect(await read(chunks("abc"), { "content-encoding": name })).toBe("bad_response");
    }
    expect(await read(chunks("abc"), { "content-encoding": "identity" })).toBe("abc");
  });

  it("takes a stream that breaks for a bad response", async () => {
    const breaking = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.error(Object.assign(new Error("closed"), { code: "ECONNRESET" }));
      },
    });
    expect(await read(breaking)).toBe("bad_response");
  });

  it("ends with the signal, also where the stream heeds none", async () => {
    for (const signal of [AbortSignal.timeout(20), AbortSignal.abort()]) {
      const silent = new ReadableStream<Uint8Array>({ pull: () => new Promise<void>(() => {}) });
      expect((await readBody(new Response(silent), LIMIT, signal)).length).toBe(0);
    }
  });
});
