import { printable } from "../../core/encoding/printable.ts";
import { type Answer, type Failure, failureOf, refusalOf } from "../../core/verify/answer.ts";
import { type Enforcement, enforce } from "../../core/verify/enforce.ts";
import type { Refusal } from "../../core/verify/verdict.ts";
import { type Warn, type Warning, Warnings } from "../../core/warning.ts";
import { hasCode } from "../../io/fs/error-code.ts";
import { Deadline } from "../../io/process/deadline.ts";
import type { Environment } from "../../io/process/environment.ts";
import type { Decision } from "../../verifier/service/decision.ts";
import { Exchanges } from "../../verifier/service/exchanges.ts";
import { type EXIT_STATUS_DENIED, exitCode } from "./exit-status.ts";
import { reasonLine } from "./report.ts";
import { diagnose, sayUnwritten, writeOutput } from "./standard-output.ts";

/** Time from the start of the process to its answer, until a configuration says otherwise (spec 4). */
const DEFAULT_DEADLINE = 8000;
/** How much later the watchdog answers, in milliseconds: a verification that ran into the deadline answers by itself. */
const GRACE = 200;
/** Most milliseconds that go by between the answer and the end of the process. */
const AFTERWARDS = 250;
/** What shells report of a process that SIGPIPE ended. */
const CLOSED_PIPE = 141;
/** Exit status where a verdict stands and something else that was asked for failed (spec 6). */
export const INTERNAL = 4;

/**
 * The edge between the program and its process: the one way to end it, and everything that may end
 * it at a time not of its choosing. Whatever happens, one answer is written and the exit code
 * follows that answer alone.
 */
export class ProcessEdge {
  /** What the process was started with. */
  readonly environment: Environment;
  /** How the answer is printed; a door may set another form. */
  render: (answer: Answer) => string = reasonLine;
  /** The exit status that stands for an answer; an entry point may read an answer differently. */
  status: (answer: Answer) => number = exitCode;
  /** Whether an allow that could not be written is a failure: not at a pull, where the status alone is the answer. */
  mustBeWritten = false;
  /** What may let an image through whose verification failed or was not done in time. */
  enforcement: Enforcement = {};
  /** Absent where the process must answer before there is one. */
  decision: Decision | undefined;
  /** Told of the answer once it is written; what it begins may go on for {@link AFTERWARDS}. */
  afterwards: (answer: Answer) => Promise<void> | undefined = () => undefined;
  /** What the network was asked. */
  readonly exchanges = new Exchanges();
  /** What was warned of: a process answers one question, or runs one command, and tells each warning once. */
  readonly warnings: Warnings;

  /** Whether the answer has been given: the first one stands. */
  #hasAnswered = false;
  #deadline = new Deadline(DEFAULT_DEADLINE);
  /** Milliseconds that this process had been running when the program's own clock began. */
  #elapsed = 0;
  readonly #endings: (() => void)[] = [];
  #watchdog: ReturnType<typeof setTimeout> | undefined;

  /** @param warned what was warned of before the program started anew in this process */
  constructor(environment: Environment, warned: readonly Warning[] = []) {
    this.environment = environment;
    const print: Warn = ({ code, message }) => this.diagnose(printable(`warning ${code}: ${message}`));
    this.warnings = new Warnings(print, warned);
    this.setDeadline(DEFAULT_DEADLINE);
    this.#answerWhenEndedBy("SIGTERM");
    process.on("uncaughtException", (error) => this.caught(error));
    process.on("unhandledRejection", (error) => this.caught(error));
  }

  get deadline(): Deadline {
    return this.#deadline;
  }

  /** Has what comes at the end of the process, however it ends but by being killed; it must not throw. */
  atEnd(ending: () => void): void {
    this.#endings.push(ending);
  }

  /**
   * Counts the deadline from the start of the process, as containerd does.
   *
   * @param age milliseconds that the process has been running
   */
  countFromStart(age: number): void {
    this.#elapsed = age - performance.now();
    this.setDeadline(DEFAULT_DEADLINE);
  }

  /** Milliseconds since the start of the process. */
  get running(): number {
    return this.#elapsed + performance.now();
  }

