import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { debianTool } from "./debian-tools.ts";
import { HOST_PLATFORM } from "./image.ts";
import type { Finished } from "./process.ts";
import { makeTemporaryDirectory, run, startServer } from "./process.ts";
import { isRoot } from "./requirement.ts";

type Settings = Readonly<Record<string, string | number | boolean>>;

export interface ContainerdOptions {
  /** Go duration; containerd's default of 10s when absent. */
  readonly perVerifierTimeout?: string;
  /** Registries; more can be added later with `serve`. */
  readonly registries?: readonly RegistryRoute[];
  /** Settings of `io.containerd.cri.v1.images` (spelled as in TOML), for the fallbacks that bypass verifiers. */
  readonly cri?: Settings;
  /** A line of TOML for its `registry` section, instead of the `config_path` that routes hosts for CRI. */
  readonly criRegistry?: string;
  /** Added to containerd's environment, which verifiers inherit; by default only PATH. */
  readonly env?: Readonly<Record<string, string>>;
  /** Makes another configuration of the bed's own, TOML of version 3. */
  readonly configured?: (own: string, bed: Bed) => string;
  /** Whether it may run without plugins, or ignore keys of its configuration. */
  readonly isIncomplete?: true;
  /** Makes the command that starts it instead: a program, and its first arguments. */
  readonly startedBy?: (program: string, bed: Bed) => readonly [string, ...string[]];
}

export interface RegistryRoute {
  /** The host as image names have it: `127.0.0.1:5000`, or a name that is answered by `url`. */
  readonly host: string;
  /** `http://127.0.0.1:PORT`; `http://` and the host when absent. */
  readonly url?: string;
}

export interface PullOptions {
  /** `linux/arm64`, as root only; the host's when absent, or, for an ordinary user, all and not unpacked. */
  readonly platform?: string;
  /** Let ctr itself pull instead of containerd (root only); no verifier is run then. */
  readonly local?: boolean;
}

export interface Containerd {
  /** What `containerd --version` prints. */
  readonly version: string;
  readonly socket: string;
  /** Removed with everything in it by `stop`. On the same file system as `binDir`. */
  readonly directory: string;
  readonly binDir: string;
  /** Its certs.d: the servers of each registry host. */
  readonly hosts: string;
  /** Whether it runs as root and may mount: only then CRI is there and images are unpacked. */
  readonly root: boolean;
  /** `ctr images pull`. A refusal is a result, with ctr's words in stderr. */
  pull(name: string, options?: PullOptions): Promise<Finished>;
  /** Names of the images it has (of ctr's namespace, or of CRI's: `k8s.io`). */
  images(namespace?: string): Promise<readonly string[]>;
  /** Forgets an image and its content, so that the next pull starts from nothing. */
  removeImage(name: string, namespace?: string): Promise<void>;
  /** Routes a host to a registry, for pulls from now on. */
  serve(route: RegistryRoute): void;
  /** containerd's log at level debug, where a verifier's stderr goes. */
  readonly log: () => string;
  stop(): Promise<void>;
}

/** ctr's own. */
const NAMESPACE = "default";

/** containerd starts without a plugin that it cannot load, and pulls are then not verified. */
const NOT_LOADED = /failed to load plugin.*id=io\.containerd\.(?:image-verifier|transfer|cri)\.|Ignoring unknown key/;

/** Would listen outside the bed's directory. */
const NEVER = ["io.containerd.nri.v1.nri"];

/** Plugins that an ordinary user cannot run. */
const NEEDS_ROOT = [
  "io.containerd.cri.v1.images",
  "io.containerd.cri.v1.runtime",
  "io.containerd.grpc.v1.cri",
  "io.containerd.podsandbox.controller.v1.podsandbox",
];

/**
 * Starts a containerd with root, state, socket, bin_dir and certs.d of its own, the bindir image
 * verifier and, as root, CRI. bin_dir is empty at first: every pull is allowed until a verifier is
 * installed, and containerd reads it again on each pull. Nothing is written outside its directory,
 * except that containerd as root always makes an empty /run/containerd.
 */
