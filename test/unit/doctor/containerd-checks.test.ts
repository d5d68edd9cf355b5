import { describe, expect, it } from "vitest";
import { settleBinDir } from "../../../src/doctor/bin-dir-known.ts";
import type { CheckResult } from "../../../src/doctor/check.ts";
import {
  checkConfig,
  checkContainerd,
  checkMistake,
  checkPlugin,
  checkTimeout,
} from "../../../src/doctor/containerd-checks.ts";
import { checkCri, settleCri } from "../../../src/doctor/cri-checks.ts";
import {
  type Containerd,
  CRI_IMAGES_PLUGIN,
  TRANSFER_PLUGIN,
  VERIFIER_PLUGIN,
} from "../../../src/platform/containerd/inspect.ts";

const levels = (findings: readonly CheckResult[]) => findings.map(({ level, name }) => `${level} ${name}`);

/** One as it should be, in version 3 of its configuration. */
function containerd(values: Partial<Containerd> = {}, images: object = {}, verifier: object = {}): Containerd {
  return {
    address: "/run/c.sock",
    program: "/usr/bin/containerd",
    version: "2.1.9",
    plugins: new Map([
      [VERIFIER_PLUGIN, "ok"],
      [TRANSFER_PLUGIN, "ok"],
      [CRI_IMAGES_PLUGIN, "ok"],
    ]),
    configPath: "/nowhere/config.toml",
    daemon: DAEMON,
    config: { plugins: { [VERIFIER_PLUGIN]: verifier, [CRI_IMAGES_PLUGIN]: { ...GOOD, ...images } } },
    isListening: true,
    denied: [],
    unknown: [],
    ...values,
  };
}
const GOOD = {
  use_local_image_pull: false,
  discard_unpacked_layers: false,
  disable_snapshot_annotations: true,
  max_concurrent_downloads: 3,
  image_pull_with_sync_fs: false,
  registry: { config_path: "/etc/containerd/certs.d", mirrors: {} },
};
const DAEMON = {
  pid: 1,
  program: "/usr/bin/containerd",
  argv0: "containerd",
  folder: "/",
  isReplaced: false,
  configPath: "/nowhere/config.toml",
  environment: new Map<string, string>(),
  startedAt: 0,
};
const without = (key: keyof Containerd): Containerd => {
  const { [key]: _, ...rest } = containerd();
  return rest as Containerd;
};

const changed = (): Containerd => {
  const configPath = import.meta.filename;
  return containerd({ configPath, daemon: { ...DAEMON, configPath } });
};

const NONE: Containerd = { address: "/run/c.sock", configPath: "/none", isListening: false, denied: [], unknown: [] };

