import { type ForeignMap, type ForeignNode, foreignDocuments } from "../../core/encoding/foreign-yaml.ts";
import { foreignIn } from "../../core/encoding/written-text.ts";
import { reject } from "../../core/rejection.ts";

/** What one kubeconfig file says (client.config.k8s.io Config, v1). Keys that are not used here are passed over. */
export interface KubeconfigDocument {
  readonly currentContext?: string;
  readonly contexts: ReadonlyMap<string, ContextEntry>;
  readonly clusters: ReadonlyMap<string, ClusterEntry>;
  readonly users: ReadonlyMap<string, UserEntry>;
}

export interface ContextEntry {
  readonly cluster?: string;
  readonly user?: string;
  readonly namespace?: string;
}

export interface ClusterEntry {
  readonly server?: string;
  readonly authority?: Content;
  readonly skipVerify: boolean;
  /** tls-server-name. */
  readonly serverName?: string;
  readonly proxy?: string;
}

export interface UserEntry {
  readonly certificate?: Content;
  readonly key?: Content;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly exec?: ExecEntry;
  /** A key by which the user would authenticate, and that this program does not know. */
  readonly unsupported?: string;
}

/** Base64 in the file itself, or another file. */
export type Content = { readonly data: string } | { readonly file: string };

/** A program that prints a credential (client.authentication.k8s.io). */
export interface ExecEntry {
  readonly apiVersion: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: ReadonlyMap<string, string>;
  /** `Always` needs a person at a terminal. */
  readonly interactiveMode?: string;
  readonly provideClusterInfo: boolean;
}

/** Entries of one list. Stops a file of a million contexts. */
const MAX_ENTRIES = 10_000;
/** Keys of a user for which there is no support. */
const UNSUPPORTED = ["auth-provider", "username", "as"];

/**
 * Reads a kubeconfig file. Keys that others added are passed over; what programs read differently, such as a key that
 * is written twice, is rejected.
 *
 * @param file for messages
 * @throws Rejection input.malformed
 */
export function kubeconfigDocument(text: string, file: string): KubeconfigDocument {
  const read = new KubeconfigReader(file);
  const foreign = foreignIn(text);
  if (foreign !== undefined) {
    read.fail(text.slice(0, foreign.offset).split("\n").length, `found ${foreign.found}, expected ${foreign.expected}`);
  }
  const [document, second] = foreignDocuments(text, (line, message) => read.fail(line, message));
  if (second !== undefined) read.fail(second.line, "found a second document, expected one");
  if (document === undefined || isEmpty(document)) return NOTHING;
  const root = read.map(document, "a kubeconfig");
  const kind = read.text(root, "kind");
  if (kind !== undefined && kind !== "Config") read.fail(root.line, `found the kind ${kind}, expected Config`);
  return {
    ...optional("currentContext", read.text(root, "current-context")),
    contexts: read.named(root, "contexts", "context", (context) => ({
      ...optional("cluster", read.text(context, "cluster")),
      ...optional("user", read.text(context, "user")),
      ...optional("namespace", read.text(context, "namespace")),
    })),
    clusters: read.named(root, "clusters", "cluster", (cluster) => ({
      ...optional("server", read.text(cluster, "server")),
      ...optional("authority", read.content(cluster, "certificate-authority")),
      skipVerify: read.flag(cluster, "insecure-skip-tls-verify"),
      ...optional("serverName", read.text(cluster, "tls-server-name")),
      ...optional("proxy", read.text(cluster, "proxy-url")),
    })),
    users: read.named(root, "users", "user", (user) => ({
      ...optional("certificate", read.content(user, "client-certificate")),
      ...optional("key", read.content(user, "client-key")),
      ...optional("token", read.text(user, "token")),
      ...optional("tokenFile", read.text(user, "tokenFile")),
      ...optional("exec", read.exec(user)),
      ...optional(
        "unsupported",
        UNSUPPORTED.find((name) => read.value(user, name) !== undefined),
      ),
    })),
  };
}

const NOTHING: KubeconfigDocument = { contexts: new Map(), clusters: new Map(), users: new Map() };

