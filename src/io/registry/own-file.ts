import { Rejection } from "../../core/rejection.ts";
import { readTrustedFile } from "../fs/local-file.ts";

/**
 * Reads a file that decides where a registry is asked and with what. One that cannot be used, as somebody
 * else can change it, is reported and not used: a pull need not fail for it.
 *
 * @param path absolute
 * @param what names it in the problem
 * @returns undefined where there is none, or none that can be used
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
