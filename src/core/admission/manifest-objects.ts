import { type FailAt, type ForeignEntry, type ForeignNode, foreignDocuments } from "../encoding/foreign-yaml.ts";
import { field, isJsonObject, type JsonObject } from "../encoding/json.ts";
import { uncertainty } from "../image-lists/certain-text.ts";
import { reject } from "../rejection.ts";
import { imagesOf, isKnownKind, type PodImage } from "./pod-images.ts";
import { textIn } from "./read-fields.ts";

/** An object of a manifest, as a cluster would be sent it. */
export interface ManifestObject {
  /** Where it begins in the file, from 1. */
  readonly line: number;
  /** `v1/Pod`, `apps/v1/Deployment`. Attacker-controlled. */
  readonly type: string;
  /** Attacker-controlled; absent where it has none. */
  readonly name?: string;
  /** In the order of its lists; undefined where admission does not look for images in such an object. */
  readonly images?: readonly ManifestImage[];
}

/** An image of a manifest. */
export interface ManifestImage extends PodImage {
  /** Of its key, from 1: where `verify -f` finds it. */
  readonly line: number;
}

/**
 * The objects of a manifest in YAML or JSON, of several documents and Lists too. Read strictly, unlike the search for
 * images: what kubectl and others would send differently is rejected.
 *
 * @param text attacker-controlled, without characters that foreignIn (written-text.ts) finds
 * @param file for messages
 * @throws Rejection input.malformed
 */
export function manifestObjects(text: string, file: string): readonly ManifestObject[] {
  const fail: FailAt = (line, message) => reject("input.malformed", `${file}:${line}: ${message}`);
  const objects: ManifestObject[] = [];
  for (const document of foreignDocuments(text, fail)) {
    const value = new Conversion(fail).value(document);
    if (value === null) continue;
    if (!isJsonObject(value)) fail(document.line, "found a document that is no object, expected apiVersion and kind");
    objects.push(...objectsIn(value, document, file));
  }
  return objects;
}

function objectsIn(value: JsonObject, node: ForeignNode, file: string): readonly ManifestObject[] {
  const place = `${file}:${node.line}`;
  const version = textIn(value, "apiVersion", place) ?? "";
  const kind = textIn(value, "kind", place) ?? "";
  if (version === "" || kind === "") reject("input.malformed", `${place}: found an object without apiVersion and kind`);
  const items = field(value, "items");
  if (kind.endsWith("List") && Array.isArray(items)) {
    const nodes = entryOf(node, "items")?.value;
    // Lists in lists are no objects of a cluster, so the depth is one.
    return items.flatMap((item: unknown, i) => {
      const itemNode = nodes?.kind === "list" ? nodes.items[i] : undefined;
      return isJsonObject(item) ? [objectIn(item, itemNode ?? node, file)] : [];
    });
  }
  return [objectIn(value, node, file)];
}

function objectIn(value: JsonObject, node: ForeignNode, file: string): ManifestObject {
  const place = `${file}:${node.line}`;
  const type = `${textIn(value, "apiVersion", place) ?? ""}/${textIn(value, "kind", place) ?? ""}`;
  const metadata = field(value, "metadata");
  const name = isJsonObject(metadata) ? (textIn(metadata, "name", `${place}: metadata`) ?? "") : "";
  const images = isKnownKind(type) ? imagesOf(value, type, `${place}: ${type}`) : undefined;
  return {
    line: node.line,
    type,
    ...(name !== "" && { name }),
    ...(images && { images: images.map(({ image, pointer }) => ({ image, pointer, line: lineOf(node, pointer) })) }),
  };
}

/** Where an image is written, by its place in an object: the line of `image`, as the value may be an alias. */
function lineOf(object: ForeignNode, pointer: string): number {
  let { line } = object;
  let node: ForeignNode | undefined = object;
  for (const step of pointer.replace("/reference", "").split("/").slice(1)) {
    if (node?.kind === "list") node = node.items[Number(step)];
    else {
      const entry: ForeignEntry | undefined = node && entryOf(node, step);
      line = entry?.line ?? line;
      node = entry?.value;
    }
  }
  return line;
}

function entryOf(node: ForeignNode, name: string): ForeignEntry | undefined {
  if (node.kind !== "map") return undefined;
  return node.entries.find(({ key }) => key.kind === "scalar" && key.text === name);
}

/** As Kubernetes makes JSON of YAML, except where its readers differ. */
class Conversion {
  readonly #fail: FailAt;
  /** An alias is the same object again, and stands behind it: the work is linear in the file, and no deeper than it. */
  readonly #done = new Map<ForeignNode, unknown>();

  constructor(fail: FailAt) {
    this.#fail = fail;
  }

  value(node: ForeignNode): unknown {
    if (this.#done.has(node)) return this.#done.get(node);
    const value = this.#converted(node);
    this.#done.set(node, value);
    return value;
  }

  #converted(node: ForeignNode): unknown {
    if (node.kind === "list") return node.items.map((item) => this.value(item));
    if (node.kind === "scalar") {
      const problem = uncertainty(node);
      if (problem !== undefined && node.tag !== undefined)
        this.#fail(node.line, `found a value that no two programs need read alike: ${problem}`);
      return problem === undefined && !isEmpty(node) ? node.text : otherThanText(node.text);
    }
    if (node.template !== undefined) this.#fail(node.line, "found a template, expected the rendered file");
    const pairs = node.entries.map(({ key, value, line }): [string, unknown] => {
      if (key.kind !== "scalar" || key.tag !== undefined || key.text === "<<")
        this.#fail(line, "found a key that is no plain text, expected the keys written out");
      return [key.text, this.value(value)];
    });
    const names = new Set<string>();
    for (const [i, [name]] of pairs.entries()) {
      if (names.has(name)) this.#fail(node.entries[i]?.line ?? node.line, `found ${JSON.stringify(name)} twice`);
      names.add(name);
    }
    return Object.fromEntries(pairs);
  }
}

function isEmpty({ text, isPlain }: { readonly text: string; readonly isPlain: boolean }): boolean {
  return isPlain && text === "";
}

/** Null, or a value that an API server refuses where it wants text. */
function otherThanText(text: string): unknown {
  return /^(?:|~|null)$/i.test(text) ? null : Number.isNaN(Number(text)) ? true : Number(text);
}
