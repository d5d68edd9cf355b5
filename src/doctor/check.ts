/** Advice where containerd's configuration is not known: only the finding of that name says why. */
export const WHY_UNKNOWN = "see the finding config";

/** Result of one check. */
export interface CheckResult {
  readonly level: "ok" | "note" | "warning" | "problem";
  /** Stable, in kebab-case: scripts may rely on it. */
  readonly name: string;
  /** One sentence without a full stop; may quote untrusted text. */
  readonly found: string;
  /** What to do about it. */
  readonly advice?: string;
}

export function ok(name: string, found: string): CheckResult {
  return { level: "ok", name, found };
}

/** Nothing is wrong, but a reader should know it: nothing was verified by this check. */
export function note(name: string, found: string): CheckResult {
  return { level: "note", name, found };
}

/** Enforcement may have a gap, or something may fail later. */
export function warning(name: string, found: string, advice: string): CheckResult {
  return { level: "warning", name, found, advice };
}

/** Pulls are not verified, or will fail or be refused without a good reason. */
export function problem(name: string, found: string, advice: string): CheckResult {
  return { level: "problem", name, found, advice };
}

/**
 * A check that this user lacks the permission for. It makes no claim about the result.
 *
 * @param whether a clause: `whether the log can be written`
 * @param path what this user has no access to
 */
export function unseen(name: string, whether: string, path: string): CheckResult {
  return warning(name, `${whether} is not known: this user has no access to ${path}`, "run this as root");
}
