import { existsSync } from "node:fs";
import { parseDuration } from "../core/encoding/duration.ts";
import { field, isJsonObject } from "../core/encoding/json.ts";
import { changedSince } from "../platform/containerd/daemon-files.ts";
import {
  type Containerd,
  CRI_IMAGES_PLUGIN,
  importsOf,
  settingsOf,
  TRANSFER_PLUGIN,
  VERIFIER_PLUGIN,
  verifierSettings,
} from "../platform/containerd/inspect.ts";
import { type CheckResult, ok, problem, unseen, warning } from "./check.ts";

/** What is left of a verifier's time when our deadline is over: for starting, and for writing the reason. */
const MARGIN = 1000;
/** With any other number of downloads at a time CRI pulls by itself. */
const DOWNLOADS = 3;
/** Settings of CRI's registry table that make it pull by itself. */
const OLD_REGISTRY = ["mirrors", "configs", "auths"];

/** Whether containerd is there, and of a version that asks verifiers. */
export function checkContainerd(containerd: Containerd): readonly CheckResult[] {
  const { address, daemon, program, version, installed, unknown, notAsked, isListening, denied } = containerd;
  const name = "containerd";
  const hidden = `the process that listens at ${address} is not to be seen, so this shell's environment is taken for its own, and with it configuration, policy and break-glass file`;
  const silent = [...(version !== undefined && daemon === undefined ? [hidden] : []), ...unknown].map((why) =>
    warning("containerd-unknown", why, "run the doctor as root, where containerd runs"),
  );
  // What could not be seen comes before what was not found.
  if (containerd.isForbidden === true)
    return [
      problem(
        name,
        `whether containerd answers at ${address} is not known: this user may not use it (permission denied)`,
        "run this as root",
      ),
    ];
  if (program === undefined && version === undefined && !isListening) {
    if (denied.length > 0) return [unseen(name, "whether containerd is installed", denied.join(", "))];
    const advice = "install containerd 2.1 or later, or name its socket with --address";
    return [problem(name, `nobody listens at ${address}, and there is no containerd in PATH`, advice)];
  }
  if (version === undefined && isListening && notAsked !== undefined) {
    const found = `which containerd listens at ${address} is not known: ${notAsked}`;
    return [warning(name, found, "put the ctr that comes with it into PATH, and run the doctor as root"), ...silent];
  }
  if (version === undefined) {
    const advice = "start containerd, or name its socket with --address";
    const there = installed === undefined ? "" : `; ${program} is ${installed}`;
    return [problem(name, `no containerd answers at ${address}${there}`, advice), ...silent];
  }
  const process = daemon === undefined ? "" : `, process ${daemon.pid}`;
  const [major = 0] = numbersOf(version);
  if (major < 2)
    return [problem(name, `containerd ${version} knows no verifiers`, "upgrade to containerd 2.1 or later"), ...silent];
  const found = `containerd ${version} answers at ${address}${process}`;
  const replaced =
    daemon?.isReplaced === true
      ? [warning(name, `${daemon.program} was replaced since process ${daemon.pid} began`, "restart containerd")]
      : [];
  return [ok(name, found), ...replaced, ...silent];
}

/** Whether the plugin that runs verifiers is loaded. */
export function checkPlugin({ plugins }: Containerd): readonly CheckResult[] {
  if (plugins === undefined) return [];
  const status = plugins.get(VERIFIER_PLUGIN);
  if (status === "ok") return [ok("plugin", "the image verifier plugin is loaded")];
  const found =
    status === undefined ? "the image verifier plugin is not there" : `the image verifier plugin's status is ${status}`;
  return [
    problem(
      "plugin",
      found,
      `see that ${VERIFIER_PLUGIN} is not under disabled_plugins, and containerd's log of its start`,
    ),
  ];
}

/** Whether containerd runs with the configuration that is looked at here. */
export function checkConfig(containerd: Containerd): readonly CheckResult[] {
  const { config, configPath, daemon } = containerd;
  const name = "config";
  if (config === undefined) {
    const found = `what ${configPath} says cannot be told, so containerd's defaults are taken for its settings`;
    return [warning(name, found, "see why not, above; what is said of its settings may be wrong")];
  }
  if (daemon === undefined) {
    const found = `the configuration is taken to be ${configPath} with what it imports`;
    const advice = "see that it is the one that containerd was started with";
    return [containerd.version === undefined ? ok(name, found) : warning(name, found, advice)];
  }
  if (configPath !== daemon.configPath) {
    const found = `containerd (process ${daemon.pid}) was started with ${daemon.configPath}, not ${configPath}`;
    return [warning(name, found, "ask about the file that it was started with")];
  }
  const changed = changedSince(daemon, configPath, importsOf(containerd));
  if (changed.length > 0) {
    const found = `${changed.join(", ")}: changed after containerd started, which may run with other settings`;
    return [warning(name, found, "restart containerd")];
  }
  if (!existsSync(configPath)) {
    return [ok(name, `containerd was started with ${configPath}, which does not exist: its defaults hold`)];
  }
  return [ok(name, `containerd was started with ${configPath} and what it imports`)];
}

