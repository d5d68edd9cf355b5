/**
 * Shows what atcr-verify does: a real containerd pulls a signed image, refuses an unsigned
 * one, and refuses the signed one too once its record is deleted. `make demo` builds and fetches what
 * this needs, and runs it; `node demo/demo.ts PROGRAM` has another verifier decide.
 *
 * Exit code 0 if everything happened as described, else 1; 130 and 143 when interrupted.
 */
import { join, resolve } from "node:path";
import { debianTool, missingTool } from "../test/support/debian-tools.ts";
import { startDockerRegistry } from "../test/support/docker-registry.ts";
import { buildImage, pushImage } from "../test/support/image.ts";
import { run } from "../test/support/process.ts";
import type { Machine } from "../test/support/scenario.ts";
import {
  attachSignature,
  BINARY,
  missingBinary,
  outcomeOf,
  recordImage,
  startMachine,
  startSigningSide,
} from "../test/support/scenario.ts";

const VERIFIER = resolve(process.argv[2] ?? BINARY);
const REPOSITORY = "alice.example.com/app";

/** Servers to stop when the demo ends. */
const started: { stop(): Promise<void> }[] = [];
let asReported = true;

function keep<T extends { stop(): Promise<void> }>(server: T): T {
  started.push(server);
  return server;
}

async function stopAll(): Promise<void> {
  for (let newest = started.pop(); newest !== undefined; newest = started.pop()) await newest.stop();
}

function say(text = ""): void {
  process.stdout.write(`${text}\n`);
}

function show(text: string): void {
  for (const line of text.trimEnd().split("\n")) say(`   | ${line}`);
}

/** Compares what happened with what was announced. */
function recordDecision(text: string, found: string, expected: string): void {
  asReported &&= found === expected;
  say(`   => ${found === expected ? text : `UNEXPECTED: expected ${expected}, found ${found}`}`);
}

async function demo(): Promise<void> {
  say("atcr-verify: before containerd pulls an image, check that a signer this machine trusts has signed it.");
  say("Everything here runs on 127.0.0.1, takes a few seconds and is removed at the end.");
  say();
  say("Starting a registry, the signer's servers, and a containerd:");
  const registry = keep(await startDockerRegistry());
  say(`   registry     ${registry.url}   ${await versionOf("docker-registry")}`);
  const side = keep(await startSigningSide("http"));
  say(`   directory    ${side.plc.origin}   stands in for plc.directory: maps each DID to its key`);
  say(`   PDS          ${side.pds.origin}   stands in for the server that holds Alice's repo`);
  const machine = keep(await startMachine({ registries: [{ host: registry.host }] }, VERIFIER));
  say(`   containerd   ${machine.containerd.socket}   ${await versionOf("containerd")}`);
  say();
  say("At every pull containerd runs the programs in its bin_dir. Here that is one link:");
  show(`${join(machine.containerd.binDir, "atcr-verify")} -> ${VERIFIER}`);

  const alice = await side.createSigner("alice", { handle: "alice.example.com" });
  const policy = `version: 1
trustedDIDs:
  ${alice.did}:
    name: Alice
policies:
  - name: ours
    scope: "${registry.host}/**"
    action: enforce
default: deny
`;
  const { stateDir, cacheDir, decisionLog } = machine.defaults;
  const config = `trustPolicyPath: ${machine.policyFile}
stateDir: ${stateDir}
cacheDir: ${cacheDir}
decisionLog: ${decisionLog}
cacheEnabled: false   # so that step 3 shows the deletion at once, not after cacheTTL
plcDirectories: ["${side.plc.origin}"]
network:
  allow:            # the servers of this demo speak plain http
    - ${registry.url}
    - ${side.plc.origin}
    - ${side.pds.origin}
`;
  machine.trust(policy);
  machine.configure(config);
  say(`The trust policy, ${machine.policyFile}:`);
  show(policy);
  say(`The configuration, ${machine.configFile}:`);
  show(config);

  const name = `${registry.host}/${REPOSITORY}`;
  const [signed, unsigned] = [buildImage("the image that Alice signed"), buildImage("an image that nobody signed")];
  say();
  say("1. Alice pushes an image, writes its digest into her repo and attaches a signature that points there.");
  await pushImage(registry.url, REPOSITORY, signed, "signed");
  await recordImage(alice, signed, REPOSITORY);
  await attachSignature(registry.url, REPOSITORY, signed, alice.did);
  await pull(machine, `${name}:signed`, "pulled", "ALLOWED: her repo proves that she recorded this digest.");
  say("   The same check, by hand:");
  await askByHand(machine, `${name}@${signed.manifest.digest}`);
  say();
  say("2. Someone with write access to the registry pushes another image, which Alice has not signed.");
  await pushImage(registry.url, REPOSITORY, unsigned, "unsigned");
  await pull(machine, `${name}:unsigned`, "1 deny signature.none", "REFUSED, and the image is not on the machine.");
  say();
  say("3. Alice deletes her record. The image and the signature are still in the registry.");
  await alice.unsign(signed.manifest.digest, Date.now());
  await pull(machine, `${name}:signed`, "1 deny record.absent", "REFUSED: her repo proves that the record is gone.");
  say();
  say(asReported ? "Everything happened as described." : "NOT everything happened as described: see above.");
  if (asReported)
    say("Next: docs/install.md installs it on a node; atcr-verify verify NAME@sha256:DIGEST verifies your own image.");
}

/** Pulls as a user would, and removes the image again. */
async function pull({ containerd }: Machine, name: string, expected: string, told: string): Promise<void> {
  say(`   $ ctr images pull ${name}`);
  const finished = await containerd.pull(name);
  const outcome = outcomeOf(finished).trim();
  const isThere = (await containerd.images()).includes(name);
  show(finished.code === 0 ? lastProgress(finished.stdout) : finished.stderr);
  const found =
    isThere === (outcome === "pulled") ? outcome : `${outcome}, with the image ${isThere ? "" : "not "}there`;
  recordDecision(told, found, expected);
  if (isThere) await containerd.removeImage(name);
}

/** ctr redraws its progress; the final state is one line of the last drawing. */
function lastProgress(stdout: string): string {
  const line = stdout.split("\n").findLast((text) => /^\w+ pull|^Pulling/.test(text)) ?? stdout;
  return line.replaceAll(/\s+/g, " ");
}

async function askByHand({ configFile }: Machine, name: string): Promise<void> {
  say(`   $ atcr-verify verify ${name} --config ${configFile}`);
  const { code, stdout, stderr } = await run(VERIFIER, ["verify", name, "--config", configFile]);
  show(stdout + stderr);
  recordDecision("the exit code is 0.", `exit code ${code}`, "exit code 0");
}

async function versionOf(program: string): Promise<string> {
  const { stdout } = await run(debianTool(program), ["--version"]);
  return `${program} ${/\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? "(unknown version)"}`;
}

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  process.once(signal, () => void stopAll().finally(() => process.exit(code)));
}

const missing = [...["containerd", "ctr", "docker-registry"].map(missingTool), missingBinary()];
const reasons = missing.filter((reason) => reason !== undefined);
if (reasons.length > 0) {
  say(`The demo cannot run; make demo fetches what it needs:\n${reasons.map((reason) => `  - ${reason}`).join("\n")}`);
  asReported = false;
} else {
  try {
    await demo();
  } finally {
    await stopAll();
  }
}
process.exitCode = asReported ? 0 : 1;
