import { posix } from "node:path";

/** The modules of imports and re-exports that remain without types, as the formatter writes them. */
const STATIC = /^(?:import|export)\s+(?!type\b)(?:[^;"]*?\bfrom\s+)?"(?<name>[^"]+)";$/gm;

/**
 * Everything that is loaded before a file runs: its static imports, their static imports, and so on.
 *
 * @param files paths
 * @param read a file's source by its path
 * @returns paths of files and names of packages; by each, which file imports it
 */
export function staticImports(
  files: readonly string[],
  read: (path: string) => string,
): ReadonlyMap<string, string | undefined> {
  const found = new Map<string, string | undefined>(files.map((file) => [file, undefined]));
  // The loop also visits what is added during it.
  for (const file of found.keys()) {
    if (!file.endsWith(".ts")) continue;
    for (const { groups } of read(file).matchAll(STATIC)) {
      const name = groups?.["name"] ?? "";
      const path = name.startsWith(".") ? posix.join(posix.dirname(file), name) : name;
      if (!found.has(path)) found.set(path, file);
    }
  }
  return found;
}
