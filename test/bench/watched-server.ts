import { readFileSync } from "node:fs";
import { type ServerOptions, type ServerProcess, startServer } from "../support/process.ts";

/** Ticks of a second in /proc/PID/stat, on every Linux that runs this. */
const TICKS = 100;
/** Where fields are in /proc/PID/stat, counted after the name: utime, stime, and the same of children that ended. */
const CPU_FIELDS = [11, 12, 13, 14] as const;

/** A server whose CPU time and memory are read from the kernel. */
export class WatchedServer {
  readonly #process: ServerProcess;
  readonly #memory: number[] = [];
  #timer: NodeJS.Timeout | undefined;

  private constructor(process: ServerProcess) {
    this.#process = process;
  }

  static async start(options: ServerOptions): Promise<WatchedServer> {
    return new WatchedServer(await startServer(options));
  }

  /** Milliseconds of CPU, user and system, that it and its ended children have taken so far; to 10 ms. */
  cpu(): number {
    const stat = readFileSync(`/proc/${this.#process.pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (CPU_FIELDS.reduce((sum, at) => sum + Number(fields[at]), 0) * 1000) / TICKS;
  }

  /** MiB that are resident now, or were at most (`VmHWM`). */
  memory(field: "VmRSS" | "VmHWM" = "VmRSS"): number {
    const status = readFileSync(`/proc/${this.#process.pid}/status`, "utf8");
    return Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(status)?.[1]) / 1024;
  }

  /** Notes the memory every so many milliseconds from now on. */
  watchMemory(every: number): void {
    this.#timer = setInterval(() => this.#memory.push(this.memory()), every);
  }

  /** @returns MiB, in their order */
  watched(): readonly number[] {
    clearInterval(this.#timer);
    return this.#memory;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#process.stop({ patience: 8000 });
  }
}
