import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
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

  it("takes a name in capitals, and suggests the one that was meant", async () => {
    expect((await ask(["enable", "--print-config", "--distribution", "K3S"])).code).toBe(0);
    const { code, stdout } = await ask(["enable", "--print-config", "--distribution", "ks3"]);
    expect([code, stdout]).toEqual([3, expect.stringContaining("did you mean k3s?")]);
  });

  it("says that all lines are printed where containerd rejects its configuration", async () => {
    const node = new LinkedNode();
    node.bench.write("bin/containerd", '#!/bin/sh\necho "containerd: toml: no row" >&2\nexit 1\n', 0o755);
    const { said } = await node.run("enable", "--print-config");
    const { lines } = said as unknown as { lines: string[] };
    expect(lines[1]).toMatch(/^# Warning: containerd rejects .*dump\.toml \(toml: no row\)/);
    const enabled = await node.run("enable");
    expect([enabled.code, enabled.said.changed, enabled.said.findings.map(({ name }) => name)]).toEqual([
      1,
      false,
      expect.arrayContaining(["containerd-config"]),
    ]);
    const { code, said: named } = await node.run("enable", "--bin-dir", node.binDir);
    expect([code, named.changed]).toEqual([1, true]);
  });

  it("says where the gate is closed, and ends with 1", async () => {
    const { code, stdout } = await ask(TALOS);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^Talos: .*\n.*admission control/);
  });

  it.each([
    ["--bin-dir", "/opt"],
    ["--force"],
    ["--containers"],
    ["--distribution", "k3s", "--address", "/run/c.sock"],
    ["--distribution", "k3s", "--containerd-config", "/etc/os-release"],
    ["--distribution", "k33s"],
  ])("rejects what it would ignore: %s %s %s", async (...args) => {
    expect((await ask(["enable", "--print-config", ...args])).code).toBe(3);
  });

  it("is needed for --distribution", async () => {
    expect((await ask(["enable", "--distribution", "talos"])).code).toBe(3);
  });
});

describe("a node on which a process of a distribution runs", () => {
  // Its name is all that is recognised: no other test looks for a finding of k0s.
  let k0s: ChildProcess;
  beforeAll(() => {
    k0s = spawn("/bin/sleep", ["60"], { argv0: "/usr/local/bin/k0s", stdio: "ignore" });
  });
  afterAll(() => k0s.kill());

  it("is named by the doctor, which says where a bypass is undone, as enable does", async () => {
    const node = new LinkedNode();
    const settings = '[plugins."io.containerd.cri.v1.images"]\nuse_local_image_pull = true\n';
    writeFileSync(node.path("dump.toml"), `${readFileSync(node.path("dump.toml"), "utf8")}${settings}`);
    const named = (await node.run("doctor", "--offline")).said.findings;
    expect(named.find(({ name }) => name === "distribution")).toMatchObject({
      level: "note",
      found: expect.stringMatching(/k0s \(the process k0s\)/),
    });
    const enabled = (await node.run("enable")).said.findings;
    for (const findings of [named, enabled]) {
      const advice = findings.find(({ name }) => name === "cri")?.advice;
      expect(advice).toContain("99-atcr-verify.toml");
      expect(advice).toContain("--print-config");
    }
  });

  it("has the file of that distribution printed, whatever a program in PATH reads", async () => {
    const node = new LinkedNode();
    const { code, stdout } = await ask(["enable", "--print-config", "--output", "json"], {
      env: { ...node.bench.env, PATH: `${node.path("bin")}:/usr/bin:/bin` },
    });
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { file: "/etc/k0s/containerd.d/99-atcr-verify.toml" }]);
  });
});
