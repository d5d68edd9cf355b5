import { createReadStream } from "node:fs";
import { MAX_BUNDLE } from "../../core/evidence/bundle.ts";
import { reject } from "../../core/rejection.ts";
import { hasCode } from "../fs/error-code.ts";
import { readAtMost } from "../fs/read-at-most.ts";

/**
 * Reads the bytes of a bundle that a person named. Asynchronous: a named pipe may have no writer, and the deadline must
 * still hold.
 *
 * @throws Rejection bundle.malformed
 */
export async function readBundleFile(path: string): Promise<Uint8Array> {
  let bytes: Uint8Array | undefined;
  try {
    bytes = await readAtMost(createReadStream(path), MAX_BUNDLE);
  } catch (error) {
    if (hasCode(error, "ENOENT")) reject("bundle.malformed", `there is no file ${path}`, error);
    reject("bundle.malformed", `the bundle ${path} cannot be read: ${(error as Error).message}`, error);
  }
  return bytes ?? reject("bundle.malformed", `the bundle ${path} has more than ${MAX_BUNDLE} bytes`);
}
