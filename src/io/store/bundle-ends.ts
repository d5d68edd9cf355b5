import { join } from "node:path";
import { field, isJsonObject } from "../../core/encoding/json.ts";
import { Rejection } from "../../core/rejection.ts";
import { readTrustedFile } from "../fs/local-file.ts";
import { replaceFile } from "../fs/replace-file.ts";

const NAME = "ends.json";
/** Bytes of the file. Stops a pull from reading whatever took its place. */
const MAX_ENDS = 4096;

/** What metrics say of bundleDir, as of the last import: to look at all pieces in each pull would take too long. */
export interface BundleEnds {
  /** Signatures that were imported. */
  readonly pieces: number;
  /** When the next of them ends, by the policy at the import; milliseconds since 1970, 0 where none does. */
  readonly nextEnd: number;
}

/** @param place bundleDir, which exists @throws Error of the file system */
export function writeEnds(place: string, { pieces, nextEnd }: BundleEnds): void {
  replaceFile(join(place, NAME), `${JSON.stringify({ pieces, nextEnd })}\n`, 0o644);
}

/** @returns undefined where nothing was imported, or it cannot be read: it decides nothing */
export function readEnds(place: string): BundleEnds | undefined {
  try {
    const file = { path: join(place, NAME), code: "bundle.malformed", what: "the file", max: MAX_ENDS } as const;
    const json: unknown = JSON.parse(readTrustedFile(file) ?? "");
    if (!isJsonObject(json)) return undefined;
    const [pieces, nextEnd] = [field(json, "pieces"), field(json, "nextEnd")];
    return typeof pieces === "number" && typeof nextEnd === "number" ? { pieces, nextEnd } : undefined;
  } catch (error) {
    if (error instanceof Rejection || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
