import { type ConversionConfig, toJsonSchema } from "@valibot/to-json-schema";
import { POLICY_SHAPE } from "../policy/policy-schema.ts";

/**
 * The JSON Schema of a trust policy file, for editors. What it rejects, the parser rejects too; the parser
 * rejects more, such as a date that does not exist, or a rule's DID that is not under trustedDIDs.
 *
 * yaml-language-server assumes draft 7 by default, and a policy needs nothing newer. There is no `$id`: the
 * schema is a file in the package and is never fetched.
 *
 * For editors only: containerd's entry point must not import this file.
 */
export function policyJsonSchema(): object {
  const { $schema, ...schema } = toJsonSchema(POLICY_SHAPE, {
    target: "draft-07",
    // The part of each pipe after `custom`, which JSON Schema cannot express and does not need.
    typeMode: "output",
    overrideSchema: withWords,
    overrideAction: withUnicodePattern,
  });
  return { $schema, title: "Trust policy of atcr-verify", ...schema };
}

/** What the parser says it expected, as the description; for a nullable value, that of its other type. */
const withWords: NonNullable<ConversionConfig["overrideSchema"]> = ({ valibotSchema, jsonSchema, errors }) => {
  if (errors !== undefined) return undefined;
  const [alternative] = valibotSchema.type === "nullable" ? (jsonSchema.anyOf ?? []) : [];
  const { message } = valibotSchema as { message?: unknown };
  const description = typeof alternative === "object" ? alternative.description : message;
  return typeof description === "string" ? { ...jsonSchema, description } : undefined;
};

/** Allows the flag `u`, as JSON Schema's patterns are ECMAScript's with `u`; the library rejects any flag. */
const withUnicodePattern: NonNullable<ConversionConfig["overrideAction"]> = ({ valibotAction, jsonSchema }) => {
  const { requirement } = valibotAction as { requirement?: unknown };
  return requirement instanceof RegExp && requirement.flags === "u" ? jsonSchema : undefined;
};
