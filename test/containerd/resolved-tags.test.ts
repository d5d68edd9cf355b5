import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ask, enforcing } from "../support/binary.ts";
import { uninstallVerifier } from "../support/containerd.ts";
import { missingTool } from "../support/debian-tools.ts";
import { type Registry, startDockerRegistry } from "../support/docker-registry.ts";
import { buildImage, buildIndex, type Content, pushImage } from "../support/image.ts";
import { flagOf, installRecorder } from "../support/recording-verifier.ts";
import { requirement } from "../support/requirement.ts";
import {
  type Machine,
  missingBinary,
  recordImage,
  type SigningSide,
  startMachine,
  startSigningSide,
} from "../support/scenario.ts";
import type { Signer } from "../support/signer.ts";
import { StandInRegistry } from "../support/stand-in-registry.ts";

// A person's command resolves a tag to what a real containerd passes to its verifier in a pull of the same name, by the
// same certs.d.

const tools = ["containerd", "ctr", "docker-registry"].map(missingTool);
const testable = requirement("tags that are resolved as containerd resolves them", ...tools, missingBinary());

let registry: Registry;
let mirror: StandInRegistry;
let plain: StandInRegistry;
let side: SigningSide;
let alice: Signer;
let machine: Machine;

beforeAll(async () => {
  if (!testable) return;
  [registry, mirror, plain, side] = await Promise.all([
    startDockerRegistry(),
    StandInRegistry.start(),
    StandInRegistry.start(),
    startSigningSide("http"),
  ]);
  alice = await side.createSigner("alice");
  machine = await startMachine({ registries: [{ host: registry.host }, { host: plain.authority }] });
  const allow = [registry.url, mirror.origin, plain.origin, side.plc.origin, side.pds.origin];
  machine.configure({ plcDirectories: [side.plc.origin], network: { allow } });
  machine.trust(enforcing(alice.did));
  uninstallVerifier(machine.containerd.binDir);
});
afterAll(async () => {
  await Promise.all([machine, registry, mirror, plain, side].map((started) => started?.stop()));
});
beforeEach(() => {
  mirror?.reset();
  plain?.reset();
});

interface Found {
  readonly digest?: string;
  readonly mediaType?: string;
}

/** What containerd passes to a verifier; nothing where it could not resolve the name. */
async function byContainerd(name: string): Promise<Found> {
  // It refuses, so that nothing is downloaded.
  const recorder = installRecorder(machine.containerd, "exit 1");
  await machine.containerd.pull(name);
  const [call] = recorder.calls();
  if (call === undefined) return {};
  const { mediaType } = JSON.parse(call.stdin) as { mediaType: string };
  return { digest: flagOf(call, "-digest") ?? "", mediaType };
}

interface Report {
  readonly code: string;
  readonly verified: boolean;
  readonly digest?: string;
  readonly resolved?: Found & { readonly by: string };
}

async function byCommand(name: string): Promise<Report> {
  const env = { ATCR_VERIFY_CONFIG: machine.configFile };
  return JSON.parse((await ask(["verify", name, "--output", "json", "--stateless"], { env })).stdout) as Report;
}

/** What both say, where they say the same. */
async function byBoth(name: string): Promise<Report> {
  const [theirs, ours] = [await byContainerd(name), await byCommand(name)];
  expect({ digest: ours.resolved?.digest, mediaType: ours.resolved?.mediaType }).toEqual({
    digest: theirs.digest,
    mediaType: theirs.mediaType,
  });
  return ours;
}

function hosts(host: string, text: string): void {
  mkdirSync(join(machine.containerd.hosts, host), { recursive: true });
  writeFileSync(join(machine.containerd.hosts, host, "hosts.toml"), text);
}

const push = (to: { readonly url: string }, path: string, content: Content, tag?: string) =>
  pushImage(to.url, path, content, tag);
const at = ({ origin }: StandInRegistry) => ({ url: origin });

