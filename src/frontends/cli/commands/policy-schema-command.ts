import { policyJsonSchema } from "../../../core/policy-tools/json-schema.ts";
import type { ProcessEdge } from "../../process/process-lifecycle.ts";
import { jsonText } from "../../process/report.ts";

/** `atcr-verify policy schema`: the JSON Schema of a policy, for editors. */
export function policySchema(edge: ProcessEdge): never {
  return edge.print(jsonText(policyJsonSchema()));
}
