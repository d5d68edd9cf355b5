import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import { describe, expect, it, vi } from "vitest";
import { BodyReader } from "../../../../src/frontends/server/request-body.ts";

const MAX = 1024 * 1024;

class Answer extends EventEmitter {
  readonly headers = new Map<string, string>();
  setHeader(name: string, value: string): void {
    this.headers.set(name, value);
  }
}

/** A request with these headers whose body the test writes. */
function request(headers: Readonly<Record<string, string>> = {}) {
  return Object.assign(new PassThrough(), { headers });
}

describe("the body of a request", () => {
  it("is read whole", async () => {
    const asked = request({ "content-type": "application/json; charset=utf-8" });
    const read = new BodyReader().read(asked, new Answer(), MAX, 1000);
    asked.write("{");
    asked.end("}");
    expect(Buffer.from((await read) as Uint8Array).toString()).toBe("{}");
  });

  it("may come without a type, as Kyverno's does", async () => {
    const asked = request();
    asked.end("{}");
    expect(await new BodyReader().read(asked, new Answer(), MAX, 1000)).toHaveLength(2);
  });

  it.each(["text/plain", "application/jsonx", "application/x-www-form-urlencoded", "multipart/form-data", ""])(
    "is refused as %j",
    async (type) => {
      const answer = new Answer();
      const refused = await new BodyReader().read(request({ "content-type": type }), answer, MAX, 1000);
      expect(refused).toMatchObject({ status: 415 });
      expect(answer.headers.get("connection")).toBe("close");
    },
  );

  it("is refused where it is compressed", async () => {
    const read = new BodyReader().read(request({ "content-encoding": "gzip" }), new Answer(), MAX, 1000);
    expect(await read).toMatchObject({ status: 415 });
  });

  it("is refused by its length before it is read", async () => {
    const asked = request({ "content-length": String(MAX + 1) });
    expect(await new BodyReader().read(asked, new Answer(), MAX, 1000)).toMatchObject({ status: 413 });
    expect(asked.listenerCount("data")).toBe(0);
  });

  it("is refused at the first byte too many where no length is said, and read no further", async () => {
    const asked = request();
    const answer = new Answer();
    const read = new BodyReader().read(asked, answer, 10, 1000);
    asked.write("x".repeat(11));
    expect(await read).toMatchObject({ status: 413 });
    expect([asked.isPaused(), asked.listenerCount("data")]).toEqual([true, 0]);
    expect(answer.headers.get("connection")).toBe("close");
  });

  it("is given up where it does not arrive in time", async () => {
    vi.useFakeTimers();
    try {
      const slow = new BodyReader().read(request(), new Answer(), MAX, 60_000);
      const late = new BodyReader().read(request(), new Answer(), MAX, 100);
      await vi.advanceTimersByTimeAsync(100);
      expect(await late).toMatchObject({ status: 408 });
      await vi.advanceTimersByTimeAsync(4900);
      expect(await slow).toMatchObject({ status: 408 });
    } finally {
      vi.useRealTimers();
    }
  });

  it("ends where the client goes away", async () => {
    const asked = request();
    const read = new BodyReader().read(asked, new Answer(), MAX, 1000);
    asked.write("{");
    asked.destroy();
    expect(await read).toMatchObject({ status: 400 });
  });

  it("counts with all others until it is answered, but for its first 64 KiB", async () => {
    const reader = new BodyReader(300 * 1024);
    const large = "x".repeat(264 * 1024);
    const first = { asked: request(), answer: new Answer() };
    const second = { asked: request(), answer: new Answer() };
    first.asked.end(large);
    expect(await reader.read(first.asked, first.answer, MAX, 1000)).toHaveLength(large.length);
    second.asked.end(large);
    expect(await reader.read(second.asked, second.answer, MAX, 1000)).toMatchObject({ status: 503 });
    const ordinary = request();
    ordinary.end("x".repeat(64 * 1024));
    expect(await reader.read(ordinary, new Answer(), MAX, 1000)).toHaveLength(64 * 1024);
    second.answer.emit("close");
    first.answer.emit("close");
    const third = request();
    third.end(large);
    expect(await reader.read(third, new Answer(), MAX, 1000)).toHaveLength(large.length);
  });

  it("counts no longer where the answer was given before it was read", async () => {
    const reader = new BodyReader(100 * 1024);
    const asked = request();
    const answer = new Answer();
    const read = reader.read(asked, answer, MAX, 1000);
    answer.emit("close");
    asked.end("x".repeat(160 * 1024));
    expect(await read).toMatchObject({ status: 503 });
    const other = request();
    other.end("x".repeat(160 * 1024));
    expect(await reader.read(other, new Answer(), MAX, 1000)).toHaveLength(160 * 1024);
  });
});
