/** Writes the JSON Schema of what `verify --output json` prints: `node packaging/write-result-schema.ts > FILE`. */
import { jsonSchemaOf } from "../src/core/policy-tools/json-schema.ts";
import { RESULT_PARTS, RESULT_SHAPE } from "../src/frontends/cli/verify/result-shape.ts";

const schema = jsonSchemaOf(RESULT_SHAPE, "Result of atcr-verify verify", { isOpen: true, parts: RESULT_PARTS });
console.log(JSON.stringify(schema, null, 2));
