import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundleSince, readBundle, writeBundle } from "../../src/core/evidence/bundle.ts";
import { ask } from "../support/binary.ts";
import { missingTool } from "../support/debian-tools.ts";
import { type Registry, startDockerRegistry } from "../support/docker-registry.ts";
import { buildImage, type Content, pushImage } from "../support/image.ts";
import { makeTemporaryDirectory } from "../support/process.ts";
import { missingRoot, requirement } from "../support/requirement.ts";
import {
  BINARY,
  type Machine,
  missingBinary,
  outcomeOf,
  recordImage,
  type SigningSide,
  startMachine,
  startSigningSide,
} from "../support/scenario.ts";
import { MANIFEST_COLLECTION } from "../support/signed-repo.ts";
import type { Signer } from "../support/signer.ts";

// A node behind an air gap: a real containerd pulls from a registry beside it, and the verifier that it runs is in a network
// namespace of its own, in which there is no interface that is up, not even loopback.

const tools = ["containerd", "ctr", "docker-registry"].map(missingTool);
const asRoot = missingRoot("a network namespace without interfaces, and an import");
const testable = requirement("pulls behind an air gap", ...tools, missingBinary(), asRoot);
const SECOND = 1000;

let files: string;
let registry: Registry;
let side: SigningSide;
let machine: Machine;
let alice: Signer;
/** A configuration of the connected side, which no node uses. */
let outside: string;

beforeAll(async () => {
  if (!testable) return;
  files = makeTemporaryDirectory("air-gap");
  [registry, side] = await Promise.all([startDockerRegistry(), startSigningSide("https")]);
  alice = await side.createSigner("alice");
  writeFileSync(join(files, "ca.pem"), side.ca ?? "");
  const verifier = join(files, "without-network");
  writeFileSync(verifier, `#!/bin/sh\nexec /usr/bin/unshare --net ${BINARY} "$@"\n`);
  chmodSync(verifier, 0o755);
  const env = { SSL_CERT_FILE: join(files, "ca.pem") };
  machine = await startMachine({ registries: [{ host: registry.host }], env }, verifier);
  outside = join(files, "outside.yaml");
  const allow = ["127.0.0.0/8", registry.url];
  const folders = { stateDir: join(files, "state"), cacheDir: join(files, "cache"), bundleDir: join(files, "bundles") };
  const connected = { plcDirectories: [side.plc.origin], network: { allow } };
  writeFileSync(outside, JSON.stringify({ ...machine.defaults, ...connected, ...folders }));
  expect((await run(outside, "bundle", "keygen", "-o", at("seal.key"))).code).toBe(0);
  machine.configure({ offline: true, bundleKeys: [at("seal.key.pub")] });
  trust("30d");
});
afterAll(async () => {
  await Promise.all([machine, registry, side].map((started) => started?.stop()));
  if (testable) rmSync(files, { recursive: true, force: true });
});

const at = (name: string) => join(files, name);

function run(config: string, ...args: readonly string[]) {
  const env = { SSL_CERT_FILE: at("ca.pem"), ATCR_VERIFY_CONFIG: config, ATCR_VERIFY_CACHE_KEY: at("cache-key") };
  return ask(args, { env, cwd: files });
}

function trust(offlineFor: string | undefined): void {
  const require = { signature: true, repository: "any", ...(offlineFor !== undefined && { offlineFor }) };
  const policies = [{ name: "all", scope: "**/*", action: "enforce", require }];
  machine.trust({ version: "1.0", trustedDIDs: { [alice.did]: {} }, policies });
}

async function pushed(repository: string): Promise<{ readonly name: string; readonly content: Content }> {
  const content = buildImage(repository);
  await pushImage(registry.url, repository, content, "v1");
  await recordImage(alice, content, repository);
  return { content, name: `${registry.host}/${repository}@${content.manifest.digest}` };
}

/** Gathers where there is a network. */
async function gathered(name: string, file: string, ...options: readonly string[]): Promise<Buffer> {
  await run(outside, "bundle", "create", name, "-o", at(file), ...options);
  return readFileSync(at(file));
}

const imported = (file: string) => run(machine.configFile, "bundle", "import", at(file));

/** What containerd's pull ends with: `0` where it is there. */
async function pull(name: string): Promise<string> {
  const finished = await machine.containerd.pull(name);
  if (finished.code !== 0) return outcomeOf(finished);
  await machine.containerd.removeImage(name);
  return "0";
}

