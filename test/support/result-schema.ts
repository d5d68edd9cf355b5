import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { Ajv } from "ajv";
import { jsonSchemaOf } from "../../src/core/policy-tools/json-schema.ts";
import { RESULT_PARTS, RESULT_SHAPE } from "../../src/frontends/cli/verify/result-shape.ts";

const PUBLISHED = join(import.meta.dirname, "../../packaging/write-result-schema.ts");

const strict = validator(jsonSchemaOf(RESULT_SHAPE, "strict", { parts: RESULT_PARTS }));

/** What is wrong with the JSON of `verify` by its exact shape, in which every key is known: one line for each fault. */
export function faultsOf(document: unknown): readonly string[] {
  return strict(document);
}

/** The same of what was printed: one document, or with ndjson one in each line. */
export function faultsOfText(text: string, format: "json" | "ndjson" = "json"): readonly string[] {
  const documents = format === "json" ? [text] : text.trimEnd().split("\n");
  return documents.flatMap((one) => faultsOf(JSON.parse(one)));
}

/** The JSON Schema as it is built, installed and published. */
export function publishedSchema(): object {
  return JSON.parse(execFileSync(process.execPath, [PUBLISHED], { encoding: "utf8" })) as object;
}

/** @throws Error if it is no valid schema of draft 7 */
export function validator(schema: object): (document: unknown) => readonly string[] {
  const validate = new Ajv({ allErrors: true, strict: true, strictRequired: false }).compile(schema);
  return (document) => {
    if (validate(document)) return [];
    return (validate.errors ?? []).map(
      ({ instancePath, message = "", params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
    );
  };
}
