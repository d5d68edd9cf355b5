import { describe, expect, it } from "vitest";
import { type CheckResult, problem, warning } from "../../../src/doctor/check.ts";
import { whenRun } from "../../../src/doctor/when-run.ts";
import { type Containerd, VERIFIER_PLUGIN } from "../../../src/platform/containerd/inspect.ts";

const BIN = "/opt/verifiers";

/** One of which all is known that decides on a pull. */
const SEEN: Containerd = {
  address: "/run/c.sock",
  program: "/usr/bin/containerd",
  version: "2.1.9",
  plugins: new Map([[VERIFIER_PLUGIN, "ok"]]),
  configPath: "/c.toml",
  daemon: {
    pid: 1,
    program: "/usr/bin/containerd",
    argv0: "containerd",
    folder: "/",
    isReplaced: false,
    configPath: "/c.toml",
    environment: new Map(),
    startedAt: 0,
  },
  config: { plugins: { [VERIFIER_PLUGIN]: { bin_dir: `${BIN}/` } } },
  isListening: true,
  denied: [],
  unknown: [],
};
const without = (...keys: readonly (keyof Containerd)[]): Containerd =>
  Object.fromEntries(
    Object.entries(SEEN).filter(([key]) => !keys.includes(key as keyof Containerd)),
  ) as unknown as Containerd;
const UNKNOWN = warning("cri-unknown", "whether kubelet asks is unknown", "");
const CRI = problem("cri", "x", "");

describe("what is promised of pulls", () => {
  it.each<[string, Containerd, CheckResult[], RegExp]>([
    ["all was seen", SEEN, [warning("config", "x", "y")], /^containerd runs it at each pull from now on$/],
    ["CRI is bypassed", SEEN, [CRI], /from now on, but at those of kubelet and crictl only once/],
    [
      "a problem is left",
      SEEN,
      [CRI, problem("plugin", "x", "")],
      /^containerd runs it at each pull once the problems/,
    ],
    ["CRI is not known", SEEN, [UNKNOWN], /is not known: whether kubelet asks is unknown$/],
    ["the plugins are not known", without("plugins"), [], /is not known: it did not say whether .* plugin is loaded$/],
    ["the version is not known", without("version"), [], /is not known: its version could not be determined$/],
    ["the process is not seen", without("daemon"), [], /is not known: .*bin_dir could not be determined$/],
    ["the configuration is not read", without("config"), [UNKNOWN], /is not known: .*bin_dir.*; whether kubelet/],
    [
      "it was not reached",
      { ...without("version", "plugins", "daemon"), isListening: false },
      [],
      /^containerd runs it at each pull if its bin_dir is \/opt\/verifiers \(containerd was not reached\)$/,
    ],
  ])("where %s", (_, containerd, findings, expected) => {
    expect(whenRun(BIN, containerd, findings)).toMatch(expected);
  });

  it("is nothing where the link is elsewhere than in bin_dir", () => {
    expect(whenRun("/elsewhere", SEEN, [])).toBe("containerd runs it at each pull if its bin_dir is /elsewhere");
  });
});
