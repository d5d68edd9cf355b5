import { readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Containerd, ContainerdOptions } from "../support/containerd.ts";
import { startContainerd, uninstallVerifier } from "../support/containerd.ts";
import type { CriClient } from "../support/cri.ts";
import { connectCri } from "../support/cri.ts";
import { missingTool } from "../support/debian-tools.ts";
import type { Registry } from "../support/docker-registry.ts";
import { startDockerRegistry } from "../support/docker-registry.ts";
import { buildImage, buildIndex, MEDIA_TYPE, pushImage } from "../support/image.ts";
import { isRunning } from "../support/process.ts";
import { type Call, flagOf, installRecorder } from "../support/recording-verifier.ts";
import { missingRoot, requirement } from "../support/requirement.ts";

// What containerd itself promises to a verifier, and what it does not: pinned with tiny shell scripts
// in the verifier's place, so that a new containerd that behaves differently is noticed here first.

const REPOSITORY = "alice/app";
const image = buildImage("bed");
const index = buildIndex("bed");

const tools = ["containerd", "ctr", "docker-registry"].map(missingTool);
const testable = requirement("containerd's contract with a verifier", ...tools);
const asRoot = missingRoot("an ordinary user's containerd has no CRI and cannot unpack an image for one platform");
const testableAsRoot = testable && requirement("pulls as a kubelet makes them, and what bypasses verifiers", asRoot);

let registry: Registry;

beforeAll(async () => {
  if (testable) {
    registry = await startDockerRegistry();
    await pushImage(registry.url, REPOSITORY, image, "v1");
    await pushImage(registry.url, REPOSITORY, index, "multi");
  }
});
afterAll(() => registry?.stop());

const ALLOW = "echo 'seen and found good'; exit 0";
const DENY = "echo 'for a reason of mine'; exit 1";

