import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  watch,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { entriesOf } from "../../../../src/platform/containerd/bin-dir.ts";
import { daemonAt } from "../../../../src/platform/containerd/daemon.ts";
import {
  ownEntries,
  placedIn,
  placeLink,
  recordPlace,
  recordsOf,
} from "../../../../src/platform/containerd/verifier-link.ts";
import { findProgram, runProgram } from "../../../../src/platform/program.ts";
import { makeTemporaryDirectory, run } from "../../../support/process.ts";

const root = makeTemporaryDirectory("wiring");
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

function bed() {
  const folder = join(root, String(++count));
  mkdirSync(folder);
  const program = join(folder, "atcr-verify");
  writeFileSync(program, "", { mode: 0o755 });
  return { folder, program, binDir: join(folder, "deep", "bin"), link: join(folder, "deep", "bin", "atcr-verify") };
}

describe("placeLink", () => {
  it("makes the folder and the link, once, and leaves nothing else there", () => {
    const { folder, program, binDir, link } = bed();
    expect([placeLink(binDir, program), placeLink(binDir, program)]).toEqual([true, false]);
    expect(readlinkSync(link)).toBe(program);
    expect([readdirSync(binDir), readdirSync(join(folder, "deep"))]).toEqual([["atcr-verify"], ["bin"]]);
    expect(lstatSync(binDir).mode & 0o777).toBe(0o755);
  });

  it("replaces a link that leads elsewhere, by a rename", () => {
    const { program, binDir, link } = bed();
    mkdirSync(binDir, { recursive: true });
    symlinkSync("/nowhere", link);
    expect(placeLink(binDir, program)).toBe(true);
    expect(readlinkSync(link)).toBe(program);
  });

  it("says what stands in its place, and that it must be moved", () => {
    const { program, binDir, link } = bed();
    mkdirSync(binDir, { recursive: true });
    writeFileSync(link, "");
    expect(() => placeLink(binDir, program)).toThrow("exists and is not a link: move it out of");
  });

  it("puts nothing but the link into bin_dir, where each entry is executed at every pull", async () => {
    const { program, binDir } = bed();
    mkdirSync(binDir, { recursive: true });
    const seen: (string | null)[] = [];
    const watcher = watch(binDir, (_, name) => seen.push(name));
    try {
      placeLink(binDir, program);
      writeFileSync(join(binDir, "last"), "");
      await vi.waitFor(() => expect(seen).toContain("last"));
      expect(new Set(seen)).toEqual(new Set(["atcr-verify", "last"]));
    } finally {
      watcher.close();
    }
  });

  it.each<[string, (at: ReturnType<typeof bed>) => void]>([
    ["others can write to the program", ({ program }) => chmodSync(program, 0o757)],
    ["others can write to its folder", ({ folder }) => chmodSync(folder, 0o777)],
    ["there is no program", ({ program }) => rmSync(program)],
    ["others can write to bin_dir", ({ binDir }) => [mkdirSync(binDir, { recursive: true }), chmodSync(binDir, 0o777)]],
    ["a file stands there", ({ binDir, link }) => [mkdirSync(binDir, { recursive: true }), writeFileSync(link, "")]],
  ])("changes nothing where %s", (_, spoil) => {
    const at = bed();
    spoil(at);
    expect(() => placeLink(at.binDir, at.program)).toThrow();
    expect(existsSync(at.link) && lstatSync(at.link).isSymbolicLink()).toBe(false);
  });

  it("refuses a program that lies in bin_dir, by whatever way that is named", () => {
    const { folder } = bed();
    expect(() => placeLink(folder, join(folder, "atcr-verify"))).toThrow("bin_dir");
    symlinkSync(folder, `${folder}.link`);
    expect(() => placeLink(`${folder}.link`, join(folder, "atcr-verify"))).toThrow("bin_dir");
  });

  it("makes no folder where others can write", () => {
    const { folder, program } = bed();
    const open = join(folder, "open");
    mkdirSync(open);
    chmodSync(open, 0o777);
    expect(() => placeLink(join(open, "bin"), program)).toThrow("open");
    expect(readdirSync(open)).toEqual([]);
  });
});

