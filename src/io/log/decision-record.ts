import type { WarningCode } from "../../core/warning.ts";

/** One decision in the log: a line of JSON (docs/reference/log-and-metrics.md). Times are RFC 3339, durations milliseconds. */
export interface DecisionRecord {
  readonly time: string;
  /** The name as containerd gave it, attacker-controlled; absent where it could not be read. */
  readonly image?: string;
  readonly digest?: string;
  readonly outcome: string;
  /** The code of a refusal; of an allow its kind: signed, exempt, audited or break_glass. */
  readonly code: string;
  /** The part of the policy that decided: a rule, `default`, `digests.deny` or `digests.allow`. */
  readonly rule?: string;
  /** Its place in the policy: `FILE:LINE`. */
  readonly ruleAt?: string;
  /** The reason line, without the newline. */
  readonly reason: string;
  readonly signers: readonly { readonly did: string; readonly key: string; readonly rev: string }[];
  /** The refusal that was not enforced, because the rule only audits or break-glass is active. */
  readonly would?: { readonly outcome: string; readonly code: string };
  readonly breakGlass?: { readonly reason: string; readonly until: string };
  readonly cache: CacheUse;
  /** When the oldest evidence used was fetched. */
  readonly evidenceAt?: string;
  /** Codes of the warnings so far, without duplicates; absent where there were none. */
  readonly warnings?: readonly WarningCode[];
  /** From the start of the process to its answer, and the time of each service's requests; these run in parallel. */
  readonly ms: Readonly<Record<string, number>>;
  readonly requests: Readonly<Record<string, number>>;
  /** SHA-256 of the policy's files, concatenated; absent where they could not be read. */
  readonly policy?: string;
  readonly version: string;
  readonly pid: number;
  /** Absent at containerd's gate. */
  readonly gate?: LoggedGate;
  /** Key of `server.policies`, as the request's path has it; absent for trustPolicyPath. Printable. */
  readonly policyName?: string;
  /** Kubernetes' namespace, where the gate knows it. */
  readonly namespace?: string;
  /** Whose image it is, at `admit` and `mutate`: kind and name, or the beginning of a name that is yet to be made. Printable. */
  readonly object?: string;
  /** Who asked: the user at Kubernetes' API server, or the name of a token. Printable. */
  readonly user?: string;
  /** Whether nothing would have been created. */
  readonly dryRun?: true;
}

/** A gate other than containerd's: the lookaside responder, or one of the server's. */
export type LoggedGate = "lookaside" | "admit" | "mutate" | "gatekeeper" | "verify" | "imagereview";

/**
 * Evidence used by a decision that was not fetched for it: `none`; `fresh`: cached within cacheTTL; `stale`: cached within
 * maxStaleness, because a service could not be reached; `bundle`: from outside, within offlineFor.
 */
export type CacheUse = "none" | "fresh" | "stale" | "bundle";

/** The line, ASCII only, with its newline. The caller limits the length of its fields. */
export function recordLine(record: DecisionRecord): string {
  const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return `${JSON.stringify(record).replace(/[^\x20-\x7e]/g, escaped)}\n`;
}
