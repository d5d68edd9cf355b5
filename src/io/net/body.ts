import { HttpFailure } from "./exchange.ts";
import { errorCode } from "./failure.ts";

/** Initial buffer in bytes for a body without a Content-Length. */
const FIRST_BUFFER = 16 * 1024;

/**
 * Reads a response's body to its end, but never more than `maxBytes`: neither an endless body nor a zip bomb can
 * exhaust memory.
 *
 * @param response attacker-controlled
 * @param maxBytes cap in bytes, before and after decompression
 * @param signal stops reading, also of a body that arrives slowly without end
 * @returns the bytes so far if the signal aborted: the caller checks the signal
 * @throws HttpFailure `bad_response` where the body is too large, is cut off, differs from its Content-Length, or has
 *   an encoding that was not requested
 */
export async function readBody(response: Response, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
  const announced = announcedLength(response.headers);
  if (announced !== undefined && announced > maxBytes)
    throw tooLarge(`announced a body of ${announced} bytes,`, maxBytes);

  const received = await readCapped(response.body, maxBytes, announced, signal);
  if (signal.aborted) return received;
  if (announced !== undefined && received.length !== announced) {
    throw new HttpFailure("bad_response", `announced a body of ${announced} bytes but sent ${received.length}`);
  }

  const encoding = response.headers.get("content-encoding")?.trim().toLowerCase() ?? "identity";
  if (encoding === "identity" || encoding === "" || received.length === 0) return received;
  if (encoding === "gzip" || encoding === "x-gzip") return inflate(received, maxBytes);
  throw new HttpFailure("bad_response", "sent a body in an encoding that was not requested and is not gzip");
}

/**
 * The Content-Length, where it delimits the body (RFC 9112, section 6.3). A message with both Content-Length and
 * Transfer-Encoding can be read in two ways (request smuggling), and Bun decodes no coding other than chunked: both are
 * refused.
 */
function announcedLength(headers: Headers): number | undefined {
  const length = headers.get("content-length");
  const coding = headers.get("transfer-encoding");
  if (coding !== null && (length !== null || coding.trim().toLowerCase() !== "chunked")) {
    const how =
      length === null ? "a Transfer-Encoding other than chunked" : "both Transfer-Encoding and Content-Length";
    throw new HttpFailure("bad_response", `delimited the body by ${how}`);
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

  // One growing buffer, not a list of chunks: a million one-byte chunks would take a hundred times their size.
  let buffer = new Uint8Array(Math.min(announced ?? FIRST_BUFFER, maxBytes));
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read().catch((cause: unknown) => {
      if (signal.aborted) return { done: true, value: undefined } as const;
      const how = `closed the connection after ${length} bytes of the body (${errorCode(cause)})`;
      throw new HttpFailure("bad_response", how, { cause });
    });
    if (done) break;
    if (length + value.length > maxBytes) {
      cancel();
      throw tooLarge("sent", maxBytes);
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
  return ofItsOwnSize(buffer.subarray(0, length));
}

/** Evidence is cached for hours and counted by its bytes: no larger buffer may stay behind it. */
function ofItsOwnSize(bytes: Uint8Array): Uint8Array {
  return bytes.length === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}

/** Some servers store gzip and send it even though identity was requested. */
async function inflate(bytes: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  const { gunzipSync } = await import("node:zlib"); // 2 ms of start-up for what almost never comes
  try {
    return ofItsOwnSize(gunzipSync(bytes, { maxOutputLength: maxBytes }));
  } catch (cause) {
    const code = (cause as { code?: unknown }).code;
    if (code === "ERR_BUFFER_TOO_LARGE") throw tooLarge(`sent ${bytes.length} bytes that inflate to`, maxBytes);
    throw new HttpFailure("bad_response", `sent a body that is not valid gzip (${String(code)})`, { cause });
  }
}

function tooLarge(what: string, maxBytes: number): HttpFailure {
  return new HttpFailure("bad_response", `${what} more than the limit of ${maxBytes} bytes`);
}
