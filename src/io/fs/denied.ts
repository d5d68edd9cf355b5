import { hasCode } from "./error-code.ts";

const MAX_CAUSES = 5;

/**
 * Whether something could not be seen only because the user who runs this is not root: containerd runs this program
 * as root, so nothing follows from it for pulls. What is denied to root is denied to pulls too.
 */
export function isDenied(error: unknown): boolean {
  if (process.geteuid?.() === 0) return false;
  let cause = error;
  for (let i = 0; i < MAX_CAUSES && cause instanceof Error; i++, cause = cause.cause)
    if (hasCode(cause, "EACCES") || hasCode(cause, "EPERM")) return true;
  return false;
}
