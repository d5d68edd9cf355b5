import { HttpFailure } from "./exchange.ts";
import { errorCode } from "./failure.ts";

/** First allocation for a body whose length is not announced, in bytes. */
const FIRST_BUFFER = 16 * 1024;

/**
 * Reads a response's body to its end, but never more than `maxBytes`: neither an endless body nor
 * one that inflates to much more than it is (a zip bomb) can take memory.
 *
 * @param response attacker-controlled
 * @param maxBytes cap in bytes, on what is received and on what it inflates to
 * @param signal ends the reading, also of a body that never stops to trickle
 * @returns what it had where the signal aborted: the caller looks at the signal
 * @throws HttpFailure `bad_response` where the body is too large, breaks off, is not as long as
 *   announced or is encoded in a way that was not asked for
 */
export async function readBody(response: Response, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
  const announced = announcedLength(response.headers);
  if (announced !== undefined && announced > maxBytes)
    throw tooLarge(`announces a body of ${announced} bytes,`, maxBytes);

  const received = await readCapped(response.body, maxBytes, announced, signal);
  if (signal.aborted) return received;
  if (announced !== undefined && received.length !== announced) {
    throw new HttpFailure("bad_response", `announces a body of ${announced} bytes and sends ${received.length}`);
  }

  const encoding = response.headers.get("content-encoding")?.trim().toLowerCase() ?? "identity";
  if (encoding === "identity" || encoding === "" || received.length === 0) return received;
  if (encoding === "gzip" || encoding === "x-gzip") return inflate(received, maxBytes);
  throw new HttpFailure("bad_response", "encodes the body, though asked not to, and not by gzip");
}

/**
 * The Content-Length, where it says how the body ends (RFC 9112, section 6.3). Length and
 * Transfer-Encoding together are how a message is read differently by two parties, and codings
 * other than chunked are not undone by Bun: both are refused.
 */
function announcedLength(headers: Headers): number | undefined {
  const length = headers.get("content-length");
  const coding = headers.get("transfer-encoding");
  if (coding !== null && (length !== null || coding.trim().toLowerCase() !== "chunked")) {
    const how =
      length === null ? "a Transfer-Encoding other than chunked" : "both Transfer-Encoding and Content-Length";
    throw new HttpFailure("bad_response", `frames the body by ${how}`);
  }
  return length === null ? undefined : Number(length);
}

async function readCapped(
  body: ReadableStream<Uint8Array> | null,
  maxBytes: number,
  announced: number | undefined,
  signal: AbortSignal,
): Promise<Uint8Array> {
  if (body === null) return new Uint8Array(0);
  const reader = body.getReader();
  const cancel = (): void => void reader.cancel().catch(() => {});
  signal.addEventListener("abort", cancel);
  if (signal.aborted) cancel();

  // One buffer that grows, not a list of chunks: a list of a million one-byte chunks takes a
  // hundred times their size.
  let buffer = new Uint8Array(Math.min(announced ?? FIRST_BUFFER, maxBytes));
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read().catch((cause: unknown) => {
      if (signal.aborted) return { done: true, value: undefined } as const;
      const how = `breaks off after ${length} bytes of the body (${errorCode(cause)})`;
      throw new HttpFailure("bad_response", how, { cause });
    });
    if (done) break;
    if (length + value.length > maxBytes) {
      cancel();
      throw tooLarge("sends", maxBytes);
    }
    if (length + value.length > buffer.length) {
      const larger = new Uint8Array(Math.min(Math.max(2 * buffer.length, length + value.length), maxBytes));
      larger.set(buffer.subarray(0, length));
      buffer = larger;
    }
    buffer.set(value, length);
    length += value.length;
  }
  signal.removeEventListener("abort", cancel);
  return buffer.subarray(0, length);
}

/** gzip came although identity was asked for: some servers store it so and cannot do else. */
async function inflate(bytes: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  const { gunzipSync } = await import("node:zlib"); // 2 ms of start-up for what almost never comes
  try {
    return gunzipSync(bytes, { maxOutputLength: maxBytes });
  } catch (cause) {
    const code = (cause as { code?: unknown }).code;
    if (code === "ERR_BUFFER_TOO_LARGE") throw tooLarge(`sends ${bytes.length} bytes that inflate to`, maxBytes);
    throw new HttpFailure("bad_response", `sends a body that is not valid gzip (${String(code)})`, { cause });
  }
}

function tooLarge(what: string, maxBytes: number): HttpFailure {
  return new HttpFailure("bad_response", `${what} more than the ${maxBytes} bytes that are read`);
}
