import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ask, TestNode } from "../support/binary.ts";
import { LinkedNode, type Said } from "../support/linked-node.ts";
import { missingRoot, requirement } from "../support/requirement.ts";

// enable and disable on a node whose containerd is stopped, or can only be asked for its configuration.

const isRoot = requirement("enable and doctor of a user who is not root", missingRoot("the user is changed"));

describe("enable", () => {
  it("makes neither folder nor link where another entry blocks every pull", async () => {
    const node = new LinkedNode();
    mkdirSync(node.binDir);
    symlinkSync("/nowhere", join(node.binDir, "broken"));
    const { code, said } = await node.run("enable");
    expect([code, said.changed, readdirSync(node.binDir)]).toEqual([1, false, ["broken"]]);
  });

  it.runIf(isRoot)("says to a user who is not root that root is needed, and nothing else", async () => {
    const node = new LinkedNode();
    chmodSync(node.bench.folder, 0o755);
    const through = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    const { code, said } = await node.runThrough(through, "enable");
    expect([code, said]).toEqual([
      1,
      expect.objectContaining({
        changed: false,
        findings: [expect.objectContaining({ level: "problem", name: "permission", advice: "run this as root" })],
        summary: "nothing was changed",
      }),
    ]);
    const doctor = await node.runThrough(through, "doctor", "--offline");
    const folders = doctor.said.findings.filter(({ name }) => name === "state-folder" || name === "cache-folder");
    expect(folders.map(({ level }) => level)).toEqual(["warning", "warning"]);
  });
});

describe("enable, with signers who cannot sign", () => {
  it("places the link, and names file, line and DID of whom no directory knows", async () => {
    const world = await TestNode.start();
    try {
      const stranger = "did:plc:zzzzzzzzzzzzzzzzzzzzzzzz";
      const policy = world.policy(
        `version: 1\ntrustedDIDs:\n  ${world.signer.did}: {}\n  ${stranger}: {}\n  did:web:nowhere.example: {}\npolicies: [{name: a, scope: "**/*", action: audit}]\n`,
      );
      const enable = async (folder: string) => {
        const args = ["--bin-dir", join(world.folder, folder), "--address", join(world.folder, "none.sock")];
        const env = { ...world.env, PATH: world.folder };
        const { code, stdout } = await ask(["enable", "--output", "json", ...args], { env });
        const said = JSON.parse(stdout) as Said;
        return { code, changed: said.changed, found: said.findings.filter(({ name }) => name.startsWith("identity")) };
      };
      world.plc.forget();
      const unknown = await enable("first");
      expect(unknown).toMatchObject({ code: 0, changed: true });
      expect(unknown.found).toEqual([
        expect.objectContaining({ level: "warning", name: "identity-unknown", advice: expect.stringContaining("DID") }),
      ]);
      expect(unknown.found[0]?.found).toContain(`${policy}:4:3: `);
      expect(unknown.found[0]?.found).toContain(stranger);
      expect(world.plc.count()).toBe(2);

      await world.signer.log.tombstone({ at: Date.now() });
      const closed = await enable("second");
      expect(closed.found.map(({ name }) => name)).toEqual(["identity-closed", "identity-unknown"]);

      // In the making of a node's image there may be no network.
      await world.plc.stop();
      expect(await enable("third")).toEqual({ code: 0, changed: true, found: [] });
    } finally {
      await world.stop();
    }
  });
});

