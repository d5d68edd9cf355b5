import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { REJECTIONS } from "../../../src/core/rejection.ts";
import { ServerMetrics } from "../../../src/frontends/server/server-metrics.ts";
import { documentsOf, KUBERNETES } from "../../support/kubernetes-manifests.ts";

// What the server's alerts and dashboard ask for, and what the server counts.

const { text } = await new ServerMetrics({
  version: "1",
  gates: ["admit"],
  queue: () => ({ running: 0, waiting: 0 }),
  connections: () => 0,
  certificateUntil: () => 1,
  breakGlassUntil: () => undefined,
  remembered: () => ({ pieces: 0 }),
}).read();
/** Names of metrics, with their types. */
const counted = new Map(
  Array.from(text.matchAll(/^# TYPE (\S+) (\S+)$/gm), ([, name = "", type = ""]) => [name, type]),
);
const SUFFIX = /_(?:bucket|sum|count)$/;

function metricsIn(expression: string): readonly string[] {
  return Array.from(expression.matchAll(/\b(?:atcr_verify|process)_[a-z_]+/g), ([name]) => name);
}

function unknownIn(expressions: readonly string[]): readonly string[] {
  return expressions.flatMap(metricsIn).filter((name) => {
    const isPart = counted.get(name.replace(SUFFIX, "")) === "histogram" && SUFFIX.test(name);
    return !isPart && (counted.get(name) ?? "histogram") === "histogram";
  });
}

const { panels } = JSON.parse(readFileSync(join(KUBERNETES, "components/monitoring/dashboard.json"), "utf8")) as {
  panels: readonly { id: number; title: string; targets: readonly { expr: string }[] }[];
};
const shown = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
const [resource] = documentsOf<{
  spec: { groups: readonly { rules: readonly { alert: string; expr: string; annotations: object }[] }[] };
}>("components/monitoring/alerts.yaml");
const rules = resource?.spec.groups.flatMap((group) => group.rules) ?? [];

describe("the server's dashboard", () => {
  it("asks for metrics that there are, and for each of them", () => {
    expect(counted.size).toBeGreaterThan(15);
    expect(unknownIn(shown)).toEqual([]);
    const asked = new Set(shown.flatMap(metricsIn).map((name) => name.replace(SUFFIX, "")));
    expect([...counted.keys()].filter((name) => !asked.has(name))).toEqual([]);
  });

  it("has panels with titles and numbers of their own", () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
  });
});

describe("the server's alerts", () => {
  it("ask for metrics, codes and files that there are", () => {
    const expressions = rules.map(({ expr }) => expr);
    expect(unknownIn(expressions)).toEqual([]);
    const codes = expressions.flatMap((expr) =>
      Array.from(expr.matchAll(/\bcode!?="([^"]+)"/g), ([, code = ""]) => code),
    );
    expect(codes.length).toBeGreaterThan(2);
    expect(codes.filter((code) => !Object.hasOwn(REJECTIONS, code))).toEqual([]);
  });

  it("say what happened and what to do", () => {
    for (const { annotations } of rules) expect(Object.keys(annotations)).toEqual(["summary", "description"]);
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  });
});
