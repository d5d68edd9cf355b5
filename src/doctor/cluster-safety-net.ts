import type { JsonObject } from "../core/encoding/json.ts";
import { labelsIn, mapIn, nameOf, textIn, textsIn } from "../platform/kubernetes/api-object.ts";
import { type CheckResult, note, ok, warning } from "./check.ts";
import { OWN_LABEL, OWN_NAME } from "./cluster-own-webhooks.ts";

export const ADMISSION_POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";
export const ADMISSION_BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings";
const NAME = "cluster-safety-net";

/**
 * Whether the ValidatingAdmissionPolicy that the shipped manifests bring demands digests: the API server judges by it itself, so it
 * holds while this program does not answer and where somebody removed its webhook.
 *
 * @param policies of the cluster; undefined where it has none of this kind (before Kubernetes 1.30)
 */
export function checkSafetyNet(
  policies: readonly JsonObject[] | undefined,
  bindings: readonly JsonObject[],
): readonly CheckResult[] {
  if (policies === undefined)
    return [
      note(NAME, "the API server has no ValidatingAdmissionPolicy (before 1.30), so nothing else demands digests"),
    ];
  const own = policies.filter((policy) => {
    const labels = labelsIn(mapIn(policy, "metadata"), "labels");
    return labels.get(OWN_LABEL) === OWN_NAME || nameOf(policy).includes(OWN_NAME);
  });
  if (own.length === 0)
    return [
      note(
        NAME,
        "no ValidatingAdmissionPolicy of atcr-verify is there; integrations/kubernetes has one that demands digests",
      ),
    ];
  return own.map((policy) => checkPolicy(policy, bindings));
}

function checkPolicy(policy: JsonObject, bindings: readonly JsonObject[]): CheckResult {
  const name = nameOf(policy);
  const what = `the ValidatingAdmissionPolicy ${name}`;
  const failurePolicy = textIn(mapIn(policy, "spec"), "failurePolicy") ?? "Fail";
  if (failurePolicy !== "Fail") {
    const found = `${what} has failurePolicy ${failurePolicy}: what it cannot judge is admitted`;
    return warning(NAME, found, "set failurePolicy to Fail");
  }
  const bound = bindings.map((binding) => mapIn(binding, "spec")).filter((spec) => textIn(spec, "policyName") === name);
  if (bound.length === 0) return warning(NAME, `${what} has no binding, so it refuses nothing`, "apply its binding");
  if (bound.some((spec) => textsIn(spec, "validationActions").includes("Deny"))) return ok(NAME, `${what} denies`);
  return warning(
    NAME,
    `no binding of ${what} has the action Deny, so it refuses nothing`,
    "add Deny to validationActions",
  );
}