describe("disable", () => {
  it.each(["atcr-verify", "atcr-verify-linux-amd64", "verifier"])(
    "takes out what enable placed, of a program called %s",
    async (name) => {
      const node = new LinkedNode(name);
      expect((await node.run("enable")).said.changed).toBe(true);
      const link = join(node.binDir, "atcr-verify");
      const { code, said } = await node.run("disable");
      expect([code, said.removed, said.standing]).toEqual([0, [link], []]);
      expect(said.summary).toContain("NOT verified");
      expect(existsSync(link)).toBe(false);
    },
  );

  it("takes out links of other names, links to links, and what enable placed in other folders", async () => {
    const node = new LinkedNode();
    await node.run("enable", "--bin-dir", node.path("other"), "--force");
    await node.run("enable");
    symlinkSync(node.program, join(node.binDir, "00-first"));
    symlinkSync("00-first", join(node.binDir, "a-second"));
    const { code, said } = await node.run("disable");
    expect([code, said.removed.length, said.standing]).toEqual([0, 4, []]);
    expect([readdirSync(node.binDir), readdirSync(node.path("other"))]).toEqual([[], []]);
  });

  it("of one folder names the link that stands in another, and does not say that pulls are not verified", async () => {
    const node = new LinkedNode();
    await node.run("enable");
    for (const folder of ["elsewhere", "missing"]) {
      if (folder === "elsewhere") await node.run("enable", "--bin-dir", node.path(folder), "--force");
      const { code, said } = await node.run("disable", "--bin-dir", node.path(folder));
      expect([code, said.standing]).toEqual([1, [join(node.binDir, "atcr-verify")]]);
      expect(said.summary).not.toContain("NOT verified");
      expect(said.summary).not.toContain("does not run");
      expect(said.summary).toContain(`still run through ${node.binDir}`);
    }
  });

  it("names what it does not remove: the program itself, by a hard link", async () => {
    const node = new LinkedNode();
    mkdirSync(node.binDir);
    linkSync(node.program, join(node.binDir, "hard"));
    const { code, said } = await node.run("disable");
    expect([code, said.changed, said.standing]).toEqual([1, false, [join(node.binDir, "hard")]]);
    expect(said.summary).not.toContain("does not run");
  });

  it("names a script that runs the program, and does not say that pulls are not verified", async () => {
    const node = new LinkedNode("atcr-verify-0.1.0");
    await node.run("enable");
    const script = join(node.binDir, "wrapper");
    writeFileSync(script, `#!/bin/sh\nexec ${node.program} "$@"\n`, { mode: 0o755 });
    const { code, said } = await node.run("disable");
    expect([code, said.removed, said.standing]).toEqual([1, [join(node.binDir, "atcr-verify")], [script]]);
    expect(said.summary).not.toMatch(/NOT verified|does not run/);
  });

  it("names a copy of the program, whatever it is called, and does not say that pulls are not verified", async () => {
    const node = new LinkedNode();
    await node.run("enable");
    const copy = join(node.binDir, "verifier");
    copyFileSync(node.program, copy);
    chmodSync(copy, 0o755);
    for (const removed of [[join(node.binDir, "atcr-verify")], []]) {
      const { code, said } = await node.run("disable");
      expect([code, said.removed, said.standing]).toEqual([1, removed, [copy]]);
      expect(said.summary).not.toMatch(/NOT verified|does not run/);
      expect(said.summary).toContain(`still run through ${copy}`);
    }
    const { said } = await node.run("doctor", "--offline");
    expect(said.findings.filter(({ name }) => name === "link").map(({ level }) => level)).toEqual(["warning"]);
    expect(said.findings.filter(({ name }) => name === "entries")).toEqual([]);
  });

  it.each<[string, (path: string, node: LinkedNode) => void]>([
    ["another program", (path) => symlinkSync("/bin/true", path)],
    ["an older build", (path, node) => writeFileSync(path, `${node.program} of before`, { mode: 0o755 })],
    ["a link that leads nowhere, which blocks every pull", (path) => symlinkSync("/nowhere/at/all", path)],
    ["a file that cannot be executed, which blocks every pull", (path) => writeFileSync(path, "")],
  ])("names what remains: %s", async (_, make) => {
    const node = new LinkedNode();
    await node.run("enable");
    const other = join(node.binDir, "other");
    make(other, node);
    const { code, said } = await node.run("disable");
    expect([code, said.removed, said.standing]).toEqual([1, [join(node.binDir, "atcr-verify")], []]);
    expect(said.summary).toContain(`containerd still runs: ${other}`);
    expect(said.summary).not.toMatch(/NOT verified|does not run/);
    expect(said.findings.map(({ level, name }) => `${level} ${name}`)).toEqual(["problem entries"]);
  });

  it("leaves out what containerd skips, and says so of no folder that it does not look into", async () => {
    const node = new LinkedNode();
    await node.run("enable", "--bin-dir", node.path("elsewhere"), "--force");
    symlinkSync("/bin/true", join(node.path("elsewhere"), "other"));
    expect((await node.run("disable")).code).toBe(0);
    mkdirSync(node.binDir, { recursive: true });
    symlinkSync("/bin/true", join(node.binDir, "zz"));
    const table = '[plugins."io.containerd.image-verifier.v1.bindir"]';
    node.bench.write("dump.toml", `version = 3\n${table}\nbin_dir = "${node.binDir}"\nmax_verifiers = 0\n`);
    expect((await node.run("disable")).code).toBe(0);
  });

  it.runIf(isRoot)(
    "promises nothing to a user who may not see the record, or whether there is a containerd",
    async () => {
      const through = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
      for (const hide of ["config.yaml.state", "bin"]) {
        const node = new LinkedNode();
        chmodSync(node.bench.folder, 0o755);
        mkdirSync(node.path("config.yaml.state"));
        chmodSync(node.path(hide), 0o700);
        const { code, said } = await node.runThrough(through, "disable");
        expect([hide, code, said.findings.map(({ level, name }) => `${level} ${name}`)]).toEqual([
          hide,
          1,
          ["problem link"],
        ]);
        expect(said.summary).not.toMatch(/NOT verified|does not run/);
      }
    },
  );

  it("promises nothing where containerd's bin_dir could not be read", async () => {
    const node = new LinkedNode();
    await node.run("enable");
    node.bench.write("bin/containerd", "#!/bin/sh\nexit 1\n", 0o755);
    const { code, said } = await node.run("disable");
    expect([code, said.removed.length]).toEqual([1, 1]);
    expect(said.summary).not.toContain("NOT verified");
  });
});
