import { parseRegistryHost } from "../oci/host.ts";
import { DOCKER_HUB, hubSpelling, isPathComponent } from "../oci/reference.ts";

/**
 * A set of image names, read from text such as `atcr.io/*\/prod-*` (spec 2.1):
 *
 *   scope    HOST/PATH, matched against the whole host and path of a name, without tag and digest
 *   segment  a part between slashes; the host with its port is the first
 *   *        any characters within one segment, or none; alone: any one segment
 *   **       a segment of its own: one or more whole segments
 *
 * So `registry.example.com/**` is a whole registry, `docker.io/library/*` the official images,
 * `**` everything. `*`, `nginx` and `atcr.io` are rejected: they would match nothing, as every name has a host and a
 * path.
 */
export interface Scope {
  /** As written in the policy, without `:443` after the host. */
  readonly text: string;
  readonly segments: readonly string[];
}

/** What was expected instead of an invalid scope, for a message. */
export interface ScopeProblem {
  readonly expected: string;
}

/** Longest scope: host and path of a name have at most 515 characters. Bounds the time of a match. */
const MAX_SCOPE = 600;
/** The segment that matches one or more whole segments. */
export const ANYTHING = "**";
const HOST_PIECE = /^[a-z0-9.:-]*$/;
const PATH_PIECE = /^[a-z0-9._-]*$/;
/** Separator between letters or digits of a path component (distribution/reference). */
const SEPARATOR = /^(?:[._]|__|-+)$/;

/**
 * Reads a scope. A scope that can never match a canonical name is rejected, and so is one that looks like a tag, a digest
 * or another kind of pattern.
 */
export function parseScope(text: string): Scope | ScopeProblem {
  const wrong = wrongCharacter(text);
  if (wrong !== undefined) return { expected: wrong };
  const [writtenHost = "", ...path] = text.split("/");
  if (path.length === 0 && writtenHost !== ANYTHING) return { expected: withoutPath(writtenHost) };
  const segments = [writtenHost, ...path];
  const empty = segments.indexOf("");
  if (empty !== -1) return empty === path.length ? withSlashAtEnd(text) : { expected: "no empty segment" };
  for (const segment of segments) {
    if (segment.includes(ANYTHING) && segment !== ANYTHING) {
      return { expected: '"**" alone in its segment; within a segment write "*"' };
    }
  }
  const host = checkHost(writtenHost);
  if (typeof host !== "string") return host;
  for (const segment of path) {
    const expected = wrongPathSegment(segment);
    if (expected !== undefined) return { expected };
  }
  const hub = wrongHubSpelling(host, path);
  if (hub !== undefined) return { expected: hub };
  return { text: [host, ...path].join("/"), segments: [host, ...path] };
}

/** Whether the scope covers several hosts: an exemption must name its host (spec 2.4). */
export function hasWildcardHost(scope: Scope): boolean {
  return scope.segments[0]?.includes("*") === true;
}

/**
 * Whether the scope matches a name. The time is at most proportional to the product of both lengths, for any number of
 * wildcards: see {@link matchGlob}.
 *
 * @param host attacker-controlled, canonical (an ImageReference's)
 * @param path attacker-controlled, canonical
 */
export function matchesScope(scope: Scope, host: string, path: string): boolean {
  return matchGlob(
    // One or more segments: one, then none or more.
    scope.segments.flatMap((segment): PatternItem<string>[] =>
      segment === ANYTHING ? [() => true, MANY] : [(actual) => matchSegment(segment, actual)],
    ),
    [host, ...path.split("/")],
  );
}

/** Whether one segment of a scope matches one of a name. */
export function matchSegment(pattern: string, segment: string): boolean {
  if (!pattern.includes("*")) return pattern === segment;
  return matchGlob(
    Array.from(pattern, (wanted): PatternItem<string> => (wanted === "*" ? MANY : (actual) => actual === wanted)),
    Array.from(segment),
  );
}

export const MANY = Symbol("none or more items of any content");
/** An item that must occur once, or {@link MANY}. */
export type PatternItem<T> = typeof MANY | ((item: T) => boolean);

/**
 * Matches items against a pattern of exact items and wildcards. On a mismatch only the last wildcard is extended by one
 * item: everything before it matched as early as possible, so earlier wildcards need no backtracking. So no image name
 * can cause exponential time.
 */
