import { createPrivateKey, X509Certificate } from "node:crypto";
import { dirname, resolve } from "node:path";
import { findCertificates } from "../../core/encoding/pem.ts";
import { reject } from "../../core/rejection.ts";
import { readPossiblyUntrustedFile } from "../../io/fs/local-file.ts";
import type { Environment } from "../../io/process/environment.ts";
import type { ClusterAccess } from "./api-client.ts";
import { type ExecCredential, execCredential } from "./exec-credential.ts";
import {
  type ClusterEntry,
  type Content,
  type ContextEntry,
  type KubeconfigDocument,
  kubeconfigDocument,
  type UserEntry,
} from "./kubeconfig-document.ts";

/** Files that KUBECONFIG may list. */
const MAX_KUBECONFIGS = 64;
/** What always works: kubectl authenticates, and this program asks it on loopback. */
const BY_PROXY = "run kubectl proxy, and give --server http://127.0.0.1:8001";

/** The cluster that a kubeconfig leads to. */
export interface ChosenCluster {
  readonly access: ClusterAccess;
  /** For people: what was chosen, and where from. */
  readonly from: string;
  /** Of the context; absent where it names none. */
  readonly namespace?: string;
}

export interface KubeconfigChoice {
  /** `--kubeconfig`; absent: KUBECONFIG, else ~/.kube/config. */
  readonly file?: string;
  /** `--context`; absent: the current one. */
  readonly context?: string;
}

/** One file, and what it says. */
interface ReadFile {
  readonly path: string;
  readonly document: KubeconfigDocument;
  /** Why others can change it. */
  readonly untrusted: readonly string[];
}

/**
 * The cluster of a kubeconfig, as kubectl chooses it: of several files the first counts that names a cluster, user or context.
 *
 * @throws Rejection input.malformed where there is none, or where it needs what is not supported
 */
export async function chooseCluster(choice: KubeconfigChoice, environment: Environment): Promise<ChosenCluster> {
  const files = readFiles(choice, environment);
  const name =
    choice.context ??
    first(files, ({ document }) => document.currentContext)?.value ??
    fail(files, "no current-context");
  const context = lookUp(files, "context", name, ({ contexts }) => contexts.get(name)).value;
  const cluster = named(files, context, "cluster", ({ clusters }, of) => clusters.get(of));
  const user = named(files, context, "user", ({ users }, of) => users.get(of));
  const access = clusterOf(cluster);
  return {
    access: { ...access, ...(await credentialOf(user, access, environment)) },
    from: `the context ${name} of ${user.file.path}`,
    ...(context.namespace !== undefined && { namespace: context.namespace }),
  };
}

/** `kubectl proxy` on this machine, which adds the credentials itself. @throws Rejection input.malformed */
export function clusterByProxy(server: string): ChosenCluster {
  const url = URL.parse(server);
  if (url === null || url.protocol !== "http:" || !isLoopback(url) || url.search !== "" || url.username !== "") {
    reject(
      "input.malformed",
      `--server: found ${server}, expected the address of kubectl proxy: http://127.0.0.1:8001`,
    );
  }
  return { access: { server: rootOf(url), skipVerify: false }, from: "--server" };
}

function readFiles({ file }: KubeconfigChoice, environment: Environment): readonly ReadFile[] {
  const listed = (environment["KUBECONFIG"] ?? "").split(":").filter((path) => path !== "");
  const home = environment["HOME"];
  const usual = home === undefined ? [] : [`${home}/.kube/config`];
  const paths = file === undefined ? (listed.length > 0 ? listed : usual) : [file];
  const read = paths.slice(0, MAX_KUBECONFIGS).flatMap((path) => {
    const untrusted: string[] = [];
    const text = readPossiblyUntrustedFile({ path, code: "input.malformed", what: "the kubeconfig" }, (why) =>
      untrusted.push(why),
    );
    return text === undefined ? [] : [{ path, document: kubeconfigDocument(text, path), untrusted }];
  });
  if (read.length > 0) return read;
  const where = paths.length === 0 ? "HOME and KUBECONFIG are not set" : `there is no ${paths.join(", ")}`;
  return reject("input.malformed", `found no kubeconfig: ${where}; name one by --kubeconfig, or ${BY_PROXY}`);
}

/** A value, and the file that it is in, by whose folder its paths are read. */
interface Found<T> {
  readonly value: T;
  readonly file: ReadFile;
}

function first<T>(files: readonly ReadFile[], get: (file: ReadFile) => T | undefined): Found<T> | undefined {
  for (const file of files) {
    const value = get(file);
    if (value !== undefined) return { value, file };
  }
  return undefined;
}

