import { hasCode } from "./error-code.ts";

const MAX_CAUSES = 5;

/**
 * Whether something failed only because this user is not root. Pulls run as root, so it says nothing about them; what
 * is denied to root is denied to pulls too.
 */
export function isDenied(error: unknown): boolean {
  if (process.geteuid?.() === 0) return false;
  let cause = error;
  for (let i = 0; i < MAX_CAUSES && cause instanceof Error; i++, cause = cause.cause)
    if (hasCode(cause, "EACCES") || hasCode(cause, "EPERM")) return true;
  return false;
}
