import type { RegistryCredentials } from "../../core/config/config.ts";
import { toUtf8 } from "../../core/encoding/bytes.ts";
import { isJsonObject, type JsonObject, parseJson } from "../../core/encoding/json.ts";
import { type Credential, entryFor, hasEntryFor } from "../../core/oci/docker-config.ts";
import { Rejection } from "../../core/rejection.ts";
import type { Warn } from "../../core/warning.ts";
import type { Deadline } from "../process/deadline.ts";
import type { Environment } from "../process/environment.ts";
import { readOwnFile } from "./own-file.ts";

/** A credential, and its source, for messages. */
export interface FoundCredential {
  readonly credential: Credential;
  readonly from: string;
}

/** The host and path of the image that needs credentials. */
export interface CredentialRequest {
  readonly host: string;
  readonly path: string;
  /** Most milliseconds for a helper; cut to what is left of the deadline. */
  readonly timeout: number;
}

/** The credential found, and the files and helpers that could not be used, as sentences without secrets. */
export interface LookUp {
  readonly found?: FoundCredential;
  /** Where none was found: the files that were read, and those that do not exist. */
  readonly searched?: string;
  readonly problems: readonly string[];
}

export type CredentialSource = (wanted: CredentialRequest) => Promise<LookUp>;

/**
 * Looks up credentials in the configured files, else in the usual ones of docker and podman; the first that matches the
 * image counts. Nothing is read before a registry asks for credentials.
 *
 * @param deadline limits a helper, and lists it while it runs
 * @param warn receives files and helpers that cannot be used, without secrets
 */
export function credentialSource(
  { files }: RegistryCredentials,
  environment: Environment,
  deadline: Deadline,
  warn: Warn,
): CredentialSource {
  return async ({ host, path, timeout }) => {
    const problems: string[] = [];
    const note = (problem: string): void => {
      problems.push(problem);
      warn({ code: "credentials.unusable", message: problem });
    };
    const read: string[] = [];
    const absent: string[] = [];
    for (const file of files ?? usualFiles(environment)) {
      const before = problems.length;
      const text = readOwnFile(file, "the file of credentials", note);
      if (problems.length === before) (text === undefined ? absent : read).push(file);
      const entry = text === undefined ? undefined : entryIn(text, host, path);
      if (typeof entry === "string") note(`${file} ${entry}; it is not used`);
      else if (entry !== undefined && "credential" in entry)
        return { found: { credential: entry.credential, from: file }, problems };
      else if (entry !== undefined) {
        const { askHelper } = await import("./credential-helper.ts");
        const name = `docker-credential-${entry.helper}`;
        const time = Math.min(timeout, deadline.remaining());
        const call = { ...entry, timeout: time, environment };
        const answer = await deadline.track(`credential helper ${name}`, () => askHelper(call));
        if (typeof answer === "string") note(answer);
        else if (answer !== undefined) return { found: { credential: answer, from: name }, problems };
      }
    }
    return { problems, searched: searchedIn(host, read, absent) };
  };
}

/** `no credentials for HOST in A, B; C does not exist` */
function searchedIn(host: string, read: readonly string[], absent: readonly string[]): string {
  const found = `no credentials for ${host}${read.length === 0 ? "" : ` in ${read.join(", ")}`}`;
  if (absent.length === 0) return found;
  return `${found}; ${absent.join(", ")} ${absent.length === 1 ? "does" : "do"} not exist`;
}

/**
 * Whether a file names the host, so that its administrator or user knows it. A helper for all hosts (credsStore) names
 * none; `docker login` writes the host beside it.
 *
 * @param host as in an ImageReference
 */
export function namesHost({ files }: RegistryCredentials, environment: Environment, host: string): boolean {
  return (files ?? usualFiles(environment)).some((file) => {
    const text = readOwnFile(file, "the file of credentials", () => {});
    const json = text === undefined ? undefined : jsonIn(text);
    return json !== undefined && hasEntryFor(json, host);
  });
}

function jsonIn(text: string): JsonObject | undefined {
  try {
    const json = parseJson(toUtf8(text), "config.invalid", "it");
    return isJsonObject(json) ? json : undefined;
  } catch (error) {
    if (error instanceof Rejection) return undefined;
    throw error;
  }
}

function entryIn(text: string, host: string, path: string): ReturnType<typeof entryFor> {
  try {
    const json = parseJson(toUtf8(text), "config.invalid", "it");
    return isJsonObject(json) ? entryFor(json, host, path) : "is not a JSON object";
  } catch (error) {
    if (error instanceof Rejection) return "is not JSON";
    throw error;
  }
}

function usualFiles({ REGISTRY_AUTH_FILE, DOCKER_CONFIG, HOME, XDG_RUNTIME_DIR }: Environment): readonly string[] {
  const docker = DOCKER_CONFIG ? `${DOCKER_CONFIG}/config.json` : HOME ? `${HOME}/.docker/config.json` : undefined;
  const podman = XDG_RUNTIME_DIR ? `${XDG_RUNTIME_DIR}/containers/auth.json` : undefined;
  const all = ["/etc/atcr-verify/registry-auth.json", REGISTRY_AUTH_FILE, docker, podman];
  return all.filter((path) => path?.startsWith("/") === true) as string[];
}
