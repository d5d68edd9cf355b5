import { reject } from "../../../core/rejection.ts";
import type { ProcessEdge } from "../../process/process-lifecycle.ts";
import { jsonText } from "../../process/report.ts";

/** `atcr-verify policy check|explain|test|schema`: what a policy says, before a pull depends on it. */
export async function policyCommand(args: readonly string[], edge: ProcessEdge): Promise<never> {
  const [action = "", ...rest] = args;
  switch (action) {
    case "check": {
      const { policyCheck } = await import("./policy-check.ts");
      return policyCheck(rest, edge);
    }
    case "explain": {
      const { policyExplain } = await import("./policy-explain.ts");
      return policyExplain(rest, edge);
    }
    case "test": {
      const { policyTest } = await import("./policy-expectations.ts");
      return policyTest(rest, edge);
    }
    case "schema": {
      if (rest.length > 0)
        reject("input.malformed", `found "${rest.join(" ")}", expected nothing behind policy schema`);
      const { policyJsonSchema } = await import("../../../core/policy-tools/json-schema.ts");
      return edge.print(jsonText(policyJsonSchema()));
    }
    default: {
      const found = args.length === 0 ? "nothing" : `"policy ${action}"`;
      return reject("input.malformed", `found ${found}, expected policy check, explain, test or schema`);
    }
  }
}
