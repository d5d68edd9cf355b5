import {
  chmodSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { BINARY } from "./binary.ts";
import { type Containerd, type ContainerdOptions, installVerifier } from "./containerd.ts";

// Configurations of a real containerd for which `enable` and `doctor` answer differently.

/** One configuration, and what is said of it. */
export interface Answers {
  readonly containerd?: ContainerdOptions;
  /** Called once containerd runs. */
  readonly afterwards?: (containerd: Containerd) => void;
  /** Further arguments of `enable`. */
  readonly enabledWith?: (containerd: Containerd) => readonly string[];
  /** Its exit status, and what it promises. */
  readonly enable: readonly [number, string];
  /** Exit status, and the findings of containerd that are not ok. */
  readonly doctor: readonly [number, ...string[]];
  /** Levels: of the pull by the transfer service, and of that by CRI. */
  readonly probes: readonly string[];
}

/** Tables of TOML, in versions 3 and 2 of the configuration. */
const IMAGES = 'plugins."io.containerd.cri.v1.images"';
const CRI_2 = 'plugins."io.containerd.grpc.v1.cri"';

const ASKED: Omit<Answers, "containerd"> = { enable: [0, "each pull"], doctor: [0], probes: ["ok", "ok"] };
const BYPASSED: Omit<Answers, "containerd"> = {
  enable: [1, "not kubelet's"],
  doctor: [1, "problem cri", "problem probe"],
  probes: ["ok", "problem"],
};
const NOT_RUN = { probes: ["problem", "problem"] };

const without = (own: string, ...plugins: readonly string[]) =>
  own.replace(/disabled_plugins = \[/, `$&${plugins.map((plugin) => `${JSON.stringify(plugin)},`).join("")}`);

/** The settings of images and of containers were one plugin's. */
function asVersion2(own: string): string {
  return own
    .replace("version = 3", "version = 2")
    .replaceAll(/plugins\."io\.containerd\.cri\.v1\.(?:images|runtime)"\.(registry|cni)/g, `${CRI_2}.$1`)
    .replaceAll(IMAGES, `${CRI_2}.containerd`)
    .replaceAll('plugins."io.containerd.cri.v1.runtime"', CRI_2);
}

/** With each of these CRI pulls without asking verifiers. */
const BYPASSES: Readonly<Record<string, ContainerdOptions>> = {
  "use_local_image_pull = true": { cri: { use_local_image_pull: true } },
  "discard_unpacked_layers = true": { cri: { discard_unpacked_layers: true } },
  "disable_snapshot_annotations = false": { cri: { disable_snapshot_annotations: false } },
  "max_concurrent_downloads = 5": { cri: { max_concurrent_downloads: 5 } },
  "image_pull_with_sync_fs = true": { cri: { image_pull_with_sync_fs: true } },
  "registry.mirrors": {
    criRegistry: `[${IMAGES}.registry.mirrors."a.example"]\nendpoint = ["https://b.example"]`,
  },
  "registry.configs": { criRegistry: `[${IMAGES}.registry.configs."a.example".auth]\nusername = "u"` },
  "registry.configs of containerd 1, of which only the name still counts": {
    criRegistry: `[${IMAGES}.registry.configs."a.example".tls]\ninsecure_skip_verify = true`,
    isIncomplete: true,
  },
  "registry.auths": { criRegistry: `[${IMAGES}.registry.auths."https://a.example"]\nusername = "u"` },
  "a bypass in an imported file": {
    configured: (own, { directory }) => {
      writeFileSync(join(directory, "more.toml"), `version = 3\n[${IMAGES}]\nuse_local_image_pull = true\n`);
      return `imports = ["${directory}/more.toml"]\n${own}`;
    },
  },
  "a bypass in a file of version 2, as kind's": {
    cri: { discard_unpacked_layers: true },
    configured: (own) =>
      `${asVersion2(own)}\n[${CRI_2}.containerd.runtimes.runc]\nruntime_type = "io.containerd.runc.v2"\n`,
  },
};

/** By what is special about it. */
export const ANSWERS: Readonly<Record<string, Answers>> = {
  "no setting that makes a difference": ASKED,
  ...Object.fromEntries(Object.entries(BYPASSES).map(([name, containerd]) => [name, { ...BYPASSED, containerd }])),
  "a bypass in a file of version 2 without runtimes, which containerd 2 ignores": {
    ...ASKED,
    containerd: { cri: { discard_unpacked_layers: true }, configured: asVersion2 },
  },
  "a file of version 2 without a bypass": { ...ASKED, containerd: { configured: asVersion2 } },
  "the verifier's plugin disabled": {
    containerd: {
      configured: (own) => without(own, "io.containerd.image-verifier.v1.bindir"),
      isIncomplete: true,
    },
    enable: [1, "once corrected"],
    doctor: [1, "problem plugin", "problem probe"],
    probes: ["problem"],
  },
  "the transfer plugin disabled": {
    containerd: { configured: (own) => without(own, "io.containerd.transfer.v1.local"), isIncomplete: true },
    enable: [1, "once corrected"],
    doctor: [1, "problem plugin", "problem probe"],
    probes: ["problem"],
  },
  "CRI's plugins disabled": {
    ...ASKED,
    containerd: {
      configured: (own) =>
        without(own, "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri"),
    },
    probes: ["ok"],
  },
  "CRI's service disabled": {
    ...ASKED,
    containerd: { configured: (own) => without(own, "io.containerd.grpc.v1.cri") },
  },
  "an empty bin_dir": {
    containerd: { configured: (own) => own.replace(/bin_dir = .*/, 'bin_dir = ""') },
    enable: [3, "config.invalid"],
    doctor: [1, "problem bin-dir", "problem probe", "problem probe"],
    ...NOT_RUN,
  },
  "another bin_dir": {
    ...ASKED,
    containerd: { configured: (own) => own.replace(/bin_dir = ".*\//, "$&another/") },
  },
  "max_verifiers = 0": {
    containerd: { configured: (own) => own.replace(/bin_dir = .*/, "$&\nmax_verifiers = 0") },
    enable: [1, "nothing changed"],
    doctor: [1, "problem link", "problem probe", "problem probe"],
    ...NOT_RUN,
  },
  "a per_verifier_timeout that is shorter than the deadline": {
    ...ASKED,
    containerd: { perVerifierTimeout: "8s" },
    enable: [1, "once corrected"],
    doctor: [1, "problem timeout"],
  },
  "a bin_dir that was changed since it started": {
    afterwards: ({ directory, binDir }) => rewrite(directory, (own) => own.replace(binDir, join(directory, "moved"))),
    enable: [0, "not known"],
    doctor: [1, "warning config", "warning cri-unknown", "problem probe", "problem probe"],
    ...NOT_RUN,
  },
  "a bin_dir that was changed since it started, and the link in the one that it uses": {
    afterwards: ({ directory, binDir }) => {
      installVerifier(binDir, BINARY);
      rewrite(directory, (own) => own.replace(binDir, join(directory, "moved")));
    },
    enabledWith: ({ binDir }) => ["--bin-dir", binDir],
    enable: [1, "nothing changed"],
    doctor: [1, "warning config", "problem bin-dir"],
    probes: ["ok", "ok"],
  },
  "a bypass that was written since it started": {
    afterwards: ({ directory }) =>
      rewrite(directory, (own) => own.replace(`[${IMAGES}]`, "$&\nuse_local_image_pull = true")),
    enable: [1, "not kubelet's"],
    doctor: [1, "warning config", "problem cri"],
    probes: ["ok", "ok"],
  },
  "a configuration that cannot be read any more": {
    afterwards: ({ directory }) => rewrite(directory, () => "version ="),
    enable: [1, "nothing changed"],
    doctor: [
      1,
      "problem containerd-config",
      "warning config",
      "warning bin-dir",
      "warning cri-unknown",
      "warning timeout",
      "problem probe",
      "problem probe",
    ],
    ...NOT_RUN,
  },
  "a configuration that cannot be read any more, and its bin_dir named": {
    afterwards: ({ directory }) => rewrite(directory, () => "version ="),
    enabledWith: ({ binDir }) => ["--bin-dir", binDir],
    enable: [1, "once corrected"],
    doctor: [1, "problem containerd-config", "warning config", "warning bin-dir", "warning timeout"],
    probes: ["ok", "ok"],
  },
  "several folders in config_path": {
    ...ASKED,
    containerd: {
      configured: (own, { hosts, directory }) => {
        mkdirSync(join(hosts, "mirrored.example"));
        return own.replace(`config_path = "${hosts}"`, `config_path = "${directory}/none:${hosts}"`);
      },
    },
    doctor: [1, "problem registry-config"],
  },
  "a program of several names": {
    ...ASKED,
    containerd: {
      startedBy: (program, { directory }) => {
        copyFileSync(program, join(directory, "k3s"));
        symlinkSync("k3s", join(directory, "containerd"));
        return [join(directory, "k3s")];
      },
    },
  },
  // containerd answers by each name. So the one that it runs by is in a folder that others can write to: that is not run.
  "a program of several names, of which only another one can be asked": {
    ...ASKED,
    containerd: {
      startedBy: (program, { directory }) => {
        const [open, called] = [join(directory, "open", "k3s"), join(directory, "containerd")];
        mkdirSync(dirname(open));
        copyFileSync(program, open);
        linkSync(open, called);
        chmodSync(dirname(open), 0o777);
        return ["/bin/bash", "-c", 'exec -a "$0" "$@"', called, open];
      },
    },
  },
};

function rewrite(directory: string, change: (own: string) => string): void {
  const path = join(directory, "config.toml");
  writeFileSync(path, change(readFileSync(path, "utf8")));
  const later = new Date(Date.now() + 60_000);
  utimesSync(path, later, later);
}
