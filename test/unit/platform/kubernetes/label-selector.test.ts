import { describe, expect, it } from "vitest";
import { labelSelector, selectorText, selects } from "../../../../src/platform/kubernetes/label-selector.ts";

const LABELS = new Map([
  ["a", "1"],
  ["b", "2"],
]);
const expression = (key: string, operator: string, ...values: readonly string[]) => ({
  matchExpressions: [{ key, operator, ...(values.length > 0 && { values }) }],
});

describe("a label selector", () => {
  it.each<[object, boolean, string]>([
    [{}, true, ""],
    [{ matchLabels: { a: "1" } }, true, "a in (1)"],
    [{ matchLabels: { a: "1", b: "3" } }, false, "a in (1), b in (3)"],
    [expression("a", "In", "0", "1"), true, "a in (0,1)"],
    [expression("c", "In", "1"), false, "c in (1)"],
    [expression("a", "NotIn", "1"), false, "a notin (1)"],
    [expression("c", "NotIn", "1"), true, "c notin (1)"],
    [expression("a", "Exists"), true, "a"],
    [expression("c", "Exists"), false, "c"],
    [expression("a", "DoesNotExist"), false, "!a"],
    [expression("c", "DoesNotExist"), true, "!c"],
    [{ matchLabels: { a: "1" }, ...expression("b", "NotIn", "2") }, false, "a in (1), b notin (2)"],
  ])("%j: %s", (object, expected, text) => {
    const selector = labelSelector(object as Readonly<Record<string, unknown>>);
    expect(selects(selector, LABELS)).toBe(expected);
    expect(selectorText(selector)).toBe(text);
  });

  it("with an operator that is not known selects nothing", () => {
    expect(selects([{ key: "a", operator: "Gt", values: ["0"] }], LABELS)).toBe(false);
  });
});
