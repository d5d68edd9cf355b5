/**
 * Runs commands side by side, and prints what each run took, as JSON: `bun measure.ts`, with
 * `{"env": {…}, "commands": [{"command": […], "stdin": "…"}, …]}` on the standard input.
 * Bun, because it reports what the kernel counted for the child (getrusage), which Node does not.
 */
import { readFileSync } from "node:fs";

interface Child {
  readonly exited: Promise<number>;
  readonly stdout: ReadableStream;
  readonly stderr: ReadableStream;
  /** CPU time in microseconds, peak RSS in bytes. */
  resourceUsage(): { readonly cpuTime: { readonly total: bigint | number }; readonly maxRSS: number } | undefined;
}
declare const Bun: {
  spawn(
    command: string[],
    options: { env: Record<string, string>; stdin: Uint8Array; stdout: "pipe"; stderr: "pipe" },
  ): Child;
};

interface Command {
  readonly command: string[];
  readonly stdin?: string;
}

const { env, commands } = JSON.parse(readFileSync(0, "utf8")) as {
  readonly env: Record<string, string>;
  readonly commands: readonly Command[];
};

async function runOnce({ command, stdin = "" }: Command) {
  const started = performance.now();
  const child = Bun.spawn(command, {
    env,
    stdin: Buffer.from(stdin),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, stdout, stderr] = await Promise.all([
    child.exited.then((status) => ({ status, wall: performance.now() - started })),
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  const used = child.resourceUsage();
  return {
    code: code.status,
    stdout,
    stderr,
    wall: code.wall,
    cpu: Number(used?.cpuTime.total ?? 0) / 1000,
    rss: Number(used?.maxRSS ?? 0) / 2 ** 20,
  };
}

console.log(JSON.stringify(await Promise.all(commands.map(runOnce))));
