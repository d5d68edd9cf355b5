/**
 * How long an address may be silent before the next one is tried beside it, in milliseconds (the
 * Connection Attempt Delay of RFC 8305, section 5, for answers instead of connections).
 */
const STAGGER = 300;

/** An address that was tried and did not answer. */
export interface FailedAttempt {
  readonly address: string;
  /** What it failed by; absent where it was silent until the time was over. */
  readonly error?: unknown;
}

export type AttemptOutcome<T> =
  | { readonly answer: T; readonly address: string }
  | { readonly failed: readonly FailedAttempt[] };

/**
 * Asks the addresses of one host in order until one answers. An address that fails hands over to
 * the next at once. One that is silent for a while (300 ms, or its even share of the time where
 * that is less) is not given up: the next is tried beside it, and the first answer wins. So neither
 * does a black hole at the first address eat the time of the exchange, nor is a slow server cut
 * off because it has a second address.
 *
 * @param open starts an attempt, and ends it when its signal aborts; rejects with what it failed by
 * @param time milliseconds that `signal` still leaves
 * @param signal ends all attempts, also the winner after it won
 * @returns never rejects; a failure lists the attempts in the order they began
 */
export function firstAnswer<T>(
  addresses: readonly string[],
  open: (address: string, signal: AbortSignal) => Promise<T>,
  time: number,
  signal: AbortSignal,
): Promise<AttemptOutcome<T>> {
  const patience = Math.min(STAGGER, time / addresses.length);
  const begun: { readonly attempt: { address: string; error?: unknown }; readonly controller: AbortController }[] = [];
  let failures = 0;
  let done = false;

  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;

    const settle = (outcome: AttemptOutcome<T>, winner?: AbortController): void => {
      if (done) return;
      done = true;
      clearTimeout(timer);
      resolve(outcome);
      for (const { controller } of begun) if (controller !== winner) controller.abort();
    };

    const giveUp = (): void => {
      settle({ failed: begun.map(({ attempt }) => attempt) });
    };

    const beginNext = (): void => {
      clearTimeout(timer);
      const address = addresses[begun.length];
      if (address === undefined) return;
      const attempt: (typeof begun)[number]["attempt"] = { address };
      const controller = new AbortController();
      begun.push({ attempt, controller });
      if (begun.length < addresses.length) timer = setTimeout(beginNext, patience);
      open(address, controller.signal).then(
        (answer) => settle({ answer, address }, controller),
        (error: unknown) => {
          if (done) return; // Ended from here: what it says then is not what it failed by.
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
