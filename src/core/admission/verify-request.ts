import { field, isJsonObject, type JsonObject } from "../encoding/json.ts";
import { parseStrictJson } from "../encoding/strict-json.ts";
import { reject } from "../rejection.ts";
import { MAX_POD_IMAGES } from "./pod-images.ts";
import { malformed, objectIn, textIn, textsIn } from "./read-fields.ts";

const LISTS: ReadonlySet<string> = new Set(["containers", "initContainers", "ephemeralContainers"]);

/**
 * Reads the body of POST /v1/verify: `{ "images": ["atcr.io/…", …] }`, or Kyverno's variable `images` in its place:
 * `{ "containers": { "NAME": { "registry": …, "path": …, "tag": …, "digest": … } } }`.
 *
 * @param bytes attacker-controlled; the caller has bounded their number
 * @returns the images, each once
 * @throws Rejection input.malformed, input.no_images
 */
export function parseVerifyRequest(bytes: Uint8Array): readonly string[] {
  const json = parseStrictJson(bytes, "input.malformed", "the request");
  if (!isJsonObject(json)) return malformed("the request is no object, expected { images: [IMAGE, ...] }");
  const other = Object.keys(json).find((key) => key !== "images");
  if (other !== undefined) malformed(`found the key "${other.slice(0, 64)}", expected images alone`);
  const written = field(json, "images");
  const images = isJsonObject(written) ? kyvernoImages(written) : textsIn(json, "images", "request", MAX_POD_IMAGES);
  if (images.length === 0) reject("input.no_images", "the request names no image, expected { images: [IMAGE, ...] }");
  return [...new Set(images)];
}

/** Images as Kyverno takes them apart. Its `name` and `reference` say the same once more and are not read. */
function kyvernoImages(map: JsonObject): readonly string[] {
  const other = Object.keys(map).find((list) => !LISTS.has(list));
  if (other !== undefined) malformed(`found images.${other.slice(0, 64)}, expected ${[...LISTS].join(", ")}`);
  const images = Object.keys(map).flatMap((list) => {
    const containers = objectIn(map, list, "images") ?? {};
    return Object.keys(containers).map((name) => {
      const path = `images.${list}["${name.slice(0, 64)}"]`;
      const entry = objectIn(containers, name, `images.${list}`) ?? malformed(`${path} is null, expected an object`);
      return composed(entry, path);
    });
  });
  if (images.length <= MAX_POD_IMAGES) return images;
  return malformed(`images has ${images.length} entries, expected at most ${MAX_POD_IMAGES}`);
}

/** Parts that could be read as the beginning of the next one are refused: the image would be another than Kyverno's. */
function composed(entry: JsonObject, path: string): string {
  const part = (name: string, without: RegExp): string => {
    const text = textIn(entry, name, path) ?? "";
    return without.test(text) ? malformed(`${path}.${name} has a character that belongs to another part`) : text;
  };
  const [host, repository] = [part("registry", /[/@]/), part("path", /[:@]/)];
  if (host === "" || repository === "") return malformed(`${path} has no registry or no path, expected both`);
  const [tag, digest] = [part("tag", /[/:@]/), part("digest", /[/@]/)];
  return `${host}/${repository}${tag === "" ? "" : `:${tag}`}${digest === "" ? "" : `@${digest}`}`;
}
