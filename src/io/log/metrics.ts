import { REJECTIONS } from "../../core/rejection.ts";
import type { BundleEnds } from "../store/bundle-ends.ts";
import type { DecisionRecord } from "./decision-record.ts";

/** Values by sample name and labels, as in the text format: `NAME{label="value"}`. */
export type Samples = Readonly<Record<string, number>>;

/** The samples of one decision, or the sum of several. */
export interface Tally {
  /** Summed over decisions. */
  readonly counters: Samples;
  /** Those of the latest decision, made at `at`, milliseconds since 1970. */
  readonly gauges: Samples;
  readonly at: number;
}

type Kind = "counter" | "gauge" | "histogram";

/** Every metric, in output order. Names are part of the public interface (docs/reference/log-and-metrics.md). */
export const METRICS: Readonly<Record<string, { readonly kind: Kind; readonly help: string }>> = {
  atcr_verify_decisions_total: {
    kind: "counter",
    help: "Decisions on pulls, by outcome and code; the code of an allow is signed, exempt, audited or break_glass.",
  },
  atcr_verify_audited_refusals_total: {
    kind: "counter",
    help: "Pulls allowed only because their rule audits, by the code under enforce.",
  },
  atcr_verify_cache_total: {
    kind: "counter",
    help: "Decisions on pulls, by evidence that was not fetched now: none, fresh, stale or bundle.",
  },
  atcr_verify_decision_duration_seconds: {
    kind: "histogram",
    help: "Time from the start of the process to its answer.",
  },
  atcr_verify_evidence_age_seconds: {
    kind: "histogram",
    help: "Age of the oldest evidence, for decisions from evidence that was not fetched now.",
  },
  atcr_verify_oldest_evidence_age_seconds: {
    kind: "gauge",
    help: "Age of the oldest evidence used for the latest signed pull.",
  },
  atcr_verify_last_decision_timestamp_seconds: { kind: "gauge", help: "Time of the latest decision." },
  atcr_verify_break_glass_until_timestamp_seconds: {
    kind: "gauge",
    help: "End of the active break-glass, as of the latest decision; 0 if it is not active.",
  },
  atcr_verify_bundle_pieces: {
    kind: "gauge",
    help: "Signatures that were imported from bundles, as of the last import.",
  },
  atcr_verify_bundle_next_end_timestamp_seconds: {
    kind: "gauge",
    help: "When the next of them ends by the offlineFor of its rule, as of the last import; 0 if none does.",
  },
  atcr_verify_build_info: { kind: "gauge", help: "1, by version." },
};

const SECOND = 1000;
const DURATIONS = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const AGES = [60, 300, 3600, 6 * 3600, 24 * 3600, 3 * 24 * 3600, 7 * 24 * 3600, 30 * 24 * 3600];

/** No decisions yet. */
export const NOTHING: Tally = { counters: {}, gauges: {}, at: 0 };

/**
 * The samples of one decision.
 *
 * @param until end of the active break-glass, milliseconds since 1970; 0 if it is not active
 * @param imported what was imported, if anything was
 */
export function tallyOf(record: DecisionRecord, until: number, imported?: BundleEnds): Tally {
  const { outcome, code, would, cache, ms, evidenceAt } = record;
  const at = Date.parse(record.time);
  const evidence = evidenceAt === undefined ? undefined : Date.parse(evidenceAt);
  return {
    at,
    counters: {
      [decisions(outcome, code)]: 1,
      ...(code === "audited" && would && { [sample("atcr_verify_audited_refusals_total", { code: would.code })]: 1 }),
      [sample("atcr_verify_cache_total", { cache })]: 1,
      ...histogram("atcr_verify_decision_duration_seconds", DURATIONS, (ms["total"] ?? 0) / SECOND),
      ...(evidence !== undefined &&
        cache !== "none" &&
        histogram("atcr_verify_evidence_age_seconds", AGES, Math.max(0, at - evidence) / SECOND)),
    },
    gauges: {
      atcr_verify_last_decision_timestamp_seconds: at / SECOND,
      atcr_verify_break_glass_until_timestamp_seconds: until / SECOND,
      ...(imported && {
        atcr_verify_bundle_pieces: imported.pieces,
        atcr_verify_bundle_next_end_timestamp_seconds: imported.nextEnd / SECOND,
      }),
      ...(evidence !== undefined && { atcr_verify_oldest_evidence_age_seconds: Math.max(0, at - evidence) / SECOND }),
    },
  };
}

/** The sum of both; gauges are those of the later. */
export function add(a: Tally, b: Tally): Tally {
  const counters: Record<string, number> = { ...a.counters };
  for (const [name, value] of Object.entries(b.counters)) counters[name] = (counters[name] ?? 0) + value;
  const [earlier, later] = a.at <= b.at ? [a, b] : [b, a];
  return { counters, gauges: { ...earlier.gauges, ...later.gauges }, at: later.at };
}

/**
 * Every counter starts at 0: Prometheus' `increase` does not see a counter that first appears as 1, so no
 * alert would fire for the first event.
 */
const BEGINNING: Samples = Object.fromEntries(
  [
    ...["signed", "exempt", "audited", "break_glass"].map((code) => decisions("allow", code)),
    ...Object.entries(REJECTIONS).map(([code, { kind }]) => decisions(kind, code)),
    ...Object.entries(REJECTIONS).flatMap(([code, { kind }]) =>
      kind === "deny" || kind === "inconclusive" ? [sample("atcr_verify_audited_refusals_total", { code })] : [],
    ),
    ...["none", "fresh", "stale", "bundle"].map((cache) => sample("atcr_verify_cache_total", { cache })),
  ].map((key) => [key, 0]),
);

function decisions(outcome: string, code: string): string {
  return sample("atcr_verify_decisions_total", { outcome, code });
}

/** The text that node_exporter's textfile collector reads (Prometheus text format 0.0.4). */
export function metricsText({ counters, gauges }: Tally, version: string): string {
  const samples = { ...BEGINNING, ...counters, ...gauges, [sample("atcr_verify_build_info", { version })]: 1 };
  return Object.entries(METRICS)
    .flatMap(([name, { kind, help }]) => {
      const own = Object.keys(samples).filter((key) => metricOf(key) === name);
      if (own.length === 0) return [];
      const lines = own.map((key) => `${key} ${samples[key]}`);
      return [`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`, ...lines];
    })
    .map((line) => `${line}\n`)
    .join("");
}

/** Label values are codes, fixed words and a version, so nothing needs escaping. */
function sample(name: string, labels: Readonly<Record<string, string>>): string {
  const text = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return `${name}{${text.join(",")}}`;
}

function histogram(name: string, bounds: readonly number[], value: number): Samples {
  const buckets = [...bounds, Number.POSITIVE_INFINITY].map((bound): [string, number] => [
    sample(`${name}_bucket`, { le: bound === Number.POSITIVE_INFINITY ? "+Inf" : String(bound) }),
    value <= bound ? 1 : 0,
  ]);
  return { ...Object.fromEntries(buckets), [`${name}_sum`]: value, [`${name}_count`]: 1 };
}

function metricOf(key: string): string {
  const name = key.replace(/\{.*$/, "");
  return Object.hasOwn(METRICS, name) ? name : name.replace(/_(?:bucket|sum|count)$/, "");
}
