/**
 * The figures of docs/benchmarks.md: `make bench`, or `node test/bench/bench.ts [RUNS]`.
 *
 * Everything of one table is measured in one run, turn by turn, so that a busy machine is busy for
 * all of it. Servers are stand-ins on loopback with TLS, in this process; the child's CPU and peak RSS
 * are the kernel's.
 */
import { execFile } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { CertificateAuthority } from "../support/certificates.ts";
import { type StandInServer, sequentialRoundTrips } from "../support/http-server.ts";
import { Signer } from "../support/signer.ts";
import { StandInPds } from "../support/stand-in-pds.ts";
import { StandInPlc } from "../support/stand-in-plc.ts";
import { StandInRegistry } from "../support/stand-in-registry.ts";
import { preparePeers } from "./peers.ts";

const ROOT = join(import.meta.dirname, "../..");
const BUN = join(ROOT, "node_modules/.bin/bun");
const BUILT = process.env["ATCR_VERIFY_BINARY"] ?? join(ROOT, "dist/atcr-verify");
const RUNS = Number(process.argv[2] ?? 25);
/** Added to every answer for the figures of a network with distance, in milliseconds. */
const DISTANCE = 50;
const BURSTS = 5;
/** As many as a large node starts pods when it comes up. */
const MANY_IMAGES = 200;
const execute = promisify(execFile);

interface Measured {
  readonly code: number;
  readonly stdout: string;
  readonly wall: number;
  readonly cpu: number;
  readonly rss: number;
}

interface Case {
  /** Of its row; without it the case only prepares the next. */
  readonly name?: string;
  /** Default: as for this program. */
  readonly env?: Readonly<Record<string, string>>;
  readonly command: readonly string[];
  readonly stdin?: string;
  readonly expected: number;
  /** Before each run. */
  readonly prepare?: () => void;
  /** Run instead, side by side: each of another image. */
  readonly others?: readonly Pick<Case, "command" | "stdin">[];
}

const authority = new CertificateAuthority();
const folder = mkdtempSync(join(tmpdir(), "atcr-bench-"));
/** Copies, as an installation makes them: a file that was just linked starts up to twice as slowly. */
const [BINARY, HELLO] = [join(folder, "atcr-verify"), join(folder, "hello")];
const tls = authority.issue({ names: ["127.0.0.1"] });
const [plc, pds, registry] = [
  await StandInPlc.start({ tls }),
  await StandInPds.start({ tls }),
  await StandInRegistry.start({ tls }),
];
const servers: readonly StandInServer[] = [plc, pds, registry];
const environment = {
  PATH: process.env["PATH"] ?? "",
  SSL_CERT_FILE: join(folder, "ca.pem"),
  ATCR_VERIFY_CONFIG: join(folder, "config.yaml"),
  ATCR_VERIFY_CACHE_DIR: join(folder, "cache"),
};

try {
  await main();
} finally {
  for (const server of servers) await server.stop();
  rmSync(folder, { recursive: true });
}

