/**
 * Runs one command and prints what it took, as JSON: `bun measure.ts '{"command": […], "env": {…}, "stdin": "…"}'`.
 * Bun, because it reports what the kernel counted for the child (getrusage), which Node does not.
 */
declare const Bun: {
  spawnSync(
    command: string[],
    options: { env: Record<string, string>; stdin: Uint8Array },
  ): {
    readonly exitCode: number;
    readonly stdout: Buffer;
    readonly stderr: Buffer;
    /** CPU time in microseconds, peak RSS in bytes. */
    readonly resourceUsage?: { readonly cpuTime: { readonly total: bigint | number }; readonly maxRSS: number };
  };
};

interface Job {
  readonly command: string[];
  readonly env: Record<string, string>;
  readonly stdin: string;
}

const job = JSON.parse(process.argv[2] ?? "") as Job;
const started = performance.now();
const child = Bun.spawnSync(job.command, { env: job.env, stdin: Buffer.from(job.stdin) });
const wall = performance.now() - started;
const used = child.resourceUsage;
console.log(
  JSON.stringify({
    code: child.exitCode,
    stdout: child.stdout.toString(),
    stderr: child.stderr.toString(),
    wall,
    cpu: Number(used?.cpuTime.total ?? 0) / 1000,
    rss: Number(used?.maxRSS ?? 0) / 2 ** 20,
  }),
);
