import { createReadStream } from "node:fs";
import { findImages, MAX_IMAGE_FILE } from "../../../../core/image-lists/find-images.ts";
import { reject } from "../../../../core/rejection.ts";
import { readAtMost } from "../../../../io/fs/read-at-most.ts";
import type { ProcessLifecycle } from "../../../process/process-lifecycle.ts";
import type { RequestedImage } from "../../verify/image-result.ts";

const STDIN = "-";

/**
 * The images that files name, each once.
 *
 * @throws Rejection input.malformed, input.no_images
 */
export async function imagesOfFiles(
  files: readonly string[],
  { deadline }: ProcessLifecycle,
): Promise<readonly RequestedImage[]> {
  const places = new Map<string, { file: string; line: number }[]>();
  for (const file of files) {
    const bytes = await deadline.track(file, () => read(file));
    for (const { text, line, problem } of findImages(bytes, file).images) {
      if (problem !== undefined) reject("input.malformed", `${file}:${line}: "${text}" is not an image: ${problem}`);
      const known = places.get(text) ?? [];
      known.push({ file, line });
      places.set(text, known);
    }
  }
  return [...places].map(([text, where]) => ({ text, places: where }));
}

async function read(file: string): Promise<Uint8Array> {
  try {
    const bytes = await readAtMost(file === STDIN ? process.stdin : createReadStream(file), MAX_IMAGE_FILE);
    return bytes ?? reject("input.malformed", `${file}: found more than ${MAX_IMAGE_FILE} bytes, expected fewer`);
  } catch (error) {
    return reject("input.malformed", `the list ${file} cannot be read: ${(error as Error).message}`, error);
  }
}
