import { spawn } from "node:child_process";
import { copyFileSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ask } from "../support/binary.ts";
import { LinkedNode, type Said } from "../support/linked-node.ts";

// Where enable places the link, and what it may promise of that.

/** Findings of bin_dir: level and what was found. */
const ofBinDir = ({ findings }: Awaited<ReturnType<LinkedNode["run"]>>["said"]) =>
  findings.filter(({ name }) => name === "bin-dir").map(({ level }) => level);

describe("enable", () => {
  it.each<[string, (node: LinkedNode) => string]>([
    ["is a file", (node) => node.bench.write("a-file", "")],
    ["lies in a file", (node) => `${node.bench.write("a-file", "")}/bin`],
    [
      "is a loop of links",
      (node) => {
        symlinkSync("loop", node.path("loop"));
        return node.path("loop");
      },
    ],
  ])("changes and records nothing where the folder %s, whatever is forced", async (_, folderOf) => {
    const node = new LinkedNode();
    const folder = folderOf(node);
    const { code, said } = await node.run("enable", "--bin-dir", folder, "--force");
    expect([code, said.changed, ofBinDir(said)]).toEqual([1, false, ["problem"]]);
    expect((await node.run("disable", "--bin-dir", folder)).said.removed).toEqual([]);
    expect(() => readFileSync(node.path("config.yaml.state/enabled"))).toThrow("ENOENT");
  });

  it("promises nothing of a containerd that was not reached", async () => {
    const node = new LinkedNode();
    const { said } = await node.run("enable");
    expect(said.summary).toContain(`if its bin_dir is ${node.binDir} (containerd was not reached)`);
    expect(said.summary).not.toContain("from now on");
    const elsewhere = await node.run("enable", "--bin-dir", node.path("other"), "--force");
    expect(elsewhere.said.summary).not.toContain("from now on");
  });

  it("wants the folder to be named where containerd's configuration cannot be read, and promises nothing", async () => {
    const node = new LinkedNode();
    node.bench.write("bin/containerd", "#!/bin/sh\nexit 1\n", 0o755);
    const { code, said } = await node.run("enable");
    expect([code, said.changed, ofBinDir(said)]).toEqual([1, false, ["problem"]]);
    const named = await node.run("enable", "--bin-dir", node.binDir);
    expect([named.said.changed, named.said.summary]).toEqual([true, expect.not.stringContaining("from now on")]);
  });
});

describe("a socket that is named and does not answer", () => {
  const there = async (node: LinkedNode, ...args: string[]) => {
    const env = { ...node.bench.env, PATH: "/usr/bin:/bin" };
    const own = ["--output", "json", "--address", node.path("none.sock"), "--config", node.path("config.yaml")];
    const { code, stdout } = await ask([...args, ...own], { env, binary: node.program });
    return { code, said: JSON.parse(stdout) as Said };
  };

  it("has enable place nothing, unless the folder is named", async () => {
    const node = new LinkedNode();
    const { code, said } = await there(node, "enable");
    expect([code, said.changed, said.findings.map(({ level, name }) => `${level} ${name}`)]).toEqual([
      1,
      false,
      ["problem containerd"],
    ]);
    expect(await there(node, "enable", "--bin-dir", node.binDir)).toMatchObject({ code: 0, said: { changed: true } });
  });

  it("keeps disable from promising anything while a containerd runs elsewhere", async () => {
    const node = new LinkedNode();
    copyFileSync("/bin/sleep", node.path("containerd"));
    const elsewhere = spawn(node.path("containerd"), ["60"], { stdio: "ignore" });
    try {
      const { code, said } = await there(node, "disable");
      expect([code, said.findings.map(({ level, name }) => `${level} ${name}`)]).toEqual([1, ["problem containerd"]]);
      expect(said.summary).toMatch(/whether another containerd runs this program is not known$/);
      await there(node, "enable", "--bin-dir", node.binDir);
      const removed = await there(node, "disable", "--bin-dir", node.binDir);
      expect(removed.said.removed).toHaveLength(1);
      expect(removed.said.summary).not.toMatch(/NOT verified|does not run/);
    } finally {
      elsewhere.kill();
    }
  });
});

describe("a bin_dir that is relative", () => {
  it("is a problem that enable does not solve, and keeps disable from saying that nobody is asked", async () => {
    const node = new LinkedNode();
    node.bench.write(
      "dump.toml",
      'version = 3\n[plugins."io.containerd.image-verifier.v1.bindir"]\nbin_dir = "verifiers"\n',
    );
    const found = (await node.run("doctor", "--offline")).said.findings.filter(({ name }) => name === "bin-dir");
    expect(found).toEqual([
      expect.objectContaining({ level: "problem", advice: expect.not.stringContaining("atcr-verify enable") }),
    ]);
    const { code, said } = await node.run("disable");
    expect([code, said.summary]).toEqual([1, expect.not.stringMatching(/NOT verified|does not run/)]);
  });
});

describe("--containerd-config", () => {
  it.each(["enable", "disable", "doctor"])("must name a file that is there, of %s", async (command) => {
    // containerd takes its defaults for one that is not.
    const node = new LinkedNode();
    const { code, said } = await node.run(command, "--containerd-config", node.path("none.toml"));
    expect([code, said]).toEqual([3, expect.objectContaining({ code: "input.malformed" })]);
  });

  it("is read from the folder in which the command was given", async () => {
    const node = new LinkedNode();
    // Answers with the file that it is given, as it is.
    node.bench.write("bin/containerd", '#!/bin/sh\nwhile read -r line; do echo "$line"; done <"$2"\n', 0o755);
    const { said } = await node.runIn(node.bench.folder, "enable", "--containerd-config", "dump.toml");
    expect([said.changed, said.binDir]).toEqual([true, node.binDir]);
  });
});

describe("what enable says of pulls", () => {
  it("is of another configuration than theirs where that is named", async () => {
    const node = new LinkedNode();
    const other = node.bench.configure({}, "other.yaml");
    const named = async (...args: string[]) =>
      (await node.run("enable", ...args)).said.findings.filter(({ name }) => name === "configuration");
    expect(await named("--config", other)).toMatchObject([{ level: "warning", found: expect.stringContaining(other) }]);
    expect(await named("--config", node.path("config.yaml"))).toEqual([]);
    expect(await named()).toEqual([]);
  });

  it("is that those of kubelet and crictl do not ask yet, where CRI's settings alone are in the way", async () => {
    const node = new LinkedNode();
    const settings = '[plugins."io.containerd.cri.v1.images"]\nuse_local_image_pull = true\n';
    writeFileSync(node.path("dump.toml"), `${readFileSync(node.path("dump.toml"), "utf8")}${settings}`);
    const { said } = await node.run("enable");
    expect(said.findings.filter(({ level }) => level === "problem").map(({ name }) => name)).toEqual(["cri"]);
    expect([said.changed, said.summary]).toEqual([
      true,
      expect.stringMatching(
        /at each pull .*, but at those of kubelet and crictl only once the problems above are corrected/,
      ),
    ]);
  });
});
