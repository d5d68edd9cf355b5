import type { WarningCode } from "../../core/warning.ts";

/** One decision as it is logged: a line of JSON (docs/reference/log-and-metrics.md). Times are RFC 3339, spans milliseconds. */
export interface DecisionRecord {
  readonly time: string;
  /** The name as containerd gave it, attacker-controlled; absent where it could not be read. */
  readonly image?: string;
  readonly digest?: string;
  readonly outcome: string;
  /** The code of a refusal; of an allow its kind: signed, exempt, audited or break_glass. */
  readonly code: string;
  /** What of the policy decided: a rule, `default`, `digests.deny` or `digests.allow`. */
  readonly rule?: string;
  /** Where that stands: `FILE:LINE`. */
  readonly ruleAt?: string;
  /** The reason line without its end. */
  readonly reason: string;
  readonly signers: readonly { readonly did: string; readonly key: string; readonly rev: string }[];
  /** What an audited pull, or one through a broken glass, would have got. */
  readonly would?: { readonly outcome: string; readonly code: string };
  readonly breakGlass?: { readonly reason: string; readonly until: string };
  readonly cache: CacheUse;
  /** When the oldest evidence that was judged was had. */
  readonly evidenceAt?: string;
  /** Codes of the warnings until then, each once; absent where there were none. */
  readonly warnings?: readonly WarningCode[];
  /** From the start of the process to its answer, and what the exchanges with each service took; they run side by side. */
  readonly ms: Readonly<Record<string, number>>;
  readonly requests: Readonly<Record<string, number>>;
  /** SHA-256 of the policy's files, one after the other; absent where they could not be read. */
  readonly policy?: string;
  readonly version: string;
  readonly pid: number;
}

/**
 * What a decision rests on: `none`: services were asked; `fresh`: evidence within cacheTTL; `stale`: older
 * evidence, within maxStaleness, because a service could not be reached.
 */
export type CacheUse = "none" | "fresh" | "stale";

/** The line, ASCII alone, with its end. What can be long in it has been bounded by whoever made the record. */
export function recordLine(record: DecisionRecord): string {
  const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return `${JSON.stringify(record).replace(/[^\x20-\x7e]/g, escaped)}\n`;
}
