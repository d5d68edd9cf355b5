/**
 * Runs a command and writes its peak resident memory in bytes, as counted by the kernel, to a file:
 * `bun measured-run.ts FILE COMMAND ARGUMENTS…`. Bun, because it reports this for children (getrusage) and Node does not.
 * The count starts at this process's own memory, which is less than the program takes.
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

/** Shorter than the caller's timeout, which would end only this process. */
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
