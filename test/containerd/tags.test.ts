import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { installVerifier, uninstallVerifier } from "../support/containerd.ts";
import { connectCri } from "../support/cri.ts";
import { missingTool } from "../support/debian-tools.ts";
import { type Registry, startDockerRegistry } from "../support/docker-registry.ts";
import { buildImage, type Content, pushImage } from "../support/image.ts";
import { flagOf, installRecorder } from "../support/recording-verifier.ts";
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
import type { Signer } from "../support/signer.ts";
import { StandInPds } from "../support/stand-in-pds.ts";
import { StandInPlc } from "../support/stand-in-plc.ts";

// What is asked for by a tag, and what was seen at an earlier pull: the built binary, in a real containerd,
// decides about images of a real registry.

const RECORD = "com.atproto.sync.getRecord";
const tools = ["containerd", "ctr", "docker-registry"].map(missingTool);
const testable = requirement("pulls by a tag, and after another pull", ...tools, missingBinary());
const asRoot = missingRoot("an ordinary user's containerd has no CRI");
const testableAsRoot = testable && requirement("pulls by a tag as a kubelet makes them", asRoot);

let registry: Registry;
let side: SigningSide;
let machine: Machine;
let alice: Signer;

beforeAll(async () => {
  if (!testable) return;
  [registry, side] = await Promise.all([startDockerRegistry(), startSigningSide("http")]);
  alice = await side.createSigner("alice");
  machine = await startMachine({ registries: [{ host: registry.host }] });
  configure();
});
afterAll(async () => {
  await Promise.all([machine, registry, side].map((started) => started?.stop()));
});
afterEach(() => side?.pds.reset());

/** @param origins spoken to besides the registry, the directory and the PDS of all */
function configure(...origins: readonly string[]): void {
  const allow = [registry.url, side.plc.origin, side.pds.origin, ...origins];
  machine.configure({ plcDirectories: [side.plc.origin], network: { allow } });
}

/** Everything must be signed by this signer, and meet these demands. */
function trust(signer: Signer, require: object, action = "enforce"): void {
  const rule = { name: "all", scope: `${registry.host}/**`, action, require };
  machine.trust({ version: 1, trustedDIDs: { [signer.did]: {} }, policies: [rule] });
}

/** Pushes an image under `v1`, where it takes the place of another, and records it. */
async function pushSigned(repository: string, content: Content, signer = alice): Promise<Content> {
  await pushImage(registry.url, repository, content, "v1");
  await recordImage(signer, content, repository);
  return content;
}

const recordTag = (repository: string, { manifest }: Content): Promise<void> =>
  alice.tag(repository, "v1", manifest.digest, Date.now());

/** Pulls with ctr: `:v1`, `@sha256:…`. */
async function pull(repository: string, reference = ":v1"): Promise<string> {
  return outcomeOf(await machine.containerd.pull(`${registry.host}/${repository}${reference}`));
}

/** Pulls as a kubelet does. */
async function pullThroughCri(name: string): Promise<string> {
  const cri = connectCri(machine.containerd.socket);
  try {
    await cri.pullImage(name);
    await cri.removeImage(name);
    return "pulled";
  } catch (error) {
    const [, code, reason] = /\(exit code (\d)\): (\w+ [\w.]+): /.exec((error as Error).message) ?? [];
    return code === undefined ? String(error) : `${code} ${reason}`;
  } finally {
    cri.close();
  }
}

