import { readFileSync } from "node:fs";

/** A mount of this process's namespace (proc_pid_mountinfo(5)). */
export interface Mount {
  readonly id: string;
  readonly parent: string;
  /** Absolute path of what of the file system is mounted. */
  readonly root: string;
  /** Absolute path where it is mounted. */
  readonly point: string;
  /** `tmpfs` */
  readonly type: string;
  /** Of the mount or of its file system. */
  readonly isReadOnly: boolean;
}

const MOUNTINFO = "/proc/self/mountinfo";

/** This process's mounts; none where the system does not tell. */
export function readMounts(): readonly Mount[] {
  try {
    return parseMounts(readFileSync(MOUNTINFO, "latin1"));
  } catch {
    return [];
  }
}

/** Reads the text of /proc/self/mountinfo, as Latin-1; lines of another form are skipped. */
export function parseMounts(text: string): readonly Mount[] {
  return text.split("\n").flatMap((line) => {
    const [own = "", behind = ""] = line.split(" - ", 2);
    const [id, parent, , root, point, options] = own.split(" ");
    const [type, , ofFileSystem] = behind.split(" ");
    if (id === undefined || parent === undefined || root === undefined || point === undefined) return [];
    if (options === undefined || type === undefined || ofFileSystem === undefined) return [];
    const isReadOnly = [options, ofFileSystem].some((list) => list.split(",").includes("ro"));
    return [{ id, parent, root: unescaped(root), point: unescaped(point), type, isReadOnly }];
  });
}

/**
 * The mount that a path is reached through, found as the kernel does: from the root down, into each mount on the way.
 * The longest mount point alone would not do, since a later mount may hide it.
 *
 * @param path absolute, without links
 * @returns undefined where that cannot be told
 */
export function mountOf(path: string, mounts: readonly Mount[]): Mount | undefined {
  const ids = new Set(mounts.map(({ id }) => id));
  let at = mounts.find(({ point, parent }) => point === "/" && !ids.has(parent));
  for (let crossed = 0; crossed < mounts.length; crossed++) {
    const next = mounts
      .filter(({ id, parent, point }) => parent === at?.id && id !== at.id && isWithin(path, point))
      .toSorted((a, b) => a.point.length - b.point.length)[0];
    if (next === undefined) return at;
    at = next;
  }
  return at;
}

/**
 * Whether nobody of this mount namespace can write to what a path names, whatever its mode says: the mount is
 * read-only. Volumes of ConfigMaps and Secrets are, and have the mode 0777.
 *
 * @param path absolute, without links
 */
export function isOnReadOnlyMount(path: string): boolean {
  return mountOf(path, readMounts())?.isReadOnly === true;
}

function isWithin(path: string, point: string): boolean {
  return point === "/" || path === point || path.startsWith(`${point}/`);
}

/** Space, tab, newline, `#` and backslash are written as three octal digits. The file has bytes, and paths are UTF-8. */
function unescaped(text: string): string {
  const bytes = text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
  return Buffer.from(bytes, "latin1").toString("utf8");
}