class KubeconfigReader {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  fail(line: number, message: string): never {
    reject("input.malformed", `${this.#file}:${line}: ${message}`);
  }

  map(node: ForeignNode, what: string): ForeignMap {
    return node.kind === "map" ? node : this.fail(node.line, `found a ${node.kind}, expected ${what}`);
  }

  /** undefined where the key is missing, or its value empty. */
  value({ entries }: ForeignMap, name: string): ForeignNode | undefined {
    const merged = entries.find(({ key }) => key.kind === "scalar" && key.text === "<<");
    if (merged !== undefined) this.fail(merged.line, "found a merge key (<<), expected its values written out");
    const [first, second] = entries.filter(({ key }) => key.kind === "scalar" && key.text === name);
    if (second !== undefined) this.fail(second.line, `found ${name} twice, expected it once`);
    return first === undefined || isEmpty(first.value) ? undefined : first.value;
  }

  text(map: ForeignMap, name: string): string | undefined {
    const value = this.value(map, name);
    if (value === undefined || value.kind === "scalar") return value?.text;
    return this.fail(value.line, `found a ${value.kind}, expected text after ${name}`);
  }

  flag(map: ForeignMap, name: string): boolean {
    const text = this.text(map, name);
    if (text === undefined || text === "false") return false;
    return (
      text === "true" || this.fail(map.line, `found ${JSON.stringify(text)} after ${name}, expected true or false`)
    );
  }

  list(map: ForeignMap, name: string): readonly ForeignNode[] {
    const value = this.value(map, name);
    if (value === undefined) return [];
    if (value.kind !== "list") this.fail(value.line, `found a ${value.kind}, expected a list after ${name}`);
    if (value.items.length > MAX_ENTRIES)
      this.fail(value.line, `found ${value.items.length} entries, expected at most ${MAX_ENTRIES}`);
    return value.items;
  }

  /** `NAME-data` counts before the file that NAME names, as in kubectl. */
  content(map: ForeignMap, name: string): Content | undefined {
    const [data, file] = [this.text(map, `${name}-data`), this.text(map, name)];
    return data === undefined ? (file === undefined ? undefined : { file }) : { data };
  }

  /** A list of `{ name, INNER: … }`; the first of a name counts. */
  named<T>(root: ForeignMap, list: string, inner: string, read: (entry: ForeignMap) => T): ReadonlyMap<string, T> {
    const found = new Map<string, T>();
    for (const item of this.list(root, list)) {
      const entry = this.map(item, `an entry of ${list}`);
      const name = this.text(entry, "name") ?? this.fail(entry.line, `found an entry of ${list} without a name`);
      const value = this.value(entry, inner) ?? EMPTY;
      if (!found.has(name)) found.set(name, read(this.map(value, inner)));
    }
    return found;
  }

  exec(user: ForeignMap): ExecEntry | undefined {
    const value = this.value(user, "exec");
    if (value === undefined) return undefined;
    const exec = this.map(value, "a map after exec");
    const text = (name: string): string =>
      this.text(exec, name) ?? this.fail(exec.line, `found exec without ${name}, expected ${name}`);
    const args = this.list(exec, "args").map((arg) =>
      arg.kind === "scalar" ? arg.text : this.fail(arg.line, `found a ${arg.kind}, expected text in args`),
    );
    const env = this.list(exec, "env").map((item): [string, string] => {
      const pair = this.map(item, "a name and a value in env");
      return [this.text(pair, "name") ?? this.fail(pair.line, "found no name in env"), this.text(pair, "value") ?? ""];
    });
    return {
      apiVersion: text("apiVersion"),
      command: text("command"),
      args,
      env: new Map(env),
      ...optional("interactiveMode", this.text(exec, "interactiveMode")),
      provideClusterInfo: this.flag(exec, "provideClusterInfo"),
    };
  }
}

const EMPTY: ForeignMap = { kind: "map", line: 1, entries: [] };

function isEmpty(node: ForeignNode): boolean {
  return node.kind === "scalar" && node.isPlain && /^(?:|~|null|Null|NULL)$/.test(node.text);
}

function optional<Name extends string, T>(name: Name, value: T | undefined): { readonly [N in Name]?: T } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [N in Name]?: T });
}
