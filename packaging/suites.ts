/** The test suites, as vitest.config.ts, run-suites.ts and check-repository.ts know them. */
import { globSync, readFileSync } from "node:fs";

interface Suite {
  /** Below test/; default: the one of its name. */
  readonly folders?: readonly string[];
  /** Milliseconds a test may take. */
  readonly timeout: number;
  /** Starts large servers, so one file runs at a time. */
  readonly serial?: true;
  /** Its files share processes, because starting one and loading its modules takes longer than most files do. */
  readonly shared?: true;
  /** Starts real programs, so a test may fail because the machine is busy. */
  readonly isOfPrograms?: true;
  /** Its temporary files may lie in memory: it does not test the disk, and syncing each file to one takes time. */
  readonly inMemory?: true;
}

/** In the order in which they run. Containerd's tests mostly wait, so they are not last, when nothing else would run. */
export const SUITES = {
  unit: { folders: ["unit", "support", "bench"], timeout: 20_000, shared: true, inMemory: true },
  property: { timeout: 60_000, shared: true, inMemory: true },
  vectors: { timeout: 10_000, shared: true },
  checks: { timeout: 60_000 },
  containerd: { timeout: 60_000, shared: true, isOfPrograms: true },
  binary: { timeout: 60_000, shared: true, isOfPrograms: true },
  e2e: { timeout: 120_000, serial: true, isOfPrograms: true },
  packages: { timeout: 120_000, serial: true, isOfPrograms: true },
} as const satisfies Readonly<Record<string, Suite>>;

export type SuiteName = keyof typeof SUITES;

export const suiteOf = (name: SuiteName): Suite => SUITES[name];

/** Paths of the folders that hold a suite. */
export function foldersOf(name: SuiteName): readonly string[] {
  return (suiteOf(name).folders ?? [name]).map((folder) => `test/${folder}`);
}

/** Paths of all of a suite's files; the servers of e2e bring tests of their own. */
export function filesOf(name: SuiteName): readonly string[] {
  const exclude = ["**/node_modules/**"];
  return globSync(
    foldersOf(name).map((folder) => `${folder}/**/*.test.ts`),
    { exclude },
  ).toSorted();
}

/** A project of vitest. Each file of a suite is in exactly one. */
interface Project {
  readonly name: string;
  readonly files: readonly string[];
  readonly isolate: boolean;
}

/**
 * What vitest's `vi` replaces for a whole process: modules would stay replaced for the files after this one, and timers
 * would be those of what files before this one left running. Spies on anything else vitest takes back after each file.
 */
const REPLACES =
  /\bvi\s*\.\s*(?:mock|doMock|unmock|doUnmock|hoisted|resetModules|useFakeTimers|stub\w+|spyOn\(globalThis)\b/;

/** Runs the tests of other files, which would be loaded already, and run nothing, after these in one process. */
const RUNS_OTHERS = /\bimport\("[^"]+\.test\.ts"\)/;

/**
 * The projects of a suite. Where files share processes there is a second project for those that replace what is their
 * process's, or run others' tests: each of them has its own.
 */
export function projectsOf(name: SuiteName): readonly Project[] {
  const files = filesOf(name);
  if (suiteOf(name).shared === undefined) return [{ name, files, isolate: true }];
  const isReplacing = (path: string) => {
    const text = readFileSync(path, "utf8");
    return REPLACES.test(text) || RUNS_OTHERS.test(text);
  };
  const replacing = files.filter(isReplacing);
  return [
    ...(replacing.length === 0 ? [] : [{ name: `${name}-replacing`, files: replacing, isolate: true }]),
    { name, files: files.filter((path) => !replacing.includes(path)), isolate: false },
  ];
}
