import {
  accessSync,
  constants,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { isDenied } from "../../io/fs/denied.ts";
import { hasCode } from "../../io/fs/error-code.ts";
import { replaceFile } from "../../io/fs/replace-file.ts";
import { checkWay } from "../../io/fs/trusted-path.ts";
import { entriesOf } from "./bin-dir.ts";
import { copyOf } from "./copies.ts";

/** Name of our entry in bin_dir, which containerd's refusals quote. */
export const ENTRY = "atcr-verify";
/** In stateDir: the folders that a link was placed in, one in a line; the packages' removal reads it. */
const PLACED = "enabled";
/** What packages install, and where their removal looks for links to it: it reads no configuration. */
const PACKAGED = "/usr/bin/atcr-verify";
export const PACKAGED_STATE = "/var/lib/atcr-verify";

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

/** The path itself, or the nearest folder above it that exists. */
export function nearest(path: string): string {
  return lstatSync(path, { throwIfNoEntry: false }) === undefined ? nearest(dirname(path)) : path;
}

/** An entry of a bin_dir by which containerd runs this program, or another build of it, or would if its target existed. */
export interface OwnEntry {
  readonly path: string;
  /** How it leads here, as a clause without subject. */
  readonly how: string;
  /** Whether `disable` takes it out: a link that leads to this program, or one that `enable` placed for another build. */
  readonly isRemovable: boolean;
}

/**
 * Every entry that runs this program, whatever entry and program are called: links, links to links, hard links, copies,
 * the program itself. A link to another build is found by the name of the entry, or by a target named like the program.
 *
 * @param isRecorded whether `enable` recorded this folder
 * @throws Error where the folder cannot be read
 */
export function ownEntries(binDir: string, program: string, isRecorded: boolean): readonly OwnEntry[] {
  return (entriesOf(binDir) ?? []).flatMap(({ name, isLink, leadsTo }): readonly OwnEntry[] => {
    const path = join(binDir, name);
    const target = leadsTo ?? (isLink ? resolve(binDir, readlinkSync(path)) : path);
    const isHere = target === program || isSameFile(target, program);
    const isBuild = basename(target).startsWith(ENTRY);
    const original = isHere ? undefined : copyOf(target, program);
    if (!isHere && !isBuild && original === undefined && name !== ENTRY) return [];
    const isPlaced = name === ENTRY && (isBuild || isRecorded || leadsTo === undefined);
    const copy = original === undefined ? "" : `a copy of ${original === program ? "this program" : original}, `;
    const how = isLink ? `leads to ${copy}${target}` : `is ${copy}${isHere ? "this program itself, " : ""}not a link`;
    return [{ path, how, isRemovable: isLink && (isHere || isPlaced) }];
  });
}

function isSameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => statSync(path, { throwIfNoEntry: false }));
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
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

/** Whether the user who runs this may not see which folders are remembered. */
export function isHiddenRecord(stateDir: string): boolean {
  try {
    accessSync(join(stateDir, PLACED), constants.R_OK);
    return false;
  } catch (error) {
    return isDenied(error);
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
