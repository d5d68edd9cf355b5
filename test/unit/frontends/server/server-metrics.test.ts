import { describe, expect, it } from "vitest";
import type { GateName } from "../../../../src/core/config/server-settings.ts";
import { ServerMetrics } from "../../../../src/frontends/server/server-metrics.ts";
import type { DecisionRecord } from "../../../../src/io/log/decision-record.ts";

const RECORD: DecisionRecord = {
  time: "2026-01-01T00:00:00.000Z",
  image: "atcr.io/alice/app:1",
  outcome: "deny",
  code: "signature.none",
  reason: "deny signature.none",
  signers: [],
  cache: "none",
  ms: { total: 40, registry: 30 },
  requests: { registry: 2 },
  version: "1.0.0",
  pid: 1,
};

function metrics(parts: { certificateUntil?: number; breakGlassUntil?: number; gates?: readonly GateName[] } = {}) {
  return new ServerMetrics({
    version: "1.2.3",
    gates: parts.gates ?? ["admit", "verify"],
    queue: (gate) => ({ running: gate === "admit" ? 3 : 0, waiting: gate === "verify" ? 2 : 0 }),
    connections: () => 5,
    certificateUntil: () => parts.certificateUntil,
    breakGlassUntil: () => parts.breakGlassUntil,
    remembered: () => ({ pieces: 7 }),
  });
}

async function samples(from: ServerMetrics): Promise<ReadonlyMap<string, number>> {
  const { text } = await from.read();
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
  );
}

