/**
 * The figures of docs/benchmarks.md about `atcr-verify serve`: `make bench-server`, or
 * `node test/bench/server.ts [ROUNDS] [MINUTES]`.
 *
 * In each round every case is measured once, so that a busy machine is busy for all of them. Servers are stand-ins on
 * loopback with TLS, in this process, as is who sends the reviews.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { median, spread } from "./figures.ts";
import { type Load, percentile, ReviewClients } from "./review-load.ts";
import { MANY, ServerWorld } from "./server-world.ts";
import type { WatchedServer } from "./watched-server.ts";

const [ROUNDS, MINUTES] = [Number(process.argv[2] ?? 5), Number(process.argv[3] ?? 10)];
/** Added to every answer for the figures of a network with distance, milliseconds. */
const DISTANCE = 50;
/** New images, or signers, of a case in one round. */
const [NEW, NEW_AT_DISTANCE] = [20, 10];
/** As many API servers and requests as a large cluster has at a time. */
const CONNECTIONS = 200;

/** What one round of a case came to. */
interface Round {
  readonly load: Load;
  /** Milliseconds of CPU of the server, of all reviews. */
  readonly cpu: number;
  readonly more?: string;
}

const folder = mkdtempSync(join(tmpdir(), "atcr-server-"));
const world = await ServerWorld.start(folder, ROUNDS * (NEW + NEW_AT_DISTANCE));
const rounds = new Map<string, Round[]>();
try {
  await main();
} finally {
  await world.stop();
  rmSync(folder, { recursive: true, force: true });
}

async function main(): Promise<void> {
  const machine = `${cpus().length} x ${cpus()[0]?.model ?? "unknown"}`;
  console.log(`${machine}, ${ROUNDS} rounds; medians over the rounds (min, max), times in ms\n`);
  for (let round = 0; round < ROUNDS; round++) {
    await cachedCases();
    await coldCases("", NEW);
    await burstCases();
    await peerCases();
    console.error(`round ${round + 1} of ${ROUNDS} is over`);
  }
  world.services.delay(DISTANCE);
  for (let round = 0; round < ROUNDS; round++) await coldCases(`, ${DISTANCE} ms to each answer`, NEW_AT_DISTANCE);
  world.services.delay(0);
  print();
  console.log(`\nPeak RSS of the server until here: ${world.ours.memory("VmHWM").toFixed(0)} MiB`);
  if (MINUTES > 0) await endure();
}

async function cachedCases(): Promise<void> {
  const one = await world.signed();
  const ten = await Promise.all(Array.from({ length: 10 }, () => world.signed()));
  await closed(
    "warm-up",
    1,
    [one, ...ten].map((image) => world.review([image])),
  );
  await closed("cached, one connection", 1, world.repeated([one], 1000));
  await closed("cached, 10 images", 1, world.repeated(ten, 200));
  const { load } = await closed(`cached, ${CONNECTIONS} connections`, CONNECTIONS, world.repeated([one], 5000));
  const capacity = (load.latencies.length * 1000) / load.wall;
  const clients = await ReviewClients.open(CONNECTIONS, world.target);
  const rate = Math.round(capacity / 2);
  const open = await measured(world.ours, () => clients.openLoop(rate, 10, world.review([one])));
  clients.close();
  keep(`cached, ${CONNECTIONS} connections, open loop at half of that`, open);
  // What of this the client, TLS and the machine take.
  const { server, target } = world.instant;
  const others = await ReviewClients.open(CONNECTIONS, target);
  keep(
    "a webhook that answers at once, the same open loop",
    await measured(server, () => others.openLoop(rate, 10, world.review([one]))),
  );
  others.close();
}

/** @param count of reviews in a case */
async function coldCases(suffix: string, count: number): Promise<void> {
  const several = async (make: () => Promise<string>, images = 1) => {
    const reviews = [];
    for (let i = 0; i < count; i++) {
      const all: string[] = [];
      for (let one = 0; one < images; one++) all.push(await make());
      reviews.push(world.review(all));
    }
    return reviews;
  };
  await closed(`cold: image and signer are new${suffix}`, 1, await several(() => world.signedByNew()));
  await closed(`the image is new${suffix}`, 1, await several(() => world.signed()));
  await closed(`10 images that are new${suffix}`, 1, await several(() => world.signed(), 10));
  await closed(`unsigned${suffix}`, 1, await several(() => world.unsigned()), { isRefused: true });
}

async function burstCases(): Promise<void> {
  const name = (what: string) => `burst: ${what}`;
  const image = await world.signed();
  const same = Array.from({ length: 100 }, () => world.review([image]));
  await closed(name("100 pods of one new image at once"), 100, same, { counted: true });
  const different = [];
  for (let i = 0; i < MANY; i++) different.push(world.review([await world.signed()]));
  await closed(name(`${MANY} pods of as many new images, ${CONNECTIONS} at once`), CONNECTIONS, different, {
    counted: true,
  });
}

