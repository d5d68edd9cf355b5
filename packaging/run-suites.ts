/**
 * Runs test suites one after the other and counts: `node packaging/run-suites.ts SUITE…`.
 * With --report it runs nothing and judges, as CI does, what the last runs left in build/reports.
 *
 * Exit code 1 if a suite left no report, left out a file, ran no test or failed one; with --report also if it
 * skipped one, which without is only said: not every machine can run everything. The last line is
 * `N passed, N failed, N skipped` over all suites.
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
  /** Absolute paths. */
  readonly testResults: readonly { readonly name: string }[];
}

const suites = process.argv.slice(2).filter((argument): argument is SuiteName => argument in SUITES);
const unknown = process.argv.slice(2).filter((argument) => !(argument in SUITES || argument === "--report"));
if (unknown.length > 0) throw new Error(`no suites: ${unknown.join(" ")}`);
const reportOnly = process.argv.includes("--report");
if (suites.length === 0) throw new Error("expected the names of suites");

const reportFile = (suite: string) => `build/reports/${suite}.json`;

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
  rmSync(reportFile(suite), { force: true });
  mkdirSync("build/reports", { recursive: true });
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${reportFile(suite)}`];
  const projects = projectsOf(suite).flatMap(({ name }) => ["--project", name]);
  const { status } = spawnSync("vitest", ["run", ...projects, ...reporters], {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, ...(suiteOf(suite).inMemory && isMemoryUsable() && { TMPDIR: MEMORY }) },
  });
  const report = read(suite);
  if (status !== 0 && report !== undefined) {
    writeFileSync(reportFile(suite), JSON.stringify({ ...report, success: false }));
  }
}

function read(suite: SuiteName): Report | undefined {
  try {
    return JSON.parse(readFileSync(reportFile(suite), "utf8")) as Report;
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
  const report = read(suite);
  let complaint = "";
  let counts = "no report";
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
    else if (failures > 0) complaint = "failed";
    else if (rest > 0) complaint = "skipped tests";
  }
  if (complaint !== "" && (reportOnly || complaint !== "skipped tests")) bad++;
  const seconds = reportOnly ? "" : ` (${((performance.now() - started) / 1000).toFixed(1)} s)`;
  lines.push(`${suite}: ${counts}${seconds}${complaint === "" ? "" : `: ${complaint}`}`);
}
console.log(`\n${lines.join("\n")}\n${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = bad === 0 ? 0 : 1;
