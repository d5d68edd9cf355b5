/** An authentication challenge (RFC 9110 11.6.1). */
export interface Challenge {
  /** In lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Characters of the header that are read; real ones have some hundred. Bounds the work below. */
const MAX_CHALLENGE = 4096;
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
/** A parameter, with the comma before it. */
const PARAMETER = new RegExp(`\\s*,?\\s*(${TOKEN})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s,"]+))`, "y");
const SCHEME = new RegExp(`[\\s,]*(${TOKEN})(?=[\\s,]|$)(?!\\s*=)`, "y");

/**
 * Reads WWW-Authenticate, which may contain several challenges.
 *
 * @param header attacker-controlled
 * @returns the challenges up to the first unreadable part
 */
export function readChallenges(header: string | undefined): readonly Challenge[] {
  const text = (header ?? "").slice(0, MAX_CHALLENGE);
  const challenges: Challenge[] = [];
  let at = 0;
  for (;;) {
    SCHEME.lastIndex = at;
    const scheme = SCHEME.exec(text);
    if (scheme === null) return challenges;
    at = SCHEME.lastIndex;
    const parameters = new Map<string, string>();
    for (;;) {
      PARAMETER.lastIndex = at;
      const found = PARAMETER.exec(text);
      if (found === null) break;
      const [, name = "", quoted, plain = ""] = found;
      parameters.set(name.toLowerCase(), quoted === undefined ? plain : quoted.replace(/\\(.)/g, "$1"));
      at = PARAMETER.lastIndex;
    }
    challenges.push({ scheme: (scheme[1] ?? "").toLowerCase(), parameters });
  }
}
