/**
 * Passes items from several tasks to one receiver, in the order they are found. It ends when no task is running
 * and every item has been received; the receiver may start more tasks until then.
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

  /** Runs a task. If it throws, {@link receive} throws: a bug must not look like missing evidence. */
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

  /** Waits for the next item; undefined at the end. */
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
