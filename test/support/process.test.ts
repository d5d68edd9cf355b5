import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isRunning, makeTemporaryDirectory, run, startServer } from "./process.ts";

describe("startServer", () => {
  let directory: string;
  beforeEach(() => {
    directory = makeTemporaryDirectory("server");
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const options = (script: string) => ({
    name: "a server",
    command: "/bin/sh",
    args: ["-c", script],
    env: {},
    logFile: join(directory, "log"),
    ready: (log: string) => log.includes("ready"),
  });

  it("waits until it is ready, and ends it", async () => {
    const server = await startServer(options("sleep 0.1; echo ready; exec sleep 60"));
    expect(server.log()).toBe("ready\n");
    await server.stop();
    expect(() => process.kill(server.pid, 0)).toThrow("ESRCH");
    await server.stop();
  });

  it("throws with the log of one that ends", async () => {
    await expect(startServer(options("echo no port left >&2; exit 3"))).rejects.toThrow(
      /a server ended with exit code 3[\s\S]*no port left/,
    );
  });

  it("throws when it is not ready in time", async () => {
    const late = startServer({ ...options("echo thinking; exec sleep 60"), readyTimeout: 200 });
    await expect(late).rejects.toThrow(/a server was not ready after 200 ms[\s\S]*thinking/);
  });

  it("kills one that ignores SIGTERM", async () => {
    const server = await startServer(options("trap '' TERM; echo ready; while :; do sleep 0.1; done"));
    await server.stop({ patience: 200 });
    expect(() => process.kill(server.pid, 0)).toThrow("ESRCH");
  });

  it("does not outlive a test process that is killed", async () => {
    const { ready: _, ...server } = options("echo ready; exec sleep 60");
    const script = `
      const { startServer } = await import(${JSON.stringify(join(import.meta.dirname, "process.ts"))});
      const { pid } = await startServer({ ...${JSON.stringify(server)}, ready: (log) => log !== "" });
      process.stdout.write(String(pid));
      process.kill(process.pid, "SIGKILL");
    `;
    const { signal, stdout } = await run(process.execPath, ["--input-type=module", "--eval", script]);
    expect(signal).toBe("SIGKILL");
    expect(Number(stdout)).toBeGreaterThan(1);
    await expect.poll(() => isRunning(Number(stdout))).toBe(false);
  });
});

describe("run", () => {
  it("returns what a program wrote and how it ended, whether or not it read its input", async () => {
    const script = "echo out; echo err >&2; exit 7";
    const finished = await run("/bin/sh", ["-c", script], { input: "x".repeat(1_000_000) });
    expect(finished).toMatchObject({ code: 7, signal: null, stdout: "out\n", stderr: "err\n" });
  });

  it("kills one that takes too long", async () => {
    expect(await run("/bin/sleep", ["60"], { timeout: 100 })).toMatchObject({ code: null, signal: "SIGKILL" });
  });
});
