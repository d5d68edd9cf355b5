import { fromUtf8 } from "../../core/encoding/bytes.ts";
import { type RejectionCode, reject } from "../../core/rejection.ts";
import { readAtMost } from "../../io/fs/read-at-most.ts";
import type { Deadline } from "../../io/process/deadline.ts";

/** How a file on standard input is named in messages. */
export const STDIN_NAME = "<stdin>";

/**
 * Reads text from standard input to its end, which the process's deadline limits.
 *
 * @param max bytes: an endless input must not take all memory
 * @throws Rejection `code`
 */
export async function readStandardInput(deadline: Deadline, max: number, code: RejectionCode): Promise<string> {
  const bytes = await deadline
    .track("the standard input", () => readAtMost(process.stdin, max))
    .catch((error: unknown) => reject(code, `the standard input cannot be read: ${String(error)}`, error));
  if (bytes === undefined) return reject(code, `the standard input has more than ${max} bytes`);
  return fromUtf8(bytes) ?? reject(code, "the standard input is not UTF-8 text");
}
