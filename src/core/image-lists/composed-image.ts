import type { FailAt, ForeignMap, ForeignNode, ForeignScalar } from "../encoding/foreign-yaml.ts";
import { uncertainty, uncertaintyOfTag } from "./certain-text.ts";
import type { ImageCollector, ImageKind } from "./found-image.ts";

/** Keys whose values together name an image. `sha` and `digest` are a digest with or without its algorithm. */
const PARTS = ["reference", "registry", "repository", "name", "tag", "digest", "sha"] as const;
type Part = (typeof PARTS)[number];
const PART_NAMES: ReadonlySet<string> = new Set(PARTS);
/** Keys that say how an image is pulled. */
export const PULL_SETTINGS: ReadonlySet<string> = new Set([
  "pullPolicy",
  "pullSecrets",
  "imagePullPolicy",
  "imagePullSecrets",
]);
/** Keys beside the parts whose values name no image. */
const COMPANIONS: ReadonlySet<string> = new Set([...PULL_SETTINGS, "entrypoint", "command", "platform"]);
/** Text under another key that may be an image: a program may read that key. */
export const LIKE_AN_IMAGE = /^[^/\s]+[/:@]\S/;

/** Entries that merge keys bring, in a file. Stops merges of merges from growing as a power (billion laughs). */
const MAX_MERGED = 100_000;
/** Merges of merges; what people write has one or two. */
const MAX_MERGE_DEPTH = 16;

/** A value of a part, and whether a later key of the same map certainly replaces it. */
interface Candidate {
  readonly value: ForeignNode;
  readonly isMerged: boolean;
}

interface Gathered {
  /** Maps whose entries are in it. */
  readonly seen: Set<ForeignMap>;
  readonly candidates: Map<Part, Candidate[]>;
  readonly others: ForeignScalar[];
}

/**
 * Composes the image that a map under `image:` names: `{reference}` of an image volume, `{registry, repository, tag, digest}` of
 * a chart's values, `{name}` of a pipeline.
 */
export class ComposedImages {
  readonly #into: ImageCollector;
  readonly #fail: FailAt;
  #merged = 0;

  constructor(into: ImageCollector, fail: FailAt) {
    this.#into = into;
    this.#fail = fail;
  }

  /** @returns false where the map has none of the keys, so that no image is named */
  add(node: ForeignMap, line: number): boolean {
    const candidates = new Map<Part, Candidate[]>();
    const others: ForeignScalar[] = [];
    this.#gather(node, { seen: new Set(), candidates, others }, false, 0);
    if (candidates.size === 0) return false;
    for (const other of others) this.#into.add(other.text, other.line, "YAML", uncertainty(other));
    const kind: ImageKind = candidates.has("reference") ? "image volume" : "values";
    const parts = new Map<Part, string>();
    for (const part of PARTS) {
      const found = candidates.get(part) ?? [];
      const problem = this.#problemOf(part, found);
      if (problem !== undefined) {
        this.#into.add(textOf(found), line, kind, `in its "${part}", ${problem}`);
        return true;
      }
      const text = textOf(found);
      if (text !== "") parts.set(part, text);
    }
    const { text, problem } = compose(parts);
    this.#into.add(text, line, kind, problem);
    return true;
  }

  /** In the order in which a reader that takes the last of two would replace them. */
  #gather(node: ForeignMap, into: Gathered, isMerged: boolean, depth: number): void {
    if (into.seen.has(node)) return;
    into.seen.add(node);
    const { entries, line } = node;
    if (depth > MAX_MERGE_DEPTH) this.#fail(line, "found merge keys (<<) inside each other without end");
    for (const { key, value } of entries) {
      if (isMerged && ++this.#merged > MAX_MERGED) {
        this.#fail(line, `found merge keys (<<) that bring more than ${MAX_MERGED} entries, expected fewer`);
      }
      if (key.kind !== "scalar") continue;
      if (key.text === "<<") {
        for (const one of value.kind === "list" ? value.items : [value]) {
          if (one.kind === "map") this.#gather(one, into, true, depth + 1);
        }
      } else if (PART_NAMES.has(key.text)) {
        const part = key.text as Part;
        const before = into.candidates.get(part) ?? [];
        // Every reader lets a key replace what was merged in before it.
        const replaced = isMerged ? before : before.filter((one) => !one.isMerged);
        // What is merged in behind it once more comes last to some readers.
        if (replaced.length < before.length) into.seen.clear();
        into.candidates.set(part, [...replaced, { value, isMerged }]);
      } else if (value.kind === "scalar" && !COMPANIONS.has(key.text) && LIKE_AN_IMAGE.test(value.text)) {
        into.others.push(value);
      }
    }
  }

  #problemOf(part: Part, found: readonly Candidate[]): string | undefined {
    for (const { value } of found) {
      if (value.kind === "map" && value.template !== undefined) continue;
      if (value.kind !== "scalar") return `it is a ${value.kind}, expected text`;
      const problem = isAbsent(value) ? undefined : part === "tag" ? uncertaintyOfTag(value) : uncertainty(value);
      if (problem !== undefined) return problem;
    }
    return new Set(found.map((one) => textOf([one]))).size > 1
      ? "it is written more than once, of which programs take different ones; write it once"
      : undefined;
  }
}

function textOf([first]: readonly Candidate[]): string {
  if (first === undefined) return "";
  const { value } = first;
  if (value.kind === "map") return value.template ?? "";
  return value.kind === "scalar" && !isAbsent(value) ? value.text : "";
}

/** Nothing, to every reader. */
function isAbsent(value: ForeignNode): boolean {
  return value.kind === "scalar" && value.tag === undefined && value.isPlain && /^(?:|~|null)$/i.test(value.text);
}

function compose(parts: ReadonlyMap<Part, string>): { text: string; problem?: string } {
  const [registry, repository, name, tag] = (["registry", "repository", "name", "tag"] as const).map((part) =>
    parts.get(part),
  );
  const reference = parts.get("reference");
  if (reference !== undefined) {
    const text = reference;
    return parts.size === 1
      ? { text }
      : { text, problem: "it has a reference and other parts of a name, expected one of them" };
  }
  const path = repository ?? name;
  const digest = digestOf(parts);
  const text = `${registry === undefined ? "" : `${registry}/`}${path ?? ""}${tag === undefined ? "" : `:${tag}`}${digest ?? ""}`;
  if (path === undefined) return { text, problem: `it has no repository; ${RENDER}` };
  if (repository !== undefined && name !== undefined) {
    return { text, problem: `it has a repository and a name, which charts compose differently; ${RENDER}` };
  }
  if (parts.has("digest") && parts.has("sha"))
    return { text, problem: "it has a digest and a sha, expected one of them" };
  // A pipeline's name is complete; a chart takes its own version for a missing tag.
  const isComplete = name !== undefined || tag !== undefined || digest !== undefined || /[:@][^/]*$/.test(path);
  return isComplete ? { text } : { text, problem: `it has no tag, for which a chart takes its own version; ${RENDER}` };
}

const RENDER = "render the chart: helm template CHART | atcr-verify -f -";

function digestOf(parts: ReadonlyMap<Part, string>): string | undefined {
  const digest = parts.get("digest") ?? parts.get("sha");
  if (digest === undefined) return undefined;
  return `@${digest.includes(":") || digest.includes("$") || digest.includes("{") ? digest : `sha256:${digest}`}`;
}
