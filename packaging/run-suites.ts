/**
 * Runs test suites one after the other and counts: `node packaging/run-suites.ts SUITE…`.
 * With --report it runs nothing and judges, as CI does, what the last runs left in build/reports.
 *
 * Exit code 1 if a suite left no report, left out a file, ran no test or failed one; with --report also if it
 * skipped one, which without is only said: not every machine can run everything. The last line is
 * `N passed, N failed, N skipped` over all suites.
 *
 * Suites that start real programs depend on how busy the machine is. Where at most {@link MAX_AGAIN} of their files fail,
 * these run once more, one at a time; what passes only then is named in the suite's line, and in that of --report.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { relative } from "node:path";
import { filesOf, projectsOf, SUITES, type SuiteName, suiteOf } from "./suites.ts";

interface Report {
  readonly success: boolean;
  readonly numTotalTests: number;
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  /** `name`: absolute path. */
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
  /** Files and tests that passed only when they ran again. */
  readonly passedAgain?: readonly string[];
}

const suites = process.argv.slice(2).filter((argument): argument is SuiteName => argument in SUITES);
const unknown = process.argv.slice(2).filter((argument) => !(argument in SUITES || argument === "--report"));
if (unknown.length > 0) throw new Error(`no suites: ${unknown.join(" ")}`);
const reportOnly = process.argv.includes("--report");
if (suites.length === 0) throw new Error("expected the names of suites");

const reportFile = (suite: string) => `build/reports/${suite}.json`;

/** Files of a suite that may run again: more than these fail for a reason of their own. */
const MAX_AGAIN = 3;

/** Failed tests that a suite's line names. */
const MAX_NAMED = 10;

const MEMORY = "/dev/shm";
/** Bytes: some ten times what the tests have there at one time. */
const MEMORY_NEEDED = 2 ** 27;

/** Whether {@link MEMORY} can be used for temporary files. In containers it is often small, or mounted noexec. */
function isMemoryUsable(): boolean {
  try {
    accessSync(MEMORY, constants.W_OK | constants.X_OK);
    const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
    const [, , type, options = ""] = mounts.findLast((line) => line.split(" ")[1] === MEMORY)?.split(" ") ?? [];
    const { bavail, bsize } = statfsSync(MEMORY);
    return type === "tmpfs" && !options.split(",").includes("noexec") && bavail * bsize >= MEMORY_NEEDED;
  } catch {
    return false;
  }
}

/** Leaves a report that says failed if vitest did, also for errors that it counts for no test. */
function run(suite: SuiteName): void {
  console.log(`\n== ${suite}`);
  const isOk = runVitest(suite, reportFile(suite), []);
  const report = read(reportFile(suite));
  if (isOk || report === undefined) return;
  writeFileSync(reportFile(suite), JSON.stringify(runAgain(suite, report) ?? { ...report, success: false }));
}

/** @returns whether vitest says that all is well */
function runVitest(suite: SuiteName, report: string, more: readonly string[]): boolean {
  rmSync(report, { force: true });
  mkdirSync("build/reports", { recursive: true });
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const projects = projectsOf(suite).flatMap(({ name }) => ["--project", name]);
  const { status } = spawnSync("vitest", ["run", ...projects, ...reporters, ...more], {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, ...(suiteOf(suite).inMemory && isMemoryUsable() && { TMPDIR: MEMORY }) },
  });
  return status === 0;
}

/** Runs the failed files of a suite once more, alone. @returns the report with their results; undefined if they still fail */
function runAgain(suite: SuiteName, report: Report): Report | undefined {
  const failed = report.testResults.filter(({ status }) => status === "failed");
  if (suiteOf(suite).isOfPrograms === undefined || failed.length === 0 || failed.length > MAX_AGAIN) return undefined;
  const files = failed.map(({ name }) => relative(".", name));
  console.log(`\n== ${suite}: again, alone: ${files.join(" ")}`);
  const againFile = `build/reports/${suite}-again.json`;
  const isOk = runVitest(suite, againFile, ["--no-file-parallelism", ...files]);
  const again = read(againFile);
  const hasRun = again?.testResults.length === failed.length && again.numFailedTests === 0;
  if (!isOk || !hasRun || report.numTotalTests !== report.numPassedTests + report.numFailedTests) return undefined;
  const counts = { numPassedTests: report.numTotalTests, numFailedTests: 0, success: true };
  return { ...report, ...counts, passedAgain: failuresOf(report) };
}

/** Failed tests with their files; a file alone where none of its tests failed, but a hook, or its loading. */
function failuresOf({ testResults }: Report): readonly string[] {
  return testResults.flatMap(({ name, status, assertionResults }) => {
    const tests = assertionResults.filter((test) => test.status === "failed");
    if (tests.length === 0) return status === "failed" ? [relative(".", name)] : [];
    return tests.map(({ fullName }) => `${relative(".", name)} ${fullName}`);
  });
}

function read(path: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Report;
  } catch {
    return undefined;
  }
}

/** Files of the suite that the report does not name. */
function leftOut(suite: SuiteName, { testResults }: Report): readonly string[] {
  const run = new Set(testResults.map(({ name }) => relative(".", name)));
  return filesOf(suite).filter((path) => !run.has(path));
}

let [passed, failed, skipped, bad] = [0, 0, 0, 0];
const lines: string[] = [];
for (const suite of suites) {
  const started = performance.now();
  if (!reportOnly) run(suite);
  const report = read(reportFile(suite));
  let complaint = "";
  let counts = "no report";
  let again = "";
  if (report === undefined) complaint = "left no report";
  else {
    // A file that cannot be loaded, a failing hook and an error after the end fail no test of their own.
    const failures = report.success ? report.numFailedTests : Math.max(1, report.numFailedTests);
    // Skipped is what neither passed nor failed: skip and todo.
    const rest = report.numTotalTests - report.numPassedTests - report.numFailedTests;
    passed += report.numPassedTests;
    failed += failures;
    skipped += rest;
    counts = `${report.numPassedTests} passed, ${failures} failed, ${rest} skipped`;
    const missing = leftOut(suite, report);
    if (report.numPassedTests + report.numFailedTests === 0) complaint = "ran no test";
    else if (missing.length > 0) complaint = `left out ${missing.join(" ")}`;
    else if (failures > 0) complaint = ["failed", ...failuresOf(report).slice(0, MAX_NAMED)].join("\n  ");
    else if (rest > 0) complaint = "skipped tests";
    if (report.passedAgain) again = `; passed only when run again: ${report.passedAgain.join("; ")}`;
  }
  if (complaint !== "" && (reportOnly || complaint !== "skipped tests")) bad++;
  const seconds = reportOnly ? "" : ` (${((performance.now() - started) / 1000).toFixed(1)} s)`;
  lines.push(`${suite}: ${counts}${seconds}${complaint === "" ? "" : `: ${complaint}`}${again}`);
}
console.log(`\n${lines.join("\n")}\n${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = bad === 0 ? 0 : 1;
