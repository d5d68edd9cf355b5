import { type FailAt, type ForeignMap, type ForeignNode, foreignDocuments } from "../encoding/foreign-yaml.ts";
import { reject } from "../rejection.ts";
import { isCertainKey, uncertainty } from "./certain-text.ts";
import { ComposedImages, LIKE_AN_IMAGE, PULL_SETTINGS } from "./composed-image.ts";
import { type Role, roleOfItem, roleOfRoot, roleOfValue } from "./definition-schema.ts";
import type { ImageCollector, ImageKind } from "./found-image.ts";

/**
 * Depth of values in each other, through aliases too: more than the parser allows without aliases. Stops a chain of aliases
 * from filling the stack.
 */
const MAX_DEPTH = 1000;

/**
 * Finds every `image:` of a YAML or JSON file, at any depth of any document.
 *
 * Where programs that read YAML differ, everything is looked at that any of them could see: each value of a key that is
 * written more than once, and what merge keys (`<<`) bring. Aliases are followed once, so the work is
 * linear in the file.
 *
 * @param text attacker-controlled
 * @param file for messages
 * @throws Rejection input.malformed
 */
export function findInYaml(text: string, file: string, into: ImageCollector): void {
  const fail: FailAt = (line, message) => reject("input.malformed", `${file}:${line}: ${message}`);
  for (const document of foreignDocuments(text, fail)) new YamlImages(into, fail, kindOf(document)).document(document);
}

class YamlImages {
  readonly #into: ImageCollector;
  readonly #fail: FailAt;
  readonly #kind: ImageKind;
  readonly #composed: ComposedImages;
  /** What has been looked at, by its role. */
  readonly #seen = new Map<Role | "image", Set<ForeignNode>>();

  constructor(into: ImageCollector, fail: FailAt, kind: ImageKind) {
    this.#into = into;
    this.#fail = fail;
    this.#kind = kind;
    this.#composed = new ComposedImages(into, fail);
  }

  document(node: ForeignNode): void {
    this.#look(node, roleOfRoot(node), 0);
  }

  #look(node: ForeignNode, role: Role, depth: number): void {
    if (node.kind === "scalar" || !this.#isNew(node, role, depth)) return;
    if (node.kind === "list") {
      for (const item of node.items) this.#look(item, roleOfItem(role, item), depth + 1);
      return;
    }
    for (const { key, value, line } of node.entries) {
      if (key.kind !== "scalar") {
        this.#look(key, "other", depth + 1);
        this.#look(value, "other", depth + 1);
        continue;
      }
      if (!isCertainKey(key)) {
        const problem = "the key before it has a tag (!), which programs read differently; write the key alone";
        this.#into.add(value.kind === "scalar" ? value.text : "", line, this.#kind, problem);
      }
      const below = roleOfValue(role, key.text);
      if (key.text === "image") this.#image(value, line, depth + 1);
      else if (below === "schema") this.#into.passOver("schemas");
      else if (below === "status") this.#into.passOver("statuses");
      else this.#look(value, below, depth + 1);
    }
  }

  /** @param line of the key, which an alias does not have */
  #image(node: ForeignNode, line: number, depth: number): void {
    if (node.kind === "scalar") {
      this.#into.add(node.text, line, this.#kind, uncertainty(node));
      return;
    }
    if (node.kind === "map" && node.template !== undefined) {
      this.#into.add(node.template, line, this.#kind);
      return;
    }
    if (!this.#isNew(node, "image", depth)) return;
    if (node.kind === "list") {
      if (node.items.length === 0) this.#into.add("", line, this.#kind);
      for (const item of node.items) this.#image(item, item.kind === "scalar" ? line : item.line, depth + 1);
      return;
    }
    if (!this.#composed.add(node, line)) this.#parts(node, line, depth);
    this.#look(node, "other", depth + 1);
  }

  /** A map of several images by names of a chart's own, or one that is none of what is known here. */
  #parts(node: ForeignMap, line: number, depth: number): void {
    const parts = node.entries.filter(({ key }) => key.kind !== "scalar" || !PULL_SETTINGS.has(key.text));
    const unlike = parts.filter(({ value }) => value.kind === "scalar" && !LIKE_AN_IMAGE.test(value.text));
    for (const part of parts) if (!unlike.includes(part)) this.#image(part.value, part.line, depth + 1);
    if (node.entries.length > 0 && parts.length === 0) this.#into.passOver("pullSettings");
    else if (node.entries.length === 0) this.#into.add("", line, this.#kind);
    else if (unlike.length > 0) this.#into.add(keysOf(node), line, this.#kind, NOT_KNOWN);
  }

  #isNew(node: ForeignNode, role: Role | "image", depth: number): boolean {
    if (depth > MAX_DEPTH) this.#fail(node.line, "found values inside each other without end, expected a flatter file");
    const seen = this.#seen.get(role) ?? new Set();
    this.#seen.set(role, seen);
    if (seen.has(node)) return false;
    seen.add(node);
    return true;
  }
}

const NOT_KNOWN =
  'it is a map without "reference", "repository" or "name", expected one of them (schemas are known in a CustomResourceDefinition alone)';

/** The first keys of a map, for a message. */
function keysOf({ entries }: ForeignMap): string {
  const keys = entries.slice(0, 8).map(({ key }) => (key.kind === "scalar" ? key.text.slice(0, 40) : "?"));
  return `{${keys.join(", ")}}`;
}

/** What a document is, as a person would say. */
function kindOf(document: ForeignNode): ImageKind {
  if (document.kind !== "map") return "YAML";
  const has = (name: string): boolean => document.entries.some(({ key }) => key.kind === "scalar" && key.text === name);
  if (has("apiVersion") && has("kind")) return "manifest";
  return has("services") ? "compose" : "YAML";
}
