import { Rejection, reject } from "../rejection.ts";
import type { Answer } from "./answer.ts";
import { codeFrame } from "./code-frame.ts";
import { readOutput } from "./command-line.ts";
import type { ProcessEdge } from "./process-edge.ts";
import { jsonText, printable, textReport } from "./report.ts";

/** `atcr-verify policy check|explain|test|schema`: what a policy says, before a pull depends on it. */
export async function policyCommand(args: readonly string[], edge: ProcessEdge): Promise<never> {
  const [action = "", ...rest] = args;
  edge.render = textReport;
  const form = readOutput(rest);
  edge.render = (answer) => renderFailure(answer, form, undefined);
  try {
    return await run(action, rest, edge);
  } catch (error) {
    edge.render = (answer) => renderFailure(answer, form, error);
    throw error;
  }
}

async function run(action: string, args: readonly string[], edge: ProcessEdge): Promise<never> {
  switch (action) {
    case "check": {
      const { policyCheck } = await import("./policy-check.ts");
      return policyCheck(args, edge);
    }
    case "explain": {
      const { policyExplain } = await import("./policy-explain.ts");
      return policyExplain(args, edge);
    }
    case "test": {
      const { policyTest } = await import("./policy-test.ts");
      return policyTest(args, edge);
    }
    case "schema": {
      if (args.length > 0)
        reject("input.malformed", `found "${args.join(" ")}", expected nothing behind policy schema`);
      const { policyJsonSchema } = await import("../policy/json-schema.ts");
      return edge.print(jsonText(policyJsonSchema()));
    }
    default:
      return reject("input.malformed", `found "policy ${action}", expected policy check, explain, test or schema`);
  }
}

/** What ended the command: the reason, and where the mistake is in a file. */
function renderFailure(answer: Answer, form: "text" | "json", error: unknown): string {
  const place = error instanceof Rejection ? error.place : undefined;
  if (form === "text" || answer.outcome === "allow") {
    return `${textReport(answer)}${place === undefined ? "" : codeFrame(place)}`;
  }
  const { outcome, code, detail } = answer;
  const at = place && { file: place.file, line: place.line, column: place.column };
  return jsonText({ outcome, code, reason: printable(`${outcome} ${code}: ${detail}`), ...at });
}
