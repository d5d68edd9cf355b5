import { existsSync } from "node:fs";
import { parseDuration } from "../core/encoding/duration.ts";
import { changedSince } from "../platform/containerd/daemon-files.ts";
import {
  type Containerd,
  importsOf,
  TRANSFER_PLUGIN,
  VERIFIER_PLUGIN,
  verifierSettings,
} from "../platform/containerd/inspect.ts";
import { knownAs } from "../platform/containerd/known-sockets.ts";
import { type CheckResult, ok, problem, unseen, WHY_UNKNOWN, warning } from "./check.ts";

const AS_ROOT = "run this as root, on the node itself";
/** Milliseconds between our deadline and containerd's timeout: for starting, and for writing the reason. */
const MARGIN = 1000;
/** The first one missing is reported: the second does not load without the first. */
const RUN_VERIFIERS = [
  { plugin: VERIFIER_PLUGIN, what: "the image verifier plugin" },
  { plugin: TRANSFER_PLUGIN, what: "the transfer plugin, by which containerd pulls and runs verifiers," },
];

/** Whether containerd answers, in a version that runs verifiers. */
export function checkContainerd(containerd: Containerd): readonly CheckResult[] {
  const { address, daemon, program, version, installed, unknown, isListening, denied } = containerd;
  const name = "containerd";
  const hidden = `the process that listens at ${address} could not be found, so this shell's environment, not containerd's, decides which configuration, policy and break-glass file were checked`;
  const silent = [...(version !== undefined && daemon === undefined ? [hidden] : []), ...unknown].map((why) =>
    warning("containerd-unknown", why, process.geteuid?.() === 0 ? "run this on the node itself" : AS_ROOT),
  );
  silent.push(...checkOthers(containerd));
  // A missing permission comes first: it may be why nothing was found.
  if (containerd.isForbidden === true)
    return [
      problem(
        name,
        `whether containerd answers at ${address} is not known: this user may not connect to it (permission denied)`,
        "run this as root",
      ),
    ];
  if (program === undefined && version === undefined && !isListening) {
    if (denied.length > 0) return [unseen(name, "whether containerd is installed", denied.join(", "))];
    const advice =
      "install containerd 2.1 or later, or name its socket with --address if it is none of those that are known";
    return [problem(name, `containerd does not answer at ${address}, and no containerd was found in PATH`, advice)];
  }
  if (version === undefined) {
    const advice = "start containerd, or name its socket with --address";
    const there = installed === undefined ? "" : ` (${program} is version ${installed})`;
    return [problem(name, `containerd does not answer at ${address}${there}`, advice), ...silent];
  }
  const its = daemon === undefined ? "" : `, process ${daemon.pid}`;
  const [major = 0] = numbersOf(version);
  if (major < 2)
    return [
      problem(name, `containerd ${version} does not support image verifiers`, "upgrade to containerd 2.1 or later"),
      ...silent,
    ];
  const found = `containerd ${version} answers at ${address}${of(address)}${its}`;
  const replaced =
    daemon?.isReplaced === true
      ? [warning(name, `${daemon.program} was replaced after process ${daemon.pid} was started`, "restart containerd")]
      : [];
  return [ok(name, found), ...replaced, ...silent];
}

/** A node may run several containerds; what is found of one says nothing about the others. */
function checkOthers({ address, others = [] }: Containerd): readonly CheckResult[] {
  return others.map((other) =>
    warning(
      "other-containerd",
      `another containerd listens at ${other}${of(other)}; only the one at ${address}${of(address)} was checked`,
      `check it too: --address ${other}`,
    ),
  );
}

function of(address: string): string {
  const whose = knownAs(address);
  return whose === undefined ? "" : ` (${whose})`;
}

/** What containerd rejects in its configuration. Nothing is found where it accepts it, or where that is not known. */
export function checkMistake({ mistake }: Containerd): readonly CheckResult[] {
  if (mistake === undefined) return [];
  const { file, line, what } = mistake;
  const found = `containerd rejects ${file}${line === undefined ? "" : `, line ${line}`}: ${what}`;
  return [problem("containerd-config", found, "correct it: containerd will not start with it")];
}

