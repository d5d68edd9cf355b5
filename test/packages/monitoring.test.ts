import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { YamlFile } from "../../src/core/encoding/yaml.ts";
import { withCache } from "../support/caching-world.ts";
import { debianTool, missingTool } from "../support/debian-tools.ts";
import { makeTemporaryDirectory, run } from "../support/process.ts";
import { requirement } from "../support/requirement.ts";

// Metrics, alerts and dashboard by Prometheus' own program.

const testable = requirement("metrics, alerts and dashboard by promtool", missingTool("promtool"));

const EXAMPLES = join(import.meta.dirname, "../../config-examples");
const ALERTS = join(EXAMPLES, "prometheus-alerts.yaml");

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** What has an alert tell, and what does not: series by their labels, a value for each minute, as promtool writes them. */
interface Scenario {
  readonly series: Readonly<Record<string, string>>;
  /** Minutes from the first value. */
  readonly at: number;
  /** Labels beside `instance`; absent: it is silent. */
  readonly tells?: Readonly<Record<string, string>>;
}

const ONCE = "0x5 1x200";
const NEVER = "0x300";
const decisions = (outcome: string, code: string) =>
  `atcr_verify_decisions_total{instance="n", outcome="${outcome}", code="${code}"}`;
const PROBED = decisions("deny", "policy.probe");
const GLASS = 'atcr_verify_break_glass_until_timestamp_seconds{instance="n"}';
const ENDS = 'atcr_verify_bundle_next_end_timestamp_seconds{instance="n"}';
const LAST = 'atcr_verify_last_decision_timestamp_seconds{instance="n"}';
const stale = 'atcr_verify_cache_total{instance="n", cache="stale"}';
const bucket = (le: string) => `atcr_verify_decision_duration_seconds_bucket{instance="n", le="${le}"}`;
const NODE = 'up{instance="n", job="node"}';
const BUILD = 'atcr_verify_build_info{instance="n", version="1"}';

const SCENARIOS: Readonly<Record<string, readonly Scenario[]>> = {
  AtcrVerifyBreakGlass: [
    { series: { [GLASS]: "3600x300" }, at: 10, tells: {} },
    { series: { [GLASS]: "3600x300" }, at: 61 },
    { series: { [GLASS]: NEVER }, at: 10 },
    { series: { [decisions("allow", "break_glass")]: ONCE }, at: 8, tells: {} },
    // Both at once are one alert.
    { series: { [GLASS]: "3600x300", [decisions("allow", "break_glass")]: ONCE }, at: 8, tells: {} },
  ],
  AtcrVerifyBundleEnds: [
    { series: { [ENDS]: "604800x300" }, at: 10, tells: {} },
    // A fortnight is left; nothing was imported.
    { series: { [ENDS]: "1209600x300" }, at: 10 },
    { series: { [ENDS]: NEVER }, at: 10 },
  ],
  AtcrVerifyRefusals: [
    { series: { [decisions("deny", "signature.none")]: ONCE }, at: 10, tells: { code: "signature.none" } },
    { series: { [decisions("deny", "signature.none")]: ONCE }, at: 30 },
    { series: { [decisions("deny", "policy.probe")]: ONCE }, at: 10 },
    { series: { [decisions("allow", "signed")]: ONCE }, at: 10 },
  ],
  AtcrVerifyCannotTell: [
    { series: { [decisions("inconclusive", "pds.unreachable")]: ONCE }, at: 10, tells: {} },
    { series: { [decisions("inconclusive", "pds.unreachable")]: NEVER }, at: 10 },
  ],
  AtcrVerifyMisconfigured: [
    { series: { [decisions("misconfigured", "policy.invalid")]: ONCE }, at: 10, tells: {} },
    { series: { [decisions("misconfigured", "policy.invalid")]: NEVER }, at: 10 },
  ],
  AtcrVerifyInternalError: [
    { series: { [decisions("internal", "internal.error")]: ONCE }, at: 10, tells: {} },
    { series: { [decisions("internal", "internal.error")]: NEVER }, at: 10 },
  ],
  AtcrVerifyOldEvidence: [
    { series: { [stale]: "0+1x300" }, at: 120, tells: {} },
    { series: { [stale]: "0+1x300" }, at: 30 },
    { series: { [stale]: NEVER }, at: 120 },
  ],
  AtcrVerifySlow: [
    { series: { [bucket("5")]: NEVER, [bucket("10")]: "0+1x300", [bucket("+Inf")]: "0+1x300" }, at: 120, tells: {} },
    { series: { [bucket("5")]: "0+1x300", [bucket("10")]: "0+1x300", [bucket("+Inf")]: "0+1x300" }, at: 120 },
  ],
  AtcrVerifyMissing: [
    { series: { [NODE]: "1x300" }, at: 90, tells: { job: "node" } },
    { series: { [NODE]: "1x300", [BUILD]: "1x300" }, at: 90 },
    { series: { [NODE]: NEVER }, at: 90 },
  ],
  AtcrVerifyNeverAsked: [
    { series: { [BUILD]: "1x3000" }, at: 1500, tells: { version: "1" } },
    { series: { [BUILD]: "1x3000" }, at: 1400 },
    { series: { [BUILD]: "1x3000", [LAST]: "_x1000 60x2000" }, at: 1500 },
  ],
  AtcrVerifySilent: [
    { series: { [LAST]: "60x3000" }, at: 1500, tells: {} },
    { series: { [LAST]: "60x3000" }, at: 1400 },
  ],
};