async function main(): Promise<void> {
  copyFileSync(BUILT, BINARY);
  await buildHello();
  const at = Date.now() - 86_400_000;
  const signer = await Signer.create({ seed: "bench", pds: pds.origin, at, others: 50 });
  plc.add(signer.log);
  pds.add(signer.repo);
  const signed = registry.pushImage("team/app", "signed", "signed");
  const unsigned = registry.pushImage("team/app", "unsigned", "unsigned");
  await signer.sign(signed.digest, "app", at + 10);
  const annotations = { "io.atcr.atproto.did": signer.did };
  registry.attach("team/app", signed, { annotations, fallbackTag: true });

  writeFileSync(join(folder, "ca.pem"), authority.cert);
  writeFileSync(
    join(folder, "config.yaml"),
    `trustPolicyPath: ${join(folder, "policy.yaml")}\nstateDir: ${folder}/state\ncacheDir: ${folder}/cache\nregistryConfigPath: ${folder}/certs.d\ndecisionLog: ${folder}/decisions.log\nplcDirectories: [${plc.origin}]\nnetwork: {allow: [127.0.0.0/8]}\n`,
  );
  writePolicy([signer.did]);
  // More signers than are asked directly: the way through the registry. None but one has a log.
  const strangers = Array.from({ length: 16 }, (_, i) => `did:plc:${"abcdefghijklmnop"[i] ?? "a"}`.padEnd(32, "a"));

  const pull = (digest: string) => ({
    command: [
      BINARY,
      `-name=${registry.authority}/team/app@${digest}`,
      `-digest=${digest}`,
      "-stdin-media-type=application/vnd.oci.descriptor.v1+json",
    ],
    stdin: JSON.stringify({ mediaType: "application/vnd.oci.image.manifest.v1+json", digest }),
  });
  const forget = (...kinds: readonly string[]) => {
    for (const kind of kinds) rmSync(join(folder, "cache", kind), { recursive: true, force: true });
  };
  const known = () => forget("evidence", "tags", "owners", "turns");
  /** A node that has pulled images of others, under this policy. */
  const cold = () => {
    known();
    forget("identities");
  };
  const first = () => {
    rmSync(join(folder, "cache"), { recursive: true, force: true });
    writePolicy([signer.did]);
  };
  const few = () => {
    cold();
    writePolicy([signer.did]);
  };
  const exempt = () => {
    cold();
    writePolicy([signer.did], "allow");
  };
  const many = () => {
    cold();
    writePolicy([signer.did, ...strangers]);
  };
  const again = () => writePolicy([signer.did]);

  const nameIn = (repository: string, digest: string) => `${registry.authority}/team/${repository}@${digest}`;
  const peerImages = {
    cosign: registry.pushImage("team/cosign", "signed"),
    notation: registry.pushImage("team/notation", "signed"),
  };
  for (const name of ["cosign", "notation"]) registry.pushImage(`team/${name}`, "unsigned");
  const peers = await preparePeers(
    folder,
    { cosign: nameIn("cosign", peerImages.cosign.digest), notation: nameIn("notation", peerImages.notation.digest) },
    join(folder, "ca.pem"),
  );
  const byPeers = (what: string, { digest }: { digest: string }) =>
    peers.map(({ name, command, env, refused }) => ({
      name: `${name}, ${what}`,
      command: command(nameIn(name, digest)),
      env,
      expected: what === "unsigned" ? refused : 0,
    }));

  console.log(`${cpus().length} x ${cpus()[0]?.model ?? "unknown"}, ${RUNS} runs turn by turn; median (min, max)\n`);
  await table("Start-up and pulls on loopback", [
    { name: "hello world, compiled", command: [HELLO], expected: 0 },
    { name: "--version", command: [BINARY, "--version"], expected: 0 },
    // Twice: the first parses the settings, and is not a row.
    { ...pull(signed.digest), expected: 0, prepare: exempt },
    { name: "exempt by a rule", ...pull(signed.digest), expected: 0, prepare: exempt },
    { name: "verified, first of a node", ...pull(signed.digest), expected: 0, prepare: first },
    { name: "verified pull, cold", ...pull(signed.digest), expected: 0, prepare: few },
    { name: "verified, signer known", ...pull(signed.digest), expected: 0, prepare: known },
    { name: "verified pull, 17 signers", ...pull(signed.digest), expected: 0, prepare: many },
    { name: "unsigned, refused", ...pull(unsigned.digest), expected: 1, prepare: few },
    // Keeps the evidence for the next.
    { ...pull(signed.digest), expected: 0, prepare: few },
    { name: "pulled again", ...pull(signed.digest), expected: 0, prepare: again },
    ...byPeers("verified", signed),
    ...byPeers("unsigned", unsigned),
  ]);

  console.log("\nBursts for one image, all processes at once");
  for (const count of [10, 50]) {
    await burst(count, { name: "atcr-verify, cold", ...pull(signed.digest), expected: 0, prepare: few });
    await burst(count, { name: "atcr-verify, unsigned", ...pull(unsigned.digest), expected: 1, prepare: few });
    const [cosign] = byPeers("verified", signed);
    if (cosign !== undefined) await burst(count, cosign);
  }
  const others: Pick<Case, "command" | "stdin">[] = [];
  for (let i = 0; i < MANY_IMAGES; i++) {
    const { digest } = registry.pushImage("team/app", `of ${i}`);
    await signer.sign(digest, "app", at + 100 + i);
    others.push(pull(digest));
  }
  const name = "atcr-verify, cold, an image each";
  await burst(MANY_IMAGES, { name, ...pull(signed.digest), expected: 0, prepare: few, others });

  console.log("\nRequests of a pull on loopback");
  await counted({ name: "verified pull, cold", ...pull(signed.digest), expected: 0, prepare: few });
  await counted({ name: "pulled again", ...pull(signed.digest), expected: 0, prepare: again });
  await counted({ name: "unsigned, refused", ...pull(unsigned.digest), expected: 1, prepare: few });
  await counted({ name: "verified, signer known", ...pull(signed.digest), expected: 0, prepare: known });
  await counted({ name: "unsigned, signer known", ...pull(unsigned.digest), expected: 1, prepare: known });
  for (const peer of [...byPeers("verified", signed), ...byPeers("unsigned", unsigned)]) await counted(peer);

  for (const server of servers) server.delay(DISTANCE);
  console.log(`\n${DISTANCE} ms added to every answer`);
  await distant("verified pull", { ...pull(signed.digest), expected: 0, prepare: few });
  await distant("verified pull, 17 signers", { ...pull(signed.digest), expected: 0, prepare: many });
  await distant("unsigned, refused", { ...pull(unsigned.digest), expected: 1, prepare: few });
  for (const peer of [...byPeers("verified", signed), ...byPeers("unsigned", unsigned)]) await distant(peer.name, peer);
  registry.referrersApi = 404;
  await distant("unsigned, tag fallback", { ...pull(unsigned.digest), expected: 1, prepare: few });
}