/** The finding that says why the configuration is not known. */
function reasonFor({ mistake, unknown }: Containerd): string {
  if (mistake !== undefined) return "containerd-config";
  return unknown.length > 0 ? "containerd-unknown" : "containerd";
}

/** Whether the plugins that run verifiers are loaded. */
export function checkPlugin({ plugins }: Containerd): readonly CheckResult[] {
  if (plugins === undefined) return [];
  const missing = RUN_VERIFIERS.find(({ plugin }) => plugins.get(plugin) !== "ok");
  if (missing === undefined) return [ok("plugin", "the plugins that run image verifiers are loaded")];
  const status = plugins.get(missing.plugin);
  return [
    problem(
      "plugin",
      `${missing.what} is not loaded${status === undefined ? "" : `: ${status}`}`,
      `remove ${missing.plugin} from disabled_plugins if it is there; otherwise see containerd's log of its start`,
    ),
  ];
}

/** Whether the configuration that is checked here is the one that containerd runs with. */
export function checkConfig(containerd: Containerd): readonly CheckResult[] {
  const { config, configPath, daemon } = containerd;
  const name = "config";
  if (config === undefined) {
    const found = `containerd's settings could not be read from ${configPath}, so its defaults are assumed`;
    const pointer = `the reason is in the finding ${reasonFor(containerd)}`;
    return [...checkMistake(containerd), warning(name, found, pointer)];
  }
  if (daemon === undefined) {
    const found = `containerd is assumed to use ${configPath} and its imports`;
    const advice = "check that containerd was started with this file";
    return [containerd.version === undefined ? ok(name, found) : warning(name, found, advice)];
  }
  if (configPath !== daemon.configPath) {
    const found = `containerd (process ${daemon.pid}) was started with ${daemon.configPath}, not ${configPath}`;
    return [warning(name, found, "run this without --containerd-config")];
  }
  const changed = changedSince(daemon, configPath, importsOf(containerd));
  if (changed.length > 0) {
    const found = `containerd may run with other settings: ${changed.join(", ")} changed after it was started`;
    return [warning(name, found, "restart containerd")];
  }
  if (!existsSync(configPath)) {
    return [ok(name, `containerd was started with ${configPath}, which does not exist, so it uses its defaults`)];
  }
  return [ok(name, `containerd was started with ${configPath} and its imports`)];
}

/** Whether containerd waits long enough for our answer. @param deadline ours, in milliseconds */
export function checkTimeout(containerd: Containerd, deadline: number): readonly CheckResult[] {
  const { timeout } = verifierSettings(containerd);
  const limit = parseDuration(timeout);
  const [name, ours, least] = ["timeout", `deadline is ${deadline / 1000} s`, `${(deadline + MARGIN) / 1000}s`];
  if (limit === undefined)
    return [
      warning(
        name,
        `per_verifier_timeout is ${timeout}, which cannot be parsed; ${ours}`,
        `set it to at least ${least}`,
      ),
    ];
  if (limit >= deadline + MARGIN) {
    const found = `containerd waits ${timeout} for a verifier, and ${ours}`;
    if (containerd.config !== undefined) return [ok(name, found)];
    if (containerd.version === undefined && !containerd.isListening) return [];
    return [warning(name, `if containerd's default applies: ${found}`, WHY_UNKNOWN)];
  }
  const found = `containerd kills a verifier after ${timeout}, and ${ours}: a killed verifier refuses the pull without a reason`;
  const advice = `set per_verifier_timeout to at least ${least}, or lower deadline`;
  return [limit <= deadline ? problem(name, found, advice) : warning(name, found, advice)];
}

/** The numbers of a version: `2.1.9-rc.1` as 2, 1, 9 and others; NaN where there is none. */
export function numbersOf(version: string): readonly number[] {
  return version.split(".").map((part) => Number.parseInt(part, 10));
}
