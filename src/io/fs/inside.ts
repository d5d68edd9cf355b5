import { realpathSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/**
 * Whether a file is inside a folder, also through symbolic links. Never throws.
 *
 * @param path absolute, of a file that is not itself a link
 */
export function isInside(folder: string, path: string | undefined): boolean {
  if (path === undefined) return false;
  const around = resolve(folder);
  return resolve(path).startsWith(`${around}/`) || `${realPath(dirname(path))}/`.startsWith(`${realPath(around)}/`);
}

/** Without links, as far as it exists. The system resolves it: by its text, `..` behind a link would lead elsewhere. */
function realPath(path: string): string {
  // Ends after as many steps as the path has names.
  for (let at = path; at !== "/"; at = dirname(at)) {
    try {
      return join(realpathSync.native(at), path.slice(at.length));
    } catch {
      // Missing, or not to be seen: its name counts as it is.
    }
  }
  return path;
}
