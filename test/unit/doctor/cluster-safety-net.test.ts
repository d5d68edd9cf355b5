import { describe, expect, it } from "vitest";
import { checkSafetyNet } from "../../../src/doctor/cluster-safety-net.ts";

const policy = (spec: object = {}, metadata: object = { name: "atcr-verify-digests" }) => ({ metadata, spec });
const binding = (validationActions: readonly string[], policyName = "atcr-verify-digests") => ({
  spec: { policyName, validationActions },
});

describe("the policy that demands digests", () => {
  it.each([
    ["denies", [policy()], [binding(["Deny"])], "ok"],
    [
      "is found by its label",
      [policy({}, { name: "atcr-verify-digests", labels: { "app.kubernetes.io/name": "atcr-verify" } })],
      [binding(["Deny", "Audit"])],
      "ok",
    ],
    ["has no binding", [policy()], [binding(["Deny"], "other")], "warning"],
    ["only warns", [policy()], [binding(["Warn", "Audit"])], "warning"],
    ["fails open", [policy({ failurePolicy: "Ignore" })], [binding(["Deny"])], "warning"],
    ["is another's", [policy({}, { name: "x" })], [binding(["Deny"], "x")], "note"],
    ["is of no kind that the API server knows", undefined, [], "note"],
  ] as const)("%s", (_, policies, bindings, level) => {
    expect(checkSafetyNet(policies, bindings).map((finding) => finding.level)).toEqual([level]);
  });
});