/** cosign behind a webhook of a few lines, which is marked as such. */
async function peerCases(): Promise<void> {
  const { peer } = world;
  if (peer === undefined) return;
  const review = (image: string) => world.review([image]);
  const ask = async (name: string, count: number, image: string, isRefused = false) => {
    const reviews = Array.from({ length: count }, () => (isRefused ? world.refused(image) : review(image)));
    const clients = await ReviewClients.open(count === 20 ? 1 : count, peer.target);
    keep(name, await measured(peer.server, () => clients.closedLoop(() => reviews.pop())));
    clients.close();
  };
  await ask("cosign behind a webhook: signed", 20, peer.signed);
  await ask("cosign behind a webhook: unsigned", 20, peer.unsigned, true);
  await ask("cosign behind a webhook: 100 pods at once", 100, peer.signed);
}

interface Options {
  readonly isRefused?: boolean;
  /** Says how many requests the stand-ins got. */
  readonly counted?: boolean;
}

async function closed(
  name: string,
  connections: number,
  reviews: ReturnType<ServerWorld["repeated"]>,
  { isRefused = false, counted = false }: Options = {},
): Promise<Round> {
  const left = isRefused ? reviews.map(({ body }) => ({ body, expected: '"allowed":false' })) : [...reviews];
  const clients = await ReviewClients.open(connections, world.target);
  world.services.forget();
  const round = await measured(world.ours, () => clients.closedLoop(() => left.pop()));
  clients.close();
  return keep(name, counted ? { ...round, more: world.services.asked } : round);
}

async function measured(server: WatchedServer, work: () => Promise<Load>): Promise<Round> {
  const before = server.cpu();
  const load = await work();
  return { load, cpu: server.cpu() - before };
}

function keep(name: string, round: Round): Round {
  const { latencies } = round.load;
  const cpu = (round.cpu / latencies.length).toFixed(2);
  console.error(`${name}: p50 ${percentile(latencies, 0.5).toFixed(1)} ms, ${cpu} ms of CPU a review`);
  rounds.set(name, [...(rounds.get(name) ?? []), round]);
  if (round.load.errors > 0) console.error(`${name}: ${round.load.errors} errors; the first: ${round.load.error}`);
  return round;
}

function print(): void {
  console.log("| case | p50 | p95 | p99 | the last after | reviews a second | CPU of a review | errors |");
  console.log("| --- | --- | --- | --- | --- | --- | --- | --- |");
  for (const [name, all] of rounds) {
    if (name === "warm-up") continue;
    const of = (value: (round: Round) => number) => spread(all.map(value));
    const cells = [
      ...[0.5, 0.95, 0.99].map((share) => of(({ load }) => percentile(load.latencies, share))),
      of(({ load }) => load.wall),
      of(({ load }) => (load.latencies.length * 1000) / load.wall),
      spreadFine(all.map(({ load, cpu }) => cpu / load.latencies.length)),
      String(all.reduce((sum, { load }) => sum + load.errors, 0)),
    ];
    console.log(`| ${name} | ${cells.join(" | ")} |`);
    for (const more of new Set(all.flatMap((round) => round.more ?? []))) console.log(`  ${name}: ${more}`);
  }
}

function spreadFine(values: readonly number[]): string {
  return `${median(values).toFixed(2)} (${Math.min(...values).toFixed(2)}, ${Math.max(...values).toFixed(2)})`;
}

/** Parallel reviews for minutes: half of them of images that were seen before, the rest of new or unsigned ones. */
async function endure(): Promise<void> {
  const known: string[] = [];
  // One after another: they are commits of a few repos.
  while (known.length < 50) known.push(await world.signed());
  const unsigned = await world.unsigned();
  const end = performance.now() + MINUTES * 60_000;
  const fresh: string[] = [];
  const clients = await ReviewClients.open(CONNECTIONS, world.target);
  world.ours.watchMemory(5000);
  let sent = 0;
  const next = () => {
    if (performance.now() > end) return undefined;
    sent += 1;
    if (sent % 20 === 0) return world.refused(unsigned);
    const image = sent % 20 === 1 ? fresh.pop() : undefined;
    return world.review([image ?? (known[sent % known.length] as string)]);
  };
  let isOver = false;
  const making = (async () => {
    for (; !isOver; await new Promise((done) => setTimeout(done, 20)))
      if (fresh.length < 20) fresh.push(await world.signed());
  })();
  const { load, cpu } = await measured(world.ours, () => clients.closedLoop(next));
  isOver = true;
  await making;
  clients.close();
  const memory = world.ours.watched();
  const tenth = Math.max(1, Math.floor(memory.length / 10));
  const [first, last] = [memory.slice(tenth, 2 * tenth), memory.slice(-tenth)].map((some) => median(some).toFixed(0));
  const times = [0.5, 0.95, 0.99].map((share) => percentile(load.latencies, share).toFixed(1)).join(", ");
  console.log(
    `\n${CONNECTIONS} parallel reviews for ${MINUTES} minutes: ${load.latencies.length} reviews, ${load.errors} errors, ` +
      `p50, p95, p99 ${times} ms, ${(cpu / load.latencies.length).toFixed(2)} ms of CPU a review; RSS ` +
      `${first} MiB in the second tenth of the time, ${last} MiB in the last, ${Math.max(...memory).toFixed(0)} MiB at most`,
  );
  if (load.error !== undefined) console.log(`the first error: ${load.error}`);
}
