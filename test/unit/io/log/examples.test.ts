import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { YamlFile } from "../../../../src/core/encoding/yaml.ts";
import { REJECTIONS } from "../../../../src/core/rejection.ts";
import { METRICS } from "../../../../src/io/log/metrics.ts";

const read = (name: string) => readFileSync(new URL(`../../../../config-examples/${name}`, import.meta.url), "utf8");
const SUFFIX = /_(?:bucket|sum|count)$/;

/** Metrics, and the codes, outcomes and uses that labels are compared with, of an expression. */
function named(expression: string) {
  const metrics = Array.from(expression.matchAll(/\batcr_verify_[a-z_]+/g), ([name]) => name);
  const codes = Array.from(expression.matchAll(/\bcode(?:!=|=~|=)"([^"]*)"/g), ([, value = ""]) =>
    value.split("|"),
  ).flat();
  return { metrics, codes };
}

function expectKnown(expressions: readonly string[]): void {
  const known = new Set(Object.keys(METRICS));
  const kinds = new Set<string>([...Object.keys(REJECTIONS), "signed", "exempt", "audited", "break_glass"]);
  expect(expressions.length).toBeGreaterThan(5);
  for (const expression of expressions) {
    const { metrics, codes } = named(expression);
    expect([expression, metrics.length > 0]).toEqual([expression, true]);
    for (const metric of metrics) {
      const name = known.has(metric) ? metric : metric.replace(SUFFIX, "");
      expect([expression, known.has(name), metric === name || METRICS[name]?.kind === "histogram"]).toEqual([
        expression,
        true,
        true,
      ]);
    }
    for (const code of codes) expect([expression, code, kinds.has(code)]).toEqual([expression, code, true]);
    // As many closed as opened, which a typing mistake breaks first.
    for (const [open, close] of ["()", "{}", "[]"]) {
      expect(expression.split(open ?? "").length, expression).toBe(expression.split(close ?? "").length);
    }
  }
}

describe("the examples of what metrics are for", () => {
  it("the alerts ask for metrics and codes that there are", () => {
    const { value } = new YamlFile(read("prometheus-alerts.yaml"), "alerts", "config.invalid");
    const [group] = (
      value as { groups: { rules: { alert: string; expr: string; annotations: Record<string, string> }[] }[] }
    ).groups;
    const rules = group?.rules ?? [];
    expectKnown(rules.map(({ expr }) => expr));
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    for (const { annotations } of rules) expect(Object.keys(annotations)).toEqual(["summary", "description"]);
  });

  it("the dashboard asks for metrics that there are, and for each of them", () => {
    const { panels } = JSON.parse(read("grafana-dashboard.json")) as {
      panels: { id: number; targets: { expr: string }[] }[];
    };
    const expressions = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
    expectKnown(expressions);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const shown = new Set(
      expressions.flatMap((expression) => named(expression).metrics.map((metric) => metric.replace(SUFFIX, ""))),
    );
    expect(Object.keys(METRICS).filter((metric) => !shown.has(metric))).toEqual([]);
  });
});
