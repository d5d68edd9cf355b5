import { lstat, open, readdir, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { CLOCK_SKEW } from "../../core/encoding/time.ts";
import { MAX_STALENESS } from "../../core/policy/policy.ts";
import { covers, type Mark, nameOfMark, readMark } from "../../core/verify/invalidation.ts";
import { hasCode } from "../fs/error-code.ts";
import { makeOwnFolder } from "../fs/folders.ts";
import { EVERYBODY, MARKS } from "./invalidation-marks.ts";

/** Marks of one subject; at this bound the older half becomes one mark for all that was asked for by then. */
const MAX_MARKS = 4096;
/** Subjects with marks; at this bound one mark for everybody takes the place of all. */
const MAX_SUBJECTS = 1024;
/** How long a mark stays at least, in milliseconds: as long as evidence that was asked for before it may count. */
const KEPT_FOR = MAX_STALENESS + 3_600_000;
/**
 * How long a mark must have been there before those that it covers are taken away, in milliseconds: no process takes
 * as long to list a folder, so that none finds neither.
 */
const SWEEP_AFTER = 90_000;

/**
 * Adds a mark, unless one that is there covers it.
 *
 * @param directory cacheDir; made where it is missing and its parent is not
 * @throws Error where that is impossible, or somebody else can write there
 */
export async function addMark(directory: string, subject: string, mark: Mark): Promise<void> {
  if (subject !== EVERYBODY && (await isFull(directory, subject))) await endAll(directory, mark.time);
  const folder = await makeOwnFolder(directory, MARKS, subject);
  const marks = await marksIn(folder);
  if (!marks.some((one) => covers(one, mark))) {
    await touch(directory, folder, subject, nameOfMark(mark));
  }
  if (marks.length >= MAX_MARKS) await merge(directory, folder, subject, marks);
  await sweep(folder, mark.time);
}

/** Ends all that was asked for by `time`, of everybody, in place of the marks that there are. */
export async function endAll(directory: string, time: number): Promise<void> {
  const root = await makeOwnFolder(directory, MARKS);
  // Listed before, so that what comes while they are taken away stays.
  const known = (await readdir(root)).filter((name) => name !== EVERYBODY);
  const namesOf = async (subject: string): Promise<string[]> =>
    readdir(join(root, subject)).catch(() => [] as string[]);
  const names = await Promise.all(known.map(namesOf));
  const times = names.flat().map((name) => readMark(name)?.time ?? 0);
  // As late as the latest of those whose place it takes; what is asked for ahead of the clock counts for nothing.
  const until = times.reduce((latest, one) => Math.max(latest, Math.min(one, time + CLOCK_SKEW)), time);
  await addMark(directory, EVERYBODY, { time: until });
  for (const [i, subject] of known.entries()) {
    for (const name of names[i] ?? []) await rm(join(root, subject, name), { recursive: true, force: true });
    // One that is no folder is of no use to anybody; one that has a new mark stays.
    await rmdir(join(root, subject)).catch(async (error: unknown) => {
      if (hasCode(error, "ENOTDIR")) await rm(join(root, subject), { force: true });
    });
  }
}

async function isFull(directory: string, subject: string): Promise<boolean> {
  const subjects = await readdir(join(directory, MARKS)).catch(() => [] as string[]);
  return subjects.length >= MAX_SUBJECTS && !subjects.includes(subject);
}

/** A mark that covers the older half of them. */
async function merge(directory: string, folder: string, subject: string, marks: readonly Mark[]): Promise<void> {
  const older = marks.toSorted((a, b) => a.time - b.time).slice(0, Math.ceil(marks.length / 2));
  const time = older.at(-1)?.time ?? 0;
  const isMerged = marks.some((mark) => mark.address === undefined && mark.time >= time);
  if (!isMerged) await touch(directory, folder, subject, nameOfMark({ time }));
}

/** Takes away what is of no use any more: marks of evidence that is too old by itself, and those that another covers. */
async function sweep(folder: string, now: number): Promise<void> {
  const marks = await marksIn(folder);
  const byAddress = Map.groupBy(marks, ({ address }) => address);
  const general = byAddress.get(undefined) ?? [];
  const over = new Set(marks.filter(({ time }) => time < now - KEPT_FOR));
  for (const [address, own] of byAddress) {
    for (const mark of address === undefined ? own : [...general, ...own]) {
      const covered = own.filter((one) => one !== mark && !over.has(one) && !over.has(mark) && covers(mark, one));
      if (covered.length === 0 || !(await isOldEnough(join(folder, nameOfMark(mark))))) continue;
      for (const one of covered) over.add(one);
    }
  }
  for (const mark of over) await rm(join(folder, nameOfMark(mark)), { force: true });
}

async function isOldEnough(path: string): Promise<boolean> {
  const stats = await lstat(path).catch(() => undefined);
  return stats !== undefined && stats.mtimeMs < Date.now() - SWEEP_AFTER;
}

async function marksIn(folder: string): Promise<readonly Mark[]> {
  return (await readdir(folder)).flatMap((name) => readMark(name) ?? []);
}

/** Makes an empty file; another process's is as good. Its folder may have been taken away in the meantime. */
async function touch(directory: string, folder: string, subject: string, name: string): Promise<void> {
  const path = join(folder, name);
  const make = async () => (await open(path, "a", 0o644)).close();
  try {
    await make();
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
    await makeOwnFolder(directory, MARKS, subject);
    await make();
  }
}
