import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BINARY } from "../support/binary.ts";
import { debianTool, missingTool } from "../support/debian-tools.ts";
import type { Said } from "../support/linked-node.ts";
import { makeTemporaryDirectory, run } from "../support/process.ts";
import { missingRoot, requirement } from "../support/requirement.ts";
import { missingBinary } from "../support/scenario.ts";

// Two real containerds at the sockets of containerd and of k3s, in a mount namespace whose /run is its own.

const testable = requirement(
  "a node with k3s beside containerd",
  missingTool("containerd"),
  missingBinary(),
  missingRoot("its /run is replaced"),
);
const SOCKETS = { main: "/run/containerd/containerd.sock", k3s: "/run/k3s/containerd/containerd.sock" };

let folder: string;
beforeEach(() => {
  folder = makeTemporaryDirectory("two-containerds");
  for (const [name, socket] of Object.entries(SOCKETS)) {
    const at = (path: string) => JSON.stringify(join(folder, name, path));
    mkdirSync(join(folder, name, "bin"), { recursive: true });
    symlinkSync(BINARY, join(folder, name, "bin", "verifier"));
    const config = `version = 3\nroot = ${at("root")}\nstate = ${at("state")}
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri", "io.containerd.podsandbox.controller.v1.podsandbox"]
[grpc]\naddress = "${socket}"\n[ttrpc]\naddress = "${socket}.ttrpc"
[plugins."io.containerd.image-verifier.v1.bindir"]\nbin_dir = ${at("bin")}
[plugins."io.containerd.internal.v1.opt"]\npath = ${at("opt")}\n`;
    writeFileSync(join(folder, name, "config.toml"), config);
  }
  writeFileSync(join(folder, "config.yaml"), JSON.stringify({ stateDir: join(folder, "state"), cacheDir: folder }));
});
afterEach(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));

/** Runs `disable` while both listen, or after the configuration of the one of k3s was damaged. */
async function disable(options: string, damage = "") {
  const script = `set -e
mount -t tmpfs tmpfs /run
for name in main k3s; do
  "$CONTAINERD" --config "$FOLDER/$name/config.toml" >"$FOLDER/$name/log" 2>&1 &
  pids="$pids $!"
done
trap 'kill $pids; wait' EXIT
for name in main k3s; do
  until grep -q "successfully booted" "$FOLDER/$name/log"; do sleep 0.05; done
done
${damage}
"$PROGRAM" disable --output json --config "$FOLDER/config.yaml" ${options} || true`;
  const env = {
    PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
    CONTAINERD: debianTool("containerd"),
    FOLDER: folder,
    PROGRAM: BINARY,
  };
  const { stdout, stderr } = await run("unshare", ["--mount", "sh", "-c", script], { env });
  expect(stdout, stderr).toContain("{");
  const said = JSON.parse(stdout) as Said;
  return { said, left: Object.keys(SOCKETS).filter((name) => readdirSync(join(folder, name, "bin")).length > 0) };
}
const verifier = (name: string) => join(folder, name, "bin", "verifier");

describe.runIf(testable)("disable, where k3s runs beside containerd", () => {
  it("takes out the links in the bin_dirs of both", async () => {
    const { said, left } = await disable("");
    expect([left, said.standing]).toEqual([[], []]);
    expect(said.removed.toSorted()).toEqual([verifier("k3s"), verifier("main")]);
    expect(said.summary).toContain("NOT verified");
  });

  it("of the one that --address names leaves the other's, and does not say that pulls are not verified", async () => {
    const { said, left } = await disable(`--address ${SOCKETS.main}`);
    expect([left, said.removed, said.standing]).toEqual([["k3s"], [verifier("main")], [verifier("k3s")]]);
    expect(said.summary).not.toMatch(/NOT verified|does not run/);
  });

  it("promises nothing where the other's bin_dir cannot be determined", async () => {
    const { said } = await disable("", 'echo "nonsense = [" >"$FOLDER/k3s/config.toml"');
    expect(said.removed).toEqual([verifier("main")]);
    expect(said.summary).not.toMatch(/NOT verified|does not run/);
    expect(said.findings.some(({ level, found }) => level === "problem" && found.includes(SOCKETS.k3s))).toBe(true);
  });
});
