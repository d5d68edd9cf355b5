import { writeSync } from "node:fs";
import { Deadline } from "../net/deadline.ts";
import type { Rule } from "../policy/policy.ts";
import { type Answer, exitCode, failureOf, refusalOf } from "./answer.ts";
import { reasonLine } from "./report.ts";

/** Time from the start of the process to its answer, until a configuration says otherwise (spec 4). */
const DEFAULT_DEADLINE = 8000;
/** How much later the watchdog barks, so that what times out at the deadline is still judged. */
const GRACE = 150;
const STDOUT = 1;
const STDERR = 2;

/**
 * The edge between the program and its process: the one way to end it, and everything that may end
 * it at a time not of its choosing. Whatever happens, one answer is written and the exit code
 * follows that answer alone.
 */
export class ProcessEdge {
  /** How the answer is printed; a door may set another form. */
  render: (answer: Answer) => string = reasonLine;
  /** The rule that applies, once it is known: what it audits is let through also when time is over. */
  rule: Rule | undefined;

  #deadline = new Deadline(DEFAULT_DEADLINE);
  /** Milliseconds that this process had been running when the program started anew in it. */
  #elapsed = 0;
  readonly #endings: (() => void)[] = [];
  #watchdog: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    this.setDeadline(DEFAULT_DEADLINE);
    process.on("SIGTERM", () => {
      const waiting = this.#waitingFor();
      this.answer(refusalOf("net.interrupted", `ended by SIGTERM while waiting for ${waiting}`));
    });
    process.on("uncaughtException", (error) => this.fail(error));
    process.on("unhandledRejection", (error) => this.fail(error));
  }

  get deadline(): Deadline {
    return this.#deadline;
  }

  /** Has what comes at the end of the process, however it ends but by being killed; it must not throw. */
  atEnd(ending: () => void): void {
    this.#endings.push(ending);
  }

  /** Counts the time before the program started anew in this process. */
  hasRunFor(elapsed: number): void {
    this.#elapsed = elapsed;
  }

  /** Milliseconds since the start of the process. */
  get running(): number {
    return this.#elapsed + performance.now();
  }

  /** @param at milliseconds after the start of the process */
  setDeadline(at: number): void {
    this.#deadline = new Deadline(at - this.#elapsed);
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#timeOver(), this.#deadline.remaining() + GRACE);
  }

  /** Writes the answer and ends the process. */
  answer(answer: Answer): never {
    const code = exitCode(answer);
    try {
      write(STDOUT, this.render(answer));
    } catch (error) {
      // The answer stands whether or not anybody could be told why.
      this.diagnose(`the reason could not be written: ${String(error)}`);
    }
    this.#end(code);
  }

  /** Writes what a person asked to see and ends the process with this code, or 4 where it could not be written. */
  print(text: string, code: 0 | 1 = 0): never {
    try {
      write(STDOUT, text);
    } catch (error) {
      this.fail(error);
    }
    this.#end(code);
  }

  /** Ends the process because of an error. */
  fail(error: unknown): never {
    const answer = failureOf(error);
    if (answer.outcome === "internal" && error instanceof Error) this.diagnose(error.stack ?? error.message);
    this.answer(answer);
  }

  /** A line for whoever looks for the cause: containerd shows standard error in its debug log only. */
  diagnose(text: string): void {
    try {
      write(STDERR, `${text}\n`);
    } catch {
      // Nobody is listening.
    }
  }

  #timeOver(): never {
    const seconds = ((this.#elapsed + this.#deadline.at) / 1000).toFixed(1);
    const refusal = refusalOf("net.deadline", `no answer within ${seconds} s, waiting for ${this.#waitingFor()}`);
    if (this.rule?.action === "audit" && refusal.outcome === "inconclusive") {
      this.answer({ outcome: "allow", because: { kind: "audited", rule: this.rule.name, would: refusal } });
    }
    this.answer(refusal);
  }

  #end(code: number): never {
    for (const ending of this.#endings) ending();
    process.exit(code);
  }

  #waitingFor(): string {
    return this.#deadline.waitingFor().join(", ") || "its own work";
  }
}

/** Writes all of it: a pipe may take only a part at a time. */
function write(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}