describe.runIf(testable)("containerd and a verifier", () => {
  let containerd: Containerd;
  let name: string;

  beforeAll(async () => {
    containerd = await startContainerd({ registries: [{ host: registry.host }] });
    console.info(containerd.version, containerd.root ? "as root" : "as an ordinary user");
    name = `${registry.host}/${REPOSITORY}:v1`;
  });
  afterAll(() => containerd?.stop());
  afterEach(async () => {
    for (const entry of readdirSync(containerd.binDir)) {
      uninstallVerifier(containerd.binDir, entry);
    }
    for (const known of await containerd.images()) {
      await containerd.removeImage(known);
    }
  });

  it("is 2.1 or later", () => {
    const version = / (\d+)\.(\d+)\./.exec(containerd.version);
    expect(Number(version?.[1]) * 100 + Number(version?.[2])).toBeGreaterThanOrEqual(201);
  });

  it("passes name, digest and media type as single-dash flags, and one descriptor on stdin", async () => {
    const verifier = installRecorder(containerd, ALLOW);
    expect(await containerd.pull(name)).toMatchObject({ code: 0 });
    const { digest, size } = image.manifest;
    expect(verifier.calls().map(({ argv }) => argv)).toEqual([
      [
        join(containerd.binDir, "verifier"),
        "-name",
        name,
        "-digest",
        digest,
        "-stdin-media-type",
        "application/vnd.oci.descriptor.v1+json",
      ],
    ]);
    const [call] = verifier.calls();
    expect(call?.stdin.trimEnd().split("\n")).toHaveLength(1);
    expect(JSON.parse(call?.stdin ?? "")).toEqual({ mediaType: MEDIA_TYPE.manifest, digest, size });
    expect(call?.cwd).toBe("/");
  });

  it("passes the name as the client wrote it, with the digest where the pull is by digest", async () => {
    const verifier = installRecorder(containerd, ALLOW);
    const byDigest = `${registry.host}/${REPOSITORY}@${image.manifest.digest}`;
    const odd = `${registry.host}//${REPOSITORY}:v1`;
    expect(await containerd.pull(byDigest)).toMatchObject({ code: 0 });
    expect(await containerd.pull(odd)).toMatchObject({ code: 0 });
    const names = verifier.calls().map((call) => flagOf(call, "-name"));
    expect(new Set(names)).toEqual(new Set([byDigest, odd]));
  });

  it("lets a pull through on exit code 0", async () => {
    installRecorder(containerd, ALLOW);
    expect(await containerd.pull(name)).toMatchObject({ code: 0 });
    expect(await containerd.images()).toEqual([name]);
  });

  it("refuses on exit code 1 and shows the reason to the user", async () => {
    installRecorder(containerd, DENY);
    const { code, stderr } = await containerd.pull(name);
    expect(code).toBe(1);
    expect(stderr.trimEnd()).toBe(
      `ctr: image verifier bindir blocked pull of ${name} with digest ${image.manifest.digest} for reason: ` +
        "verifier verifier rejected image (exit code 1): for a reason of mine",
    );
    expect(await containerd.images()).toEqual([]);
  });

  it.each([2, 3, 4])("refuses on exit code %i as well", async (status) => {
    installRecorder(containerd, `echo 'another reason'; exit ${status}`);
    const { code, stderr } = await containerd.pull(name);
    expect(code).toBe(1);
    expect(stderr).toContain(`rejected image (exit code ${status}): another reason`);
  });

  it("keeps a verifier's stderr to its debug log", async () => {
    installRecorder(containerd, "echo 'only for the log' >&2; exit 1");
    const { stderr } = await containerd.pull(name);
    expect(stderr).not.toContain("only for the log");
    await expect.poll(containerd.log).toContain("only for the log");
  });

  it("asks again for an image that it has already", async () => {
    installRecorder(containerd, ALLOW);
    expect(await containerd.pull(name)).toMatchObject({ code: 0 });
    installRecorder(containerd, DENY);
    expect(await containerd.pull(name)).toMatchObject({ code: 1 });
  });

  it("asks once for an index, about the index", async () => {
    const verifier = installRecorder(containerd, ALLOW);
    expect(await containerd.pull(`${registry.host}/${REPOSITORY}:multi`)).toMatchObject({ code: 0 });
    const { digest, size } = index.manifest;
    expect(verifier.calls().map(({ stdin }) => JSON.parse(stdin))).toEqual([
      { mediaType: MEDIA_TYPE.index, digest, size },
    ]);
  });

  it("asks about the index also when one platform is wanted", async ({ skip }) => {
    skip(!testableAsRoot);
    const verifier = installRecorder(containerd, ALLOW);
    const options = { platform: "linux/arm64" };
    expect(await containerd.pull(`${registry.host}/${REPOSITORY}:multi`, options)).toMatchObject({ code: 0 });
    expect(verifier.calls().map((call) => flagOf(call, "-digest"))).toEqual([index.manifest.digest]);
  });

  it("allows everything while bin_dir is empty", async () => {
    expect(readdirSync(containerd.binDir)).toEqual([]);
    expect(await containerd.pull(name)).toMatchObject({ code: 0 });
  });

  it("refuses everything while bin_dir has a link that leads nowhere", async () => {
    symlinkSync(join(containerd.directory, "nothing"), join(containerd.binDir, "verifier"));
    expect(await containerd.pull(name)).toMatchObject({ code: 1 });
  });

  it("does not ask when ctr pulls by itself", async ({ skip }) => {
    skip(!testableAsRoot);
    const verifier = installRecorder(containerd, DENY);
    expect(await containerd.pull(name, { local: true })).toMatchObject({ code: 0 });
    expect(verifier.calls()).toEqual([]);
  });
});

