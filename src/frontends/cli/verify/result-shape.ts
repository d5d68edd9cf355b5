import * as shape from "../../../core/policy/shape.ts";
import { INSPECTION_SHAPE } from "../inspect/inspection-shape.ts";
import { code, exchange, finding, image, outcome, place, reason, resolved, signature } from "./image-shape.ts";

/**
 * The shape of what `verify` prints as JSON (report-json.ts makes it): for the types, the tests and the JSON Schema that
 * packaging/write-result-schema.ts writes. The words are the descriptions in the schema. The program itself loads none of it.
 */
const { keys, list, optional, text } = shape;

const SCHEMA = shape.oneOf(
  ["atcr-verify/verify/1"],
  "names this schema; the number rises when a key is removed, or changes its type or its meaning",
);

const found = keys(
  {
    file: text("the file; standard input is <stdin>"),
    images: shape.whole("how many images it names"),
    kinds: list(
      keys({ kind: text("how they are named: manifest, values, FROM"), images: shape.whole("how many") }, "a kind"),
      "how many of each kind",
    ),
    passedOver: list(
      keys(
        { what: text("schemas, statuses, pullSettings, stages or scratch"), count: shape.whole("how many", 1) },
        "a kind",
      ),
      "what could be taken for an image and is none",
    ),
  },
  "what was found in a file of --file",
);

const warnings = list(
  keys({ code: text("a code of the table of warnings"), message: text("a sentence") }, "a warning"),
  "warnings; they are printed on standard error, too",
);
/** One image: the index of a multi-platform image, or one of its images. */
const result = {
  ...image,
  platformImage: optional(
    keys(
      { platform: text("the platform of --platform"), ...image },
      "the image of an index for --platform, judged for itself",
    ),
  ),
};

const oneImage = keys({ schema: SCHEMA, ...result, warnings }, "the result of one image");

const severalImages = keys(
  {
    schema: SCHEMA,
    outcome: optional(outcome),
    code: optional(code),
    reason: optional(reason),
    ...place,
    verified: shape.boolean("whether a trusted signature was verified for every image"),
    exitStatus: shape.whole("of the images' statuses the first of 4, 3, 1, 2, 5 and 0 that occurs"),
    results: list(keys(result, "the result of one image"), "one result for each image, in the order they were named"),
    found: list(found, "what was found in each file of --file"),
    warnings,
  },
  "the results of several images, or of none; outcome, code and reason are there where the command ended early",
);

/**
 * An object of `--output json`, or a line of `--output ndjson`.
 *
 * @public for packaging/write-result-schema.ts
 */
export const RESULT_SHAPE = shape.either(oneImage, severalImages, "the result of one image, or of several");
/**
 * Parts of it that the JSON Schema writes once.
 *
 * @public for packaging/write-result-schema.ts
 */
export const RESULT_PARTS = { exchange, finding, inspection: INSPECTION_SHAPE, resolved, signature };

/** As report-json.ts returns it. */
export type OneImage = shape.InferFrozen<typeof oneImage>;
export type SeveralImages = shape.InferFrozen<typeof severalImages>;
export type ResultKeys = SeveralImages["results"][number];
/** Without the image of a platform. */
export type ImageKeys = Omit<ResultKeys, "platformImage">;
