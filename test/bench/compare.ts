/**
 * Compares two builds of the program at containerd's gate: `node test/bench/compare.ts BEFORE AFTER [PAIRS [CASES]]`,
 * or `make bench-compare BEFORE=PATH [PAIRS=200] [CASES=…]`. CASES, a regular expression, leaves out those whose names do
 * not match.
 *
 * For each case the two alternate, and which of them is first changes with each pair. Prints the median of what each
 * took, and the median of the ratios of pairs with its interval (figures.ts). Exit status 1 where anything is worse.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { median, pairedRatio } from "./figures.ts";
import { type GateCase, gateCases } from "./gate-cases.ts";
import { type Measured, measureOne } from "./measured.ts";
import { BenchNode } from "./node.ts";
import { Services } from "./services.ts";

const FIGURES = ["cpu", "wall", "rss"] as const;
/** Starts of each program before it is measured: a file that was just written starts slowly. */
const WARM_UPS = 10;

interface Compared {
  readonly name: string;
  readonly before: BenchNode;
  readonly after: BenchNode;
  readonly took: { readonly before: Measured[]; readonly after: Measured[] };
}

const [, , before = "", after = "", count = "200", wanted = ""] = process.argv;
const pairs = Number(count);
if (before === "" || after === "" || !Number.isSafeInteger(pairs) || pairs < 6) {
  throw new Error("expected: node test/bench/compare.ts BEFORE AFTER [PAIRS, 6 or more [CASES]]");
}
const folder = mkdtempSync(join(tmpdir(), "atcr-compare-"));
const services = await Services.start();
try {
  await main();
} finally {
  await services.stop();
  rmSync(folder, { recursive: true });
}

async function main(): Promise<void> {
  console.log(`${cpus().length} x ${cpus()[0]?.model ?? "unknown"}, ${pairs} pairs: ${before}, then ${after}`);
  if (services.names === undefined) console.log("left out, because it needs root: cases that resolve a handle");
  const programs = { before: await installed(before, "before"), after: await installed(after, "after") };
  const all: Compared[] = [];
  const { cases } = await gateCases(services);
  const matching = cases.filter(({ name }) => new RegExp(wanted).test(name));
  if (matching.length === 0) throw new Error(`no case matches ${wanted}: ${cases.map(({ name }) => name).join("; ")}`);
  for (const one of matching) all.push(await prepared(one, programs));
  for (let pair = 0; pair < pairs; pair++) {
    for (const { took, ...nodes } of all) {
      const order = pair % 2 === 0 ? (["before", "after"] as const) : (["after", "before"] as const);
      for (const which of order) took[which].push(await nodes[which].pull());
    }
  }
  console.log(row("", ["CPU ms", "wall ms", "peak RSS MiB"]));
  for (const one of all)
    console.log(
      row(
        one.name,
        FIGURES.map((figure) => compared(one, figure)),
      ),
    );
}

/** A copy, as an installation makes it, that has been started before. */
async function installed(program: string, name: string): Promise<string> {
  mkdirSync(join(folder, name));
  const copy = join(folder, name, "atcr-verify");
  copyFileSync(program, copy);
  for (let i = 0; i < WARM_UPS; i++) await measureOne({ commands: [{ command: [copy, "--version"] }], env: {} }, 0);
  return copy;
}

async function prepared(one: GateCase, programs: { before: string; after: string }): Promise<Compared> {
  const make = (which: "before" | "after") =>
    BenchNode.make(join(folder, which, one.name.replaceAll(/\W+/g, "-")), programs[which], one, services);
  return { name: one.name, before: await make("before"), after: await make("after"), took: { before: [], after: [] } };
}

/** `44.6 to 44.8, 1.004 (0.998, 1.011)` */
function compared({ took }: Compared, figure: (typeof FIGURES)[number]): string {
  const [first, second] = [took.before, took.after].map((all) => all.map((one) => one[figure])) as [number[], number[]];
  const { median: middle, low, high, isWorse } = pairedRatio(first, second);
  if (isWorse) process.exitCode = 1;
  const ratio = `${middle.toFixed(3)} (${low.toFixed(3)}, ${high.toFixed(3)})`;
  return `${median(first).toFixed(1)} to ${median(second).toFixed(1)}, ${ratio}${isWorse ? " worse" : ""}`;
}

function row(name: string, cells: readonly string[]): string {
  return [name.padEnd(28), ...cells.map((cell) => cell.padEnd(42))].join("").trimEnd();
}
