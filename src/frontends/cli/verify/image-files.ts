import { createReadStream } from "node:fs";
import { findImages, MAX_IMAGE_FILE } from "../../../core/image-lists/find-images.ts";
import type { FoundImage, FoundImages } from "../../../core/image-lists/found-image.ts";
import { formatReference, normaliseReference } from "../../../core/oci/reference.ts";
import { Rejection, reject } from "../../../core/rejection.ts";
import { hasCode } from "../../../io/fs/error-code.ts";
import { readAtMost } from "../../../io/fs/read-at-most.ts";
import type { Deadline } from "../../../io/process/deadline.ts";
import { STDIN_NAME } from "../../process/standard-input.ts";
import type { FoundInFile, RequestedImage } from "./image-result.ts";

/** Images of operands and files, each once. */
export interface NamedImages {
  /** Operands first, then files in the order of the command line. */
  readonly requested: readonly RequestedImage[];
  readonly found: readonly FoundInFile[];
}

/**
 * Reads the files of `--file`, where `-` is standard input, and joins what they name: an image is there once, with all places that
 * name it.
 *
 * @param operands images of the command line
 * @param files attacker-controlled content
 * @throws Rejection input.*
 */
export async function readNamedImages(
  operands: readonly string[],
  files: readonly string[],
  deadline: Deadline,
): Promise<NamedImages> {
  const twice = files.find((file, i) => files.indexOf(file) !== i);
  if (twice !== undefined) reject("input.malformed", `--file ${twice} is given twice, expected each file once`);
  const read: (readonly [file: string, found: FoundImages])[] = [];
  for (const path of files) {
    const file = path === "-" ? STDIN_NAME : path;
    read.push([file, findImages(await readImageFile("--file", path, deadline), file)]);
  }
  return {
    requested: joined(operands, read),
    found: read.map(([file, { images, passedOver }]) => ({
      file,
      images: images.length,
      kinds: countsOf(images.map(({ kind }) => kind)),
      passedOver: Object.entries(passedOver).flatMap(([what, count]) => (count === 0 ? [] : [{ what, count }])),
    })),
  };
}

/**
 * As a stream: a named pipe may have no writer, and the deadline must still hold.
 *
 * @param option that names it, for messages
 * @param path `-` for standard input
 * @throws Rejection input.malformed
 */
export async function readImageFile(option: string, path: string, deadline: Deadline): Promise<Uint8Array> {
  const file = path === "-" ? STDIN_NAME : path;
  let bytes: Uint8Array | undefined;
  try {
    const stream = () => (path === "-" ? process.stdin : createReadStream(path));
    bytes = await deadline.track(file, () => readAtMost(stream(), MAX_IMAGE_FILE));
  } catch (error) {
    if (hasCode(error, "ENOENT")) reject("input.malformed", `${option} ${path}: there is no such file`, error);
    if (hasCode(error, "EISDIR")) {
      const advice = `name its files, or: kustomize build ${path} | atcr-verify -f -`;
      reject("input.malformed", `${option} ${path}: found a folder, expected a file; ${advice}`, error);
    }
    reject("input.malformed", `${option} ${path} cannot be read: ${(error as Error).message}`, error);
  }
  return bytes ?? reject("input.malformed", `${option} ${path} has more than ${MAX_IMAGE_FILE} bytes`);
}

function joined(
  operands: readonly string[],
  files: readonly (readonly [file: string, found: FoundImages])[],
): readonly RequestedImage[] {
  type Joined = RequestedImage & { places: { file: string; line: number }[] };
  const all: (RequestedImage | Joined)[] = operands.map((text) => ({ text, isTyped: true }));
  const byKey = new Map<string, number>();
  for (const [index, { text }] of all.entries()) byKey.set(canonical(text), index);
  for (const [file, { images }] of files) {
    for (const { text, line, problem } of images) {
      const key = problem === undefined ? canonical(text) : `${problem}\n${text}`;
      const index = byKey.get(key);
      const before = index === undefined ? undefined : all[index];
      const place = { file, line };
      if (index === undefined || before === undefined) {
        byKey.set(key, all.length);
        all.push({ text, places: [place], ...(problem !== undefined && { problem }) });
      } else if (before.places === undefined) all[index] = { ...before, places: [place] };
      else (before as Joined).places.push(place);
    }
  }
  return all;
}

/** The same for every way to write an image; what is none is as written. */
function canonical(text: string): string {
  try {
    return formatReference(normaliseReference(text));
  } catch (error) {
    if (error instanceof Rejection) return text;
    throw error;
  }
}

function countsOf(kinds: readonly FoundImage["kind"][]): FoundInFile["kinds"] {
  const counts = new Map<string, number>();
  for (const kind of kinds) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts].map(([kind, images]) => ({ kind, images }));
}
