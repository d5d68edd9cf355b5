import type { BreakGlassFile } from "../core/policy/break-glass.ts";
import { type CheckResult, ok, problem, unseen, warning } from "./check.ts";

/** Whether break-glass is active. */
export function checkBreakGlass(breakGlass: BreakGlassFile | undefined): CheckResult {
  if (breakGlass === undefined) return ok("break-glass", "break-glass is not active");
  const { path, active } = breakGlass;
  if (active === undefined && breakGlass.isUnseen) return unseen("break-glass", "whether break-glass is active", path);
  if (active === undefined)
    return warning("break-glass", `${path} has no effect: ${breakGlass.because}`, "correct it, or remove it");
  const scopes = active.scopes.map(({ text }) => text).join(", ");
  const until = new Date(active.until).toISOString();
  return problem(
    "break-glass",
    `BREAK-GLASS IS ACTIVE until ${until} for ${scopes}: ${active.reason}`,
    `refused pulls are let through; remove ${path} when the emergency is over`,
  );
}
