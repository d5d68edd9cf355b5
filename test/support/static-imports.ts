import { posix } from "node:path";

/** Imports and re-exports that stay when types are taken away, as the formatter writes them: what they name. */
const STATIC = /^(?:import|export)\s+(?!type\b)(?:[^;"]*?\bfrom\s+)?"(?<name>[^"]+)";$/gm;

/**
 * All that is loaded with a file before any of it runs: what it imports statically, what that imports, and so on.
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
  // What is added on the way is gone through as well.
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