describe("containerd", () => {
  it.each<[string, Containerd, string[]]>([
    ["2.1.9", containerd(), ["ok containerd"]],
    ["2.2.0-rc.1", containerd({ version: "2.2.0-rc.1" }), ["ok containerd"]],
    ["3.0", containerd({ version: "3.0.1" }), ["ok containerd"]],
    ["2.0", containerd({ version: "2.0.5" }), ["ok containerd"]],
    ["1.7", containerd({ version: "1.7.20" }), ["problem containerd"]],
    ["one that does not answer", without("version"), ["problem containerd"]],
    ["none", { ...NONE }, ["problem containerd"]],
    ["none that this user can see", { ...NONE, denied: ["/hidden/containerd"] }, ["warning containerd"]],
    ["one that this user may not use", { ...NONE, isForbidden: true }, ["problem containerd"]],
    [
      "one that listens, and says nothing",
      { ...NONE, isListening: true, unknown: ["x"] },
      ["problem containerd", "warning containerd-unknown"],
    ],
    [
      "one that was replaced since",
      containerd({ daemon: { ...DAEMON, isReplaced: true } }),
      ["ok containerd", "warning containerd"],
    ],
    ["one whose process is not to be seen", without("daemon"), ["ok containerd", "warning containerd-unknown"]],
    ["one of several", containerd({ others: ["/run/d.sock"] }), ["ok containerd", "warning other-containerd"]],
    ["what cannot be told", containerd({ unknown: ["x"] }), ["ok containerd", "warning containerd-unknown"]],
  ])("is looked at: %s", (_, given, expected) => {
    expect(levels(checkContainerd(given))).toEqual(expected);
  });

  it("must have the plugins loaded", () => {
    expect(levels(checkPlugin(containerd()))).toEqual(["ok plugin"]);
    expect(levels(checkPlugin(containerd({ plugins: new Map([[VERIFIER_PLUGIN, "error"]]) })))).toEqual([
      "problem plugin",
    ]);
    expect(levels(checkPlugin(containerd({ plugins: new Map() })))).toEqual(["problem plugin"]);
    const noTransfer = new Map([[VERIFIER_PLUGIN, "ok"]]);
    expect(levels(checkPlugin(containerd({ plugins: noTransfer })))).toEqual(["problem plugin"]);
    expect(checkPlugin(without("plugins"))).toEqual([]);
  });

  it("has a mistake in its configuration named once, and pointed to", () => {
    const mistake = { file: "/c.toml", line: 2, what: "toml: x" };
    expect(checkMistake(containerd())).toEqual([]);
    expect(checkMistake(containerd({ mistake }))).toEqual([
      expect.objectContaining({
        level: "problem",
        name: "containerd-config",
        found: expect.stringContaining("/c.toml, line 2: toml: x"),
      }),
    ]);
    expect(checkConfig({ ...without("config"), mistake })[1]?.advice).toContain("containerd-config");
  });

  it("is not assumed to wait by its defaults where there is none", () => {
    expect(checkTimeout({ ...NONE }, 8000)).toEqual([]);
    expect(levels(checkTimeout({ ...NONE }, 60_000))).toEqual(["problem timeout"]);
    expect(levels(checkTimeout({ ...NONE, isListening: true }, 8000))).toEqual(["warning timeout"]);
  });

  it("may run with an older configuration than that which is looked at", () => {
    const own = containerd({ configPath: import.meta.filename });
    const daemon = { ...DAEMON, configPath: import.meta.filename };
    expect(levels(checkConfig({ ...own, daemon: { ...daemon, startedAt: 0 } }))).toEqual(["warning config"]);
    expect(levels(checkConfig({ ...own, daemon: { ...daemon, startedAt: Date.now() + 5000 } }))).toEqual(["ok config"]);
    // Another file than the one that it was started with says nothing about it.
    expect(levels(checkConfig({ ...own, daemon: { ...DAEMON, startedAt: Date.now() + 5000 } }))).toEqual([
      "warning config",
    ]);
    expect(levels(checkConfig(without("config")))).toEqual(["warning config"]);
    // Whose process is not to be seen, of that nobody knows what it was started with.
    const { daemon: _, version: __, ...none } = own;
    expect(levels(checkConfig({ ...none, version: "2.1.9" }))).toEqual(["warning config"]);
    expect(levels(checkConfig(none))).toEqual(["ok config"]);
  });

  it.each<[string | undefined, number, string]>([
    [undefined, 8000, "ok"],
    ["10s", 9000, "ok"],
    ["10s", 9001, "warning"],
    ["8500ms", 8000, "warning"],
    ["8s", 8000, "problem"],
    ["1s", 8000, "problem"],
    ["1m", 59_000, "ok"],
    ["soon", 8000, "warning"],
  ])("waits %s for an answer within %i ms: %s", (timeout, deadline, level) => {
    const given = containerd({}, {}, timeout === undefined ? {} : { per_verifier_timeout: timeout });
    expect(levels(checkTimeout(given, deadline))).toEqual([`${level} timeout`]);
  });

  it.each<[object, string[]]>([
    [{}, ["ok cri"]],
    [{ use_local_image_pull: true }, ["problem cri"]],
    [{ discard_unpacked_layers: true }, ["problem cri"]],
    [{ disable_snapshot_annotations: false }, ["problem cri"]],
    [{ max_concurrent_downloads: 4 }, ["problem cri"]],
    [{ image_pull_with_sync_fs: true }, ["problem cri"]],
    [{ registry: { mirrors: { a: {} } } }, ["problem cri"]],
    [{ registry: { configs: { a: {} } } }, ["problem cri"]],
    [{ registry: { auths: { a: {} } } }, ["problem cri"]],
    [{ discard_unpacked_layers: true, registry: { auths: { a: {} } } }, ["problem cri", "problem cri"]],
  ])("CRI with %j: %j", (images, expected) => {
    expect(levels(checkCri(containerd({}, images)))).toEqual(expected);
  });

  it("whose socket this user may not use is not taken for one that does not run", () => {
    const findings = checkContainerd({ ...without("version"), isForbidden: true, unknown: ["noise"] });
    expect([levels(findings), findings[0]?.advice]).toEqual([["problem containerd"], "run this as root"]);
  });

  it("of 2.0 never asks, whatever its settings", () => {
    expect(levels(checkCri(containerd({ version: "2.0.5" })))).toEqual(["problem cri"]);
    expect(levels(checkCri({ ...without("version"), installed: "2.0.5" }))).toEqual(["problem cri"]);
    expect(levels(checkCri(containerd({ version: "2.0.5", plugins: new Map([[VERIFIER_PLUGIN, "ok"]]) })))).toEqual([
      "ok cri",
    ]);
  });

  it.each<[string, Containerd, string[]]>([
    ["whose configuration cannot be read", without("config"), ["warning cri-unknown"]],
    ["whose plugins are not known either", { ...without("config"), plugins: new Map() }, ["ok cri"]],
    ["whose process is not to be seen", without("daemon"), ["warning cri-unknown"]],
    ["that was given another configuration", containerd({ configPath: "/other.toml" }), ["warning cri-unknown"]],
    ["whose configuration was changed since", changed(), ["warning cri-unknown"]],
    ["whose version is not known", without("version"), ["warning cri-unknown"]],
    ["that does not run", { ...NONE, program: "/containerd", installed: "2.1.9" }, ["warning cri-unknown"]],
    ["that does not run, but is configured", { ...containerd(), ...NONE, installed: "2.1.9" }, ["ok cri"]],
    ["that is not there", NONE, []],
  ])("of which a pull by CRI is not foreseen is never silent: one %s", (_, given, expected) => {
    expect(levels(checkCri(given))).toEqual(expected);
  });

  it("of which a bypass is found asks nobody, whatever else is not known", () => {
    const { daemon: _, ...given } = containerd({}, { use_local_image_pull: true });
    expect(levels(checkCri(given))).toEqual(["problem cri"]);
  });

  it("of which CRI was not known is known after a pull by it", () => {
    const [finding] = checkCri(without("config"));
    const findings = [{ level: "ok" as const, name: "x", found: "y" }, ...(finding ? [finding] : [])];
    const after = (...shown: Parameters<typeof settleCri>[1][]) =>
      shown.map((cri) => levels(settleCri(findings, cri)).at(-1));
    expect(after("refused", "not served", "not refused", undefined)).toEqual([
      "ok cri",
      "ok cri",
      "warning cri-unknown",
      "warning cri-unknown",
    ]);
    expect(levels(settleCri(findings, "refused"))).toEqual(["ok x", "ok cri"]);
  });

  it("with a setting that a pull has shown not to count yet, is a problem of its next start", () => {
    const findings = checkCri(containerd({}, { use_local_image_pull: true }));
    expect(settleCri(findings, "not refused")).toEqual(findings);
    expect(settleCri(findings, "refused")).toMatchObject([
      { level: "problem", name: "cri", found: expect.stringMatching(/in the probe its pull was verified$/) },
    ]);
  });

  it("whose bin_dir is not known, runs this program if a pull has shown it", () => {
    const findings: readonly CheckResult[] = (["bin-dir", "link", "entries", "x"] as const).map((name) => ({
      level: name === "bin-dir" ? "warning" : "problem",
      name,
      found: "",
    }));
    const unread = without("config");
    expect(levels(settleBinDir(findings, unread, true))).toEqual(["warning bin-dir", "problem x"]);
    expect(settleBinDir(findings, unread, false)).toEqual(findings);
  });

  it("whose bin_dir was changed since, has the problem from its next start if a pull has shown it", () => {
    const of = (...names: readonly string[]): readonly CheckResult[] =>
      names.map((name) => ({ level: "problem", name, found: "" }));
    const later = (findings: readonly CheckResult[], isRun: boolean) =>
      settleBinDir(findings, containerd(), isRun).flatMap(({ name, found }) =>
        found.endsWith("in the probe it ran this program") ? [name] : [],
      );
    expect(later(of("bin-dir", "link", "entries"), true)).toEqual(["link"]);
    expect(later(of("bin-dir", "x"), true)).toEqual(["bin-dir"]);
    expect(later(of("bin-dir", "link"), false)).toEqual([]);
    const fine: readonly CheckResult[] = [{ level: "ok", name: "link", found: "" }];
    expect(settleBinDir(fine, containerd(), true)).toEqual(fine);
  });

  it("without CRI has no setting of it", () => {
    const plugins = new Map([[VERIFIER_PLUGIN, "ok"]]);
    expect(levels(checkCri(containerd({ plugins }, { use_local_image_pull: true })))).toEqual(["ok cri"]);
  });
});
