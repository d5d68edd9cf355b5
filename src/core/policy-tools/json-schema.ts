import { type ConversionConfig, toJsonSchema } from "@valibot/to-json-schema";
import { POLICY_SHAPE } from "../policy/policy-schema.ts";

/**
 * The shape of a trust policy file as JSON Schema, for editors: what it refuses the parser refuses. The
 * parser refuses more, such as a date that the calendar lacks or a rule's DID that is missing above.
 *
 * Draft 7 is what yaml-language-server reads without being told, and has all that a policy needs. There
 * is no `$id`: the schema is a file of the package, and is fetched from nowhere.
 *
 * For editors only, so whoever answers containerd does not import this file.
 */
export function policyJsonSchema(): object {
  const { $schema, ...schema } = toJsonSchema(POLICY_SHAPE, {
    target: "draft-07",
    // Of each pipe the part behind `custom`, which JSON Schema has no word for and needs none.
    typeMode: "output",
    overrideSchema: withWords,
    overrideAction: withUnicodePattern,
  });
  return { $schema, title: "Trust policy of atcr-verify", ...schema };
}

/** What was expected, in the words that the parser would use; of what may be null, those of what else it may be. */
const withWords: NonNullable<ConversionConfig["overrideSchema"]> = ({ valibotSchema, jsonSchema, errors }) => {
  if (errors !== undefined) return undefined;
  const [alternative] = valibotSchema.type === "nullable" ? (jsonSchema.anyOf ?? []) : [];
  const { message } = valibotSchema as { message?: unknown };
  const description = typeof alternative === "object" ? alternative.description : message;
  return typeof description === "string" ? { ...jsonSchema, description } : undefined;
};

/** JSON Schema's patterns are those of ECMAScript with the flag `u`, of which the library complains like of any other. */
const withUnicodePattern: NonNullable<ConversionConfig["overrideAction"]> = ({ valibotAction, jsonSchema }) => {
  const { requirement } = valibotAction as { requirement?: unknown };
  return requirement instanceof RegExp && requirement.flags === "u" ? jsonSchema : undefined;
};
