import type { ImageReference } from "../oci/reference.ts";
import { type BreakGlassFile, isCovered } from "../policy/break-glass.ts";
import type { Rule } from "../policy/policy.ts";
import type { RejectionCode } from "../rejection.ts";
import type { Answer, Failure } from "./answer.ts";
import type { Refusal, Verdict } from "./verdict.ts";

/** What may turn a refusal of one image into an allow. */
export interface Enforcement {
  /** Attacker-controlled, canonical; absent where the input could not be read. */
  readonly image?: ImageReference | undefined;
  /** The selected rule; absent where none was selected yet. */
  readonly rule?: Rule | undefined;
  /** Absent where this node has no break-glass file, or where it is ignored. */
  readonly breakGlass?: BreakGlassFile | undefined;
}

/** Mistakes in this node's own files: break-glass applies to them too. */
const OF_THE_NODE: ReadonlySet<RejectionCode> = new Set(["policy.invalid", "config.invalid"]);
/** Explicit denials are never overridden. */
const DENIED_BY_NAME: ReadonlySet<RejectionCode> = new Set(["policy.denied", "policy.probe"]);

/**
 * Decides whether a refusal is enforced (spec 6). It is not if the rule only audits, or if break-glass is active for the
 * image. Only this step can let a refused image through.
 */
export function enforce(answer: Verdict | Failure, { image, rule, breakGlass }: Enforcement): Answer {
  if (answer.outcome === "allow") return answer;
  if (isRefusal(answer) && rule?.action === "audit" && answer.code !== "net.interrupted") {
    return { outcome: "allow", because: { kind: "audited", rule: rule.name, would: answer } };
  }
  if (breakGlass === undefined) return answer;
  if (breakGlass.active === undefined) {
    // An administrator who relies on the file must learn why it has no effect.
    return {
      ...answer,
      detail: `${answer.detail}; break-glass is not active: ${breakGlass.path}: ${breakGlass.because}`,
    };
  }
  const { reason, until } = breakGlass.active;
  const mayPass = isRefusal(answer) ? !DENIED_BY_NAME.has(answer.code) : OF_THE_NODE.has(answer.code);
  if (!mayPass || image === undefined || !isCovered(breakGlass.active, image)) return answer;
  return { outcome: "allow", because: { kind: "break_glass", reason, until, would: answer } };
}

function isRefusal(answer: Refusal | Failure): answer is Refusal {
  return answer.outcome === "deny" || answer.outcome === "inconclusive";
}
