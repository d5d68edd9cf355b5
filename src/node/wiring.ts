import {
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { hasCode } from "../disk/error-code.ts";
import { replaceFile } from "../disk/replace-file.ts";
import { checkWay } from "../disk/trusted-way.ts";

/** Name of our entry in bin_dir, which containerd's refusals quote. */
export const ENTRY = "atcr-verify";
/** In stateDir: the folders that a link was placed in, one in a line; the packages' removal reads it. */
const PLACED = "enabled";
/** What packages install, and where their removal looks for links to it: it reads no configuration. */
const PACKAGED = "/usr/bin/atcr-verify";
const PACKAGED_STATE = "/var/lib/atcr-verify";

/** Absolute path of this very program, all links followed. @throws Error where that cannot be told */
export function ownProgram(): string {
  return readlinkSync("/proc/self/exe").replace(/ \(deleted\)$/, "");
}

/**
 * Places the link by which containerd runs this program. It is made beside bin_dir and renamed in, since
 * whatever stands in that folder is executed at every pull, half made or not.
 *
 * @param binDir absolute path; made where it is missing
 * @param program absolute path
 * @returns whether anything was changed
 * @throws Error where it must not, or cannot be; then nothing was changed
 */
export function placeLink(binDir: string, program: string): boolean {
  checkWay(program);
  const above = nearest(binDir);
  checkWay(above);
  if (above === binDir && program.startsWith(`${realpathSync(binDir)}/`)) {
    throw new Error(`${program} lies in bin_dir itself, where an upgrade would block pulls: install it elsewhere`);
  }
  mkdirSync(binDir, { recursive: true, mode: 0o755 });
  const link = join(binDir, ENTRY);
  const found = lstatSync(link, { throwIfNoEntry: false });
  if (found !== undefined && !found.isSymbolicLink()) {
    throw new Error(`${link} is there and no link: move it away, out of ${binDir}`);
  }
  if (found !== undefined && readlinkSync(link) === program) return false;
  const made = join(dirname(binDir), `.${ENTRY}.${process.pid}.new`);
  rmSync(made, { force: true });
  symlinkSync(program, made);
  try {
    renameSync(made, link);
  } catch (error) {
    rmSync(made, { force: true });
    const advice = hasCode(error, "EXDEV") ? `; ${binDir} is a file system of its own: place the link by hand` : "";
    throw new Error(`the link cannot be moved to ${link}: ${(error as Error).message}${advice}`, { cause: error });
  }
  return true;
}

/** The path itself, or what is there of the way to it. */
function nearest(path: string): string {
  return lstatSync(path, { throwIfNoEntry: false }) === undefined ? nearest(dirname(path)) : path;
}

/**
 * Takes the link out.
 *
 * @returns whether it was there
 * @throws Error where something else stands there under its name, or it cannot be removed
 */
export function removeLink(binDir: string): boolean {
  const link = join(binDir, ENTRY);
  const found = lstatSync(link, { throwIfNoEntry: false });
  if (found === undefined) return false;
  const target = found.isSymbolicLink() ? readlinkSync(link) : undefined;
  if (target === undefined || basename(target) !== ENTRY) {
    throw new Error(
      `${link} ${target === undefined ? "is no link" : `leads to ${target}`}: that was not placed by atcr-verify enable`,
    );
  }
  unlinkSync(link);
  return true;
}

/** The folders in which is remembered where links to a program were placed. */
export function recordsOf(program: string, stateDir: string): readonly string[] {
  return program === PACKAGED ? [...new Set([stateDir, PACKAGED_STATE])] : [stateDir];
}

/** The folders that a link was placed in, as far as is remembered. */
export function placedIn(stateDir: string): readonly string[] {
  try {
    return readFileSync(join(stateDir, PLACED), "utf8")
      .split("\n")
      .filter((line) => line.startsWith("/"));
  } catch {
    return [];
  }
}

/** Remembers, or forgets, that a link was placed. @throws Error where that cannot be written */
export function recordPlace(stateDir: string, binDir: string, isPlaced: boolean): void {
  const others = placedIn(stateDir).filter((folder) => folder !== binDir);
  mkdirSync(stateDir, { recursive: true, mode: 0o755 });
  checkWay(stateDir);
  const folders = [...others, ...(isPlaced ? [binDir] : [])];
  replaceFile(join(stateDir, PLACED), folders.map((folder) => `${folder}\n`).join(""));
}