describe.runIf(testable)("the name that reaches a verifier", () => {
  const repository = "alice/named";
  const image = buildImage("named");
  const byDigest = `@${image.manifest.digest}`;

  beforeAll(async () => {
    await pushImage(registry.url, repository, image, "v1");
    await pushImage(registry.url, repository, image, "latest");
  });

  /** What comes after the repository in the name, where the verifier is asked. */
  async function seen(pulling: (name: string) => Promise<unknown>, reference: string): Promise<(string | undefined)[]> {
    const { containerd } = machine;
    uninstallVerifier(containerd.binDir);
    const verifier = installRecorder(containerd, "exit 0");
    try {
      const base = `${registry.host}/${repository}`;
      await pulling(`${base}${reference}`);
      return verifier.calls().map((call) => flagOf(call, "-name")?.replace(base, ""));
    } finally {
      uninstallVerifier(containerd.binDir, "verifier");
      installVerifier(containerd.binDir, BINARY);
    }
  }

  it.each([
    [":v1", [":v1"]],
    [byDigest, [byDigest]],
    [`:v1${byDigest}`, [`:v1${byDigest}`]],
    [`:no-such-tag${byDigest}`, [`:no-such-tag${byDigest}`]],
    ["", []],
  ])("from ctr, for %s", async (reference, names) => {
    expect(await seen((name) => machine.containerd.pull(name), reference)).toEqual(names);
  });

  it.runIf(testableAsRoot).each([
    [":v1", [":v1"]],
    [byDigest, [byDigest]],
    [`:v1${byDigest}`, [byDigest]],
    ["", [":latest"]],
  ])("from CRI, for %s", async (reference, names) => {
    expect(await seen(pullThroughCri, reference)).toEqual(names);
  });
});

describe.runIf(testable)("a tag that must mean the image", () => {
  it("is refused once it has gone on to another image, and comes back; a digest is not", async () => {
    const repository = "alice/tagged";
    trust(alice, { tag: "match" });
    const first = await pushSigned(repository, buildImage("first"));
    expect(await pull(repository)).toBe("1 deny tag.absent");
    await recordTag(repository, first);
    expect(await pull(repository)).toBe("pulled");

    const second = await pushSigned(repository, buildImage("second"));
    expect(await pull(repository)).toBe("1 deny tag.mismatch");
    await recordTag(repository, second);
    expect(await pull(repository)).toBe("pulled");

    await pushImage(registry.url, repository, first, "v1");
    expect(await pull(repository)).toBe("1 deny tag.mismatch");
    const byDigest = `@${first.manifest.digest}`;
    for (const reference of [byDigest, `:v1${byDigest}`]) expect(await pull(repository, reference)).toBe("pulled");
    const noted = new RegExp(`allowed pull.*${byDigest}.*allow signed: .*pulled by digest: no tag was checked`);
    await expect.poll(machine.containerd.log).toMatch(noted);
    if (!machine.containerd.root) return;

    const name = `${registry.host}/${repository}`;
    expect(await pullThroughCri(`${name}:v1`)).toBe("1 deny tag.mismatch");
    // A kubelet's name loses the tag beside a digest.
    for (const reference of [byDigest, `:v1${byDigest}`]) {
      expect(await pullThroughCri(`${name}${reference}`)).toBe("pulled");
    }
    await pushImage(registry.url, repository, second, "v1");
    expect(await pullThroughCri(`${name}:v1`)).toBe("pulled");
    expect(await pullThroughCri(`${name}@${second.manifest.digest}`)).toBe("pulled");
  });
});

