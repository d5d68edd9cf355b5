import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { dirname, join } from "node:path";
import { BINARY, TestNode } from "./binary.ts";
import { freePort } from "./free-port.ts";
import { buildImage, type Content } from "./image.ts";
import { systemRoot } from "./packages.ts";
import { type Finished, makeTemporaryDirectory, run, type ServerProcess, startServer } from "./process.ts";
import { missingRoot } from "./requirement.ts";

/** How a program is run in the bed. */
export interface Inside {
  /** UID and GID; default root. */
  readonly user?: number;
  readonly env?: Readonly<Record<string, string>>;
}

const ROOT = systemRoot("podman");
// With pivot_root: in a chroot an ordinary user may not make the user namespace that podman wants.
const MOUNT = `set -e; root=$1 over=$2 shared=$3 binary=$4
mount -t overlay overlay -o "lowerdir=$root,upperdir=$over/upper,workdir=$over/work" "$over/merged"
cd "$over/merged"
mount -t proc proc proc; mount --rbind /dev dev; mount --rbind /sys sys; mount -t tmpfs run run
mkdir -p ".$shared" srv/user var/root old; chmod 777 srv/user; mount --bind "$shared" ".$shared"
touch usr/bin/atcr-verify; mount --bind "$binary" usr/bin/atcr-verify
pivot_root . old; umount -l old; cd /
echo mounted; exec sleep infinity`;
/** The file whose presence starts the responder on a held port. */
export const START = "/run/start";
const HOLD = `$^F = 10; $| = 1; my ($port, $start, @run) = @ARGV;
my $s = IO::Socket::INET->new(Listen => 16, LocalAddr => "127.0.0.1", LocalPort => $port) or die $!;
POSIX::dup2(fileno($s), 3); print "held\\n"; select undef, undef, undef, 0.05 until -e $start;
$ENV{LISTEN_FDS} = 1; $ENV{LISTEN_PID} = $$; exec @run`;
const NODE_PATH = "/usr/sbin:/usr/bin:/sbin:/bin";

/** What to pass to `requirement` for {@link PodmanBed}. */
export const missingPodman = (): readonly (string | undefined)[] => [
  missingRoot("podman runs in a root of its own"),
  existsSync(ROOT) ? undefined : "podman, skopeo and buildah of Debian's forky are missing: run make podman-root",
];

/**
 * A node with podman, skopeo and buildah of Debian's forky and the lookaside responder, beside the servers of a TestNode.
 * The programs run in a root of their own, so that /etc/containers and all other paths are the stock ones.
 */
export class PodmanBed {
  readonly node: TestNode;
  /** The same path inside and outside. */
  readonly folder: string;
  readonly keyFile: string;
  readonly port: number;
  readonly #over = makeTemporaryDirectory("podman");
  /** Holds the mount namespace that everything runs in. */
  #holder: ServerProcess | undefined;
  #responder: ServerProcess | undefined;
  #started = 0;
  #commits = 0;

