import type { Selection } from "../policy/select.ts";
import type { Verdict } from "./verdict.ts";

/** The verdict where the policy decides without looking at a signature (spec 2.1 to 2.3). */
export function verdictOf(selection: Exclude<Selection, { kind: "judge" }>): Verdict {
  const { because } = selection;
  switch (selection.kind) {
    case "exempt":
      return { outcome: "allow", because: { kind: "exempt", because } };
    case "denied":
      return { outcome: "deny", code: "policy.denied", detail: because, findings: [] };
    case "no_match":
      return { outcome: "deny", code: "policy.no_match", detail: because, findings: [] };
  }
}
