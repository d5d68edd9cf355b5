/**
 * What several tasks find, in the order of finding, for one receiver. It ends when no task is running
 * and everything has been received; a task started later, from what was received, keeps it going.
 */
export class Channel<T> {
  readonly #items: T[] = [];
  #running = 0;
  #failure: { readonly error: unknown } | undefined;
  #waiting: (() => void) | undefined;

  push(item: T): void {
    this.#items.push(item);
    this.#wake();
  }

  /** Runs a task. One that throws has the receiver throw: a bug must not look like no evidence. */
  run(task: () => Promise<void>): void {
    this.#running++;
    const settled = task().catch((error: unknown) => {
      this.#failure ??= { error };
    });
    void settled.then(() => {
      this.#running--;
      this.#wake();
    });
  }

  /** The next item, as soon as there is one; undefined at the end. */
  async receive(): Promise<T | undefined> {
    while (this.#items.length === 0 && this.#running > 0 && this.#failure === undefined) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
    if (this.#failure !== undefined) throw this.#failure.error;
    return this.#items.shift();
  }

  #wake(): void {
    this.#waiting?.();
    this.#waiting = undefined;
  }
}