describe.runIf(testable)("containerd and a verifier that is too slow", () => {
  it("kills it, and what it had said is lost", async () => {
    const containerd = await startContainerd({
      perVerifierTimeout: "1s",
      registries: [{ host: registry.host }],
    });
    try {
      const pids = join(containerd.directory, "pids");
      installRecorder(containerd, `sleep 30 & echo $$ $! >'${pids}'; echo 'said in time'; wait; exit 0`);
      const { code, stderr, took } = await containerd.pull(`${registry.host}/${REPOSITORY}:v1`);
      expect(code).toBe(1);
      expect(stderr).toContain("signal: killed");
      expect(stderr).not.toContain("said in time");
      expect(took).toBeGreaterThan(900);
      // Its whole process group, so that nothing it had started goes on.
      const started = readFileSync(pids, "utf8").trim().split(" ");
      await expect.poll(() => started.filter((pid) => isRunning(Number(pid)))).toEqual([]);
    } finally {
      await containerd.stop();
    }
  });
});

describe.runIf(testableAsRoot)("a pull as a kubelet makes it", () => {
  /** Pulls through CRI on a containerd with these settings, whose verifier refuses everything. */
  async function pullRefused(
    options: ContainerdOptions,
  ): Promise<{ outcome: string; calls: readonly Call[]; log: string }> {
    const containerd = await startContainerd({ ...options, registries: [{ host: registry.host }] });
    let cri: CriClient | undefined;
    try {
      const verifier = installRecorder(containerd, DENY);
      cri = connectCri(containerd.socket);
      expect(containerd.version).toContain((await cri.version()).version);
      const name = `${registry.host}/${REPOSITORY}:v1`;
      const outcome = await cri.pullImage(name).then(
        () => "pulled",
        (error: Error) => error.message,
      );
      expect(await cri.imageStatus(name)).toEqual(outcome === "pulled" ? expect.any(String) : undefined);
      return { outcome, calls: verifier.calls(), log: containerd.log() };
    } finally {
      cri?.close();
      await containerd.stop();
    }
  }

  it("is verified by default", async () => {
    const { outcome, calls, log } = await pullRefused({});
    expect(outcome).toContain("verifier verifier rejected image (exit code 1): for a reason of mine");
    expect(calls.map((call) => flagOf(call, "-digest"))).toEqual([image.manifest.digest]);
    expect(log).not.toContain("Falling back to local image pull mode");
  });

  // Each of these settings, which look unrelated, makes containerd pull without its transfer service,
  // and only that asks verifiers. Whoever relies on a verifier has to know; nothing here can refuse.
  it.each([
    { cri: { max_concurrent_downloads: 4 } },
    { cri: { discard_unpacked_layers: true } },
    { cri: { disable_snapshot_annotations: false } },
    { cri: { image_pull_with_sync_fs: true } },
    { criRegistry: 'mirrors = { "127.0.0.1:1" = { endpoint = ["http://127.0.0.1:1"] } }' },
    { criRegistry: 'auths = { "http://127.0.0.1:1" = { username = "nobody", password = "none" } }' },
  ])("BYPASSES the verifier with $cri $criRegistry, after one warning in the log", async (options) => {
    const { outcome, calls, log } = await pullRefused(options as ContainerdOptions);
    expect(outcome).toBe("pulled");
    expect(calls).toEqual([]);
    expect(log.match(/level=warning.*Falling back to local image pull mode/g)).toHaveLength(1);
  });

  it("BYPASSES the verifier with use_local_image_pull, without a word in the log", async () => {
    const { outcome, calls, log } = await pullRefused({ cri: { use_local_image_pull: true } });
    expect(outcome).toBe("pulled");
    expect(calls).toEqual([]);
    expect(log).not.toContain("Falling back to local image pull mode");
  });

  // containerd starts without what it could not configure; a bed that verifies nothing would test nothing.
  it.each([{ cri: { no_such_setting: true } }, { cri: { image_pull_progress_timeout: "soon" } }])(
    "is not tried on a containerd that did not take its configuration: $cri",
    async (options) => {
      await expect(startContainerd(options as ContainerdOptions)).rejects.toThrow("did not take its configuration");
    },
  );
});