describe.runIf(testable)("a tag of docker-registry", () => {
  it.each([
    ["an image", buildImage("resolved"), "v1"],
    ["an index", buildIndex("resolved"), "v2"],
    ["latest, where the name has none", buildImage("latest"), "latest"],
  ])("is resolved as by containerd, and verified: %s", async (_, content, tag) => {
    await push(registry, "alice/app", content, tag);
    await recordImage(alice, content, "app");
    const found = await byBoth(`${registry.host}/alice/app:${tag}`);
    expect(found).toMatchObject({ verified: true, digest: content.manifest.digest });
    if (tag === "latest") expect((await byCommand(`${registry.host}/alice/app`)).digest).toBe(content.manifest.digest);
  });

  it("does not count beside a digest", async () => {
    const [pinned, moved] = [buildImage("pinned"), buildImage("moved")];
    await push(registry, "alice/app", moved, "both");
    await push(registry, "alice/app", pinned);
    await recordImage(alice, pinned, "app");
    const name = `${registry.host}/alice/app:both@${pinned.manifest.digest}`;
    expect((await byContainerd(name)).digest).toBe(pinned.manifest.digest);
    expect(await byCommand(name)).toMatchObject({ verified: true, digest: pinned.manifest.digest });
  });

  it.each(["alice/app:nosuch", "alice/nosuch:v1"])("is unknown to both: %s", async (name) => {
    expect(await byBoth(`${registry.host}/${name}`)).toMatchObject({ code: "registry.unknown_tag" });
  });
});

describe.runIf(testable)("a registry with quirks", () => {
  const content = buildImage("quirks");
  const name = () => `${plain.authority}/alice/quirks:v1`;
  const isTag = (method: string) => (request: { method: string; path: string }) =>
    request.method === method && request.path.endsWith("/manifests/v1");

  beforeEach(async () => push(at(plain), "alice/quirks", content, "v1"));

  it("does not allow HEAD", async () => {
    plain.override(isTag("HEAD"), { status: 405 });
    expect((await byBoth(name())).digest).toBe(content.manifest.digest);
  });

  it("names no digest", async () => {
    const headers = { "content-type": content.manifest.mediaType };
    plain.override(isTag("HEAD"), { headers });
    plain.override(isTag("GET"), { headers, body: content.manifest.bytes });
    expect((await byBoth(name())).digest).toBe(content.manifest.digest);
  });

  it("adds parameters to the media type", async () => {
    const { digest, mediaType, bytes } = content.manifest;
    plain.override(isTag("HEAD"), {
      headers: {
        "content-type": `${mediaType}; charset=utf-8`,
        "docker-content-digest": digest,
        "content-length": String(bytes.length),
      },
    });
    expect((await byBoth(name())).digest).toBe(digest);
  });

  it("redirects", async () => {
    await push(at(mirror), "elsewhere", content, "v1");
    plain.override(isTag("HEAD"), {
      status: 307,
      headers: { location: `${mirror.origin}/v2/elsewhere/manifests/v1` },
    });
    expect((await byBoth(name())).digest).toBe(content.manifest.digest);
  });

  it("sends content with another digest than its header's, which containerd does not notice here", async () => {
    plain.override(isTag("HEAD"), { status: 405 });
    plain.override(isTag("GET"), {
      headers: { "content-type": content.manifest.mediaType, "docker-content-digest": `sha256:${"0".repeat(64)}` },
      body: content.manifest.bytes,
    });
    expect((await byContainerd(name())).digest).toBe(`sha256:${"0".repeat(64)}`);
    expect(await byCommand(name())).toMatchObject({ code: "registry.bad_response", verified: false });
  });
});

describe.runIf(testable)("a mirror in hosts.toml", () => {
  const [original, mirrored] = [buildImage("original"), buildImage("mirrored")];
  const name = () => `${plain.authority}/alice/mirrored:v1`;
  const serve = (capabilities: string) =>
    hosts(plain.authority, `server = "${plain.origin}"\n[host."${mirror.origin}"]\ncapabilities = [${capabilities}]\n`);

  beforeEach(async () => {
    await push(at(plain), "alice/mirrored", original, "v1");
    await push(at(mirror), "alice/mirrored", mirrored, "v1");
  });

  it("says what the tag points to, if it may resolve tags", async () => {
    serve('"pull", "resolve"');
    expect(await byBoth(name())).toMatchObject({
      digest: mirrored.manifest.digest,
      resolved: { by: mirror.authority },
    });
  });

  it("is not asked about tags if it may only serve content", async () => {
    serve('"pull"');
    expect(await byBoth(name())).toMatchObject({
      digest: original.manifest.digest,
      resolved: { by: plain.authority },
    });
  });

  it.each([404, 500])("is followed by the registry where it answers with %i", async (status) => {
    serve('"pull", "resolve"');
    mirror.override("", { status });
    expect(await byBoth(name())).toMatchObject({ digest: original.manifest.digest });
  });
});
