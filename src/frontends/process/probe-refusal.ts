import { type Answer, refusalOf } from "../../core/verify/answer.ts";
import { BUILD } from "../../core/version.ts";

/** Proves to the doctor that this very program was asked (docs/reference/doctor.md); independent of the policy. */
export function probeRefusal(digest: string): Answer {
  const detail = `atcr-verify ${BUILD} was asked about ${digest}, and always refuses the name that doctor --probe pulls`;
  return refusalOf("policy.probe", detail);
}