describe.runIf(testable)("what an earlier pull has seen", () => {
  it("has a repo that went back refused, and only said where the rule audits", async () => {
    const repository = "alice/rolled-back";
    trust(alice, {});
    const image = await pushSigned(repository, buildImage("rolled back"));
    const body = await alice.proof(image.manifest.digest);
    await pushSigned("alice/newer", buildImage("newer"));
    expect(await pull("alice/newer")).toBe("pulled");

    side.pds.override(RECORD, { body });
    expect(await pull(repository)).toBe("1 deny commit.rolled_back");
    trust(alice, {}, "audit");
    expect(await pull(repository)).toBe("pulled");
    await expect.poll(machine.containerd.log).toMatch(/allowed pull.*allow audited: .*deny commit\.rolled_back/);
    side.pds.reset();
    trust(alice, {});
    expect(await pull(repository)).toBe("pulled");
  });

  it("lets the same digest through while the PDS is down, where the rule takes that", async () => {
    const repository = "bob/kept";
    const pds = await StandInPds.start();
    const bob = await side.createSigner("bob", { pds: pds.origin });
    pds.add(bob.repo);
    configure(pds.origin);
    trust(bob, { maxStaleness: "1h" });
    const image = await pushSigned(repository, buildImage("kept"), bob);
    expect(await pull(repository)).toBe("pulled");
    await pds.stop();

    expect(await pull(repository)).toBe("pulled");
    const noted = /allowed pull.*allow signed: .*by stale evidence, fetched at .*could not be reached/;
    await expect.poll(machine.containerd.log).toMatch(noted);
    await pushSigned(repository, buildImage("never pulled"), bob);
    expect(await pull(repository)).toBe("2 inconclusive pds.unreachable");
    // It was kept for the digest, by whatever name that is pulled.
    expect(await pull(repository, `@${image.manifest.digest}`)).toBe("pulled");
    trust(bob, { maxStaleness: "1h", tag: "match" });
    await pushImage(registry.url, repository, image, "v2");
    expect(await pull(repository, ":v2")).toBe("2 inconclusive pds.unreachable");
    trust(bob, {});
    expect(await pull(repository, `@${image.manifest.digest}`)).toBe("2 inconclusive pds.unreachable");
  });
});

describe.runIf(testable)("an image that is pulled again", () => {
  it("is answered for by fresh evidence, though nobody is there any more, and by the policy of now", async () => {
    const repository = "carol/cached";
    const [pds, plc] = [await StandInPds.start(), await StandInPlc.start()];
    const carol = await side.createSigner("carol", { pds: pds.origin });
    pds.add(carol.repo);
    plc.add(carol.log);
    const allow = [registry.url, plc.origin, pds.origin];
    onTestFinished(() => configure());
    machine.configure({ cacheEnabled: true, plcDirectories: [plc.origin], network: { allow } });
    trust(carol, {});
    const image = await pushSigned(repository, buildImage("cached"), carol);
    expect(await pull(repository)).toBe("pulled");
    await Promise.all([pds.stop(), plc.stop()]);

    expect(await pull(repository)).toBe("pulled");
    const noted = /allowed pull.*allow signed: .*by cached evidence, fetched at /;
    await expect.poll(machine.containerd.log).toMatch(noted);
    expect(await pull(repository, `@${image.manifest.digest}`)).toBe("pulled");
    await pushSigned(repository, buildImage("never pulled either"), carol);
    expect(await pull(repository)).toMatch(/^2 inconclusive (?:identity|pds)\.unreachable$/);
    const rule = { name: "all", scope: "**/*", action: "enforce" };
    const trustedDIDs = { [carol.did]: {} };
    machine.trust({ version: 1, trustedDIDs, revokedDIDs: [carol.did], policies: [rule] });
    expect(await pull(repository, `@${image.manifest.digest}`)).toBe("1 deny signer.revoked");
  });
});

describe.runIf(testable)("a fragment of the policy", () => {
  it("takes effect at the next pull, and so does its removal", async () => {
    await pushSigned("team/app", buildImage("of a team"));
    const rule = { name: "alice", scope: `${registry.host}/alice/**`, action: "enforce" };
    machine.trust({ version: 1, trustedDIDs: { [alice.did]: {} }, policies: [rule] });
    expect(await pull("team/app")).toBe("1 deny policy.no_match");

    const folder = join(dirname(machine.policyFile), "policy.d");
    mkdirSync(folder);
    const fragment = { version: 1, policies: [{ name: "team", scope: `${registry.host}/team/**`, action: "enforce" }] };
    writeFileSync(join(folder, "team.yaml"), JSON.stringify(fragment));
    expect(await pull("team/app")).toBe("pulled");
    writeFileSync(join(folder, "other.yaml"), JSON.stringify({ ...fragment, defualt: "allow" }));
    expect(await pull("team/app")).toBe("3 misconfigured policy.invalid");
    rmSync(folder, { recursive: true });
    expect(await pull("team/app")).toBe("1 deny policy.no_match");
  });
});
