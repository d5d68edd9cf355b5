/**
 * Runs test suites one after the other and counts: `node packaging/run-suites.ts SUITE…`.
 * With --report it runs nothing and judges, as CI does, what the last runs left in build/reports.
 *
 * Exit code 1 if a suite left no report, ran no test or failed one; with --report also if it skipped
 * one, which without is only said: not every machine can run everything. The last line is
 * `N passed, N failed, N skipped` over all suites.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";

interface Report {
  readonly success: boolean;
  readonly numTotalTests: number;
  readonly numPassedTests: number;
  readonly numFailedTests: number;
}

const suites = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const reportOnly = process.argv.includes("--report");
if (suites.length === 0) throw new Error("expected the names of suites");

const reportFile = (suite: string) => `build/reports/${suite}.json`;

/** Leaves a report that says failed if vitest did, also for errors that it counts for no test. */
function run(suite: string): void {
  console.log(`\n== ${suite}`);
  rmSync(reportFile(suite), { force: true });
  mkdirSync("build/reports", { recursive: true });
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${reportFile(suite)}`];
  const { status } = spawnSync("vitest", ["run", "--project", suite, ...reporters], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  const report = read(suite);
  if (status !== 0 && report !== undefined) {
    writeFileSync(reportFile(suite), JSON.stringify({ ...report, success: false }));
  }
}

function read(suite: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(reportFile(suite), "utf8")) as Report;
  } catch {
    return undefined;
  }
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
    if (report.numPassedTests + report.numFailedTests === 0) complaint = "ran no test";
    else if (failures > 0) complaint = "failed";
    else if (rest > 0) complaint = "skipped tests";
  }
  if (complaint !== "" && (reportOnly || complaint !== "skipped tests")) bad++;
  const seconds = reportOnly ? "" : ` (${((performance.now() - started) / 1000).toFixed(1)} s)`;
  lines.push(`${suite}: ${counts}${seconds}${complaint === "" ? "" : `: ${complaint}`}`);
}
console.log(`\n${lines.join("\n")}\n${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = bad === 0 ? 0 : 1;