describe("the server's metrics", () => {
  it("begin at 0, so that the first event is an increase", async () => {
    const found = await samples(metrics());
    for (const name of [
      'requests_total{gate="admit",status="503"}',
      'requests_total{gate="none",status="404"}',
      'decisions_total{gate="verify",outcome="deny",code="signature.none"}',
      'decisions_total{gate="admit",outcome="allow",code="break_glass"}',
      'audited_refusals_total{gate="admit",code="pds.unreachable"}',
      'unjudged_total{result="refused"}',
      'cache_total{cache="stale"}',
      'connection_events_total{event="refused"}',
      'reloads_total{what="policy",result="failed"}',
      'request_duration_seconds_count{gate="admit"}',
      'stage_duration_seconds_count{stage="pds"}',
    ]) {
      expect(found.get(`atcr_verify_server_${name}`), name).toBe(0);
    }
    expect(found.get('atcr_verify_server_last_reload_successful{what="certificate"}')).toBe(1);
  });

  it("begin with nothing that a gate cannot count", async () => {
    const of = async (gate: GateName): Promise<readonly string[]> =>
      [...(await samples(metrics({ gates: [gate] }))).keys()].filter((name) => name.includes(`gate="${gate}"`));
    const mutate = await of("mutate");
    expect(mutate).toContain('atcr_verify_server_decisions_total{gate="mutate",outcome="deny",code="tag.mismatch"}');
    expect(mutate.filter((name) => /outcome="allow"|audited|image\.not_pinned/.test(name))).toEqual([]);
    for (const gate of ["verify", "gatekeeper"] as const) {
      const found = await of(gate);
      expect(found).toContain(`atcr_verify_server_decisions_total{gate="${gate}",outcome="allow",code="audited"}`);
      expect(found.filter((name) => name.includes("break_glass"))).toEqual([]);
      const unpinned = found.filter((name) => name.includes("image.not_pinned"));
      expect(unpinned).toHaveLength(gate === "verify" ? 0 : 2);
    }
    expect([...(await samples(metrics({ gates: ["verify"] }))).keys()].join()).not.toContain("unjudged");
  });

  it("count requests, decisions and stages", async () => {
    const counted = metrics();
    counted.answered("admit", 200, 20);
    counted.answered("admit", 418, 20);
    counted.refused("none", 404);
    counted.waited(7);
    counted.unjudged(false);
    counted.decided("admit", RECORD);
    counted.decided("verify", {
      ...RECORD,
      outcome: "allow",
      code: "audited",
      would: { outcome: "deny", code: "signer.untrusted" },
    });
    const found = await samples(counted);
    expect([...found].filter(([name, value]) => value > 0 && /_(?:total|count)\{/.test(name))).toEqual([
      ['atcr_verify_server_requests_total{gate="none",status="404"}', 1],
      ['atcr_verify_server_requests_total{gate="admit",status="200"}', 1],
      ['atcr_verify_server_requests_total{gate="admit",status="other"}', 1],
      ['atcr_verify_server_request_duration_seconds_count{gate="admit"}', 2],
      ['atcr_verify_server_decisions_total{gate="admit",outcome="deny",code="signature.none"}', 1],
      ['atcr_verify_server_decisions_total{gate="verify",outcome="allow",code="audited"}', 1],
      ['atcr_verify_server_audited_refusals_total{gate="verify",code="signer.untrusted"}', 1],
      ['atcr_verify_server_unjudged_total{result="refused"}', 1],
      ['atcr_verify_server_cache_total{cache="none"}', 2],
      ['atcr_verify_server_stage_duration_seconds_count{stage="queue"}', 1],
      ['atcr_verify_server_stage_duration_seconds_count{stage="judge"}', 2],
      ['atcr_verify_server_stage_duration_seconds_count{stage="registry"}', 2],
    ]);
    expect(found.get('atcr_verify_server_stage_duration_seconds_sum{stage="registry"}')).toBe(0.06);
  });

  it("say what is in use and under way", async () => {
    const counted = metrics({ certificateUntil: 2_000_000, breakGlassUntil: 3_000_000 });
    counted.connection("accepted");
    counted.reloaded("certificate", false);
    counted.reloaded("policy", true);
    const found = await samples(counted);
    expect(Object.fromEntries([...found].filter(([name]) => !/_total\{|_(?:bucket|sum|count)\{/.test(name)))).toEqual({
      'atcr_verify_server_last_reload_successful{what="configuration"}': 1,
      'atcr_verify_server_last_reload_successful{what="policy"}': 1,
      'atcr_verify_server_last_reload_successful{what="certificate"}': 0,
      'atcr_verify_server_last_reload_successful{what="tokens"}': 1,
      'atcr_verify_server_last_reload_successful{what="break_glass"}': 1,
      'atcr_verify_server_requests_in_place{gate="admit"}': 3,
      'atcr_verify_server_requests_in_place{gate="verify"}': 0,
      'atcr_verify_server_requests_waiting{gate="admit"}': 0,
      'atcr_verify_server_requests_waiting{gate="verify"}': 2,
      'atcr_verify_server_remembered{what="pieces"}': 7,
      atcr_verify_server_connections: 5,
      atcr_verify_server_certificate_expiry_timestamp_seconds: 2000,
      atcr_verify_server_break_glass_until_timestamp_seconds: 3000,
      process_start_time_seconds: expect.any(Number),
      process_resident_memory_bytes: expect.any(Number),
      process_cpu_seconds_total: expect.any(Number),
      'atcr_verify_server_build_info{version="1.2.3"}': 1,
    });
    expect(found.get('atcr_verify_server_connection_events_total{event="accepted"}')).toBe(1);
    expect(found.get('atcr_verify_server_reloads_total{what="certificate",result="failed"}')).toBe(1);
  });

  it("have no end of a certificate where there is none, and no break-glass at 0", async () => {
    const found = await samples(metrics());
    expect(found.has("atcr_verify_server_certificate_expiry_timestamp_seconds")).toBe(false);
    expect(found.get("atcr_verify_server_break_glass_until_timestamp_seconds")).toBe(0);
  });

  it("repeat nothing that a caller wrote", async () => {
    const counted = metrics();
    counted.decided("admit", {
      ...RECORD,
      reason: "private/name",
      signers: [{ did: "did:plc:x", key: "k", rev: "r" }],
    });
    expect((await counted.read()).text).not.toMatch(/alice|private|did:plc/);
  });
});