function writePolicy(dids: readonly string[], action = "enforce"): void {
  const trusted = dids.map((did) => `  ${did}: {}\n`).join("");
  const rule = `  - {name: team, scope: "${registry.authority}/team/*", action: ${action}}\n`;
  writeFileSync(join(folder, "policy.yaml"), `version: 1.0\ntrustedDIDs:\n${trusted}policies:\n${rule}`);
}

async function table(title: string, cases: readonly Case[]): Promise<void> {
  const results = cases.map((): Measured[] => []);
  for (let run = 0; run < RUNS; run++) {
    for (const [i, one] of cases.entries()) results[i]?.push(await measure(one));
  }
  const base = median((results[0] ?? []).map(({ cpu }) => cpu));
  console.log(title);
  console.log(row(["", "CPU ms", "x hello", "wall ms", "peak RSS MiB"]));
  for (const [i, { name }] of cases.entries()) {
    if (name === undefined) continue;
    const measured = results[i] ?? [];
    const times = median(measured.map(({ cpu }) => cpu)) / base;
    const columns = (["cpu", "wall", "rss"] as const).map((key) => spread(measured.map((one) => one[key])));
    console.log(row([name, columns[0] ?? "", times.toFixed(2), columns[1] ?? "", columns[2] ?? ""]));
  }
}

async function distant(name = "", one: Case): Promise<void> {
  const walls: number[] = [];
  const counts = new Set<string>();
  for (let run = 0; run < Math.min(RUNS, 10); run++) {
    for (const server of servers) server.forget();
    walls.push((await measure(one)).wall);
    const requests = servers.flatMap((server) => server.requests);
    const each = [plc, pds, registry].map((server) => server.requests.length).join(" + ");
    counts.add(`${each} requests (directory, PDS, registry), ${sequentialRoundTrips(requests)} in sequence`);
  }
  console.log(row([name, `wall ${spread(walls)} ms`, [...counts].join(" or ")]));
}

/** Processes side by side, as when a node's pods start together: what all of them took. */
async function burst(count: number, one: Case): Promise<void> {
  const [cpus, walls, peaks, inTime] = [[] as number[], [] as number[], [] as number[], [] as number[]];
  const asked = new Set<string>();
  for (let run = 0; run < BURSTS; run++) {
    for (const server of servers) server.forget();
    const all = await measureAll(one, count);
    cpus.push(all.reduce((sum, { cpu }) => sum + cpu, 0));
    walls.push(Math.max(...all.map(({ wall }) => wall)));
    peaks.push(Math.max(...all.map(({ rss }) => rss)));
    inTime.push(all.filter(({ code }) => code === one.expected).length);
    asked.add(`${plc.requests.length} asked of the directory, ${pds.requests.length} of the PDS`);
  }
  if (one.others !== undefined) asked.add(`${spread(inTime)} in time`);
  const requests = one.env === undefined ? [...asked].join(" or ") : "";
  const figures = `CPU ${spread(cpus)} ms in all, the last after ${spread(walls)} ms, peak RSS ${spread(peaks)} MiB`;
  console.log(row([`${count} x ${one.name}`, `${figures}  ${requests}`]));
}

async function counted(one: Case): Promise<void> {
  for (const server of servers) server.forget();
  await measure(one);
  const [atPlc, atPds, atRegistry] = [plc, pds, registry].map((server) => server.requests.length);
  console.log(row([one.name ?? "", `directory ${atPlc}, PDS ${atPds}, registry ${atRegistry}`]));
}

async function measure(one: Case): Promise<Measured> {
  const [measured] = await measureAll(one, 1);
  if (measured === undefined) throw new Error("nothing was measured");
  return measured;
}

async function measureAll(
  { command, env = environment, stdin = "", expected, prepare, others }: Case,
  parallel: number,
): Promise<readonly Measured[]> {
  prepare?.();
  const runs = others ?? Array.from({ length: parallel }, () => ({ command, stdin }));
  const job = join(folder, "job.json");
  writeFileSync(job, JSON.stringify({ env, runs }));
  const { stdout } = await execute(BUN, [join(import.meta.dirname, "measure.ts"), job], { maxBuffer: 2 ** 26 });
  const all = JSON.parse(stdout) as readonly Measured[];
  const wrong = all.find(({ code }) => code !== expected);
  // Where many want the machine at once, how many are in time is the figure.
  if (wrong !== undefined && others === undefined)
    throw new Error(`${command[0]}: exit code ${wrong.code}: ${wrong.stdout}`);
  return all;
}

async function buildHello(): Promise<void> {
  const [source, built] = [join(folder, "hello.ts"), join(folder, "hello.built")];
  writeFileSync(source, 'console.log("hello world");\n');
  await execute(BUN, [join(ROOT, "packaging/build.ts"), "--entry", source, "--outfile", built], { cwd: ROOT });
  copyFileSync(built, HELLO);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function spread(values: readonly number[]): string {
  return `${median(values).toFixed(1)} (${Math.min(...values).toFixed(1)}, ${Math.max(...values).toFixed(1)})`;
}

function row(cells: readonly string[]): string {
  return cells.map((cell, i) => cell.padEnd(i === 0 ? 28 : 22)).join("");
}
