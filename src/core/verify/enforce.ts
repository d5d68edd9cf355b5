import type { ImageReference } from "../oci/reference.ts";
import { type BreakGlassFile, isCovered } from "../policy/break-glass.ts";
import type { Rule } from "../policy/policy.ts";
import type { RejectionCode } from "../rejection.ts";
import type { Answer, Failure } from "./answer.ts";
import type { Refusal, Verdict } from "./verdict.ts";

/** What may turn a refusal of one image into an allow. */
export interface Enforcement {
  /** Attacker-controlled, canonical; absent as long as the question could not be read. */
  readonly image?: ImageReference | undefined;
  /** The rule that was selected; absent as long as none was. */
  readonly rule?: Rule | undefined;
  /** Absent where this node has no break-glass file, or where it does not count. */
  readonly breakGlass?: BreakGlassFile | undefined;
}

/** Mistakes in this node's own files: break-glass must help against them. */
const OF_THE_NODE: ReadonlySet<RejectionCode> = new Set(["policy.invalid", "config.invalid"]);
/** Explicit denials are never overridden. */
const DENIED_BY_NAME: ReadonlySet<RejectionCode> = new Set(["policy.denied", "policy.probe"]);

/**
 * Decides whether a refusal is enforced (spec 6). It is not where the rule only audits, or where break-glass is
 * active for the image. This is the only step that lets an image through which was not judged to be allowed.
 */
export function enforce(answer: Verdict | Failure, { image, rule, breakGlass }: Enforcement): Answer {
  if (answer.outcome === "allow") return answer;
  if (isRefusal(answer) && rule?.action === "audit" && answer.code !== "net.interrupted") {
    return { outcome: "allow", because: { kind: "audited", rule: rule.name, would: answer } };
  }
  if (breakGlass === undefined) return answer;
  if (breakGlass.active === undefined) {
    // An administrator who counts on the file and is refused all the same must learn why.
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
