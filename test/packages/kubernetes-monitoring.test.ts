import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { debianTool, missingTool } from "../support/debian-tools.ts";
import { documentsOf, KUBERNETES } from "../support/kubernetes-manifests.ts";
import { makeTemporaryDirectory, run } from "../support/process.ts";
import { requirement } from "../support/requirement.ts";

// Alerts and dashboard of the server by Prometheus' own program.

const testable = requirement("the server's alerts and dashboard by promtool", missingTool("promtool"));

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Series by their labels, a value for each minute; the labels with which the alert tells, absent where it is silent. */
interface Scenario {
  readonly series: Readonly<Record<string, string>>;
  /** Minutes from the first value. */
  readonly at: number;
  readonly tells?: Readonly<Record<string, string>>;
}

const ONCE = "0x5 1x200";
const NEVER = "0x300";
const EACH_MINUTE = "0+1x300";
const up = (instance: string) => `up{job="atcr-verify", instance="${instance}"}`;
const own = (name: string, labels = "") => `atcr_verify_server_${name}{instance="a", job="atcr-verify"${labels}}`;
const decisions = (outcome: string, code: string, gate = "admit") =>
  own("decisions_total", `, gate="${gate}", outcome="${outcome}", code="${code}"`);
const events = (event: string) => own("connection_events_total", `, event="${event}"`);
const bucket = (le: string) => own("request_duration_seconds_bucket", `, gate="admit", le="${le}"`);
const webhook = (metric: string, labels: string) =>
  `apiserver_admission_webhook_${metric}{job="apiserver", type="validating"${labels}}`;
const ERROR = ', name="pods.enforce.atcr-verify", error_type="calling_webhook_error"';
const OPEN = ', name="pods.audit.atcr-verify"';
const END = own("certificate_expiry_timestamp_seconds");
const MEMORY = 'process_resident_memory_bytes{instance="a", job="atcr-verify"}';

const SCENARIOS: Readonly<Record<string, readonly Scenario[]>> = {
  AtcrVerifyServerDown: [
    { series: { [up("a")]: "0x300", [up("b")]: "0x300" }, at: 10, tells: {} },
    { series: {}, at: 10, tells: {} },
    { series: { [up("a")]: "0x300", [up("b")]: "1x300" }, at: 10 },
  ],
  AtcrVerifyServerAlone: [
    { series: { [up("a")]: "0x300", [up("b")]: "1x300" }, at: 20, tells: {} },
    { series: { [up("a")]: "1x300", [up("b")]: "1x300" }, at: 20 },
  ],
  AtcrVerifyServerUnreachable: [
    { series: { [webhook("rejection_count", ERROR)]: ONCE }, at: 8, tells: { name: "pods.enforce.atcr-verify" } },
    { series: { [webhook("fail_open_count", OPEN)]: ONCE }, at: 8, tells: { name: "pods.audit.atcr-verify" } },
    // A refusal is an answer, and another program's webhook is not this one's concern.
    { series: { [webhook("rejection_count", ERROR.replace("calling_webhook_error", "no_error"))]: ONCE }, at: 8 },
    { series: { [webhook("fail_open_count", ', name="x.example.com"')]: ONCE }, at: 8 },
  ],
  AtcrVerifyServerBreakGlass: [
    { series: { [own("break_glass_until_timestamp_seconds")]: "3600x300" }, at: 10, tells: {} },
    { series: { [own("break_glass_until_timestamp_seconds")]: "3600x300" }, at: 61 },
    { series: { [own("break_glass_until_timestamp_seconds")]: NEVER }, at: 10 },
  ],
  AtcrVerifyServerRefusals: [
    {
      series: { [decisions("deny", "signature.none")]: EACH_MINUTE, [decisions("allow", "signed")]: EACH_MINUTE },
      at: 90,
      tells: { gate: "admit" },
    },
    // What a server is for: one refusal, few among many, and the doctor's probes.
    { series: { [decisions("deny", "signature.none")]: ONCE }, at: 40 },
    {
      series: { [decisions("deny", "signature.none")]: EACH_MINUTE, [decisions("allow", "signed")]: "0+9x300" },
      at: 90,
    },
    // What is pinned is no decision, so at this gate there is nothing that these are a share of.
    { series: { [decisions("deny", "tag.mismatch", "mutate")]: EACH_MINUTE }, at: 90 },
    { series: { [decisions("deny", "policy.probe")]: EACH_MINUTE, [decisions("allow", "signed")]: ONCE }, at: 90 },
  ],
  AtcrVerifyServerCannotTell: [
    {
      series: {
        [decisions("inconclusive", "pds.unreachable")]: EACH_MINUTE,
        [decisions("allow", "signed")]: "0+9x300",
      },
      at: 40,
      tells: { gate: "admit", code: "pds.unreachable" },
    },
    { series: { [decisions("inconclusive", "pds.unreachable")]: ONCE }, at: 12 },
    {
      series: {
        [decisions("inconclusive", "pds.unreachable")]: EACH_MINUTE,
        [decisions("allow", "signed")]: "0+99x300",
      },
      at: 40,
    },
    { series: { [decisions("inconclusive", "server.overloaded")]: EACH_MINUTE }, at: 40 },
    { series: { [decisions("inconclusive", "registry.unreachable", "mutate")]: EACH_MINUTE }, at: 40 },
    { series: { [decisions("inconclusive", "registry.unknown_tag")]: EACH_MINUTE }, at: 40 },
  ],
  AtcrVerifyServerOverloaded: [
    { series: { [decisions("inconclusive", "server.overloaded")]: ONCE }, at: 10, tells: { gate: "admit" } },
    // At the gate that the others leave out, too.
    { series: { [decisions("inconclusive", "server.overloaded", "mutate")]: ONCE }, at: 10, tells: { gate: "mutate" } },
    { series: { [decisions("inconclusive", "pds.unreachable")]: ONCE }, at: 10 },
  ],
  AtcrVerifyServerConnections: [
    {
      series: { [events("handshake_timeout")]: "0+20x300" },
      at: 30,
      tells: { instance: "a", event: "handshake_timeout" },
    },
    { series: { [events("handshake_timeout")]: EACH_MINUTE, [events("accepted")]: "0+20x300" }, at: 30 },
  ],
  AtcrVerifyServerMisconfigured: [
    { series: { [decisions("misconfigured", "policy.invalid")]: ONCE }, at: 10, tells: { instance: "a" } },
    { series: { [decisions("misconfigured", "policy.invalid")]: NEVER }, at: 10 },
  ],
  AtcrVerifyServerInternalError: [
    { series: { [decisions("internal", "internal.error")]: ONCE }, at: 10, tells: { instance: "a" } },
    { series: { [decisions("internal", "internal.error")]: NEVER }, at: 10 },
  ],
  AtcrVerifyServerReload: [
    {
      series: { [own("last_reload_successful", ', what="policy"')]: "1x5 0x200" },
      at: 20,
      tells: { instance: "a", what: "policy" },
    },
    { series: { [own("last_reload_successful", ', what="policy"')]: "1x5 0x2 1x200" }, at: 20 },
  ],
  AtcrVerifyServerCertificate: [
    { series: { [END]: "1209000x300" }, at: 10, tells: { instance: "a" } },
    { series: { [END]: "1300000x300" }, at: 10 },
  ],
  AtcrVerifyServerSlow: [
    {
      series: { [bucket("2.5")]: NEVER, [bucket("5")]: "0+1x300", [bucket("+Inf")]: "0+1x300" },
      at: 60,
      tells: { gate: "admit" },
    },
    { series: { [bucket("2.5")]: "0+1x300", [bucket("5")]: "0+1x300", [bucket("+Inf")]: "0+1x300" }, at: 60 },
  ],
  AtcrVerifyServerMemory: [
    { series: { [MEMORY]: "280000000x300" }, at: 20, tells: { instance: "a" } },
    { series: { [MEMORY]: "250000000x300" }, at: 20 },
  ],
};

