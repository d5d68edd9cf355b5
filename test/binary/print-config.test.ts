import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ask } from "../support/binary.ts";
import { LinkedNode } from "../support/linked-node.ts";

const TALOS = ["enable", "--print-config", "--distribution", "talos"];

describe("enable --print-config", () => {
  it("prints what this node's containerd needs, and changes nothing", async () => {
    const node = new LinkedNode();
    node.bench.write(
      "dump.toml",
      'version = 3\n[plugins."io.containerd.cri.v1.images"]\nuse_local_image_pull = true\n',
    );
    const before = readdirSync(node.bench.folder);
    const { code, said } = await node.run("enable", "--print-config");
    const { distribution, file, lines } = said as unknown as { distribution: string; file: string; lines: string[] };
    expect([code, distribution, file]).toEqual([0, "containerd", "/etc/containerd/conf.d/99-atcr-verify.toml"]);
    expect(lines.filter((line) => line.includes(" = ") && !line.startsWith("#"))).toEqual([
      "version = 3",
      "  use_local_image_pull = false",
    ]);
    expect(readdirSync(node.bench.folder)).toEqual(before);
    expect(existsSync(join(node.binDir, "atcr-verify"))).toBe(false);
  });

  it("prints the file itself, for another machine", async () => {
    const { code, stdout } = await ask(["enable", "--print-config", "--distribution", "k3s"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^# k3s: .*\nversion = 3\n\n\[plugins\."io\.containerd\.cri\.v1\.images"\]\n {2}use_local/s);
  });

  it("says where the gate is closed, and ends with 1", async () => {
    const { code, stdout } = await ask(TALOS);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^Talos: .*\n.*admission control/);
  });

  it("is needed for --distribution", async () => {
    expect((await ask(["enable", "--distribution", "talos"])).code).toBe(3);
  });
});
