/**
 * Runs one command, once or several times side by side, and prints what each run took, as JSON:
 * `bun measure.ts '{"command": […], "env": {…}, "stdin": "…", "parallel": 10}'`.
 * Bun, because it reports what the kernel counted for the child (getrusage), which Node does not.
 */
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

interface Job {
  readonly command: string[];
  readonly env: Record<string, string>;
  readonly stdin: string;
  readonly parallel?: number;
}

const job = JSON.parse(process.argv[2] ?? "") as Job;

async function runOnce() {
  const started = performance.now();
  const child = Bun.spawn(job.command, {
    env: job.env,
    stdin: Buffer.from(job.stdin),
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

const results = await Promise.all(Array.from({ length: job.parallel ?? 1 }, runOnce));
console.log(JSON.stringify(job.parallel === undefined ? results[0] : results));

export {};