describe.runIf(testable)("for Prometheus, of the server", () => {
  const folder = makeTemporaryDirectory("promtool-server");
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const promtool = async (args: readonly string[]) => {
    const { code, stdout, stderr } = await run(debianTool("promtool"), args, { cwd: folder });
    return [code, code === 0 ? "" : stdout + stderr];
  };
  const [resource] = documentsOf<{ spec: { groups: readonly { rules: readonly Rule[] }[] } }>(
    "components/monitoring/alerts.yaml",
  );
  const rules = resource?.spec.groups.flatMap((group) => group.rules) ?? [];

  it("each alert has scenarios, of which it tells in one and is silent in one", () => {
    expect(Object.keys(SCENARIOS)).toEqual(rules.map(({ alert }) => alert));
    for (const scenarios of Object.values(SCENARIOS))
      expect(new Set(scenarios.map(({ tells }) => tells !== undefined)).size).toBe(2);
  });

  it("alerts tell when they should, and only then", async () => {
    const worded = (text: string, labels: Readonly<Record<string, string>>) =>
      text.replace(/\{\{ \$labels\.([a-z]+) \}\}/g, (_, label: string) => labels[label] ?? "(no such label)");
    const tests = rules.flatMap(({ alert, labels, annotations }) =>
      (SCENARIOS[alert] ?? []).map(({ series, at, tells }) => {
        const expected = Object.entries(annotations).map(([key, text]) => [key, worded(text, tells ?? {})]);
        return {
          interval: "1m",
          input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
          alert_rule_test: [
            {
              eval_time: `${at}m`,
              alertname: alert,
              exp_alerts:
                tells === undefined
                  ? []
                  : [{ exp_labels: { ...labels, ...tells }, exp_annotations: Object.fromEntries(expected) as unknown }],
            },
          ],
        };
      }),
    );
    writeFileSync(join(folder, "rules.yaml"), JSON.stringify(resource?.spec));
    const file = { rule_files: ["rules.yaml"], evaluation_interval: "1m", tests };
    writeFileSync(join(folder, "alerts.yaml"), JSON.stringify(file));
    expect(await promtool(["test", "rules", "alerts.yaml"])).toEqual([0, ""]);
  });

  it("each expression of the dashboard is one", async () => {
    const { panels } = JSON.parse(readFileSync(join(KUBERNETES, "components/monitoring/dashboard.json"), "utf8")) as {
      panels: readonly { targets: readonly { expr: string }[] }[];
    };
    const recorded = panels
      .flatMap(({ targets }) => targets)
      .map(({ expr }, i) => ({
        record: `panel:${i}`,
        expr: expr.replaceAll("$__rate_interval", "5m").replaceAll("$instance", ".*"),
      }));
    expect(recorded.length).toBeGreaterThan(15);
    writeFileSync(join(folder, "dashboard.yaml"), JSON.stringify({ groups: [{ name: "dashboard", rules: recorded }] }));
    expect(await promtool(["check", "rules", "dashboard.yaml"])).toEqual([0, ""]);
  });
});
