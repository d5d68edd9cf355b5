/**
 * Many images of many signers in one call, beside cosign with as many: `node test/bench/many-images.ts [RUNS] [IMAGES]`.
 * Run by run the two alternate. The floor is the program without an image.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { keyEnvironment } from "../support/cache-key.ts";
import type { Signer } from "../support/signer.ts";
import { median, spread } from "./figures.ts";
import { type Job, type Measured, measureOne, ROOT } from "./measured.ts";
import { preparePeers } from "./peers.ts";
import { type PulledImage, Services } from "./services.ts";

const [RUNS, IMAGES] = [Number(process.argv[2] ?? 10), Number(process.argv[3] ?? 1000)];
const SIGNERS = 20;
const BUILT = process.env["ATCR_VERIFY_BINARY"] ?? join(ROOT, "dist/atcr-verify");

const folder = mkdtempSync(join(tmpdir(), "atcr-many-"));
const services = await Services.start();
try {
  await main();
} finally {
  await services.stop();
  rmSync(folder, { recursive: true });
}

async function main(): Promise<void> {
  const program = join(folder, "atcr-verify");
  copyFileSync(BUILT, program);
  writeFileSync(join(folder, "ca.pem"), services.authority.cert);
  const signers: Signer[] = [];
  for (let i = 0; i < SIGNERS; i++) signers.push(await services.signer(`many${i}`));
  const images: PulledImage[] = [];
  for (let i = 0; i < IMAGES; i++) {
    const by = signers[i % SIGNERS] as Signer;
    images.push(await services.image(services.registry, `${by.did.slice(-8)}/app`, `many ${i}`, { by }));
  }
  configure(signers);
  const env = {
    PATH: process.env["PATH"] ?? "",
    SSL_CERT_FILE: join(folder, "ca.pem"),
    ATCR_VERIFY_CONFIG: join(folder, "config.yaml"),
    ...keyEnvironment(folder),
  };
  const names = images.map(({ name, digest }) => `${name}@${digest}`);
  const ours = (...options: string[]): Job => ({
    commands: [{ command: [program, "verify", ...options, "--output", "ndjson", "--", ...names] }],
    env,
  });
  const rows: [name: string, job: () => Job][] = [
    ["--version", () => ({ commands: [{ command: [program, "--version"] }], env })],
    ["verify --stateless", () => ours("--stateless")],
    ["verify, nothing cached", () => forgetting(ours())],
    ["verify, again", () => ours()],
  ];
  rows.push(await cosign(names));
  const measured = new Map<string, Measured[]>();
  for (let run = 0; run < RUNS; run++) {
    for (const [name, job] of rows) {
      services.forget();
      const one = await measureOne(job(), 0);
      measured.set(name, [...(measured.get(name) ?? []), one]);
      if (run === 0) console.error(`${name}: ${services.asked}`);
    }
  }
  const cosignCpu = median((measured.get("cosign verify") ?? []).map(({ cpu }) => cpu));
  console.log(
    `${IMAGES} images of ${SIGNERS} signers, ${cpus().length} x ${cpus()[0]?.model ?? "unknown"}, ${RUNS} runs in turn`,
  );
  for (const [name, all] of measured) {
    const cpu = all.map((one) => one.cpu);
    const ratio = (median(cpu) / cosignCpu).toFixed(2);
    console.log(
      `${name.padEnd(26)} CPU ${spread(cpu)} ms (${ratio} of cosign), wall ${spread(all.map(({ wall }) => wall))} ms, peak RSS ${spread(all.map(({ rss }) => rss))} MiB`,
    );
  }
}

function forgetting(job: Job): Job {
  for (const name of ["state", "cache"]) rmSync(join(folder, name), { recursive: true, force: true });
  return job;
}

function configure(signers: readonly Signer[]): void {
  const config = {
    trustPolicyPath: join(folder, "policy.yaml"),
    stateDir: join(folder, "state"),
    cacheDir: join(folder, "cache"),
    registryConfigPath: join(folder, "certs.d"),
    decisionLog: "none",
    plcDirectories: [services.plc.origin],
    network: { allow: ["127.0.0.0/8"] },
  };
  writeFileSync(join(folder, "config.yaml"), JSON.stringify(config));
  const dids = signers.map(({ did }) => `  ${did}: {}\n`).join("");
  const rules = signers.map(
    ({ did }, i) =>
      `  - {name: team${i}, scope: "${services.registry.authority}/${did.slice(-8)}/*", action: enforce, require: {trustedDIDs: ["${did}"]}}\n`,
  );
  writeFileSync(join(folder, "policy.yaml"), `version: 1.0\ntrustedDIDs:\n${dids}policies:\n${rules.join("")}`);
}

/** cosign verifies images of its own, all signed with one key. */
async function cosign(names: readonly string[]): Promise<[string, () => Job]> {
  const [first = "", ...rest] = names;
  mkdirSync(join(folder, "cosign"));
  const [peer] = await preparePeers(
    join(folder, "cosign"),
    { cosign: first, notation: first },
    join(folder, "ca.pem"),
    rest,
  );
  if (peer === undefined) throw new Error("there is no cosign");
  return ["cosign verify", () => ({ commands: [{ command: [...peer.command(first), ...rest] }], env: peer.env })];
}
