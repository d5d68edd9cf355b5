/**
 * Milliseconds without an answer before the next address is tried in parallel (the Connection Attempt Delay of RFC
 * 8305, section 5, for answers instead of connections).
 */
const STAGGER = 300;

/** An address that was tried and did not answer. */
export interface FailedAttempt {
  readonly address: string;
  /** Why it failed; absent where there was no answer in time. */
  readonly error?: unknown;
}

export type AttemptOutcome<T> =
  | { readonly answer: T; readonly address: string }
  | { readonly failed: readonly FailedAttempt[] };

/**
 * Tries the addresses of one host in order until one answers. If an address fails, the next is tried at once. If it
 * does not answer for 300 ms (or its even share of the time, if less), the next is tried in parallel, and the first
 * answer wins. So a black hole at the first address does not use up the time, and a slow server is not cut off because
 * it has a second address.
 *
 * @param open starts an attempt, and stops it when its signal aborts; rejects with the cause
 * @param time milliseconds until `signal` aborts
 * @param signal stops all attempts, and reading from the winner
 * @param pace `in turn`: the next address is tried only if the one before has failed
 * @returns never rejects; a failure lists the attempts in the order they began
 */
export function firstAnswer<T>(
  addresses: readonly string[],
  open: (address: string, signal: AbortSignal) => Promise<T>,
  time: number,
  signal: AbortSignal,
  pace: "staggered" | "in turn" = "staggered",
): Promise<AttemptOutcome<T>> {
  const maxWait = Math.min(STAGGER, time / addresses.length);
  const begun: { readonly attempt: { address: string; error?: unknown }; readonly controller: AbortController }[] = [];
  let failures = 0;
  let done = false;

  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;

    const updateCache = (outcome: AttemptOutcome<T>, winner?: AbortController): void => {
      if (done) return;
      done = true;
      clearTimeout(timer);
      resolve(outcome);
      for (const { controller } of begun) if (controller !== winner) controller.abort();
    };

    const giveUp = (): void => {
      updateCache({ failed: begun.map(({ attempt }) => attempt) });
    };

    const beginNext = (): void => {
      clearTimeout(timer);
      const address = addresses[begun.length];
      if (address === undefined) return;
      const attempt: (typeof begun)[number]["attempt"] = { address };
      const controller = new AbortController();
      begun.push({ attempt, controller });
      if (pace === "staggered" && begun.length < addresses.length) timer = setTimeout(beginNext, maxWait);
      open(address, controller.signal).then(
        (answer) => updateCache({ answer, address }, controller),
        (error: unknown) => {
          if (done) return; // Aborted from here: its error is not the cause.
          attempt.error = error;
          failures++;
          if (failures === addresses.length) giveUp();
          else beginNext();
        },
      );
    };

    signal.addEventListener("abort", () => {
      giveUp();
      for (const { controller } of begun) controller.abort();
    });
    if (signal.aborted) giveUp();
    else beginNext();
  });
}