  /** @param at milliseconds after the start of the process */
  setDeadline(at: number): void {
    this.#deadline = new Deadline(at - this.#elapsed);
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => unlessEnded(() => this.#timeOver()), this.#deadline.remaining() + GRACE);
  }

  /** Has an answer given also where a person ends it with Ctrl-C. */
  answerInterrupts(): void {
    this.#answerWhenEndedBy("SIGINT");
  }

  /**
   * Writes the answer and ends the process, which may take a moment for what comes afterwards.
   *
   * @throws Ended where it does
   */
  answer(answer: Answer): never {
    if (this.#hasAnswered) throw new Ended();
    this.#hasAnswered = true;
    let code = this.status(answer);
    // The answer stands from here on, also where the engine ends the script or nobody could be told why.
    process.exitCode = code;
    try {
      writeOutput(this.render(answer));
    } catch (error) {
      if (!hasCode(error, "EPIPE")) {
        if (this.mustBeWritten) code ||= INTERNAL;
        sayUnwritten(error);
      }
    }
    const work = this.#try(() => this.afterwards(answer), "the decision was not told");
    if (work === undefined) this.#end(code);
    setTimeout(() => this.#end(code), AFTERWARDS);
    work.finally(() => this.#end(code)).catch(() => {});
    throw new Ended();
  }

  /**
   * Writes a part of what a person asked to see. The process ends where the reader has closed the pipe, without a
   * word and as shells have it for SIGPIPE: an incomplete list says nothing of what it lacks.
   */
  say(text: string): void {
    try {
      writeOutput(text);
    } catch (error) {
      if (hasCode(error, "EPIPE")) this.#end(CLOSED_PIPE);
      sayUnwritten(error);
      this.#end(INTERNAL);
    }
  }

  /** Goes on until it is ended from outside, which is no mistake then. */
  standBy(): void {
    clearTimeout(this.#watchdog);
    process.removeAllListeners("SIGTERM");
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => this.#end(0));
  }

  /**
   * Writes what a person asked to see and ends the process with this code, or 4 where it could not be written. A
   * reader that has closed the pipe wanted no more of it, which is no failure.
   */
  print(text: string, code: 0 | 1 | typeof EXIT_STATUS_DENIED = 0): never {
    try {
      writeOutput(text);
    } catch (error) {
      if (!hasCode(error, "EPIPE")) {
        sayUnwritten(error);
        this.#end(INTERNAL);
      }
    }
    this.#end(code);
  }

  /**
   * Ends the process because of an error.
   *
   * @throws Ended as {@link answer}
   */
  fail(error: unknown): never {
    if (error instanceof Ended) throw error;
    const failure = failureOf(error);
    if (failure.outcome === "internal") this.#diagnoseBug(error);
    this.#refuse(failure);
  }

  /** Writes the answer of a decision and ends the process. @throws Ended as {@link answer} */
  conclude(decision: Decision): never {
    const { answer, error } = decision;
    this.decision = decision;
    if (error !== undefined) this.#diagnoseBug(error);
    this.answer(answer);
  }

  /** As {@link fail}, for the last one to catch anything. */
  caught(error: unknown): void {
    unlessEnded(() => this.fail(error));
  }

  /** A line on standard error. */
  diagnose(text: string): void {
    diagnose(text);
  }

  /** For what must not keep the process from its end. */
  #try<T>(work: () => T, otherwise: string): T | undefined {
    try {
      return work();
    } catch (error) {
      this.diagnose(`${otherwise}: ${String(error)}`);
      return undefined;
    }
  }

  #answerWhenEndedBy(signal: "SIGTERM" | "SIGINT"): void {
    process.on(signal, () => {
      const waiting = this.#waitingFor();
      unlessEnded(() => this.#refuse(refusalOf("net.interrupted", `ended by ${signal} while waiting for ${waiting}`)));
    });
  }

  #timeOver(): never {
    const seconds = ((this.#elapsed + this.#deadline.at) / 1000).toFixed(1);
    this.#refuse(refusalOf("net.deadline", `no answer within ${seconds} s, waiting for ${this.#waitingFor()}`));
  }

  #refuse(refusal: Refusal | Failure): never {
    this.answer(enforce(refusal, this.enforcement));
  }

  #diagnoseBug(error: unknown): void {
    if (error instanceof Error) this.diagnose(error.stack ?? error.message);
  }

  #end(code: number): never {
    for (const ending of this.#endings) ending();
    process.exit(code);
  }

  #waitingFor(): string {
    return this.#deadline.waitingFor().join(", ") || "its own work";
  }
}

/** Thrown where the process is about to end, so that nothing more is done on the way. */
class Ended extends Error {}

/** For where nobody is left to catch {@link Ended}. */
function unlessEnded(work: () => never): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof Ended)) throw error;
  }
}