/** Whether containerd waits for the answer. @param deadline ours, in milliseconds */
export function checkTimeout(containerd: Containerd, deadline: number): readonly CheckResult[] {
  const { timeout } = verifierSettings(containerd);
  const limit = parseDuration(timeout);
  const [name, ours] = ["timeout", `our deadline of ${deadline / 1000} s`];
  if (limit === undefined)
    return [warning(name, `per_verifier_timeout is ${timeout}, which cannot be compared`, `keep it above ${ours}`)];
  if (limit >= deadline + MARGIN) {
    const found = `containerd waits for ${timeout}, ${ours} is below`;
    if (containerd.config !== undefined) return [ok(name, found)];
    return [warning(name, `${found}, where its default holds`, "see why its configuration cannot be told, above")];
  }
  const found = `containerd kills a verifier after ${timeout}, ${ours} does not leave a second of that`;
  const advice = "raise per_verifier_timeout, or lower deadline: what is killed refuses the pull without a reason";
  return [limit <= deadline ? problem(name, found, advice) : warning(name, found, advice)];
}

/** The settings with which CRI pulls by itself, and asks no verifier. */
export function checkCri(containerd: Containerd): readonly CheckResult[] {
  const { plugins } = containerd;
  const name = "cri";
  if (plugins !== undefined && plugins.get(CRI_IMAGES_PLUGIN) !== "ok") {
    return [ok(name, "CRI is not loaded: no kubelet pulls through this containerd")];
  }
  const version = containerd.version ?? containerd.installed ?? "";
  const [major = 0, minor = 0] = numbersOf(version);
  if (major === 2 && minor === 0) {
    const found = `containerd ${version}: CRI of 2.0 never asks verifiers, so pulls of kubelet and crictl are not verified`;
    return [problem(name, found, "upgrade to containerd 2.1 or later")];
  }
  if (containerd.config === undefined) return [];
  const settings = settingsOf(containerd, CRI_IMAGES_PLUGIN);
  const bypasses = bypassesIn(settings);
  if (bypasses.length === 0) return [ok(name, "no setting of CRI makes it pull without asking verifiers")];
  const where = `plugins."${CRI_IMAGES_PLUGIN}"`;
  return bypasses.map(([setting, advice]) =>
    problem(name, `with ${setting} under ${where}, kubelet and crictl pull without asking verifiers`, advice),
  );
}

/**
 * Whether this program reads the hosts.toml that containerd reads: mirrors, authorities and client certificates.
 *
 * @param own folders of `registryConfigPath`
 */
export function checkRegistryConfig(containerd: Containerd, own: readonly string[]): readonly CheckResult[] {
  if (containerd.config === undefined) return [];
  const name = "registry-config";
  const registry = field(settingsOf(containerd, CRI_IMAGES_PLUGIN), "registry");
  const places: readonly (readonly [string, unknown])[] = [
    [`plugins."${CRI_IMAGES_PLUGIN}".registry`, isJsonObject(registry) ? field(registry, "config_path") : undefined],
    [`plugins."${TRANSFER_PLUGIN}"`, field(settingsOf(containerd, TRANSFER_PLUGIN), "config_path")],
  ];
  const findings = places.flatMap(([where, value]): readonly CheckResult[] => {
    if (typeof value !== "string" || value === "") return [];
    const folders = value.split(":").map(withoutSlash);
    const several =
      folders.length > 1
        ? [
            warning(
              name,
              `config_path under ${where} names several folders, and pulls through verifiers may take them for one`,
              "name one folder",
            ),
          ]
        : [];
    if (folders.join(":") === own.map(withoutSlash).join(":")) return several;
    const found = `config_path under ${where} is ${value}, registryConfigPath is ${own.join(":")}`;
    const advice = `set registryConfigPath: ${value} in this program's configuration, or mirrors and authorities differ from containerd's`;
    return [warning(name, found, advice), ...several];
  });
  return findings.length > 0
    ? findings
    : [ok(name, "containerd names no other folder of hosts.toml than registryConfigPath")];
}

function withoutSlash(folder: string): string {
  return folder.replace(/(?<=.)\/+$/, "");
}

function numbersOf(version: string): readonly number[] {
  return version.split(".").map((part) => Number.parseInt(part, 10));
}

function bypassesIn(settings: ReturnType<typeof settingsOf>): readonly (readonly [setting: string, advice: string])[] {
  const registry = field(settings, "registry");
  const value = (key: string) => field(settings, key);
  const old = OLD_REGISTRY.filter((key) => {
    const table = isJsonObject(registry) ? field(registry, key) : undefined;
    return isJsonObject(table) && Object.keys(table).length > 0;
  });
  const downloads = value("max_concurrent_downloads");
  return [
    ...(value("use_local_image_pull") === true ? [["use_local_image_pull = true", "set it to false"] as const] : []),
    ...(value("discard_unpacked_layers") === true
      ? [["discard_unpacked_layers = true", "set it to false"] as const]
      : []),
    ...(value("disable_snapshot_annotations") === false
      ? [
          [
            "disable_snapshot_annotations = false",
            "set it to true; remote snapshotters need it false and cannot be combined with verifiers",
          ] as const,
        ]
      : []),
    ...(typeof downloads === "number" && downloads !== DOWNLOADS
      ? [
          [
            `max_concurrent_downloads = ${downloads}`,
            `set it to ${DOWNLOADS}; the transfer service has a limit of its own`,
          ] as const,
        ]
      : []),
    ...(value("image_pull_with_sync_fs") === true
      ? [["image_pull_with_sync_fs = true", "set it to false"] as const]
      : []),
    ...old.map((key) => [`registry.${key}`, "use config_path with hosts.toml instead"] as const),
  ];
}
