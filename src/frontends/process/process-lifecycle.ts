import { printable } from "../../core/encoding/printable.ts";
import { type Answer, type Failure, failureOf, refusalOf } from "../../core/verify/answer.ts";
import { type Enforcement, enforce } from "../../core/verify/enforce.ts";
import type { Refusal } from "../../core/verify/verdict.ts";
import { type Warn, type Warning, Warnings } from "../../core/warning.ts";
import { hasCode } from "../../io/fs/error-code.ts";
import { Deadline } from "../../io/process/deadline.ts";
import type { Environment } from "../../io/process/environment.ts";
import type { Decision } from "../../verifier/service/decision.ts";
import { RequestCounts } from "../../verifier/service/exchanges.ts";
import { exitCode, ProcessEnding, unlessEnded } from "./exit-status.ts";
import { reasonLine } from "./report.ts";
import { diagnose, sayUnwritten, writeOutput } from "./standard-output.ts";

/** Time from the start of the process to its answer, until a configuration says otherwise (spec 4). */
const DEFAULT_DEADLINE = 8000;
/** Milliseconds after the deadline until the watchdog answers, so that a verification that timed out can answer itself. */
const GRACE = 200;
/** Maximum milliseconds between the answer and the end of the process. */
const EXIT_GRACE = 250;
/** What shells report for a process ended by SIGPIPE. */
const CLOSED_PIPE = 141;
/** Exit status if there is a verdict, but something else that was requested failed (spec 6). */
export const INTERNAL = 4;

/**
 * The life of the process: the only way to end it, and everything that may end it from outside
 * (deadline, signals, uncaught errors). In every case exactly one answer is written, and the exit code follows from it.
 */
export class ProcessLifecycle {
  /** What the process was started with. */
  readonly environment: Environment;
  /** How the answer is printed; an entry point may replace it. */
  render: (answer: Answer) => string = reasonLine;
  /** The exit status for an answer; an entry point may replace it. */
  status: (answer: Answer) => number = exitCode;
  /** Whether an allow that could not be written is a failure. Not at a pull, where only the status counts. */
  mustBeWritten = false;
  /** What may allow an image whose verification failed or did not finish in time (audit, break-glass). */
  enforcement: Enforcement = {};
  /** Absent until there is one: the process may have to answer earlier. */
  decision: Decision | undefined;
  /** Called once the answer is written; its work may take up to {@link EXIT_GRACE}. */
  afterwards: (answer: Answer) => Promise<void> | undefined = () => undefined;
  /** Statistics of the network requests. */
  readonly requestCounts = new RequestCounts();
  /** Warnings of this pull or command; each is printed once. */
  readonly warnings: Warnings;

  /** Whether there is an answer already: only the first counts. */
  #hasAnswered = false;
  #deadline = new Deadline(DEFAULT_DEADLINE);
  /** Milliseconds that this process had been running when `performance.now()` was 0. */
  #elapsed = 0;
  readonly #endings: (() => void)[] = [];
  #watchdog: ReturnType<typeof setTimeout> | undefined;

  /** @param warned warnings printed before the program restarted in this process */
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

  /** Registers work for the end of the process, however it ends short of SIGKILL; it must not throw. */
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

  /** Answers on Ctrl-C, too. */
  answerInterrupts(): void {
    this.#answerWhenEndedBy("SIGINT");
  }

  /**
   * Writes the answer and ends the process, after {@link afterwards} has finished or timed out.
   *
   * @throws ProcessEnding unless it ends at once
   */
  answer(answer: Answer): never {
    if (this.#hasAnswered) throw new ProcessEnding();
    this.#hasAnswered = true;
    let code = this.status(answer);
    // The status is final from here on, even if the engine ends the script or the reason cannot be written.
    process.exitCode = code;
    try {
      writeOutput(this.render(answer));
    } catch (error) {
      if (!hasCode(error, "EPIPE")) {
        if (this.mustBeWritten) code ||= INTERNAL;
        sayUnwritten(error);
      }
    }
    const work = this.#try(() => this.afterwards(answer), "the decision could not be logged");
    if (work === undefined) this.#end(code);
    setTimeout(() => this.#end(code), EXIT_GRACE);
    work.finally(() => this.#end(code)).catch(() => {});
    throw new ProcessEnding();
  }

  /**
   * Writes part of a command's output. If the reader has closed the pipe, the process ends silently with
   * the status for SIGPIPE, because an incomplete list does not show what is missing.
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

  /**
   * Runs until a signal ends it, which is then a success.
   *
   * @param finish awaited before the end, and given the signal; a second one does not wait
   */
  standBy(finish?: (signal: "SIGTERM" | "SIGINT") => Promise<void>): Promise<never> {
    clearTimeout(this.#watchdog);
    process.removeAllListeners("SIGTERM");
    let isFinishing = false;
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        if (isFinishing || finish === undefined) this.#end(0);
        isFinishing = true;
        void finish(signal).finally(() => this.#end(0));
      });
    }
    return new Promise(() => {});
  }

  /**
   * Writes a command's output and ends the process with this code, or 4 if it could not be written and the code is no
   * refusal, which says more. A closed pipe is no failure: the reader has seen enough.
   */
  print(text: string, code = 0): never {
    try {
      writeOutput(text);
    } catch (error) {
      if (!hasCode(error, "EPIPE")) {
        sayUnwritten(error);
        this.#end(this.mustBeWritten ? code || INTERNAL : INTERNAL);
      }
    }
    this.#end(code);
  }

  /**
   * Ends the process because of an error.
   *
   * @throws ProcessEnding as {@link answer}
   */
  fail(error: unknown): never {
    if (error instanceof ProcessEnding) throw error;
    const failure = failureOf(error);
    if (failure.outcome === "internal") this.#diagnoseBug(error);
    this.#refuse(failure);
  }

  /** Writes the answer of a decision and ends the process. @throws ProcessEnding as {@link answer} */
  conclude(decision: Decision): never {
    const { answer, error } = decision;
    this.decision = decision;
    if (error !== undefined) this.#diagnoseBug(error);
    this.answer(answer);
  }

  /** As {@link fail}, for top-level handlers. */
  caught(error: unknown): void {
    unlessEnded(() => this.fail(error));
  }

  /** A line on standard error. */
  diagnose(text: string): void {
    diagnose(text);
  }

  /** For work that must not keep the process from ending. */
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
      const activity = this.#activity();
      unlessEnded(() => this.#refuse(refusalOf("net.interrupted", `interrupted by ${signal}, ${activity}`)));
    });
  }

  #timeOver(): never {
    const seconds = ((this.#elapsed + this.#deadline.at) / 1000).toFixed(1);
    this.#refuse(refusalOf("net.deadline", `no answer within ${seconds} s, ${this.#activity()}`));
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

  /** What it was doing, for the reason. */
  #activity(): string {
    const waiting = this.#deadline.waitingFor();
    return waiting.length === 0 ? "while working locally" : `waiting for ${waiting.join(", ")}`;
  }
}
