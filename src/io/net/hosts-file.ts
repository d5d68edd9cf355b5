import { formatIp, parseIp } from "../../core/encoding/ip-address.ts";
import { readRegularFile } from "../fs/regular-file.ts";

const PATH = "/etc/hosts";
const SPACE = /[ \t\r\f\v]+/;
/** Bytes; ad-blocking lists have about 1 MiB. A larger file is left to c-ares. */
const MAX_FILE = 4 * 1024 * 1024;

/**
 * Looks up a name in /etc/hosts (hosts(5)). c-ares merges lines that share an address or a name and loses some of them;
 * glibc and Go, and so containerd, use every line.
 *
 * @param host may be attacker-controlled
 * @returns empty where the name is not listed or the file cannot be read: then DNS is asked
 */
export function lookUpInHostsFile(host: string): readonly string[] {
  const text = readRegularFile(PATH, MAX_FILE);
  return typeof text === "string" ? addressesIn(text, host) : [];
}

/**
 * The addresses of every line with exactly this name, without duplicates, in the order of the lines. Case and a trailing
 * dot do not matter; `#` begins a comment; a line without a valid address is ignored.
 *
 * @param text of a hosts file
 * @param host may be attacker-controlled
 */
export function addressesIn(text: string, host: string): readonly string[] {
  const name = plain(host);
  const found = new Set<string>();
  if (name === "") return [];
  const lines = text.toLowerCase();
  // Jumps from one occurrence of the name to the next, as a file may have 100,000 lines.
  for (let next = 0, at = lines.indexOf(name); at >= 0; at = lines.indexOf(name, next)) {
    next = at + name.length;
    if (!isField(lines, at, next)) continue;
    const begin = lines.lastIndexOf("\n", at) + 1;
    const end = endOfLine(lines, at);
    next = end;
    const [written = "", ...names] = fieldsOf(lines.slice(begin, end));
    const address = names.some((one) => plain(one) === name) ? parseIp(written) : undefined;
    if (address !== undefined) found.add(formatIp(address));
  }
  return [...found];
}

/** A cheap check first: a name like `com` occurs in every line. */
function isField(text: string, begin: number, end: number): boolean {
  return SPACE.test(text[begin - 1] ?? "") && /^[ \t\r\f\v\n.#]?$/.test(text[end] ?? "");
}

function endOfLine(text: string, at: number): number {
  const end = text.indexOf("\n", at);
  return end < 0 ? text.length : end;
}

function fieldsOf(line: string): readonly string[] {
  const [content = ""] = line.split("#", 1);
  return content.split(SPACE).filter((field) => field !== "");
}

function plain(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}