  private constructor(node: TestNode, port: number) {
    this.node = node;
    this.folder = node.folder;
    this.port = port;
    this.keyFile = join(this.folder, "lookaside/node.key");
    chmodSync(this.folder, 0o755); // other users read the public key
    for (const name of ["upper", "work", "merged"]) mkdirSync(join(this.#over, name));
    mkdirSync(dirname(this.keyFile));
    this.configure({});
    this.write("/etc/hosts", "127.0.0.1 localhost\n");
    this.write("/etc/machine-id", `${"1".repeat(32)}\n`);
    this.write("/etc/atcr-verify/config.yaml", "");
    this.write("/etc/containers/registries.conf", `[[registry]]\nlocation = "${this.host}"\ninsecure = true\n`);
  }

  static async start(): Promise<PodmanBed> {
    const bed = new PodmanBed(await TestNode.start(), await freePort());
    bed.trust({});
    const args = ["-c", MOUNT, "sh", ROOT, bed.#over, bed.folder, BINARY];
    bed.#holder = await startServer({
      name: "a root for podman",
      command: "/usr/bin/unshare",
      args: ["--mount", "--propagation", "private", "sh", ...args],
      env: { PATH: NODE_PATH },
      logFile: join(bed.folder, "holder.log"),
      ready: (log) => log.includes("mounted"),
    });
    return bed;
  }

  /** The registry, `127.0.0.1:PORT`. */
  get host(): string {
    return this.node.registry.authority;
  }

  /** The responder's origin. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  configure(changes: Readonly<Record<string, unknown>>): string {
    const lookaside = { listen: `127.0.0.1:${this.port}`, keyFile: this.keyFile };
    return this.node.configure({ ...this.node.settings, lookaside, ...changes });
  }

  /** Writes the trust policy: signatures of the node's signer are demanded for `alice/**`, unless changed. */
  trust(changes: Readonly<Record<string, unknown>>, rule: Readonly<Record<string, unknown>> = {}): void {
    const scope = `${this.host}/alice/**`;
    const policies = [{ name: "alice", scope, action: "enforce", ...rule }];
    this.node.policy(
      JSON.stringify({ version: "1.0", trustedDIDs: { [this.node.signer.did]: {} }, policies, ...changes }),
    );
  }

  /** Writes a file of the bed's root. */
  write(path: string, text: string): void {
    mkdirSync(dirname(this.#path(path)), { recursive: true });
    writeFileSync(this.#path(path), text);
  }

  read(path: string): string {
    return readFileSync(this.#path(path), "utf8");
  }

  /** Once it is mounted, what lies below an overlay must not be changed under it. */
  #path(inside: string): string {
    return join(
      this.#holder === undefined ? join(this.#over, "upper") : join("/proc", String(this.#holder.pid), "root"),
      inside,
    );
  }

  /** Pushes an image or an index as `alice/REPOSITORY:v1`. @returns its name */
  push(repository: string, { manifest, blobs, children }: Content, tag: string | undefined = "v1"): string {
    const { registry } = this.node;
    const path = `alice/${repository}`;
    for (const { bytes, mediaType } of blobs) registry.pushBlob(path, bytes, mediaType);
    for (const child of children) this.push(repository, child, undefined);
    registry.pushManifest(path, manifest.bytes, tag, manifest.mediaType);
    return `${this.host}/${path}:${tag}`;
  }

  /** Has the signer record these manifests of `alice/REPOSITORY`. */
  async sign(repository: string, ...manifests: readonly Content[]): Promise<void> {
    const { signer, begun } = this.node;
    for (const { manifest } of manifests) {
      await signer.sign(manifest.digest, repository, begun + ++this.#commits * 1000);
    }
  }

  /** Pushes and signs an image, and all that an index lists. @returns its name */
  async pushSigned(repository: string, content = buildImage(repository)): Promise<string> {
    await this.sign(repository, content, ...content.children);
    return this.push(repository, content);
  }

  /** Runs one of the node's programs. @param program its path, or a name in PATH */
  run(program: string, args: readonly string[], options: Inside = {}): Promise<Finished> {
    const { command, before, env } = this.#inside(options);
    return run(command, [...before, program, ...args], { env });
  }

  /** Starts the responder, or another one after {@link stopResponder}. */
  startResponder(): Promise<ServerProcess> {
    return this.#start("answers on");
  }

  /** Holds the responder's port as systemd does, and runs the responder on it only after {@link write} of START. */
  async holdPort(): Promise<void> {
    await this.#start("held", "perl", "-MIO::Socket::INET", "-MPOSIX", "-e", HOLD, String(this.port), START);
  }

  async #start(ready: string, ...through: readonly string[]): Promise<ServerProcess> {
    const { command, before, env } = this.#inside({});
    this.#responder = await startServer({
      name: "atcr-verify lookaside",
      command,
      args: [...before, ...through, "atcr-verify", "lookaside", "--config", join(this.folder, "config.yaml")],
      env,
      logFile: join(this.folder, `responder-${++this.#started}.log`),
      ready: (log) => log.includes(ready),
    });
    return this.#responder;
  }

  #inside({ user = 0, env = {} }: Inside) {
    const as = user === 0 ? [] : ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--clear-groups", "--"];
    return {
      command: "/usr/bin/nsenter",
      before: [`--target=${this.#holder?.pid}`, "--mount", "--wdns=/", "--", ...as],
      env: {
        ...this.node.env,
        PATH: NODE_PATH,
        HOME: user === 0 ? "/var/root" : "/srv/user",
        STORAGE_DRIVER: "vfs",
        PODMAN_IGNORE_CGROUPSV1_WARNING: "1",
        ...env,
      },
    };
  }

  async stopResponder(): Promise<void> {
    await this.#responder?.stop();
  }

  async stop(): Promise<void> {
    await this.stopResponder();
    await this.#holder?.stop();
    await this.node.stop();
    rmSync(this.#over, { recursive: true, force: true });
  }
}

/** Asks the responder as its clients do; fetch() would say that it is a browser. @returns `403 deny …`, and the body */
export function askResponder(
  url: string,
  {
    method = "GET",
    headers = {},
  }: { readonly method?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<{ readonly status: string; readonly body: string }> {
  return new Promise((done, fail) => {
    const asking = request(url, { method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () =>
        done({ status: `${response.statusCode} ${response.statusMessage}`, body: Buffer.concat(chunks).toString() }),
      );
    });
    asking.once("error", fail);
    asking.end();
  });
}

/** What a program says that the responder answered: `403 deny signature.none`. */
export function refusalIn({ code, stderr }: Finished): string | undefined {
  return code === 0 ? undefined : /unexpected HTTP status: (\d{3} [a-z]+ [a-z._]+)/.exec(stderr)?.[1];
}
