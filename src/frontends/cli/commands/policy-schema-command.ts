import { policyJsonSchema } from "../../../core/policy-tools/json-schema.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { jsonText } from "../../process/report.ts";

/** `atcr-verify policy schema`: the JSON Schema of a policy, for editors. */
export function policySchema(lifecycle: ProcessLifecycle): never {
  return lifecycle.print(jsonText(policyJsonSchema()));
}
