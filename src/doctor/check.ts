/** What one check found. */
export interface CheckResult {
  readonly level: "ok" | "warning" | "problem";
  /** Stable, in kebab-case: scripts may rely on it. */
  readonly name: string;
  /** One sentence, without a full stop; may repeat what others wrote. */
  readonly found: string;
  /** What to do about it. */
  readonly advice?: string;
}

export function ok(name: string, found: string): CheckResult {
  return { level: "ok", name, found };
}

/** Enforcement may have a gap, or something will go wrong. */
export function warning(name: string, found: string, advice: string): CheckResult {
  return { level: "warning", name, found, advice };
}

/** Pulls are not verified, or will be refused or fail for no good reason. */
export function problem(name: string, found: string, advice: string): CheckResult {
  return { level: "problem", name, found, advice };
}

/**
 * Could not be seen by this user, so nothing is said of how it is.
 *
 * @param whether a clause: `whether the log can be written`
 * @param path what is denied to this user
 */
export function unseen(name: string, whether: string, path: string): CheckResult {
  return warning(name, `${whether} is not known: ${path} could not be read without root`, "run the doctor as root");
}
