/**
 * The figures of docs/benchmarks.md: `make bench`, or `node test/bench/bench.ts [RUNS]`.
 *
 * Everything of one table is measured in one run, turn by turn, so that a busy machine is busy for
 * all of it. Servers are stand-ins on loopback with TLS, in this process; the child's CPU and peak RSS
 * are the kernel's.
 */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { run as execute } from "../support/process.ts";
import { median, spread } from "./figures.ts";
import { type GateCase, gateCases } from "./gate-cases.ts";
import { BUN, type Job, type Measured, measure, measureOne, ROOT } from "./measured.ts";
import { BenchNode } from "./node.ts";
import { preparePeers } from "./peers.ts";
import { type PulledImage, Services } from "./services.ts";

const BUILT = process.env["ATCR_VERIFY_BINARY"] ?? join(ROOT, "dist/atcr-verify");
const RUNS = Number(process.argv[2] ?? 25);
/** Added to every answer for the figures of a network with distance, in milliseconds. */
const DISTANCE = 50;
const BURSTS = 5;
/** As many as a large node starts pods when it comes up. */
const MANY_IMAGES = 200;

/** A row of a table. */
interface Row {
  readonly name: string;
  /** Made ready for one run. */
  readonly job: () => Job;
  readonly expected: number;
}

const folder = mkdtempSync(join(tmpdir(), "atcr-bench-"));
/** Copies, as an installation makes them: a file that was just linked starts up to twice as slowly. */
const [BINARY, HELLO] = [join(folder, "atcr-verify"), join(folder, "hello")];
const services = await Services.start();

try {
  await main();
} finally {
  await services.stop();
  rmSync(folder, { recursive: true });
}

async function main(): Promise<void> {
  copyFileSync(BUILT, BINARY);
  await buildHello();
  const { cases, signer } = await gateCases(services);
  const nodes = new Map<string, BenchNode>();
  for (const one of cases) nodes.set(one.name, await makeNode(one));
  const rows = cases.map(({ name, expected }) => ({ name, expected, job: () => nodeOf(nodes, name).job() }));
  const peers = await peerRows();

  console.log(`${cpus().length} x ${cpus()[0]?.model ?? "unknown"}, ${RUNS} runs turn by turn; median (min, max)\n`);
  if (services.names === undefined) console.log("left out, because it needs root: cases that resolve a handle\n");
  await table("Start-up and pulls on loopback", [
    { name: "hello world, compiled", job: () => alone([HELLO]), expected: 0 },
    { name: "--version", job: () => alone([BINARY, "--version"]), expected: 0 },
    ...rows,
    ...peers,
  ]);

  console.log("\nBursts for one image, all processes at once");
  const cosign = peers.filter(({ name }) => name === "cosign, verified");
  for (const count of [10, 50]) {
    for (const one of rows.filter(({ name }) => ["verified, cold", "unsigned, refused"].includes(name))) {
      await burst({ ...one, name: `${count} x ${one.name}`, job: () => times(count, one.job()) }, "counted");
    }
    for (const one of cosign)
      await burst({ ...one, name: `${count} x ${one.name}`, job: () => times(count, one.job()) });
  }
  const images: PulledImage[] = [];
  for (let i = 0; i < MANY_IMAGES; i++) {
    images.push(await services.image(services.registry, "team/app", `of ${i}`, { by: signer }));
  }
  const name = `${MANY_IMAGES} x verified, cold, an image each`;
  await burst({ name, job: () => nodeOf(nodes, "verified, cold").job(images), expected: 0 }, "counted", "some late");

  services.delay(DISTANCE);
  console.log(`\n${DISTANCE} ms added to every answer, but those of name servers`);
  for (const one of [...rows, ...peers]) await distant(one);
}

function makeNode(one: GateCase): Promise<BenchNode> {
  return BenchNode.make(join(folder, one.name.replaceAll(/\W+/g, "-")), BINARY, one, services);
}

function nodeOf(nodes: ReadonlyMap<string, BenchNode>, name: string): BenchNode {
  const node = nodes.get(name);
  if (node === undefined) throw new Error(`there is no case "${name}"`);
  return node;
}

