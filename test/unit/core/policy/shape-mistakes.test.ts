import { describe, expect, it } from "vitest";
import { Mistakes } from "../../../../src/core/encoding/mistakes.ts";
import { YamlFile } from "../../../../src/core/encoding/yaml.ts";
import { list, oneOf, whole } from "../../../../src/core/policy/shape.ts";
import { checkWholeShape } from "../../../../src/core/policy/shape-mistakes.ts";

const SHAPE = list(oneOf(["a", "b"], "a or b"), "a list");

function mistakesOf(
  text: string,
  substitute: () => unknown,
): readonly [output: unknown, keys: unknown[], cut: boolean] {
  const mistakes = new Mistakes();
  const file = new YamlFile(text, "f", "config.invalid", mistakes);
  const output = mistakes.attempt(undefined, () => checkWholeShape(file, SHAPE, undefined, substitute));
  const found = mistakes.found(["f"]);
  return [output, found.mistakes.map(({ key }) => key), found.isCut];
}

describe("checkWholeShape", () => {
  it("finds each part that is not of its shape, and reads on with its substitute", () => {
    expect(mistakesOf("[c, a, d]", () => "b")).toEqual([["b", "a", "b"], ["[0]", "[2]"], false]);
  });

  it("ends where the substitute has not the shape either", () => {
    expect(mistakesOf("[c, a, d]", () => "e")).toEqual([undefined, ["[0]", "[2]"], true]);
  });

  it("throws the first mistake of a file whose mistakes are not collected", () => {
    const file = new YamlFile("[c]", "f", "config.invalid");
    expect(() => checkWholeShape(file, whole("a number"))).toThrow("f:1:1: found a list, expected a number");
  });
});
