import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

/** What of a node its distribution is recognised by. */
export interface NodeView {
  /** Whether this user sees a file, folder or socket at an absolute path. */
  readonly has: (path: string) => boolean;
  /** The fields of os-release, unquoted; empty where there is none. */
  readonly system: ReadonlyMap<string, string>;
  /** Names of the programs that run, as their command lines have them. */
  readonly processes: ReadonlySet<string>;
}

/** @param root folder that holds the node's files: `/`, or a recorded tree */
export function nodeView(root: string, processes: ReadonlySet<string>): NodeView {
  const system = ["/etc/os-release", "/usr/lib/os-release"].map((path) => textOf(join(root, path))).find(Boolean);
  return { has: (path) => existsSync(join(root, path)), system: fieldsOf(system ?? ""), processes };
}

/** This node. */
export function thisNode(): NodeView {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  // k3s puts its subcommand into the same argument: "/usr/local/bin/k3s server".
  const names = pids.map((pid) => basename(/^[^\0 ]*/.exec(textOf(`/proc/${pid}/cmdline`))?.[0] ?? ""));
  return nodeView("/", new Set(names.filter((name) => name !== "")));
}

/** os-release(5): lines of `NAME=value`, quoted as in a shell. */
function fieldsOf(text: string): ReadonlyMap<string, string> {
  const lines = text.split("\n").map((line) => /^([A-Z_]+)=(["']?)(.*)\2\s*$/.exec(line));
  return new Map(lines.flatMap((found) => (found?.[1] === undefined ? [] : [[found[1], found[3] ?? ""] as const])));
}

/** Empty where it cannot be read: it is not there, or the process has ended. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
