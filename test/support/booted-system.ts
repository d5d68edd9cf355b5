import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { CleanSystem } from "./packages.ts";
import { type Finished, run } from "./process.ts";

/** Milliseconds until systemd must have started what it starts at boot. */
const BOOT = 60_000;

/**
 * Gives pid 1 cgroups of its own, below the machine's: systemd moves what it finds beside itself. They are mounted for
 * that anew, since a machine has them at different places.
 */
const OWN_CGROUP = `
mount -t cgroup2 cgroup2 "$1/mnt"
mkdir "$1/mnt/$2"
echo $$ > "$1/mnt/$2/cgroup.procs"
umount "$1/mnt"
exec unshare --mount --pid --fork --kill-child --net --uts --ipc --cgroup sh -euc "$3" sh "$1"`;

/** As systemd's interface for containers asks for: the kernel's settings, which are the machine's, cannot be written. */
const START = `
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
  touch "dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
ln -s /proc/self/fd dev/fd
mkdir -p dev/pts dev/shm .machine
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=755 tmpfs run
pivot_root . .machine
umount -l /.machine
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot / /lib/systemd/systemd --log-target=journal --unit=basic.target`;

const REMOVE_CGROUP = `
mount -t cgroup2 cgroup2 "$1/mnt"
for i in 1 2 3 4 5 6 7 8 9 10; do
  find "$1/mnt/$2" -depth -type d -exec rmdir {} + 2>/dev/null && exit 0
  sleep 0.1
done
exit 1`;

/** A fresh Debian whose pid 1 is systemd, with a loopback of its own. Needs root. */
export class BootedSystem {
  readonly #system: CleanSystem;
  readonly #cgroup: string;
  readonly #outer: ChildProcess;
  #stderr = "";

  private constructor(system: CleanSystem, cgroup: string) {
    this.#system = system;
    this.#cgroup = cgroup;
    const args = [...PRIVATE, OWN_CGROUP, "sh", system.root, cgroup, START];
    this.#outer = spawn("unshare", args, { stdio: ["ignore", "ignore", "pipe"] });
    this.#outer.stderr?.on("data", (chunk: Buffer) => (this.#stderr += chunk.toString()));
  }

  /** @param system which must have the package systemd */
  static async boot(system: CleanSystem): Promise<BootedSystem> {
    const booted = new BootedSystem(system, `atcr-verify-test-${process.pid}`);
    const end = performance.now() + BOOT;
    for (;;) {
      const state = booted.#init === undefined ? undefined : await booted.run("systemctl", "is-system-running");
      if (state !== undefined && /^(?:running|degraded)$/m.test(state.stdout)) return booted;
      if (performance.now() < end && booted.#outer.exitCode === null) {
        await new Promise((done) => setTimeout(done, 100));
        continue;
      }
      await booted.stop();
      throw new Error(`systemd does not start: ${state?.stdout ?? ""}${state?.stderr ?? ""}${booted.#stderr}`);
    }
  }

  /** Its pid 1, as the machine numbers it; undefined until it is there. */
  get #init(): string | undefined {
    const { pid } = this.#outer;
    if (pid === undefined || this.#outer.exitCode !== null) return undefined;
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ");
    return child === "" ? undefined : child;
  }

  run(command: string, ...args: readonly string[]): Promise<Finished> {
    const inside = ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd"];
    const { env } = this.#system.inside(command);
    return run("nsenter", ["--target", this.#init ?? "", ...inside, command, ...args], { env, timeout: 60_000 });
  }

  /** As {@link run}, but throws unless it succeeds. */
  async must(command: string, ...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(command, ...args);
    if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}: ${stdout}${stderr}`);
    return stdout;
  }

  /** Ends all of its processes. */
  async stop(): Promise<void> {
    if (this.#outer.exitCode === null && this.#outer.signalCode === null) {
      const ended = once(this.#outer, "close");
      this.#outer.kill("SIGKILL");
      await ended;
    }
    const { code, stderr } = await run("unshare", [...PRIVATE, REMOVE_CGROUP, "sh", this.#system.root, this.#cgroup]);
    if (code !== 0) throw new Error(`the cgroup ${this.#cgroup} cannot be removed: ${stderr}`);
  }
}

const PRIVATE = ["--mount", "--propagation", "private", "sh", "-euc"];