function lookUp<T>(
  files: readonly ReadFile[],
  what: string,
  name: string,
  get: (document: KubeconfigDocument) => T | undefined,
): Found<T> {
  return first(files, ({ document }) => get(document)) ?? fail(files, `no ${what} ${JSON.stringify(name)}`);
}

function named<T>(
  files: readonly ReadFile[],
  context: ContextEntry,
  what: "cluster" | "user",
  get: (document: KubeconfigDocument, name: string) => T | undefined,
): Found<T> {
  const name = context[what] ?? fail(files, `a context without a ${what}`);
  return lookUp(files, what, name, (document) => get(document, name));
}

function fail(files: readonly ReadFile[], found: string): never {
  const paths = files.map(({ path }) => path).join(", ");
  reject("input.malformed", `${paths}: found ${found}; name a context that is complete by --context`);
}

function clusterOf({ value, file }: Found<ClusterEntry>): ClusterAccess {
  const { path } = file;
  const url = URL.parse(value.server ?? "");
  if (url === null || !(url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url)))) {
    reject("input.malformed", `${path}: found the server ${value.server ?? "of no name"}, expected https://HOST:PORT`);
  }
  if (value.serverName !== undefined)
    reject("input.malformed", `${path}: tls-server-name is not supported here; ${BY_PROXY}`);
  const text = value.authority && contentOf(value.authority, file, "certificate-authority");
  if (text !== undefined && findCertificates(text).every(({ pem }) => pem === undefined))
    reject("input.malformed", `${path}: found no certificate in certificate-authority, expected PEM`);
  return {
    server: rootOf(url),
    skipVerify: value.skipVerify,
    ...(text !== undefined && { authority: { path, text } }),
    ...(value.proxy !== undefined && { proxy: value.proxy }),
  };
}

async function credentialOf(
  { value, file }: Found<UserEntry>,
  cluster: ClusterAccess,
  environment: Environment,
): Promise<ExecCredential> {
  const { path, untrusted } = file;
  const { token, tokenFile, certificate, key, exec, unsupported } = value;
  if (unsupported !== undefined)
    reject("input.malformed", `${path}: the user's ${unsupported} is not supported here; ${BY_PROXY}`);
  const pair = certificate &&
    key && {
      cert: contentOf(certificate, file, "client-certificate"),
      key: contentOf(key, file, "client-key"),
    };
  if (pair) assertPair(pair, path);
  // As in kubectl, the file counts before the token that is written in the kubeconfig.
  const own = tokenFile === undefined ? token : readNamed(tokenFile, file, "tokenFile").trim();
  if (pair || own !== undefined) return { ...(pair && { client: pair }), ...(own !== undefined && { token: own }) };
  if (exec === undefined) return {};
  if (untrusted[0] !== undefined)
    reject("input.malformed", `${path}: its exec is not run, as others can change it: ${untrusted[0]}; or ${BY_PROXY}`);
  const asked = { exec, folder: dirname(resolve(path)), cluster };
  const answer = await execCredential(asked, environment);
  if (typeof answer === "string")
    reject("input.malformed", `${path}: the credential plugin ${exec.command} ${answer}; ${BY_PROXY}`);
  if (answer.client) assertPair(answer.client, exec.command);
  return answer;
}

function assertPair({ cert, key }: { readonly cert: string; readonly key: string }, from: string): void {
  try {
    if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return;
  } catch (error) {
    reject("input.malformed", `${from}: the client certificate or its key cannot be read, expected PEM`, error);
  }
  reject("input.malformed", `${from}: the client certificate is of another key than client-key`);
}

function contentOf(content: Content, file: ReadFile, what: string): string {
  if ("file" in content) return readNamed(content.file, file, what);
  const bytes = Buffer.from(content.data.replaceAll(/\s/g, ""), "base64");
  return bytes.toString("latin1");
}

/** @param name relative to the folder of the kubeconfig that names it */
function readNamed(name: string, { path }: ReadFile, what: string): string {
  const full = resolve(dirname(resolve(path)), name);
  const text = readPossiblyUntrustedFile({ path: full, code: "input.malformed", what }, () => {});
  return text ?? reject("input.malformed", `${path}: there is no ${full}, which ${what} names`);
}

function isLoopback({ hostname }: URL): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

function rootOf({ protocol, host, pathname }: URL): string {
  return `${protocol}//${host}${pathname.replace(/\/+$/, "")}`;
}
