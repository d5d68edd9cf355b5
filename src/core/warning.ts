/**
 * Every warning: something that the administrator should look at, and that did not decide the verdict.
 *
 * Codes are part of the public interface, like those of refusals (rejection.ts): once released they are never renamed. A
 * code is for alerts and names the problem; the message says which file it is, and why.
 */
export const WARNINGS = {
  "access.denied": "the user who runs the program may not use files of this node",
  "authority.unusable": "a certificate authority, or a file of them, cannot be used and is not trusted",
  "bundles.unusable": "something in bundleDir cannot be used, so it does not count",
  "cache.no_key": "the key of this node's cache cannot be used, so nothing is read from the cache or written",
  "cache.unusable": "something in the cache cannot be used, so it is fetched again",
  "cache.not_written": "something cannot be written to the cache, or removed from it",
  "cache.not_invalidated": "an invalidation mark cannot be written, so a slower pull may bring cached evidence back",
  "credentials.unusable": "a file of credentials or a credential helper cannot be used",
  "history.unusable": "the signer history cannot be used, so rollbacks are not detected",
  "history.damaged": "a file of the signer history is damaged",
  "history.from_future": "an entry of the signer history is dated in the future: this node's clock is or was wrong",
  "history.not_written": "an observation cannot be added to the signer history",
  "hosts_toml.unusable": "a hosts.toml, or a certificate beside it, cannot be used",
  "hosts_toml.unused": "a setting in a hosts.toml is not supported",
  "hosts_toml.host_not_asked": "a mirror or registry is not contacted, because of its hosts.toml",
  "input.unknown_media_type": "the given media type is neither a manifest's nor an index's",
  "lock.not_taken": "a lock cannot be taken, so other processes may do the same work",
  "log.not_written": "a decision is not in the decision log",
  "log.unreadable": "the decision log, or a part of it, cannot be read",
  "metrics.not_written": "a decision is not counted in the metrics yet, or not at all",
  "settings.distrusted": "a policy or configuration that others can change is used; a pull would reject it",
  "settings.not_reloaded": "a file of the server is mounted so that it never changes there, as with subPath",
} as const satisfies Record<string, string>;

export type WarningCode = keyof typeof WARNINGS;

export interface Warning {
  readonly code: WarningCode;
  /** A sentence; may contain attacker-controlled text, including unprintable characters. */
  readonly message: string;
}

export type Warn = (warning: Warning) => void;

/** Passes each warning on, once, and collects them. */
export class Warnings {
  readonly #collected: Map<string, Warning>;
  readonly #report: Warn;

  /**
   * @param report receives each warning at once, so that none is lost if the process is killed
   * @param told warnings given before; they are not repeated
   */
  constructor(report: Warn, told: readonly Warning[] = []) {
    this.#report = report;
    this.#collected = new Map(told.map((warning) => [keyOf(warning), warning]));
  }

  /** Bound to this object. */
  readonly warn: Warn = (warning) => {
    const key = keyOf(warning);
    if (this.#collected.has(key)) return;
    this.#collected.set(key, warning);
    this.#report(warning);
  };

  /** All warnings so far, in order. */
  get all(): readonly Warning[] {
    return [...this.#collected.values()];
  }

  /** Codes of all warnings so far, without duplicates. */
  get codes(): readonly WarningCode[] {
    return [...new Set(this.all.map(({ code }) => code))];
  }
}

function keyOf({ code, message }: Warning): string {
  return JSON.stringify([code, message]);
}
