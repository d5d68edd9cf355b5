import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask } from "../support/binary.ts";
import { debianTool, missingTool } from "../support/debian-tools.ts";
import type { Finding } from "../support/doctor.ts";
import { makeTemporaryDirectory, startServer } from "../support/process.ts";
import { missingRoot, requirement } from "../support/requirement.ts";
import { missingBinary } from "../support/scenario.ts";

// Debian's own dockerd, in a directory of its own, without a network for containers.

const PROGRAMS = join(debianTool("docker"), "../../docker.io/usr");
const testable = requirement(
  "the doctor's pull by dockerd",
  missingTool("docker"),
  missingBinary(),
  missingRoot("dockerd needs it"),
);

let folder: string;
let server: Awaited<ReturnType<typeof startServer>>;
const socket = () => join(folder, "docker.sock");

beforeAll(async () => {
  if (!testable) return;
  folder = makeTemporaryDirectory("docker");
  const at = (name: string) => join(folder, name);
  writeFileSync(at("daemon.json"), "{}");
  server = await startServer({
    name: "dockerd",
    command: join(PROGRAMS, "sbin/dockerd"),
    args: `--data-root ${at("data")} --exec-root ${at("exec")} --pidfile ${at("pid")} --host unix://${socket()}
      --config-file ${at("daemon.json")} --iptables=false --ip-masq=false --bridge=none --storage-driver vfs`.split(
      /\s+/,
    ),
    // It starts a containerd of its own, by the name in PATH.
    env: { PATH: `${PROGRAMS}/bin:${PROGRAMS}/sbin:/usr/sbin:/usr/bin:/sbin:/bin`, DOCKER_RAMDISK: "1" },
    logFile: at("log"),
    ready: (log) => log.includes("API listen on"),
  });
}, 60_000);
afterAll(async () => {
  await server?.stop();
  if (testable) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});

describe.runIf(testable)("the doctor's pull by dockerd", () => {
  const ofDocker = async (...args: readonly string[]) => {
    const env = { PATH: "/usr/bin:/bin", DOCKER_HOST: `unix://${socket()}` };
    const all = ["doctor", "--offline", "--output", "json", "--address", join(folder, "none.sock"), ...args];
    const { stdout } = await ask(all, { env });
    const { findings } = JSON.parse(stdout) as { findings: readonly Finding[] };
    return findings.find(({ name, found }) => name === "other-clients" && found.includes("dockerd"));
  };

  it("is let through: upstream's engine asks no verifier, as the doctor says without a pull", async () => {
    expect(existsSync(socket())).toBe(true);
    const said = await ofDocker();
    expect([said?.level, said?.found.includes("--probe")]).toEqual(["warning", true]);
    const shown = await ofDocker("--probe");
    expect([shown?.level, shown?.found.includes("was let through")]).toEqual(["warning", true]);
  });
});
