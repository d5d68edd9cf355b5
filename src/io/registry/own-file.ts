import { Rejection } from "../../core/rejection.ts";
import { readTrustedFile } from "../fs/local-file.ts";

/**
 * Reads a file with endpoints or credentials of a registry. An unusable one, for example because others can change it,
 * is reported and ignored: a pull need not fail because of it.
 *
 * @param path absolute
 * @param what names it in the problem
 * @returns undefined where there is no usable file
 */
export function readOwnFile(path: string, what: string, unusable: (problem: string) => void): string | undefined {
  try {
    return readTrustedFile({ path, code: "config.invalid", what });
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    unusable(`${error.message}; it is not used`);
    return undefined;
  }
}
