import { describe, expect, it } from "vitest";
import { REJECTIONS } from "../../../../src/core/rejection.ts";
import type { DecisionRecord } from "../../../../src/io/log/decision-record.ts";
import { add, METRICS, metricsText, NOTHING, tallyOf } from "../../../../src/io/log/metrics.ts";

const TIME = "2026-01-31T12:00:00.000Z";
const record = (values: Partial<DecisionRecord> = {}): DecisionRecord => ({
  time: TIME,
  outcome: "allow",
  code: "signed",
  reason: "",
  signers: [],
  cache: "none",
  ms: { total: 60 },
  requests: {},
  version: "1",
  pid: 1,
  ...values,
});
const textOf = (...tallies: readonly ReturnType<typeof tallyOf>[]) => metricsText(tallies.reduce(add, NOTHING), "1.0");

describe("metrics", () => {
  it("add up counts, by outcome and code", () => {
    const refused = record({ outcome: "deny", code: "signature.none", cache: "stale" });
    const text = textOf(tallyOf(record(), 0), tallyOf(refused, 0), tallyOf(refused, 0));
    expect(text).toContain('atcr_verify_decisions_total{outcome="allow",code="signed"} 1\n');
    expect(text).toContain('atcr_verify_decisions_total{outcome="deny",code="signature.none"} 2\n');
    expect(text).toContain('atcr_verify_cache_total{cache="none"} 1\n');
    expect(text).toContain('atcr_verify_cache_total{cache="stale"} 2\n');
    expect(text).toContain('atcr_verify_audited_refusals_total{code="signature.none"} 0\n');
  });

  it("begin at 0, or nobody would see what happens for the first time", () => {
    const text = textOf(tallyOf(record(), 0));
    for (const [code, { kind }] of Object.entries(REJECTIONS)) {
      expect(text).toContain(`atcr_verify_decisions_total{outcome="${kind}",code="${code}"} 0\n`);
    }
    for (const code of ["signature.none", "pds.unreachable"])
      expect(text).toContain(`atcr_verify_audited_refusals_total{code="${code}"} 0\n`);
    // What no audit lets through.
    expect(text).not.toContain('atcr_verify_audited_refusals_total{code="policy.invalid"}');
    expect(text).toContain('atcr_verify_decisions_total{outcome="allow",code="break_glass"} 0\n');
    expect(text).toContain('atcr_verify_decisions_total{outcome="allow",code="signed"} 1\n');
    expect(text).toContain('atcr_verify_cache_total{cache="stale"} 0\n');
  });

  it("count what audit would have refused, and not what the glass let through as that", () => {
    const would = { outcome: "deny", code: "signature.none" };
    const text = textOf(
      tallyOf(record({ code: "audited", would }), 0),
      tallyOf(record({ code: "break_glass", would }), 0),
    );
    expect(text).toContain('atcr_verify_audited_refusals_total{code="signature.none"} 1\n');
  });

  it("have durations in cumulative buckets, all of them from the first decision on", () => {
    const text = textOf(tallyOf(record(), 0), tallyOf(record({ ms: { total: 20_000 } }), 0));
    const buckets = [...text.matchAll(/duration_seconds_bucket\{le="([^"]+)"\} (\d+)/g)].map(
      ([, le, count]) => `${le}:${count}`,
    );
    expect(buckets).toEqual(["0.025:0", "0.05:0", "0.1:1", "0.25:1", "0.5:1", "1:1", "2.5:1", "5:1", "10:1", "+Inf:2"]);
    expect(text).toContain("atcr_verify_decision_duration_seconds_count 2\n");
    expect(text).toContain("atcr_verify_decision_duration_seconds_sum 20.06\n");
  });

  it("have the age of evidence where kept evidence was used alone", () => {
    const evidenceAt = "2026-01-31T11:00:00Z";
    const now = textOf(tallyOf(record({ evidenceAt: TIME }), 0));
    expect(now).not.toContain("atcr_verify_evidence_age_seconds");
    const stale = textOf(tallyOf(record({ evidenceAt, cache: "stale" }), 0));
    expect(stale).toContain('atcr_verify_evidence_age_seconds_bucket{le="300"} 0\n');
    expect(stale).toContain('atcr_verify_evidence_age_seconds_bucket{le="3600"} 1\n');
    expect(stale).toContain("atcr_verify_oldest_evidence_age_seconds 3600\n");
  });

  it("have gauges of the latest decision, in whatever order they are added", () => {
    const [early, late] = [tallyOf(record(), 5000), tallyOf(record({ time: "2026-01-31T12:00:01Z" }), 0)];
    for (const order of [
      [early, late],
      [late, early],
    ] as const) {
      expect(textOf(...order)).toContain("atcr_verify_break_glass_until_timestamp_seconds 0\n");
      expect(textOf(...order)).toContain(`atcr_verify_last_decision_timestamp_seconds ${late.at / 1000}\n`);
    }
  });

  it("are each explained once, before their samples", () => {
    const would = { outcome: "deny", code: "signature.none" };
    const all = textOf(
      tallyOf(record({ code: "audited", would, cache: "fresh", evidenceAt: TIME }), 0, { pieces: 2, nextEnd: 0 }),
    );
    const types = [...all.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, kind]) => [name, kind]);
    expect(types).toEqual(Object.entries(METRICS).map(([name, { kind }]) => [name, kind]));
    expect(all).toMatch(
      /^(?:# (?:HELP|TYPE) \S+ .+\n|[a-z_]+(?:\{[a-z]+="[^"\\]+"(?:,[a-z]+="[^"\\]+")*\})? [0-9.e+-]+\n)+$/,
    );
  });
});
