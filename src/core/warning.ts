/**
 * Every warning: something that the administrator should look at, and that did not decide the answer by itself.
 *
 * Codes are part of the public interface, as those of refusals are (rejection.ts): once released they are never
 * renamed. A code is for alerts and names what is wrong; which file it is, and why, stands in the sentence.
 */
export const WARNINGS = {
  "access.denied": "the user who runs the program may not use files of this node",
  "authority.unusable": "a certificate authority, or a file of them, cannot be used, so it vouches for no host",
  "cache.no_key": "the key of this node's cache cannot be used, so nothing is read from the cache or written",
  "cache.unusable": "something in the cache cannot be used, so it is fetched again",
  "cache.not_written": "something cannot be written to the cache, or removed from it",
  "cache.not_invalidated": "that cached evidence is over cannot be noted, so that a slower pull may bring it back",
  "credentials.unusable": "a file of credentials or a credential helper cannot be used",
  "history.unusable": "what this node has seen of a signer cannot be used, so no rollback is noticed",
  "history.damaged": "a file of the signer history is damaged",
  "history.from_future": "an entry of the signer history lies in the future: this clock was or is wrong",
  "history.not_written": "what was seen of a signer cannot be added to the signer history",
  "hosts_toml.unusable": "a hosts.toml, or a certificate beside it, cannot be used",
  "hosts_toml.unused": "something that a hosts.toml says is not supported here",
  "hosts_toml.host_not_asked": "a mirror or registry is not asked, because of what its hosts.toml says",
  "input.unknown_media_type": "the media type given is neither a manifest's nor an index's",
  "lock.not_taken": "a lock cannot be taken, so other processes may do the same work",
  "log.not_written": "a decision is not in the decision log",
  "log.unreadable": "the decision log, or a part of it, cannot be read",
  "metrics.not_written": "a decision is not counted in the metrics yet, or not at all",
  "settings.distrusted": "a policy or configuration is used that others can change; a pull would refuse it",
} as const satisfies Record<string, string>;

export type WarningCode = keyof typeof WARNINGS;

export interface Warning {
  readonly code: WarningCode;
  /** A sentence; it may repeat attacker-controlled text, unprintable characters included. */
  readonly message: string;
}

export type Warn = (warning: Warning) => void;

/** Passes each warning on, once, and collects them. */
export class Warnings {
  readonly #collected: Map<string, Warning>;
  readonly #tell: Warn;

  /**
   * @param tell gets a warning at once: a process that is killed later has told it
   * @param told before
   */
  constructor(tell: Warn, told: readonly Warning[] = []) {
    this.#tell = tell;
    this.#collected = new Map(told.map((warning) => [keyOf(warning), warning]));
  }

  /** Bound to this object. */
  readonly warn: Warn = (warning) => {
    const key = keyOf(warning);
    if (this.#collected.has(key)) return;
    this.#collected.set(key, warning);
    this.#tell(warning);
  };

  /** Those until now, in order. */
  get all(): readonly Warning[] {
    return [...this.#collected.values()];
  }

  /** Codes of those until now, each once. */
  get codes(): readonly WarningCode[] {
    return [...new Set(this.all.map(({ code }) => code))];
  }
}

function keyOf({ code, message }: Warning): string {
  return JSON.stringify([code, message]);
}