describe("ownEntries", () => {
  /** What is found in a bin_dir with these entries, as `name removable`. */
  const found = (make: (at: ReturnType<typeof bed>) => void, isRecorded = false, name = "atcr-verify") => {
    const at = bed();
    mkdirSync(at.binDir, { recursive: true });
    const program = join(at.folder, name);
    if (name !== "atcr-verify") renameSync(at.program, program);
    make({ ...at, program });
    return ownEntries(at.binDir, program, isRecorded).map(
      ({ path, isRemovable }) => `${path.slice(at.binDir.length + 1)} ${isRemovable}`,
    );
  };

  it("finds every link that leads to the program, whatever entry and program are called", () => {
    const make = ({ folder, program, binDir }: ReturnType<typeof bed>) => {
      placeLink(binDir, program);
      symlinkSync(program, join(binDir, "00-first"));
      symlinkSync("atcr-verify", join(binDir, "by-a-link"));
      symlinkSync(folder, join(folder, "alias"));
      symlinkSync("../../alias/renamed", join(binDir, "relative"));
      symlinkSync("/usr/bin/true", join(binDir, "other"));
    };
    const all = ["00-first true", "atcr-verify true", "by-a-link true", "relative true"];
    expect(found(make, false, "renamed")).toEqual(all);
  });

  it("takes a link of its own name for its own that leads nowhere, to another build, or where enable placed one", () => {
    const to = (target: string) => (at: ReturnType<typeof bed>) => symlinkSync(target, at.link);
    expect(found(to("/nowhere/verifier"))).toEqual(["atcr-verify true"]);
    expect(found(to("/opt/atcr-verify-linux-amd64"))).toEqual(["atcr-verify true"]);
    expect(found(to("/usr/bin/true"), true)).toEqual(["atcr-verify true"]);
    expect(found(to("/usr/bin/true"), false)).toEqual(["atcr-verify false"]);
  });

  it("names copies, which have the same bytes under any name, and links to copies", async () => {
    const pipe = join(root, "pipe");
    await run("mkfifo", [pipe]);
    const make = ({ folder, program, binDir }: ReturnType<typeof bed>) => {
      writeFileSync(program, "program".repeat(500_000));
      copyFileSync(program, join(binDir, "copy"));
      copyFileSync(program, join(folder, "elsewhere"));
      symlinkSync(join(folder, "elsewhere"), join(binDir, "linked"));
      // Of the same size, and of another one; what is no file is not waited for.
      writeFileSync(join(binDir, "other"), "program".repeat(499_999).concat("progran"));
      writeFileSync(join(binDir, "shorter"), "program");
      symlinkSync(pipe, join(binDir, "pipe"));
      mkdirSync(join(binDir, "folder"));
    };
    expect(found(make)).toEqual(["copy false", "linked false"]);
  });

  it("names scripts that run the program: by its path, by a link to it, or by its name in PATH", () => {
    const script = (path: string, text: string) => writeFileSync(path, text, { mode: 0o755 });
    const make = ({ folder, program, binDir }: ReturnType<typeof bed>) => {
      symlinkSync(program, join(folder, "way"));
      script(join(binDir, "a-path"), `#!/bin/sh\nexec '${program}' "$@"\n`);
      script(join(binDir, "b-link"), `#!/bin/sh\nVERIFIER="${folder}/way"\nexec "$VERIFIER" "$@"\n`);
      script(join(binDir, "c-name"), '#!/bin/sh\nexec renamed "$@"\n');
      script(join(folder, "script"), "#!/bin/bash\natcr-verify-0.1.0; exec atcr-verify\n");
      symlinkSync(join(folder, "script"), join(binDir, "d-linked"));
      symlinkSync(join(folder, "script"), join(binDir, "atcr-verify"));
      script(join(binDir, "e-other"), "#!/bin/sh\nexec /usr/bin/cosign /nowhere/at/all\n");
      script(join(binDir, "f-text"), `exec ${program}\n`);
    };
    expect(found(make, true, "renamed")).toEqual([
      "a-path false",
      "atcr-verify false",
      "b-link false",
      "c-name false",
      "d-linked false",
    ]);
  });

  it("follows a link to a link outside bin_dir, and takes out the entry alone", () => {
    const make = ({ folder, program, binDir }: ReturnType<typeof bed>) => {
      renameSync(program, join(folder, "atcr-verify-0.1.0"));
      symlinkSync("atcr-verify-0.1.0", join(folder, "current"));
      symlinkSync(join(folder, "current"), join(binDir, "verifier"));
    };
    expect(found(make, false, "atcr-verify-0.1.0")).toEqual(["verifier true"]);
  });

  it("names what it does not remove: no link, and another build by another name", () => {
    expect(found(({ link }) => writeFileSync(link, ""))).toEqual(["atcr-verify false"]);
    expect(found(({ program, binDir }) => linkSync(program, join(binDir, "hard")))).toEqual(["hard false"]);
    expect(
      found(({ folder, binDir }) => {
        writeFileSync(join(folder, "atcr-verify-linux-arm64"), "");
        symlinkSync(join(folder, "atcr-verify-linux-arm64"), join(binDir, "verifier"));
      }),
    ).toEqual(["verifier false"]);
    expect(ownEntries("/nowhere", "/usr/bin/atcr-verify", true)).toEqual([]);
  });
});

