import { type ConversionConfig, toJsonSchema } from "@valibot/to-json-schema";
import { POLICY_SHAPE } from "../policy/policy-schema.ts";
import type { Shape } from "../policy/shape.ts";

/**
 * The JSON Schema of a trust policy file, for editors. What it rejects, the parser rejects too; the parser
 * rejects more, such as a date that does not exist, or a rule's DID that is not under trustedDIDs.
 */
export function policyJsonSchema(): object {
  return jsonSchemaOf(POLICY_SHAPE, "Trust policy of atcr-verify");
}

interface Options {
  /** Whether keys that the shape does not have are accepted: in what this program prints, later versions add some. */
  readonly isOpen?: boolean;
  /** Parts of the shape that are written once, under `definitions`. */
  readonly parts?: Readonly<Record<string, Shape>>;
}

/**
 * The JSON Schema of a shape, of draft 7: yaml-language-server assumes that by default, and nothing newer is needed. There
 * is no `$id`: the schema is a file in the package and is never fetched.
 *
 * For editors and other programs only: containerd's entry point must not import this file.
 *
 */
export function jsonSchemaOf(shape: Shape, title: string, { isOpen = false, parts = {} }: Options = {}): object {
  const { $schema, ...schema } = toJsonSchema(shape, {
    target: "draft-07",
    definitions: { ...parts },
    // The part of each pipe after `custom`, which JSON Schema cannot express and does not need.
    typeMode: "output",
    overrideSchema: (context) => withWords(context) ?? (isOpen ? opened(context) : undefined),
    overrideAction: withUnicodePattern,
  });
  return { $schema, title, ...schema };
}

type OverrideSchema = NonNullable<ConversionConfig["overrideSchema"]>;

/** A map without the ban on other keys. */
const opened: OverrideSchema = ({ valibotSchema, jsonSchema, errors }) => {
  if (errors !== undefined || valibotSchema.type !== "strict_object") return undefined;
  const { additionalProperties: _, ...open } = jsonSchema;
  return open;
};

/** What the parser says it expected, as the description; for a nullable value, that of its other type. */
const withWords: OverrideSchema = ({ valibotSchema, jsonSchema, errors }) => {
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
