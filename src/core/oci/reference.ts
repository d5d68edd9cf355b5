import { reject } from "../rejection.ts";
import { type Digest, parseDigest } from "./digest.ts";
import { isFullHostname, parseRegistryHost } from "./host.ts";

/** A full image name, parsed and canonical (spec 1.3). */
export interface ImageReference {
  /** Host with port if it is not 443: `atcr.io`, `localhost:5000`, `[::1]:5000`. */
  readonly host: string;
  /** The host as written, if it ends in `:443`: containerd uses it to find the certs.d folder. */
  readonly writtenHost?: string;
  /** Path of the repository on that host: `alice.example.com/app`. */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** Longest name that is read: longer than any valid name. Bounds all work below. */
const MAX_REFERENCE = 1024;
/** The distribution grammar's RepositoryNameTotalLengthMax. */
export const MAX_PATH = 255;
const COMPONENT = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
/** A digest of any algorithm (OCI image specification). */
const ANY_DIGEST = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/;

/** The one name of Docker Hub in rules and messages. */
export const DOCKER_HUB = "docker.io";
const DOCKER_HUB_ALIASES: ReadonlySet<string> = new Set(["index.docker.io", "registry-1.docker.io"]);

/**
 * Reads a full image name strictly by the grammar of distribution/reference (spec 1.3).
 *
 * containerd passes on whatever its client wrote, and pulls from the URL made of it. So a name that another program would
 * read as another host or path is rejected, not repaired: upper case, `..`, `//`, `%61`, `user@`, and the short forms and
 * aliases of Docker Hub.
 *
 * @param text attacker-controlled
 * @param typed the same as it was given, for messages
 * @throws Rejection image.malformed_reference, input.unsupported_digest
 */
export function parseReference(text: string, typed = text): ImageReference {
  if (text.length > MAX_REFERENCE) {
    malformed(`${typed.slice(0, 64)}…`, `it has ${text.length} characters, expected at most ${MAX_REFERENCE}`);
  }
  const { name, tag, digest } = splitReference(text, typed);
  const slash = name.indexOf("/");
  if (slash < 0) malformed(typed, "it names no host, expected HOST/PATH such as docker.io/library/nginx");
  const writtenHost = name.slice(0, slash);
  const path = name.slice(slash + 1);

  const parsedHost = parseRegistryHost(writtenHost);
  if (typeof parsedHost === "string") malformed(typed, `its host is "${writtenHost}", expected ${parsedHost}`);
  checkPath(typed, path);
  refuseHubAliases(typed, writtenHost, path);
  if (tag !== undefined && !TAG.test(tag)) {
    malformed(typed, `its tag is "${tag}", expected 1 to 128 letters, digits, "_", "." and "-", not "." or "-" first`);
  }
  return {
    host: parsedHost.host,
    ...(writtenHost !== parsedHost.host && { writtenHost }),
    path,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest: parseDigest(digest, `the digest in the image name "${typed}"`) }),
  };
}

/**
 * Reads an image name from the command line (spec 1.3): Docker's short forms are expanded, and the result is parsed
 * strictly.
 *
 *   nginx, docker.io/nginx, index.docker.io/library/nginx  ->  docker.io/library/nginx
 *   alice/app                                              ->  docker.io/alice/app
 *
 * @throws Rejection image.malformed_reference, input.unsupported_digest
 */
export function normaliseReference(text: string): ImageReference {
  const [scheme] = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text) ?? [];
  if (scheme !== undefined) malformed(text, `leave out "${scheme}"`);
  if (/^[a-z0-9]+:[0-9a-f]{32,}$/.test(text)) malformed(text, "it is a digest alone; write NAME@DIGEST");
  // containerd looks such a name up among its local images by the beginning of their digest.
  if (/^sha(?:256|384|512)(?:[:@]|$)/.test(text) && !text.includes("/")) {
    malformed(text, "it is a digest alone, or part of one; write NAME@DIGEST");
  }
  const slash = text.indexOf("/");
  const first = text.slice(0, Math.max(slash, 0));
  const namesHost = isFullHostname(first) || first.includes(":");
  const host = namesHost ? first : DOCKER_HUB;
  const rest = namesHost ? text.slice(slash + 1) : text;
  if (host !== DOCKER_HUB && !DOCKER_HUB_ALIASES.has(host)) return parseReference(text);
  return parseReference(`${DOCKER_HUB}/${rest.includes("/") ? "" : "library/"}${rest}`, text);
}

/** Writes a reference so that {@link parseReference} reads the same back. */
export function formatReference({ host, writtenHost = host, path, tag, digest }: ImageReference): string {
  const name = `${writtenHost}/${path}`;
  return `${name}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

function splitReference(
  text: string,
  typed: string,
): { name: string; tag: string | undefined; digest: string | undefined } {
  const at = text.lastIndexOf("@");
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !ANY_DIGEST.test(digest)) {
    malformed(typed, `"@" is followed by "${digest}", expected a digest (a name contains no user)`);
  }
  const named = at < 0 ? text : text.slice(0, at);
  const colon = named.lastIndexOf(":");
  const hasTag = colon > named.lastIndexOf("/");
  return { name: hasTag ? named.slice(0, colon) : named, tag: hasTag ? named.slice(colon + 1) : undefined, digest };
}

function checkPath(text: string, path: string): void {
  if (path.length > MAX_PATH) {
    malformed(text, `its path has ${path.length} characters, expected at most ${MAX_PATH}`);
  }
  for (const component of path.split("/")) {
    if (!COMPONENT.test(component)) {
      const expected = 'lower-case letters and digits, with ".", "_", "__" or hyphens between them';
      malformed(text, `a component of its path is "${component}", expected ${expected}`);
    }
  }
}

/** Whether the text can be a component of an image name's path. */
export function isPathComponent(text: string): boolean {
  return COMPONENT.test(text);
}

/**
 * Docker Hub has only one name here. Its aliases, and `docker.io:443`, which containerd treats as a different registry,
 * would otherwise select other rules than the image that they pull.
 *
 * @returns what to write instead; undefined where the name is correct
 */
export function hubSpelling(writtenHost: string, path: string): string | undefined {
  const isAlias = DOCKER_HUB_ALIASES.has(writtenHost.replace(/:443$/, "")) || writtenHost === `${DOCKER_HUB}:443`;
  if (!isAlias && writtenHost !== DOCKER_HUB) return undefined;
  const full = `${DOCKER_HUB}/${path.includes("/") ? path : `library/${path}`}`;
  return isAlias || !path.includes("/") ? full : undefined;
}

function refuseHubAliases(text: string, writtenHost: string, path: string): void {
  const full = hubSpelling(writtenHost, path);
  if (full !== undefined) malformed(text, `it is a short form or an alias, expected ${full}`);
}

function malformed(text: string, problem: string): never {
  reject("image.malformed_reference", `the image name "${text}" cannot be used: ${problem}`);
}
