import { field, isJsonObject, type JsonObject } from "../encoding/json.ts";
import { parseStrictJson } from "../encoding/strict-json.ts";
import { DOCKER_HUB } from "../oci/reference.ts";
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

/** Images as Kyverno takes them apart; `name`, `reference` and `jsonPointer` say nothing more and are not read. */
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
  const [host, kyvernoPath] = [part("registry", /[/@]/), part("path", /[:@]/)];
  if (host === "" || kyvernoPath === "") return malformed(`${path} has no registry or no path, expected both`);
  const [tag, digest] = [part("tag", /[/:@]/), part("digest", /[/@]/)];
  const name = `${host}/${writtenPath(host, kyvernoPath, `:${tag}`, textIn(entry, "referenceWithTag", path), path)}`;
  return `${name}${tag === "" ? "" : `:${tag}`}${digest === "" ? "" : `@${digest}`}`;
}

/**
 * The path as the pod has it. Kyverno puts `library/` before a path of one component at any registry, though only Docker
 * Hub has it there: `ghcr.io/app` and `ghcr.io/library/app` would be judged as one. Its `referenceWithTag` has the path that
 * was written (pkg/utils/image/infos.go).
 */
function writtenPath(host: string, path: string, tag: string, reference: string | undefined, at: string): string {
  if (host === DOCKER_HUB || !/^library\/[^/]+$/.test(path)) return path;
  const written = [path, path.slice("library/".length)].find((one) => reference === `${host}/${one}${tag}`);
  if (written !== undefined) return written;
  return malformed(
    `${at}.referenceWithTag does not say whether "library/" is written in the image; send images as a list`,
  );
}
