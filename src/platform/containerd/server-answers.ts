import { callRaw, readAll, readFields, textOf, useGrpc } from "./grpc.ts";

const VERSION = "/containerd.services.version.v1.Version/Version";
const PLUGINS = "/containerd.services.introspection.v1.Introspection/Plugins";
/** Characters of a plugin's error that are shown. */
const MAX_SHOWN = 300;
const LOADED = "ok";

/** What a running containerd says of itself. What it did not answer is absent, and `unanswered` says why. */
export interface ServerAnswers {
  /** `2.1.9` */
  readonly version?: string;
  /** `TYPE.ID` to `ok`, or to why the plugin was not loaded. */
  readonly plugins?: ReadonlyMap<string, string>;
  /** Sentences. */
  readonly unanswered: readonly string[];
}

/**
 * Asks a containerd for its version and its plugins (its API, containerd.services.version.v1 and
 * containerd.services.introspection.v1), which needs none of its programs.
 *
 * @param timeout milliseconds for both answers
 * @returns never rejects
 */
export async function askServer(socket: string, timeout: number): Promise<ServerAnswers> {
  const unanswered: string[] = [];
  const ask = async <T>(what: string, method: string, read: (answer: Uint8Array) => T): Promise<T | undefined> => {
    try {
      return read(await useGrpc(socket, timeout, (session) => callRaw(session, method, new Uint8Array())));
    } catch (error) {
      unanswered.push(`${what} could not be determined: ${(error as Error).message}`);
      return undefined;
    }
  };
  const [version, plugins] = await Promise.all([
    ask("the version", VERSION, (answer) => textOf(readFields(answer), 1).replace(/^v/, "")),
    ask("the list of loaded plugins", PLUGINS, pluginsIn),
  ]);
  if (version === "") unanswered.push("the version could not be determined: containerd answered without one");
  return { ...(version && { version }), ...(plugins && { plugins }), unanswered };
}

/** PluginsResponse: plugins 1; Plugin: type 1, id 2, init_err 7; google.rpc.Status: message 2. */
function pluginsIn(answer: Uint8Array): ReadonlyMap<string, string> {
  const plugins = readAll(answer).flatMap(([number, value]) => (number === 1 ? [readFields(value)] : []));
  return new Map(
    plugins.map((plugin) => {
      const error = plugin.get(7);
      const why = error && (textOf(readFields(error), 2).slice(0, MAX_SHOWN) || "it failed to start");
      return [`${textOf(plugin, 1)}.${textOf(plugin, 2)}`, why ?? LOADED];
    }),
  );
}
