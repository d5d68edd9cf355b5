import type { PlcHistoryEntry } from "./plc-log.ts";

/** A span of time in which one key signed a repo's commits. */
export interface KeyPeriod {
  /** As the operation names it: a did:key text, if it is a valid one. Undefined where the identity had no signing key. */
  readonly key: string | undefined;
  /** Dates that the directory claims, in milliseconds since 1970. */
  readonly since: number;
  /** Absent for the current one. */
  readonly until?: number;
}

/**
 * The signing keys of a did:plc in their order, from the operations in force. Neighbours with the same key are one
 * period; after a tombstone there is no key.
 *
 * @param history of `replayPlcLog`
 */
export function keyPeriods(history: readonly PlcHistoryEntry[]): readonly KeyPeriod[] {
  const starts: KeyPeriod[] = [];
  for (const { nullified, state, createdAt } of history) {
    const key = state?.signingKey;
    if (nullified || (starts.length > 0 && starts.at(-1)?.key === key)) continue;
    starts.push({ key, since: createdAt });
  }
  return starts.map((period, i) => {
    const next = starts[i + 1];
    return next === undefined ? period : { ...period, until: next.since };
  });
}

/** Signing keys that only nullified operations named, without duplicates: a more powerful rotation key undid them. */
export function undoneKeys(history: readonly PlcHistoryEntry[]): readonly string[] {
  const inForce = new Set(keyPeriods(history).map(({ key }) => key));
  const undone = history.flatMap(({ nullified, state }) => (nullified ? [state?.signingKey] : []));
  return [...new Set(undone)].filter((key) => key !== undefined && !inForce.has(key)) as string[];
}