describe.runIf(testable)("a node without a network", () => {
  it("pulls what was imported, and nothing before", async () => {
    const { name } = await pushed("alice/first");
    await gathered(name, "first.bundle", "--seal", at("seal.key"));
    side.plc.forget();
    side.pds.forget();
    expect(await pull(name)).toMatch(/^2 inconclusive /);
    expect(await imported("first.bundle")).toMatchObject({ code: 0, stderr: "" });
    expect(await pull(name)).toBe("0");
    expect([...side.plc.requests, ...side.pds.requests]).toEqual([]);
  });

  it("pulls by an unsealed bundle as well, and under a rule with offlineFor alone", async () => {
    const { name } = await pushed("alice/unsealed");
    await gathered(name, "unsealed.bundle");
    expect((await imported("unsealed.bundle")).code).toBe(0);
    expect(await pull(name)).toBe("0");
    trust(undefined);
    expect(await pull(name)).toMatch(/^2 inconclusive /);
    trust("1ms");
    expect(await pull(name)).toMatch(/^2 inconclusive /);
    trust("30d");
    expect(await pull(name)).toBe("0");
  });

  it("refuses what was deleted once it has seen that, also by an older bundle and without its pieces", async () => {
    const { name, content } = await pushed("alice/deleted");
    const { digest } = content.manifest;
    await gathered(name, "before.bundle", "--seal", at("seal.key"));
    await alice.repo.delete(MANIFEST_COLLECTION, digest.slice("sha256:".length), Date.now());
    await gathered(name, "after.bundle", "--seal", at("seal.key"));
    expect((await imported("before.bundle")).code).toBe(0);
    expect(await pull(name)).toBe("0");
    expect((await imported("after.bundle")).stdout).toContain("imported: not signed ");
    expect(await pull(name)).toMatch(/^1 deny /);
    await imported("before.bundle");
    expect(await pull(name)).toMatch(/^1 deny /);
    // Without the piece, the no is in the memory of this node.
    rmSync(join(machine.defaults.bundleDir, `sha256-${digest.slice("sha256:".length)}`), { recursive: true });
    await imported("before.bundle");
    expect(await pull(name)).toBe("1 deny commit.rolled_back");
  });

  it("never pulls by a sealed bundle of which a byte was changed", async () => {
    const { name } = await pushed("alice/flipped");
    const whole = await gathered(name, "sealed.bundle", "--seal", at("seal.key"));
    const step = Math.floor(whole.length / 24);
    for (let i = 0; i < whole.length; i += step) {
      writeFileSync(at("flipped.bundle"), whole.with(i, (whole[i] ?? 0) ^ 1));
      const { code, stdout } = await imported("flipped.bundle");
      expect([i, code, stdout]).toEqual([
        i,
        3,
        expect.stringMatching(/^misconfigured bundle\.(?:malformed|bad_seal): /),
      ]);
    }
    expect(await pull(name)).toMatch(/^2 inconclusive /);
  });

  it("never pulls by a changed time, another seal, or evidence that was tampered with", async () => {
    const { name } = await pushed("alice/changed");
    const { bundle } = readBundle(await gathered(name, "plain.bundle"));
    const dated = (gatheredAt: number) => writeBundle({ ...bundle, gatheredAt });
    const day = 86_400 * SECOND;
    writeFileSync(at("future.bundle"), dated(bundle.gatheredAt + day));
    expect((await imported("future.bundle")).code).toBe(3);
    const sealed = (await gathered(name, "other.bundle", "--seal", at("seal.key"))).toString("latin1").split("\n");
    const earlier = writeBundle(bundleSince(bundle.gatheredAt - SECOND, bundle.images));
    const unsealed = new TextDecoder().decode(earlier).split("\n");
    writeFileSync(at("resealed.bundle"), [sealed[0], ...unsealed.slice(1)].join("\n"));
    expect((await imported("resealed.bundle")).stdout).toContain("misconfigured bundle.bad_seal: ");
    const images = bundle.images.map((image) => ({
      ...image,
      evidence: {
        ...image.evidence,
        signatures: image.evidence.signatures.map((signature) => {
          const { bytes, ...record } = signature.record ?? signature.identity;
          return { ...signature, record: { ...record, bytes: bytes.with(-5, (bytes.at(-5) ?? 0) ^ 1) } };
        }),
      },
    }));
    writeFileSync(at("tampered.bundle"), writeBundle({ ...bundle, images }));
    expect((await imported("tampered.bundle")).code).toBe(1);
    expect(await pull(name)).toMatch(/^2 inconclusive /);
  });

  it("does not use a piece that was changed, or that others can change, and says which", async () => {
    const { name, content } = await pushed("alice/pieces");
    await gathered(name, "pieces.bundle", "--seal", at("seal.key"));
    await imported("pieces.bundle");
    const folder = join(machine.defaults.bundleDir, `sha256-${content.manifest.digest.slice("sha256:".length)}`);
    const [file = ""] = readdirSync(folder);
    const path = join(folder, file);
    expect(await pull(name)).toBe("0");
    chmodSync(path, 0o666);
    expect(await pull(name)).toMatch(/^2 inconclusive /);
    expect(machine.containerd.log()).toContain("bundles.unusable");
    chmodSync(path, 0o644);
    expect(await pull(name)).toBe("0");
    const whole = readFileSync(path);
    const proof = whole.lastIndexOf('"bytes":"') + 20;
    for (const i of [10, proof, proof + 400, whole.length - 2]) {
      writeFileSync(path, whole.with(i, (whole[i] ?? 0) ^ 1));
      expect([i, await pull(name)]).toEqual([i, expect.stringMatching(/^[12] /)]);
    }
    writeFileSync(path, whole);
    expect(await pull(name)).toBe("0");
  });
});
