import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { EVIDENCE_TYPE } from "../../src/core/oci/referrers.ts";
import { ask } from "../support/binary.ts";
import { debianTool, missingTool } from "../support/debian-tools.ts";
import { type Registry, startDockerRegistry } from "../support/docker-registry.ts";
import type { Override } from "../support/http-server.ts";
import { buildImage, type Content, type Descriptor, pushImage } from "../support/image.ts";
import { makeTemporaryDirectory, run } from "../support/process.ts";
import { requirement } from "../support/requirement.ts";
import {
  type Machine,
  missingBinary,
  outcomeOf,
  recordImage,
  type SigningSide,
  startMachine,
  startSigningSide,
} from "../support/scenario.ts";
import type { Signer } from "../support/signer.ts";
import { StandInRegistry } from "../support/stand-in-registry.ts";

// Sealed evidence beside an image in a real registry, which a pull by a real containerd uses while directory and PDS do not
// answer.

const tools = ["containerd", "ctr", "docker-registry"].map(missingTool);
const testable = requirement("pulls by attached evidence", ...tools, missingBinary());
const testableByOras = testable && requirement("attached evidence that oras copies", missingTool("oras"));

let files: string;
let registry: Registry;
/** One that front ends the real one, to change what it answers. */
let api: StandInRegistry;
let side: SigningSide;
let machine: Machine;
let alice: Signer;

beforeAll(async () => {
  if (!testable) return;
  files = makeTemporaryDirectory("attach");
  [registry, side, api] = await Promise.all([startDockerRegistry(), startSigningSide("http"), StandInRegistry.start()]);
  alice = await side.createSigner("alice");
  machine = await startMachine({ registries: [{ host: registry.host }, { host: api.authority }] });
  for (const name of ["seal.key", "other.key"]) {
    expect((await ask(["bundle", "keygen", "-o", at(name)])).code).toBe(0);
  }
  trust("30d");
});
afterAll(async () => {
  await Promise.all([machine, registry, side, api].map((started) => started?.stop()));
  if (testable) rmSync(files, { recursive: true, force: true });
});
afterEach(() => {
  side?.plc.reset();
  side?.pds.reset();
  api?.reset();
});

const at = (name: string) => join(files, name);

function configure(...keys: readonly string[]): void {
  const allow = [registry.url, api.origin, side.plc.origin, side.pds.origin];
  machine.configure({ plcDirectories: [side.plc.origin], network: { allow }, bundleKeys: keys.map(at) });
}

function trust(offlineFor: string | undefined): void {
  const require = { repository: "any", ...(offlineFor !== undefined && { offlineFor }) };
  const policies = [{ name: "all", scope: "**/*", action: "enforce", require }];
  machine.trust({ version: "1.0", trustedDIDs: { [alice.did]: {} }, policies });
}

function silence(): void {
  const reset: Override = (exchange) => {
    exchange.reset();
    return undefined;
  };
  for (const server of [side.plc, side.pds]) server.override("", reset);
}

/** Pushes an image, signs it, and attaches the evidence by the configuration of the machine. */
async function attached(url: string, repository: string, key = "seal.key"): Promise<Content> {
  configure();
  const image = buildImage(repository);
  await pushImage(url, repository, image, "v1");
  await recordImage(alice, image, repository);
  expect(await attach(url, repository, image, key)).toMatchObject({ code: 0, stderr: "" });
  return image;
}

function attach(url: string, repository: string, { manifest }: Content, key = "seal.key") {
  const name = `${new URL(url).host}/${repository}:v1@${manifest.digest}`;
  // Elsewhere than on the node: its memory must not help.
  const config = at("elsewhere.yaml");
  const network = { allow: [registry.url, api.origin, side.plc.origin, side.pds.origin] };
  const folders = { stateDir: at("state"), cacheDir: at("cache"), bundleDir: at("bundles") };
  const settings = { ...machine.defaults, ...folders, plcDirectories: [side.plc.origin], network };
  writeFileSync(config, JSON.stringify(settings));
  return ask(["attach", name, "--seal", at(key)], { env: { ATCR_VERIFY_CONFIG: config } });
}

