import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";

/** A program that answers each line on its standard input with one on its standard output, both JSON. */
export class LineProcess {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;
  #diagnosis = "";

  constructor(command: string) {
    this.#child = spawn(command, [], { stdio: ["pipe", "pipe", "pipe"], env: {}, cwd: "/" });
    const { stdout, stderr, stdin } = this.#child;
    if (stdout === null || stderr === null || stdin === null) throw new Error(`${command} has no streams`);
    stdin.on("error", () => {}); // it ended: ask() says so
    stderr.on("data", (chunk: Buffer) => (this.#diagnosis += chunk.toString()));
    this.#reader = createInterface({ input: stdout });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  /** One question after the other; throws with what it wrote on standard error when it ends instead. */
  async ask<Answer>(question: object): Promise<Answer> {
    this.#child.stdin?.write(`${JSON.stringify(question)}\n`);
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error(`it ended: ${this.#diagnosis.slice(-2000)}`);
    return JSON.parse(value) as Answer;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
    this.#reader.close();
  }
}
