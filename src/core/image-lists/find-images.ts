import { fromUtf8 } from "../encoding/bytes.ts";
import { foreignIn } from "../encoding/written-text.ts";
import { reject } from "../rejection.ts";
import { findInDockerfile } from "./dockerfile-images.ts";
import { type FoundImages, ImageCollector } from "./found-image.ts";
import { findInList, isReferenceList } from "./reference-list.ts";
import { findInYaml } from "./yaml-images.ts";

/** Largest file that is read, in bytes. Stops a path to a disk image, or an endless pipe, from filling the memory. */
export const MAX_IMAGE_FILE = 16 * 1024 * 1024;

const YAML_NAME = /\.(?:ya?ml|json)$/i;
const DOCKERFILE_NAME = /(?:^|[/\\])(?:Dockerfile|Containerfile)(?:\.[^/\\]*)?$|\.(?:Dockerfile|Containerfile)$/i;
/** How the first line of a Dockerfile begins that is no comment. */
const FIRST_INSTRUCTION = /^\s*(?:FROM|ARG)\s/i;
/** What every map of YAML contains, outside of comments: where there is none, the text is no resource. */
const MAP_OF_YAML = /:(?=\s|$)|["']\s*:/m;

/**
 * Finds the images that a file names, with their lines: a YAML or JSON file of any kind, a Dockerfile, or a list of references.
 *
 * Names decide between them where they end with `.yaml`, `.yml` or `.json`, or are a Dockerfile's; otherwise, as for standard
 * input, the content does, and only where it is of one kind to every reader.
 *
 * @param bytes attacker-controlled
 * @param file its name, for this and for messages
 * @throws Rejection input.malformed where it cannot be read, or programs would read it differently; input.no_images
 */
export function findImages(bytes: Uint8Array, file: string): FoundImages {
  const into = new ImageCollector();
  const text = imageFileText(bytes, file);
  switch (kindOf(text, file)) {
    case "Dockerfile":
      findInDockerfile(text, file, into);
      break;
    case "list":
      findInList(text, into);
      break;
    case "YAML":
      findInYaml(text, file, into);
  }
  if (into.images.length === 0) {
    const { schemas } = into.found.passedOver;
    const passed = schemas === 0 ? "" : ` (${schemas} schemas of CustomResourceDefinitions were passed over)`;
    const expected = '"image:" in YAML or JSON, FROM in a Dockerfile, or a list of one image a line';
    reject("input.no_images", `${file}: found no image${passed}, expected ${expected}`);
  }
  return into.found;
}

/**
 * The text of a file that names images.
 *
 * @param bytes attacker-controlled
 * @param file for messages
 * @throws Rejection input.malformed where it is too large, not UTF-8, or has characters that programs read differently
 */
export function imageFileText(bytes: Uint8Array, file: string): string {
  if (bytes.length > MAX_IMAGE_FILE) {
    reject("input.malformed", `${file}: found ${bytes.length} bytes, expected at most ${MAX_IMAGE_FILE}`);
  }
  const isUtf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  if (isUtf16) reject("input.malformed", `${file}: found UTF-16, expected UTF-8; save the file as UTF-8`);
  const text = fromUtf8(bytes)?.replace(/^\ufeff/, "");
  if (text === undefined)
    return reject("input.malformed", `${file}: found bytes that are not UTF-8, expected text in UTF-8`);
  const foreign = foreignIn(text);
  if (foreign !== undefined) {
    const line = text.slice(0, foreign.offset).split("\n").length;
    const advice = foreign.advice === undefined ? "" : `; ${foreign.advice}`;
    reject("input.malformed", `${file}:${line}: found ${foreign.found}, expected ${foreign.expected}${advice}`);
  }
  return text;
}

function kindOf(text: string, file: string): "YAML" | "Dockerfile" | "list" {
  if (YAML_NAME.test(file)) return "YAML";
  if (DOCKERFILE_NAME.test(file)) return "Dockerfile";
  if (isReferenceList(text)) return "list";
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !/^\s*#/.test(line));
  if (!FIRST_INSTRUCTION.test(lines[0] ?? "")) return "YAML";
  if (!MAP_OF_YAML.test(lines.join("\n"))) return "Dockerfile";
  const advice = "give it a name such as Dockerfile or app.yaml, which decides";
  return reject(
    "input.malformed",
    `${file}: found text that could be a Dockerfile or YAML, expected one of them; ${advice}`,
  );
}