/** What containerd's pull ends with. */
async function pull(url: string, repository: string, { manifest }: Content): Promise<string> {
  const name = `${new URL(url).host}/${repository}@${manifest.digest}`;
  const finished = await machine.containerd.pull(name);
  if (finished.code === 0) await machine.containerd.removeImage(name);
  return outcomeOf(finished);
}

describe.runIf(testable)("evidence attached to an image of docker-registry", () => {
  it("is used while services are silent, under offlineFor and by a listed key alone", async () => {
    const image = await attached(registry.url, "alice/app");
    silence();
    const pulled = () => pull(registry.url, "alice/app", image);
    configure();
    expect(await pulled()).toMatch(/^2 inconclusive /);
    configure("other.key.pub");
    expect(await pulled()).toMatch(/^2 inconclusive /);
    configure("seal.key.pub");
    trust(undefined);
    expect(await pulled()).toMatch(/^2 inconclusive /);
    trust("30d");
    expect(await pulled()).toBe("pulled");
  });

  it("keeps what others attached by oras, which sees it too", async () => {
    if (!testableByOras) return;
    const image = buildImage("alice/shared");
    await pushImage(registry.url, "alice/shared", image, "v1");
    await recordImage(alice, image, "alice/shared");
    const reference = `${registry.host}/alice/shared@${image.manifest.digest}`;
    writeFileSync(at("note.txt"), "a note");
    const type = "application/vnd.example.note.v1";
    await oras("attach", "--plain-http", "--artifact-type", type, reference, "note.txt:text/plain");
    expect((await attach(registry.url, "alice/shared", image)).code).toBe(0);
    const found = JSON.parse(await oras("discover", "--plain-http", "--format", "json", reference));
    expect(found.referrers.map(({ artifactType }: Descriptor) => artifactType)).toEqual([type, EVIDENCE_TYPE]);
  });

  it("goes with the image where oras copies it to another repository", async () => {
    if (!testableByOras) return;
    const image = await attached(registry.url, "alice/source");
    const [from, to] = ["alice/source", "mirror/copy"].map((name) => `${registry.host}/${name}`);
    await oras("copy", "-r", "--from-plain-http", "--to-plain-http", `${from}:v1`, `${to}:v1`);
    silence();
    configure("seal.key.pub");
    expect(await pull(registry.url, "mirror/copy", image)).toBe("pulled");
  });
});

describe.runIf(testable)("evidence attached to an image of a registry with the Referrers API", () => {
  it("is used as well", async () => {
    const image = await attached(api.origin, "alice/listed");
    silence();
    configure("seal.key.pub");
    expect(await pull(api.origin, "alice/listed", image)).toBe("pulled");
  });

  it("never counts with a byte of it changed", async () => {
    const image = await attached(api.origin, "alice/flipped");
    silence();
    configure("seal.key.pub");
    const put = api.requests.filter(({ method, url }) => method === "PUT" && url.includes("/uploads/")).at(-1);
    const bytes = Buffer.from(put?.body ?? []);
    const digest = put?.query.get("digest") ?? "";
    expect(bytes.length).toBeGreaterThan(1000);
    for (const i of [0, 70, Math.floor(bytes.length / 2), bytes.length - 1]) {
      const changed = Buffer.from(bytes);
      changed[i] = (changed[i] ?? 0) ^ 1;
      const takeBack = api.override(digest, { body: changed });
      expect(await pull(api.origin, "alice/flipped", image)).toMatch(/^2 inconclusive /);
      takeBack();
    }
    expect(await pull(api.origin, "alice/flipped", image)).toBe("pulled");
  });
});

async function oras(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(debianTool("oras"), args, {
    cwd: files,
    env: { HOME: "/nonexistent", PATH: "/usr/bin:/bin" },
  });
  expect([code, stderr]).toEqual([0, ""]);
  return stdout;
}
