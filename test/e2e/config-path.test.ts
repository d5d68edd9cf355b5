import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask } from "../support/binary.ts";
import { type ContainerdOptions, startContainerd } from "../support/containerd.ts";
import { connectCri } from "../support/cri.ts";
import { missingTool } from "../support/debian-tools.ts";
import { type Registry, startDockerRegistry } from "../support/docker-registry.ts";
import { buildImage, pushImage } from "../support/image.ts";
import { makeTemporaryDirectory } from "../support/process.ts";
import { installRecorder } from "../support/recording-verifier.ts";
import { missingRoot, requirement } from "../support/requirement.ts";
import { missingBinary } from "../support/scenario.ts";

// A real containerd whose config_path has two folders, and a mirror in the second one: what a kubelet's pull sees of it,
// and what the doctor says.

const testable = requirement(
  "a config_path of several folders",
  ...["containerd", "ctr", "docker-registry"].map(missingTool),
  missingBinary(),
  missingRoot("an ordinary user's containerd has no CRI"),
);
/** Has no address, so that only its mirror can answer. */
const HOST = "mirrored.invalid";

let registry: Registry;
let folder: string;
let roots: readonly [string, string];

beforeAll(async () => {
  if (!testable) return;
  folder = makeTemporaryDirectory("config-path");
  roots = [join(folder, "first"), join(folder, "second")];
  registry = await startDockerRegistry();
  await pushImage(registry.url, "alice/app", buildImage("mirrored"), "v1");
  mkdirSync(roots[0]);
  mkdirSync(join(roots[1], HOST), { recursive: true });
  writeFileSync(join(roots[1], HOST, "hosts.toml"), `[host."${registry.url}"]\ncapabilities = ["pull", "resolve"]\n`);
});
afterAll(async () => {
  await registry?.stop();
  if (testable) rmSync(folder, { recursive: true, force: true });
});

/** How a pull by CRI ends, whether a verifier was asked, and the doctor's finding. */
async function pullWith(path: string, cri: NonNullable<ContainerdOptions["cri"]> = {}) {
  const containerd = await startContainerd({ cri, criRegistry: `config_path = ${JSON.stringify(path)}` });
  const client = connectCri(containerd.socket);
  try {
    const verifier = installRecorder(containerd, "exit 0");
    const outcome = await client.pullImage(`${HOST}/alice/app:v1`).then(
      () => "pulled",
      () => "failed",
    );
    const config = join(folder, "config.yaml");
    writeFileSync(config, JSON.stringify({ registryConfigPath: path, stateDir: folder, cacheDir: folder }));
    const args = ["doctor", "--offline", "--output", "json", "--address", containerd.socket, "--config", config];
    const { stdout } = await ask(args, { env: { PATH: "/usr/bin:/bin" } });
    const { findings } = JSON.parse(stdout) as { findings: { level: string; name: string; found: string }[] };
    const found = findings.filter(({ name }) => name === "registry-config");
    return { outcome, asked: verifier.calls().length, levels: found.map(({ level }) => level), found };
  } finally {
    client.close();
    await containerd.stop();
  }
}

describe.runIf(testable)("a mirror in the second folder of config_path", () => {
  it("is used by a pull that asks no verifier, and the doctor warns", async () => {
    const { outcome, asked, levels } = await pullWith(roots.join(":"), { use_local_image_pull: true });
    expect([outcome, asked, levels]).toEqual(["pulled", 0, ["warning"]]);
  });

  it("is NOT used by a verified pull, and the doctor names it", async () => {
    const { outcome, levels, found } = await pullWith(roots.join(":"));
    expect([outcome, levels]).toEqual(["failed", ["problem"]]);
    expect(found[0]?.found).toContain(join(roots[1], HOST));
  });

  it("is used by a verified pull where that is the one folder, as the doctor advises", async () => {
    const { outcome, asked, levels } = await pullWith(roots[1]);
    expect([outcome, asked, levels]).toEqual(["pulled", 1, ["ok"]]);
  });
});