export async function startContainerd(options: ContainerdOptions = {}): Promise<Containerd> {
  const directory = makeTemporaryDirectory("ctrd");
  const binDir = join(directory, "bin");
  const hosts = join(directory, "certs.d");
  const socket = join(directory, "c.sock");
  const root = isRoot();
  mkdirSync(binDir);
  mkdirSync(hosts);
  const remove = (): Promise<void> => removeTree(directory);
  const serve = (route: RegistryRoute): void => routeHost(hosts, route);
  try {
    options.registries?.forEach(serve);
    const config = join(directory, "config.toml");
    const bed: Bed = { directory, binDir, hosts, socket, root };
    const { configured = (own: string) => own, startedBy = (path: string) => [path] as const } = options;
    writeFileSync(config, configured(configuration(bed, options), bed));
    const program = debianTool("containerd");
    const { stdout: version } = await run(program, ["--version"]);
    const [command, ...first] = startedBy(program, bed);
    const server = await startServer({
      name: "containerd",
      command,
      args: [...first, "--config", config],
      // As under systemd: no HOME, and / as working directory.
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", ...options.env },
      logFile: join(directory, "log"),
      ready: (log) => log.includes("containerd successfully booted"),
    });
    const broken = server
      .log()
      .split("\n")
      .filter((line) => NOT_LOADED.test(line));
    if (broken.length > 0 && options.isIncomplete !== true) {
      await server.stop();
      throw new Error(`containerd did not take its configuration:\n${broken.join("\n")}`);
    }
    const ctr = (namespace: string, ...args: string[]): Promise<Finished> =>
      run(debianTool("ctr"), ["--address", socket, "--namespace", namespace, "images", ...args]);
    return {
      version: version.trim(),
      socket,
      directory,
      binDir,
      hosts,
      root,
      serve,
      log: server.log,
      pull(name, { platform, local = false } = {}) {
        if (!root && (platform !== undefined || local)) {
          throw new Error("such a pull unpacks the image, and only root can");
        }
        const flags = ["--hosts-dir", hosts];
        if (platform !== undefined) {
          flags.push("--platform", platform);
        } else if (!root) {
          flags.push("--all-platforms");
        }
        if (local) {
          flags.push("--local", "--snapshotter", "native");
        }
        return ctr(NAMESPACE, "pull", ...flags, name);
      },
      async images(namespace = NAMESPACE) {
        const { stdout } = await ctr(namespace, "list", "--quiet");
        return stdout.split("\n").filter((line) => line !== "");
      },
      async removeImage(name, namespace = NAMESPACE) {
        const { code, stderr } = await ctr(namespace, "remove", "--sync", name);
        if (code !== 0) {
          throw new Error(`${name} could not be removed: ${stderr}`);
        }
      },
      async stop() {
        await server.stop();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/**
 * Installs a verifier as an administrator should: a link made elsewhere on the same file system and
 * renamed in, so that no pull ever finds it half there. Replaces one of the same name.
 *
 * @param executable absolute path
 * @param name of the entry, which containerd's refusals quote
 */
export function installVerifier(binDir: string, executable: string, name = "atcr-verify"): void {
  const link = join(dirname(binDir), `.${name}.new`);
  rmSync(link, { force: true });
  symlinkSync(executable, link);
  renameSync(link, join(binDir, name));
}

/** Takes an installed verifier out again. */
export function uninstallVerifier(binDir: string, name = "atcr-verify"): void {
  unlinkSync(join(binDir, name));
}

/** Absolute paths of a bed, and whether root runs it. */
interface Bed {
  readonly directory: string;
  readonly binDir: string;
  readonly hosts: string;
  readonly socket: string;
  readonly root: boolean;
}

function configuration(bed: Bed, options: ContainerdOptions): string {
  const { directory, socket } = bed;
  // JSON's strings, numbers, booleans and arrays of strings are also TOML's.
  const lines = (settings: Readonly<Record<string, unknown>>): string =>
    Object.entries(settings)
      .map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`)
      .join("");
  const section = (name: string, settings: Readonly<Record<string, unknown>>): string =>
    `[${name}]\n${lines(settings)}`;
  const plugin = (name: string, settings: Readonly<Record<string, unknown>>): string =>
    section(`plugins.${name}`, settings);
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const cri = [
    plugin('"io.containerd.cri.v1.images"', { snapshotter: "native", ...options.cri }),
    plugin('"io.containerd.cri.v1.images".registry', options.criRegistry ? {} : { config_path: bed.hosts }),
    options.criRegistry ?? "",
    plugin('"io.containerd.cri.v1.runtime"', { cdi_spec_dirs: [] }),
    plugin('"io.containerd.cri.v1.runtime".cni', { conf_dir: join(directory, "cni") }),
  ];
  return [
    lines({
      version: 3,
      root: join(directory, "root"),
      state: join(directory, "state"),
      disabled_plugins: bed.root ? NEVER : [...NEVER, ...NEEDS_ROOT],
    }),
    section("grpc", { address: socket, ...owner }),
    section("ttrpc", { address: `${socket}.ttrpc`, ...owner }),
    section("debug", { level: "debug" }),
    plugin('"io.containerd.image-verifier.v1.bindir"', {
      bin_dir: bed.binDir,
      ...(options.perVerifierTimeout !== undefined && { per_verifier_timeout: options.perVerifierTimeout }),
    }),
    plugin('"io.containerd.internal.v1.opt"', { path: join(directory, "opt") }),
    // containerd's default is overlayfs, which not every file system under a temporary directory can do.
    section('[plugins."io.containerd.transfer.v1.local".unpack_config]', {
      platform: `linux/${HOST_PLATFORM.architecture}`,
      snapshotter: "native",
    }),
    ...(bed.root ? cri : []),
  ].join("\n");
}

function routeHost(hosts: string, { host, url = `http://${host}` }: RegistryRoute): void {
  mkdirSync(join(hosts, host), { recursive: true });
  writeFileSync(
    join(hosts, host, "hosts.toml"),
    `server = "${url}"\n[host."${url}"]\ncapabilities = ["pull", "resolve"]\n`,
  );
}

/** Removes a bed's directory, where a containerd that was killed can have left mounts. */
async function removeTree(directory: string): Promise<void> {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((point) => point.startsWith(`${directory}/`));
  for (const point of mounts.reverse()) {
    await run("umount", ["--lazy", point]);
  }
  rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
}
