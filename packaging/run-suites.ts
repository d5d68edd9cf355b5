/**
 * Runs test suites one after the other and counts: `node packaging/run-suites.ts SUITE…`.
 * With --report it runs nothing and counts what the last runs left in build/reports.
 *
 * Exit code 1 if a suite left no report, ran no test, or failed or skipped one. The last line is
 * `N passed, N failed, N skipped` over all suites.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";

interface Report {
  readonly success: boolean;
  readonly numTotalTests: number;
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numFailedTestSuites: number;
}

const suites = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const reportOnly = process.argv.includes("--report");
if (suites.length === 0) throw new Error("expected the names of suites");

const reportFile = (suite: string) => `build/reports/${suite}.json`;

/** Returns whether vitest was content. */
function run(suite: string): boolean {
  console.log(`\n== ${suite}`);
  rmSync(reportFile(suite), { force: true });
  mkdirSync("build/reports", { recursive: true });
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${reportFile(suite)}`];
  return (
    spawnSync("vitest", ["run", "--project", suite, ...reporters], { stdio: ["ignore", "inherit", "inherit"] })
      .status === 0
  );
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
  const content = reportOnly || run(suite);
  const report = read(suite);
  let complaint = "";
  let counts = "no report";
  if (report === undefined) complaint = "left no report";
  else {
    // Skipped is what neither passed nor failed: skip, todo, and what a failing hook kept from running.
    const rest = report.numTotalTests - report.numPassedTests - report.numFailedTests;
    passed += report.numPassedTests;
    failed += report.numFailedTests;
    skipped += rest;
    counts = `${report.numPassedTests} passed, ${report.numFailedTests} failed, ${rest} skipped`;
    if (report.numTotalTests === 0) complaint = "ran no test";
    else if (rest > 0) complaint = "skipped tests";
    else if (!report.success || !content || report.numFailedTests > 0) complaint = "failed";
  }
  if (complaint !== "") bad++;
  const seconds = reportOnly ? "" : ` (${((performance.now() - started) / 1000).toFixed(1)} s)`;
  lines.push(`${suite}: ${counts}${seconds}${complaint === "" ? "" : `: ${complaint}`}`);
}
console.log(`\n${lines.join("\n")}\n${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = bad === 0 ? 0 : 1;