describe.runIf(testable)("for Prometheus", () => {
  const folder = makeTemporaryDirectory("promtool");
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const promtool = async (args: readonly string[], input = "") => {
    const { code, stdout, stderr } = await run(debianTool("promtool"), args, { input });
    return [code, code === 0 ? "" : stdout + stderr];
  };

  const { value } = new YamlFile(readFileSync(ALERTS, "utf8"), "alerts", "config.invalid");
  const rules = (value as { groups: readonly { rules: readonly Rule[] }[] }).groups.flatMap((group) => group.rules);

  it("each alert has scenarios, of which it tells in one and is silent in one", () => {
    expect(Object.keys(SCENARIOS)).toEqual(rules.map(({ alert }) => alert));
    for (const scenarios of Object.values(SCENARIOS)) {
      expect(new Set(scenarios.map(({ tells }) => tells !== undefined)).size).toBe(2);
    }
  });

  it.each(rules.map((rule) => [rule.alert, rule] as const))(
    "%s tells when it should, and only then",
    async (_, rule) => {
      const worded = (text: string, labels: Readonly<Record<string, string>>) =>
        text.replace(/\{\{ \$labels\.([a-z]+) \}\}/g, (_match, label: string) => labels[label] ?? "(no such label)");
      const tests = (SCENARIOS[rule.alert] ?? []).map(({ series, at, tells }) => {
        const labels = { instance: "n", ...tells };
        const annotations = Object.entries(rule.annotations).map(([key, text]) => [key, worded(text, labels)]);
        return {
          interval: "1m",
          input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
          alert_rule_test: [
            {
              eval_time: `${at}m`,
              alertname: rule.alert,
              exp_alerts:
                tells === undefined
                  ? []
                  : [
                      {
                        exp_labels: { ...rule.labels, ...labels },
                        exp_annotations: Object.fromEntries(annotations) as unknown,
                      },
                    ],
            },
          ],
        };
      });
      const file = join(folder, `${rule.alert}.yaml`);
      writeFileSync(file, JSON.stringify({ rule_files: [ALERTS], evaluation_interval: "1m", tests }));
      expect(await promtool(["test", "rules", file])).toEqual([0, ""]);
    },
  );

  const { panels } = JSON.parse(readFileSync(join(EXAMPLES, "grafana-dashboard.json"), "utf8")) as {
    panels: readonly { title: string; targets: readonly { expr: string }[] }[];
  };
  const filled = (expr: string) => expr.replaceAll("$__rate_interval", "5m").replaceAll("$instance", ".*");

  it("each expression of the dashboard is one", async () => {
    const parsed = panels
      .flatMap(({ targets }) => targets)
      .map(({ expr }, i) => ({ record: `panel:${i}`, expr: filled(expr) }));
    const file = join(folder, "dashboard.yaml");
    writeFileSync(file, JSON.stringify({ groups: [{ name: "dashboard", rules: parsed }] }));
    expect(await promtool(["check", "rules", file])).toEqual([0, ""]);
  });

  it.each<[string, number, Readonly<Record<string, string>>, readonly (readonly [labels: string, value: number])[]]>([
    [
      "Signature coverage, 24 h",
      0,
      { [decisions("allow", "signed")]: "0+3x2000", [decisions("allow", "exempt")]: "0+1x2000", [PROBED]: "0+4x2000" },
      [["{}", 0.75]],
    ],
    [
      "Refusals by code",
      0,
      { [decisions("deny", "signature.none")]: "0+1x2000", [PROBED]: "0+4x2000" },
      [['{code="signature.none"}', 5]],
    ],
    ["Break-glass active", 0, { [GLASS]: "200000x2000" }, [["{}", 1]]],
    [
      "Audit would have refused, 24 h",
      0,
      { 'atcr_verify_audited_refusals_total{instance="n", code="a"}': "0x1499 1x500" },
      [["{}", 1]],
    ],
    ["Last decision", 0, { [LAST]: "89000x2000" }, [["{}", 1000]]],
    ["Age of cached evidence", 1, { 'atcr_verify_oldest_evidence_age_seconds{instance="n"}': "7x2000" }, [["{}", 7]]],
  ])("the panel %s says what its title says (%i)", async (title, target, series, expected) => {
    const expr = panels.find((panel) => panel.title === title)?.targets[target]?.expr ?? "";
    const samples = expected.map(([labels, one]) => ({ labels, value: one }));
    const test = {
      interval: "1m",
      input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
      promql_expr_test: [{ expr: filled(expr), eval_time: "1500m", exp_samples: samples }],
    };
    const file = join(folder, "panel.yaml");
    writeFileSync(file, JSON.stringify({ evaluation_interval: "1m", tests: [test] }));
    expect(await promtool(["test", "rules", file])).toEqual([0, ""]);
  });

  it("what the program writes is as Prometheus wants it", async () => {
    await withCache(async (world, image) => {
      const metricsFile = join(world.folder, "m.prom");
      world.configure({ ...world.settings, metricsFile });
      const unsigned = await world.image("unsigned", { signed: false });
      for (const one of [image, image, unsigned]) await world.pull(world.name, one);
      const text = readFileSync(metricsFile, "utf8");
      expect(text).toContain('atcr_verify_decisions_total{outcome="allow",code="signed"} 2\n');
      expect(await promtool(["check", "metrics"], text)).toEqual([0, ""]);
    });
  });
});
