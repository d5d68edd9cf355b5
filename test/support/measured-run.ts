/**
 * Runs a command in its place, and writes to a file what the kernel counted as its peak of resident memory, in
 * bytes: `bun measured-run.ts FILE COMMAND ARGUMENTS…`. Bun, because it reports that of its children (getrusage),
 * which Node does not. What is counted begins with this process's own memory at the time of the start, which is
 * less than the program takes.
 */
declare const Bun: {
  spawn(
    command: string[],
    options: { stdio: ["inherit", "inherit", "inherit"]; timeout: number; killSignal: "SIGKILL" },
  ): {
    readonly exited: Promise<number>;
    readonly signalCode: string | null;
    resourceUsage(): { readonly maxRSS: number } | undefined;
  };
};

import { writeFileSync } from "node:fs";

/** Sooner than whoever runs this loses patience, and would end this process alone. */
const TIMEOUT = 12_000;

const [file = "", ...command] = process.argv.slice(2);
const child = Bun.spawn(command, {
  stdio: ["inherit", "inherit", "inherit"],
  timeout: TIMEOUT,
  killSignal: "SIGKILL",
});
const code = await child.exited;
writeFileSync(file, String(child.resourceUsage()?.maxRSS ?? Number.NaN));
process.exit(child.signalCode === null ? code : 128);
