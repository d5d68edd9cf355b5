import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { effectiveConfig, programsOf } from "../../../../src/platform/containerd/effective-config.ts";
import { type Containerd, CRI_IMAGES_PLUGIN, settingsOf } from "../../../../src/platform/containerd/inspect.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";

const root = makeTemporaryDirectory("multi");
afterAll(() => rmSync(root, { recursive: true, force: true }));

const DAEMON = {
  pid: 1,
  argv0: "containerd",
  folder: "/",
  isReplaced: false,
  configPath: "/c.toml",
  environment: new Map<string, string>(),
  startedAt: 0,
};

/** A program that does what its name says, as k3s: only as containerd it prints a configuration. */
function multiCall(folder: string): string {
  const path = join(root, folder, "k3s");
  mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(
    path,
    [
      "#!/bin/sh",
      'case "$(basename "$0")" in',
      'containerd) echo "version = 3" ;;',
      'k3s) echo "no such flag" >&2; exit 1 ;;',
      'crictl) echo "help" ;;',
      "esac",
      "",
    ].join("\n"),
  );
  chmodSync(path, 0o755);
  return path;
}

describe("a program of several names", () => {
  it("is asked by the name that answers", async () => {
    const program = multiCall("beside");
    const link = join(root, "beside/containerd");
    const alone = programsOf({ ...DAEMON, program });
    expect(alone).toEqual([program]);
    expect(await effectiveConfig({}, alone, "/c.toml", 5000)).toEqual({
      failures: [expect.stringMatching(/k3s --config \/c.toml config dump: no such flag$/)],
    });
    symlinkSync("k3s", link);
    const programs = programsOf({ ...DAEMON, program });
    expect(programs).toEqual([link, program]);
    expect(await effectiveConfig({}, programs, "/c.toml", 5000)).toEqual({ program: link, config: { version: 3 } });
  });

  it("is found by what it was called, and in its PATH", () => {
    const program = multiCall("called");
    mkdirSync(join(root, "bin"));
    const link = join(root, "bin/containerd");
    symlinkSync(program, link);
    for (const daemon of [
      { argv0: link },
      { argv0: "bin/containerd", folder: root },
      { environment: new Map([["PATH", join(root, "bin")]]) },
    ])
      expect(programsOf({ ...DAEMON, ...daemon, program })).toEqual([link, program]);
    expect(programsOf({ ...DAEMON, program, argv0: "./containerd", folder: "/nowhere" })).toEqual([program]);
  });

  it("is not taken for another containerd that lies beside it", () => {
    const program = multiCall("other");
    writeFileSync(join(root, "other/containerd"), "#!/bin/sh\necho version = 2\n", { mode: 0o755 });
    expect(programsOf({ ...DAEMON, program })).toEqual([program]);
  });

  it("comes first where it is called containerd", () => {
    const program = join(root, "plain/containerd");
    mkdirSync(join(root, "plain"));
    writeFileSync(program, "");
    symlinkSync("containerd", join(root, "plain/linked"));
    expect(programsOf({ ...DAEMON, program, argv0: join(root, "plain/linked") })).toEqual([
      program,
      join(root, "plain/linked"),
    ]);
  });

  it("that answers with other text has printed no configuration", async () => {
    const program = join(multiCall("helping"), "../crictl");
    symlinkSync("k3s", program);
    expect(await effectiveConfig({}, [program], "/c.toml", 5000)).toEqual({
      failures: [expect.stringContaining("it printed no configuration of containerd")],
    });
  });
});

// Written by hand after what `containerd config dump` prints: 2.0 to 2.2 version 3, with or without a file of version 2
// behind it, which it migrates; 2.3 version 4, in which the address is a plugin's.
const IMAGES = `[plugins.'${CRI_IMAGES_PLUGIN}']\ndiscard_unpacked_layers = true\n`;
it.each([
  ["3", `version = 3\n[grpc]\naddress = '/run/containerd/containerd.sock'\n${IMAGES}`],
  [
    "4",
    `version = 4\n${IMAGES}[plugins.'io.containerd.server.v1.grpc']\naddress = '/run/containerd/containerd.sock'\n`,
  ],
])("settings are found in a configuration of version %s", async (version, text) => {
  const dump = join(root, `dump-${version}`);
  writeFileSync(dump, `#!/bin/sh\ncat <<'END'\n${text}END\n`, { mode: 0o755 });
  const found = await effectiveConfig({}, [dump], "/c.toml", 5000);
  const config = "config" in found ? found.config : {};
  expect(settingsOf({ config } as Containerd, CRI_IMAGES_PLUGIN)).toEqual({ discard_unpacked_layers: true });
});