export function matchGlob<T>(pattern: readonly PatternItem<T>[], items: readonly T[]): boolean {
  let [at, item] = [0, 0];
  let lastMany: { at: number; item: number } | undefined;
  while (item < items.length) {
    const wanted = pattern[at];
    if (wanted === MANY) {
      lastMany = { at, item };
      at++;
    } else if (wanted?.(items[item] as T) === true) {
      at++;
      item++;
    } else if (lastMany !== undefined) {
      lastMany.item++;
      at = lastMany.at + 1;
      item = lastMany.item;
    } else {
      return false;
    }
  }
  return pattern.slice(at).every((wanted) => wanted === MANY);
}

function wrongCharacter(text: string): string | undefined {
  if (text.length > MAX_SCOPE) return `${MAX_SCOPE} characters at most`;
  const [foreign] = /[^\x20-\x7e]/u.exec(text) ?? [];
  if (foreign !== undefined) return `only printable ASCII; ${codePoint(foreign)} never occurs in a name`;
  if (text.includes("://")) return "HOST/PATH without a scheme";
  if (text.includes("@")) return "no digest; a rule covers a repository, and digests are listed under digests";
  if (text.includes("?") || /\[(?![0-9a-f:]+\](?::[0-9]+)?\/)/.test(text)) return 'no wildcards but "*" and "**"';
  if (text.includes("/") && text.lastIndexOf(":") > text.lastIndexOf("/")) {
    return "no tag; a rule covers all tags of a repository";
  }
  if (/[A-Z]/.test(text)) return "lower case only, because image names have no upper case";
  return undefined;
}

/** A character as U+00E4: what is printed is ASCII. */
function codePoint(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
}

function withoutPath(text: string): string {
  if (text === "*") return '"**" to match every image, or HOST/**; "*" is one segment, and every name has two or more';
  if (text.includes(".") || text.includes(":")) return `HOST/PATH; for all of a registry write ${text}/**`;
  return `HOST/PATH, such as ${DOCKER_HUB}/library/nginx`;
}

/** Only advises a text that is a valid scope. */
function withSlashAtEnd(text: string): ScopeProblem {
  const everything = parseScope(`${text}${ANYTHING}`);
  if ("expected" in everything) return everything;
  return { expected: `no empty segment; for everything below ${text} write ${text}${ANYTHING}` };
}

/** In canonical names Docker Hub has one host name, and its paths at least two components. */
function wrongHubSpelling(host: string, path: readonly string[]): string | undefined {
  const full = hubSpelling(host, path.includes(ANYTHING) ? path.concat(ANYTHING).join("/") : path.join("/"));
  if (full === undefined) return undefined;
  return path.includes(ANYTHING)
    ? `${DOCKER_HUB} as the host; Docker Hub's aliases are never matched`
    : `the full name ${full}; short forms and aliases are never matched`;
}

/** @returns the host without `:443` */
function checkHost(text: string): string | ScopeProblem {
  if (text === ANYTHING) return text;
  if (!text.includes("*")) {
    const parsed = parseRegistryHost(text);
    return typeof parsed === "string" ? { expected: `${parsed} before the first "/"` } : parsed.host;
  }
  const [name = "", port, ...more] = text.split(":");
  if (more.length > 0 || !HOST_PIECE.test(text.replaceAll("*", "")) || /^[.-]|\.\.|[.-]$/.test(name)) {
    return { expected: 'a host with "*" for some of its characters before the first "/"' };
  }
  if (port === "443") {
    // Without its port `reg*:443` would also cover reg.example.com:5000.
    return name.endsWith("*") ? { expected: 'no ":443" behind "*", as it never occurs in a name' } : name;
  }
  if (port !== undefined && !/^[0-9*]{1,5}$/.test(port)) return { expected: 'a port of digits or "*"' };
  return text;
}

/** @returns what was expected; undefined for a segment that some path component can match */
function wrongPathSegment(segment: string): string | undefined {
  if (segment === ANYTHING) return undefined;
  const expected = `a path component that can occur in a name instead of "${segment}"`;
  if (!segment.includes("*")) return isPathComponent(segment) ? undefined : expected;
  if (!segment.split("*").every((piece) => PATH_PIECE.test(piece))) return expected;
  const separators = segment.match(/[._-]+/g) ?? [];
  const isPossible = separators.every((separator) => SEPARATOR.test(separator));
  return isPossible && !/^[._-]|[._-]$/.test(segment) ? undefined : expected;
}
