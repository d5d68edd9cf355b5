import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  readSync,
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
import { assertPathTrusted } from "../../io/fs/trusted-path.ts";
import { entriesOf } from "./bin-dir.ts";
import { copyOf } from "./copies.ts";

/** Name of our entry in bin_dir, which containerd's refusals quote. */
export const ENTRY = "atcr-verify";
/** File in stateDir with the folders that a link was placed in, one per line. The packages' removal script reads it. */
const PLACED = "enabled";
/** Bytes of a script that are searched for the program. */
const MAX_SCRIPT = 64 * 1024;
/** Where packages install the program, and the stateDir that their removal script uses: it reads no configuration. */
const PACKAGED = "/usr/bin/atcr-verify";
export const PACKAGED_STATE = "/var/lib/atcr-verify";

/** Absolute path of the running program, all links followed. @throws Error if /proc is not mounted */
export function ownProgram(): string {
  return readlinkSync("/proc/self/exe").replace(/ \(deleted\)$/, "");
}

/**
 * Places the link by which containerd runs this program. It is created beside bin_dir and renamed into it, since
 * containerd runs every file in that folder at each pull, finished or not.
 *
 * @param binDir absolute path; created if it is missing
 * @param program absolute path
 * @returns whether anything was changed
 * @throws Error if it must not or cannot be placed; then no entry was changed
 */
export function placeLink(binDir: string, program: string): boolean {
  assertPathTrusted(program);
  const above = nearest(binDir);
  assertPathTrusted(above);
  if (above === binDir && program.startsWith(`${realpathSync(binDir)}/`)) {
    throw new Error(`${program} is inside bin_dir, where an upgrade would block pulls: install it elsewhere`);
  }
  mkdirSync(binDir, { recursive: true, mode: 0o755 });
  const link = join(binDir, ENTRY);
  const found = lstatSync(link, { throwIfNoEntry: false });
  if (found !== undefined && !found.isSymbolicLink()) {
    throw new Error(`${link} exists and is not a link: move it out of ${binDir}`);
  }
  if (found !== undefined && readlinkSync(link) === program) return false;
  const made = join(dirname(binDir), `.${ENTRY}.${process.pid}.new`);
  rmSync(made, { force: true });
  symlinkSync(program, made);
  try {
    renameSync(made, link);
  } catch (error) {
    rmSync(made, { force: true });
    const advice = hasCode(error, "EXDEV")
      ? `; ${binDir} is on another file system than ${dirname(binDir)}: create the link by hand`
      : "";
    throw new Error(`${link} could not be created: ${(error as Error).message}${advice}`, { cause: error });
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
  /** How it runs this program, as a clause without a subject. */
  readonly how: string;
  /** Whether `disable` removes it: a link to this program, or one that `enable` placed for another build. */
  readonly isRemovable: boolean;
}

/**
 * Every entry that runs this program, whatever entry and program are called: links, links to links, hard links, copies,
 * the program itself, scripts that name it. A link to another build is found by the name of the entry, or by a target named like the program.
 *
 * @param isRecorded whether `enable` recorded this folder
 * @throws Error if the folder cannot be read
 */
export function ownEntries(binDir: string, program: string, isRecorded: boolean): readonly OwnEntry[] {
  return (entriesOf(binDir) ?? []).flatMap(({ name, isLink, leadsTo }): readonly OwnEntry[] => {
    const path = join(binDir, name);
    const target = leadsTo ?? (isLink ? resolve(binDir, readlinkSync(path)) : path);
    const isHere = target === program || isSameFile(target, program);
    const isBuild = basename(target).startsWith(ENTRY);
    const original = isHere ? undefined : copyOf(target, program);
    const isScript = !isHere && original === undefined && isScriptFor(target, program);
    if (!isHere && !isBuild && original === undefined && !isScript && name !== ENTRY) return [];
    const isPlaced = name === ENTRY && !isScript && (isBuild || isRecorded || leadsTo === undefined);
    const copy = isScript
      ? "a script that names this program, "
      : original === undefined
        ? ""
        : `a copy of ${original === program ? "this program" : original}, `;
    const how = isLink ? `points to ${copy}${target}` : `is ${copy}${isHere ? "this program itself, " : ""}not a link`;
    return [{ path, how, isRemovable: isLink && (isHere || isPlaced) }];
  });
}

/**
 * Whether a file is a script with a word that is the name of this program, or the path of its file, by whatever links.
 * It is read, never executed.
 */
function isScriptFor(path: string, program: string): boolean {
  const text = beginningOf(path);
  if (!text.startsWith("#!")) return false;
  const names = new Set([ENTRY, basename(program)]);
  const words = [...new Set(text.split(/[\s"'`;|&()<>=]+/))];
  return words.some((word) => names.has(basename(word)) || (word.startsWith("/") && isPathOf(word, program)));
}

function isPathOf(path: string, program: string): boolean {
  try {
    return isSameFile(path, program);
  } catch {
    return false; // a word that is no path, or that this user has no access to
  }
}

/** The first bytes of a regular file; empty if it cannot be read. */
function beginningOf(path: string): string {
  try {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const buffer = Buffer.alloc(MAX_SCRIPT);
      return fstatSync(file).isFile() ? buffer.toString("latin1", 0, readSync(file, buffer)) : "";
    } finally {
      closeSync(file);
    }
  } catch {
    return "";
  }
}

function isSameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => statSync(path, { throwIfNoEntry: false }));
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}

/** State folders that record where links to a program were placed. */
export function recordsOf(program: string, stateDir: string): readonly string[] {
  return program === PACKAGED ? [...new Set([stateDir, PACKAGED_STATE])] : [stateDir];
}

/** Folders that a link was placed in, by the record; none if it cannot be read. */
export function placedIn(stateDir: string): readonly string[] {
  try {
    return readFileSync(join(stateDir, PLACED), "utf8")
      .split("\n")
      .filter((line) => line.startsWith("/"));
  } catch {
    return [];
  }
}

/** Whether this user may not read the record. */
export function isHiddenRecord(stateDir: string): boolean {
  try {
    accessSync(join(stateDir, PLACED), constants.R_OK);
    return false;
  } catch (error) {
    return isDenied(error);
  }
}

/** Adds a folder to the record, or removes it. @throws Error if the record cannot be written */
export function recordPlace(stateDir: string, binDir: string, isPlaced: boolean): void {
  const others = placedIn(stateDir).filter((folder) => folder !== binDir);
  mkdirSync(stateDir, { recursive: true, mode: 0o755 });
  assertPathTrusted(stateDir);
  const folders = [...others, ...(isPlaced ? [binDir] : [])];
  replaceFile(join(stateDir, PLACED), folders.map((folder) => `${folder}\n`).join(""));
}
