/**
 * Mutation testing of the layers that decide: `node test/mutation/run.ts [FILE…]`, all of them without.
 * Each mutant is one small change of the source; one that no test notices survives. survivors.md lists
 * those, and docs/assurance.md says why none weakens a check.
 *
 * Exit code 1 where a mutant survives that is not listed, or one is listed that does not survive. The
 * report is build/mutation/report.json (https://github.com/stryker-mutator/mutation-testing-elements).
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { Stryker } from "@stryker-mutator/core";
import { CHANGED, difference, LIST, lineOf, listedLines, nameAt, parseLine, shown } from "./survivors.ts";

const files = process.argv.slice(2);

const options = {
  mutate: files.length > 0 ? files : CHANGED,
  testRunner: "vitest",
  vitest: { configFile: "test/mutation/vitest.config.ts", pool: "forks", related: true },
  coverageAnalysis: "perTest" as const,
  concurrency: 2,
  // A mutant that ends is not slow: what runs out of this time loops.
  timeoutMS: 10_000,
  plugins: ["@stryker-mutator/vitest-runner", "./test/mutation/ignore-texts.ts"],
  ignorers: ["texts"],
  // Only rewritten for paths that lead out of the tree, and with an interface that TypeScript 7 has not.
  tsconfigFile: "none",
  ignorePatterns: ["build", "dist"],
  tempDirName: "build/mutation/sandbox",
  reporters: ["json", "progress-append-only"],
  jsonReporter: { fileName: "build/mutation/report.json" },
};

const started = performance.now();
const mutants = await new Stryker(options).runMutationTest();
const seconds = ((performance.now() - started) / 1000).toFixed(0);

/** Noticed: by a test, by a loop that does not end, by a module that cannot even be loaded. */
const NOTICED = ["Killed", "Timeout", "RuntimeError"];
const survivors = mutants
  .filter(({ status }) => status !== "Ignored" && !NOTICED.includes(status))
  .map(({ fileName, location: { start, end }, replacement }) => {
    const source = readFileSync(fileName, "utf8");
    const lines = source.split("\n").slice(start.line - 1, end.line);
    const last = (lines.pop() ?? "").slice(0, end.column - 1);
    const original = shown([...lines, last].join("\n").slice(start.column - 1));
    const file = basename(fileName);
    return lineOf({ file, within: nameAt(source, start.line), original, replacement: shown(replacement) });
  });

const names = files.map((file) => basename(file));
const explained = listedLines().flatMap((line) => {
  const mutation = parseLine(line);
  return mutation !== undefined && (names.length === 0 || names.includes(mutation.file)) ? [lineOf(mutation)] : [];
});
const unexplained = difference(survivors, explained);
const gone = difference(explained, survivors);

const count = (...statuses: string[]) => mutants.filter(({ status }) => statuses.includes(status)).length;
const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
for (const line of unexplained) console.log(`survives and is not listed in ${LIST}:\n${line}`);
for (const line of gone) console.log(`does not survive any more, but stands in ${LIST}:\n${line}`);
console.log(
  `${mutants.length - count("Ignored")} mutants, ${count("Killed")} killed, ${count("Timeout")} without end, ` +
    `${count("RuntimeError")} not loaded, ${survivors.length} survived; ${count("Ignored")} of texts left out; ` +
    `${seconds} s, commit ${commit}`,
);
process.exitCode = unexplained.length + gone.length === 0 ? 0 : 1;
