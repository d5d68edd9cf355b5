/**
 * Runs test suites and counts: `node packaging/run-suites.ts SUITE…`. One vitest runs all of them but the serial ones, so
 * that it starts once, and that no processor waits for each suite's last file.
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
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
    /** Milliseconds of the clock. */
    readonly startTime: number;
    readonly endTime: number;
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

/** Leaves a report of each suite; these say failed if vitest did, also for errors that it counts for no test. */
function run(together: readonly SuiteName[]): void {
  console.log(`\n== ${together.join(" ")}`);
  for (const suite of together) rmSync(reportFile(suite), { force: true });
  const all = "build/reports/run.json";
  const isOk = runVitest(together, all, []);
  const whole = read(all);
  rmSync(all, { force: true });
  if (whole === undefined) return;
  // An error that no file is blamed for may be of any of them.
  const isBlamed = isOk || whole.testResults.some(({ status }) => status === "failed");
  for (const suite of together) {
    const report = partOf(whole, suite);
    const failed = !report.success || !isBlamed;
    const final = failed ? (runAgain(suite, report) ?? { ...report, success: false }) : report;
    writeFileSync(reportFile(suite), JSON.stringify(final));
  }
}

/** A suite's part of a report about several. */
function partOf({ testResults: all }: Pick<Report, "testResults">, suite: SuiteName): Report {
  const files = new Set(filesOf(suite));
  const testResults = all.filter(({ name }) => files.has(relative(".", name)));
  const statuses = testResults.flatMap(({ assertionResults }) => assertionResults.map(({ status }) => status));
  return {
    success: testResults.every(({ status }) => status !== "failed"),
    numTotalTests: statuses.length,
    numPassedTests: statuses.filter((status) => status === "passed").length,
    numFailedTests: statuses.filter((status) => status === "failed").length,
    testResults,
  };
}

/** @returns whether vitest says that all is well */
function runVitest(suitesOfRun: readonly SuiteName[], report: string, more: readonly string[]): boolean {
  rmSync(report, { force: true });
  mkdirSync("build/reports", { recursive: true });
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const projects = suitesOfRun.flatMap(projectsOf).flatMap(({ name }) => ["--project", name]);
  const { status } = spawnSync("vitest", ["run", ...projects, ...reporters, ...more], {
    stdio: ["ignore", "inherit", "inherit"],
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
  const isOk = runVitest([suite], againFile, ["--no-file-parallelism", ...files]);
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

/** From the start of the suite's first test to the end of its last; suites that run together overlap a little. */
function secondsOf(report: Report | undefined): string {
  if (report === undefined || report.testResults.length === 0) return "";
  const from = Math.min(...report.testResults.map(({ startTime }) => startTime));
  const to = Math.max(...report.testResults.map(({ endTime }) => endTime));
  return ` (${((to - from) / 1000).toFixed(1)} s)`;
}

let [passed, failed, skipped, bad] = [0, 0, 0, 0];
const lines: string[] = [];
if (!reportOnly) {
  const together = suites.filter((suite) => suiteOf(suite).serial === undefined);
  for (const each of [together, ...suites.filter((suite) => !together.includes(suite)).map((suite) => [suite])])
    if (each.length > 0) run(each);
}
for (const suite of suites) {
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
  lines.push(`${suite}: ${counts}${secondsOf(report)}${complaint === "" ? "" : `: ${complaint}`}${again}`);
}
console.log(`\n${lines.join("\n")}\n${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = bad === 0 ? 0 : 1;