/** What cosign and notation do about images of their own, signed and not. */
async function peerRows(): Promise<readonly Row[]> {
  const { registry, authority } = services;
  const signed = registry.pushImage("team/cosign", "signed");
  const unsigned = registry.pushImage("team/cosign", "unsigned");
  for (const salt of ["signed", "unsigned"]) registry.pushImage("team/notation", salt);
  const named = (name: string, { digest }: { digest: string }) => `${registry.authority}/team/${name}@${digest}`;
  const ca = join(folder, "ca.pem");
  writeFileSync(ca, authority.cert);
  const peers = await preparePeers(
    folder,
    { cosign: named("cosign", signed), notation: named("notation", signed) },
    ca,
  );
  const rowsOf = (what: "verified" | "unsigned", image: { digest: string }): readonly Row[] =>
    peers.map(({ name, command, env, refused }) => ({
      name: `${name}, ${what}`,
      job: () => ({ commands: [{ command: command(named(name, image)) }], env }),
      expected: what === "unsigned" ? refused : 0,
    }));
  return [...rowsOf("verified", signed), ...rowsOf("unsigned", unsigned)];
}

function alone(command: readonly string[]): Job {
  return { commands: [{ command }], env: {} };
}

function times(count: number, job: Job): Job {
  return { ...job, commands: Array.from({ length: count }, () => job.commands).flat() };
}

async function table(title: string, rows: readonly Row[]): Promise<void> {
  const results = rows.map((): Measured[] => []);
  for (let run = 0; run < RUNS; run++) {
    for (const [i, { job, expected }] of rows.entries()) results[i]?.push(await measureOne(job(), expected));
  }
  const base = median((results[0] ?? []).map(({ cpu }) => cpu));
  console.log(title);
  console.log(line(["", "CPU ms", "x hello", "wall ms", "peak RSS MiB"]));
  for (const [i, { name }] of rows.entries()) {
    const measured = results[i] ?? [];
    const times = median(measured.map(({ cpu }) => cpu)) / base;
    const columns = (["cpu", "wall", "rss"] as const).map((key) => spread(measured.map((one) => one[key])));
    console.log(line([name, columns[0] ?? "", times.toFixed(2), columns[1] ?? "", columns[2] ?? ""]));
  }
}

async function distant({ name, job, expected }: Row): Promise<void> {
  const walls: number[] = [];
  const counts = new Set<string>();
  for (let run = 0; run < Math.min(RUNS, 10); run++) {
    services.forget();
    walls.push((await measureOne(job(), expected)).wall);
    counts.add(`${services.asked}, ${services.inSequence} in sequence`);
  }
  console.log(line([name, `wall ${spread(walls)} ms`, [...counts].join(" or ")]));
}

/**
 * Processes side by side, as when a node's pods start together: what all of them took.
 *
 * @param late `some late`: how many are in time is a figure, and none of them an error
 */
async function burst({ name, job, expected }: Row, counted?: "counted", late?: "some late"): Promise<void> {
  const [cpus, walls, peaks, inTime] = [[] as number[], [] as number[], [] as number[], [] as number[]];
  const asked = new Set<string>();
  for (let run = 0; run < BURSTS; run++) {
    services.forget();
    const all = await measure(job());
    const others = all.filter(({ code }) => code !== expected);
    if (others[0] !== undefined && late === undefined) throw new Error(`${name}: ${others[0].stdout}`);
    cpus.push(all.reduce((sum, { cpu }) => sum + cpu, 0));
    walls.push(Math.max(...all.map(({ wall }) => wall)));
    peaks.push(Math.max(...all.map(({ rss }) => rss)));
    inTime.push(all.length - others.length);
    if (counted !== undefined) asked.add(services.asked);
  }
  if (late !== undefined) asked.add(`${spread(inTime)} in time`);
  const figures = `CPU ${spread(cpus)} ms in all, the last after ${spread(walls)} ms, peak RSS ${spread(peaks)} MiB`;
  console.log(line([name.padEnd(40), `${figures}  ${[...asked].join(" or ")}`]));
}

async function buildHello(): Promise<void> {
  const [source, built] = [join(folder, "hello.ts"), join(folder, "hello.built")];
  writeFileSync(source, 'console.log("hello world");\n');
  const args = [join(ROOT, "packaging/build.ts"), "--entry", source, "--outfile", built];
  const { code, stderr } = await execute(BUN, args, { cwd: ROOT });
  if (code !== 0) throw new Error(`hello world was not built: ${stderr}`);
  copyFileSync(built, HELLO);
}

function line(cells: readonly string[]): string {
  return cells
    .map((cell, i) => cell.padEnd(i === 0 ? 28 : 22))
    .join("")
    .trimEnd();
}
