import { fromBase64 } from "../encoding/bytes.ts";
import { field, isJsonObject, type JsonObject } from "../encoding/json.ts";
import { DOCKER_HUB } from "./reference.ts";

/** A credential for a registry. */
export type Credential =
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  /** Exchanged at the token server for a token. */
  | { readonly kind: "identity token"; readonly token: string }
  /** Sent to the registry unchanged. */
  | { readonly kind: "registry token"; readonly token: string };

/** A file's entry for an image: the credential, or the helper program that has it. */
export type CredentialEntry =
  | { readonly credential: Credential }
  | { readonly helper: string; readonly server: string };

/** Name of Docker Hub in these files, and for helpers. */
const HUB_SERVER = "https://index.docker.io/v1/";
const HUB_NAMES: ReadonlySet<string> = new Set([DOCKER_HUB, "index.docker.io", "registry-1.docker.io"]);
/** Suffix of a program's name; excludes paths and options. */
const HELPER = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
/** User name in a helper's answer if the secret is an identity token. */
const TOKEN_USER = "<token>";

/**
 * Looks up an image in docker's config.json or podman's auth.json: the entry with the longest match of host and path
 * (containers-auth.json(5)), where a helper takes precedence over a stored secret; then names with `*` in a part of the
 * host, as the kubelet reads them; at last credsStore.
 *
 * @param file the file's JSON
 * @param host as in an ImageReference
 * @param path of the repository
 * @returns undefined where there is no entry; a text where it cannot be used, without secrets
 */
export function entryFor(file: JsonObject, host: string, path: string): CredentialEntry | string | undefined {
  const auths = tableOf(file, "auths");
  const helpers = tableOf(file, "credHelpers");
  const server = host === DOCKER_HUB ? HUB_SERVER : host;
  for (const name of namesFor(host, path)) {
    const helper = helpers.get(name);
    if (typeof helper === "string") return asHelper(helper, server);
    const found = entryAt(auths, name);
    if (found !== undefined) return found;
  }
  for (const name of patternsFor(auths, host, path)) {
    const found = entryAt(auths, name);
    if (found !== undefined) return found;
  }
  const store = field(file, "credsStore");
  return typeof store === "string" && store !== "" ? asHelper(store, server) : undefined;
}

/** Whether the file has an entry for the host or a repository there; also an empty one, as beside a helper. */
export function hasEntryFor(file: JsonObject, host: string): boolean {
  const auths = tableOf(file, "auths");
  const names = [...auths.keys(), ...tableOf(file, "credHelpers").keys()];
  return names.some((name) => name === host || name.startsWith(`${host}/`)) || patternsFor(auths, host, "").length > 0;
}

/**
 * Reads a helper's answer (docker-credential-helpers, the command get).
 *
 * @returns undefined where it is not a credential
 */
export function readHelperAnswer(answer: unknown): Credential | undefined {
  if (!isJsonObject(answer)) return undefined;
  const [username, secret] = [field(answer, "Username"), field(answer, "Secret")];
  if (typeof username !== "string" || typeof secret !== "string" || secret === "") return undefined;
  return username === TOKEN_USER
    ? { kind: "identity token", token: secret }
    : { kind: "password", username, password: secret };
}

/** Longest first: the repository, its parents, the host. */
function namesFor(host: string, path: string): readonly string[] {
  const parts = path.split("/");
  const below = parts.map((_, i) => `${host}/${parts.slice(0, parts.length - i).join("/")}`);
  return [...below, host];
}

function entryAt(auths: ReadonlyMap<string, unknown>, name: string): CredentialEntry | string | undefined {
  const auth = auths.get(name);
  const found = isJsonObject(auth) ? readAuth(auth) : undefined;
  return typeof found === "string" ? `the entry for ${name} ${found}` : found && { credential: found };
}

/** Names with `*` that stand for the host, the longest first (kubernetes.io, Images, "Interpretation of config.json"). */
function patternsFor(auths: ReadonlyMap<string, unknown>, host: string, path: string): readonly string[] {
  const matches = (name: string): boolean => {
    const [pattern = "", ...below] = name.split("/");
    if (!pattern.includes("*") || !`${path}/`.startsWith(below.map((part) => `${part}/`).join(""))) return false;
    const [wanted, given] = [pattern.split("."), host.split(".")];
    return wanted.length === given.length && wanted.every((part, i) => matchesPart(part, given[i] ?? ""));
  };
  return [...auths.keys()].filter(matches).toSorted((a, b) => b.length - a.length);
}

/** `*` is any number of characters of one part of a host. Takes time proportional to the product of the lengths. */
function matchesPart(pattern: string, text: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return pattern === text;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

function tableOf(file: JsonObject, name: string): ReadonlyMap<string, unknown> {
  const table = field(file, name);
  return new Map(isJsonObject(table) ? Object.entries(table).map(([key, value]) => [canonical(key), value]) : []);
}

/** Keys were URLs once: `https://index.docker.io/v1/`. */
function canonical(key: string): string {
  const bare = key.replace(/^https?:\/\//, "").replace(/\/(?:v[12]\/?)?$/, "");
  const slash = bare.indexOf("/");
  const host = (slash < 0 ? bare : bare.slice(0, slash)).replace(/:443$/, "");
  return `${HUB_NAMES.has(host) ? DOCKER_HUB : host}${slash < 0 ? "" : bare.slice(slash)}`;
}

function asHelper(helper: string, server: string): CredentialEntry | string {
  return HELPER.test(helper) ? { helper, server } : "has an invalid name of a credential helper";
}

/** @returns undefined for an empty entry; a text for an unusable one, without secrets */
function readAuth(entry: JsonObject): Credential | string | undefined {
  const text = (name: string): string | undefined => {
    const value = field(entry, name);
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const [identity, registry, auth] = [text("identitytoken"), text("registrytoken"), text("auth")];
  if (registry !== undefined) return { kind: "registry token", token: registry };
  if (identity !== undefined) return { kind: "identity token", token: identity };
  const [username, password] = [text("username"), text("password")];
  if (username !== undefined && password !== undefined) return { kind: "password", username, password };
  if (auth === undefined) return undefined;
  const decoded = decodeAuth(auth);
  const colon = decoded?.indexOf(":") ?? -1;
  if (decoded === undefined || colon < 1) return "has an auth that is not base64 of USER:PASSWORD";
  return {
    kind: "password",
    username: decoded.slice(0, colon),
    password: decoded.slice(colon + 1).replace(/\0+$/, ""),
  };
}

function decodeAuth(text: string): string | undefined {
  const bytes = fromBase64(text.trim());
  try {
    return bytes && new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
