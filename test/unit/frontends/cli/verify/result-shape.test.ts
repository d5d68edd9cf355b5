import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ndjsonReport } from "../../../../../src/frontends/cli/verify/report-json.ts";
import { ABSENT, MALFORMED, resultOf, SIGNED, summaryOf } from "../../../../support/image-results.ts";
import { faultsOf, faultsOfText, publishedSchema, validator } from "../../../../support/result-schema.ts";
import { staticImports } from "../../../../support/static-imports.ts";

const ROOT = join(import.meta.dirname, "../../../../..");
const GOLDEN = join(import.meta.dirname, "golden");
const SHAPES = ["verify/result-shape.ts", "verify/image-shape.ts", "inspect/inspection-shape.ts"];
/** Keys of the table in docs/reference/cli.md that are always there, or there for each image. */
const ALWAYS = ["schema", "outcome", "code", "reason", "allowed", "verified", "exitStatus", "requested"].concat([
  "signatures",
  "notes",
  "findings",
  "advice",
  "warnings",
]);

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
type JsonMap = { readonly [key: string]: Json };
const isMap = (value: Json): value is JsonMap => typeof value === "object" && value !== null && !Array.isArray(value);

const goldens = readdirSync(GOLDEN)
  .filter((name) => name.endsWith(".json"))
  .map((name) => [name, JSON.parse(readFileSync(join(GOLDEN, name), "utf8")) as JsonMap] as const);

/** The value with each of its maps changed, one at a time; `ms` and `requests` have keys of any name. */
function changed(value: Json, change: (map: JsonMap) => readonly JsonMap[]): readonly Json[] {
  if (Array.isArray(value)) {
    return (value as readonly Json[]).flatMap((item, i) =>
      changed(item, change).map((one) => (value as readonly Json[]).with(i, one)),
    );
  }
  if (!isMap(value)) return [];
  const inner = Object.entries(value)
    .filter(([key]) => key !== "ms" && key !== "requests")
    .flatMap(([key, item]) => changed(item, change).map((one) => ({ ...value, [key]: one })));
  return [...change(value), ...inner];
}

const withOneMore = (value: Json) => changed(value, (map) => [{ ...map, additional: true }]);
const withOneWrong = (value: Json) =>
  changed(value, (map) => Object.keys(map).map((key) => ({ ...map, [key]: [[null]] })));

describe("the shape of the JSON that verify prints", () => {
  it.each(goldens)("is that of the golden file %s", (_, document) => {
    expect(faultsOf(document)).toEqual([]);
  });

  it.each(goldens)("has no other key in any map, and no other type: %s", (_, document) => {
    expect(withOneMore(document).filter((one) => faultsOf(one).length === 0)).toEqual([]);
    expect(withOneWrong(document).filter((one) => faultsOf(one).length === 0)).toEqual([]);
  });

  it("lacks none of the keys that are always there", () => {
    const [, one] = goldens.find(([name]) => name === "verbose.json") ?? expect.fail();
    for (const key of ALWAYS) {
      const { [key]: _, ...less } = one;
      expect(faultsOf(less), key).not.toEqual([]);
    }
    const [, many] = goldens.find(([name]) => name === "list.json") ?? expect.fail();
    for (const key of ["schema", "verified", "exitStatus", "results", "found", "warnings"]) {
      const { [key]: _, ...less } = many;
      expect(faultsOf(less), key).not.toEqual([]);
    }
  });

  it("is that of each line of ndjson, also where the command ended before it knew any image", () => {
    const results = [resultOf(SIGNED), resultOf(ABSENT)];
    expect(faultsOfText(ndjsonReport(results, summaryOf(results)), "ndjson")).toEqual([]);
    expect(faultsOfText(ndjsonReport([], summaryOf([], { ended: MALFORMED })), "ndjson")).toEqual([]);
  });

  it("is not loaded by the program", () => {
    const report = join(ROOT, "src/frontends/cli/verify/report-json.ts");
    const read = [...staticImports([report], (path) => readFileSync(path, "utf8")).keys()];
    expect(read).toContain(join(ROOT, "src/frontends/cli/inspect/inspection-json.ts"));
    for (const shape of SHAPES) expect(read).not.toContain(join(ROOT, "src/frontends/cli", shape));
  });
});

describe("the JSON Schema of it", () => {
  const schema = publishedSchema();
  const published = validator(schema);

  it("is of draft 7 and refers to no server", () => {
    expect(schema).toMatchObject({ $schema: "http://json-schema.org/draft-07/schema#" });
    const text = JSON.stringify(schema);
    expect(text).not.toMatch(/"\$id"|"\$ref":"[^#]/);
    expect(text).toMatch(/^[ -~]+$/);
  });

  it.each(goldens)("says the same, except that it accepts keys of later versions: %s", (_, document) => {
    expect(published(document)).toEqual([]);
    expect(withOneMore(document).flatMap((one) => published(one))).toEqual([]);
    expect(withOneWrong(document).filter((one) => published(one).length === 0)).toEqual([]);
  });

  it("has words for every key", () => {
    const properties: [string, Json][] = [];
    const collect = (value: Json): void => {
      if (typeof value !== "object" || value === null) return;
      if (isMap(value) && isMap(value["properties"] ?? null)) {
        properties.push(...Object.entries(value["properties"] as JsonMap));
      }
      for (const one of Object.values(value)) collect(one as Json);
    };
    collect(schema as Json);
    expect(properties.length).toBeGreaterThan(100);
    const speechless = properties.filter(([, one]) => isMap(one) && !("$ref" in one) && !("description" in one));
    expect(speechless).toEqual([]);
  });
});