describe("recordPlace", () => {
  it("keeps each folder once, until it is forgotten", () => {
    const { folder } = bed();
    const state = join(folder, "state");
    recordPlace(state, "/a", true);
    recordPlace(state, "/b", true);
    recordPlace(state, "/a", true);
    expect(readFileSync(join(state, "enabled"), "utf8")).toBe("/b\n/a\n");
    recordPlace(state, "/b", false);
    expect([placedIn(state), placedIn(join(folder, "none"))]).toEqual([["/a"], []]);
  });
});

describe("recordsOf", () => {
  it("has what packages install remembered where their removal looks", () => {
    expect(recordsOf("/usr/bin/atcr-verify", "/srv/state")).toEqual(["/srv/state", "/var/lib/atcr-verify"]);
    expect(recordsOf("/usr/bin/atcr-verify", "/var/lib/atcr-verify")).toEqual(["/var/lib/atcr-verify"]);
    expect(recordsOf("/usr/local/bin/atcr-verify", "/srv/state")).toEqual(["/srv/state"]);
  });
});

describe("entriesOf", () => {
  it("lists what containerd would execute, in its order", () => {
    const { folder, program } = bed();
    for (const name of ["b", "B", "a"]) symlinkSync(program, join(folder, name));
    symlinkSync("/nowhere", join(folder, "c"));
    mkdirSync(join(folder, "d"));
    writeFileSync(join(folder, "e"), "", { mode: 0o644 });
    const entries = entriesOf(folder) ?? [];
    expect(entries.map(({ name, broken }) => [name, broken !== undefined])).toEqual([
      ["B", false],
      ["a", false],
      ["atcr-verify", false],
      ["b", false],
      ["c", true],
      ["d", true],
      ["e", true],
    ]);
    expect(entries[1]).toMatchObject({ isLink: true, leadsTo: program });
    expect(entriesOf(join(folder, "none"))).toBeUndefined();
  });
});

describe("a program of this node", () => {
  it("ends with its code and output, is killed when it takes too long, and may be missing", async () => {
    expect(await runProgram(process.env, "/bin/sh", ["-c", "echo a; echo b >&2; exit 3"], 5000)).toEqual({
      code: 3,
      stdout: "a\n",
      stderr: "b\n",
    });
    expect((await runProgram(process.env, "/bin/sleep", ["60"], 100)).code).toBeUndefined();
    expect((await runProgram(process.env, "/nowhere", [], 100)).code).toBeUndefined();
    expect([findProgram(process.env, "sh"), findProgram(process.env, "no-such-program")]).toEqual([
      expect.stringMatching(/^\/.*\/sh$/),
      undefined,
    ]);
  });

  it("is not run where somebody else can change it", async () => {
    const { folder } = bed();
    const program = join(folder, "nerdctl");
    writeFileSync(program, `#!/bin/sh\ntouch ${folder}/ran\n`, { mode: 0o755 });
    expect([(await runProgram(process.env, program, [], 5000)).code, existsSync(join(folder, "ran"))]).toEqual([
      0,
      true,
    ]);
    rmSync(join(folder, "ran"));
    chmodSync(folder, 0o777);
    const { code, stderr } = await runProgram(process.env, program, [], 5000);
    expect([code, stderr.includes("not run"), existsSync(join(folder, "ran"))]).toEqual([undefined, true, false]);
  });
});

describe("daemonAt", () => {
  it.each([
    [[], "/etc/containerd/config.toml"],
    [["--log-level", "debug"], "/etc/containerd/config.toml"],
    [["--config", "/a.toml"], "/a.toml"],
    [["--config=/a=b.toml"], "/a=b.toml"],
    [["-config", "/a.toml"], "/a.toml"],
    [["--config", "/a.toml", "-c", "/b.toml"], "/b.toml"],
    [["-c", "a.toml", "-l", "debug"], "/tmp/a.toml"],
  ])("finds who listens, and the configuration that it was given: %j", async (args, expected) => {
    const socket = join(bed().folder, "c.sock");
    const listen = `require("node:net").createServer().listen(${JSON.stringify(socket)}, () => console.log("ready"))`;
    const child = spawn(process.execPath, ["--eval", listen, "--", ...args], { cwd: "/tmp", env: { GREETING: "a=b" } });
    try {
      await once(child.stdout, "data");
      const daemon = daemonAt(socket);
      expect(daemon).toMatchObject({ pid: child.pid, isReplaced: false, configPath: expected });
      expect(daemon?.environment.get("GREETING")).toBe("a=b");
    } finally {
      child.kill("SIGKILL");
    }
  });

  it("finds nobody where nobody listens", () => {
    expect(daemonAt("/nowhere.sock")).toBeUndefined();
  });
});
