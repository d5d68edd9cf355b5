import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Tally } from "../../../../src/io/log/metrics.ts";
import { countDecision } from "../../../../src/io/log/metrics-file.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";
import { warned } from "../../../support/warned.ts";

const NAME = 'atcr_verify_decisions_total{outcome="deny",code="signature.none"}';
const tally = (at = 1): Tally => ({
  counters: { [NAME]: 1 },
  gauges: { atcr_verify_last_decision_timestamp_seconds: at },
  at,
});

const root = makeTemporaryDirectory("metrics");
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

class Bed {
  readonly folder = join(root, String(++count));
  readonly stateDir = join(this.folder, "state");
  readonly metricsFile = join(this.folder, "exporter", "a.prom");
  readonly warnings: string[] = [];

  constructor() {
    mkdirSync(join(this.folder, "exporter"), { recursive: true });
  }

  count(one = tally()): Promise<void> {
    const where = { stateDir: this.stateDir, metricsFile: this.metricsFile, version: "1" };
    return countDecision(one, where, warned(this.warnings));
  }

  get counted(): number {
    return Number(/signature\.none"\} (\d+)/.exec(readFileSync(this.metricsFile, "utf8"))?.[1]);
  }

  get waiting(): readonly string[] {
    return readdirSync(join(this.stateDir, "metrics-waiting"));
  }
}

describe("countDecision", () => {
  it("adds one by one, and leaves nothing behind", async () => {
    const bed = new Bed();
    for (let i = 1; i <= 3; i++) {
      await bed.count(tally(i));
      expect(bed.counted).toBe(i);
    }
    expect([bed.waiting, readdirSync(join(bed.folder, "exporter")), bed.warnings]).toEqual([[], ["a.prom"], []]);
    expect((statSync(bed.metricsFile).mode & 0o777).toString(8)).toBe("644");
  });

  it("leaves its count for whoever comes next, where another process is at it", async () => {
    const bed = new Bed();
    await bed.count();
    const turn = join(bed.stateDir, "locks", "metrics");
    // Process 1 is always there, and began when it did.
    const stat = readFileSync("/proc/1/stat", "latin1");
    writeFileSync(turn, `1 ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`);
    await bed.count();
    expect([bed.counted, bed.waiting.length]).toEqual([1, 1]);
    rmSync(turn);
    await bed.count();
    expect([bed.counted, bed.waiting]).toEqual([3, []]);
  });

  it("counts none twice that was added before its file could be removed", async () => {
    const bed = new Bed();
    await bed.count();
    const totals = join(bed.stateDir, "metrics", "totals");
    const { added } = JSON.parse(readFileSync(totals, "utf8")) as { added: readonly string[] };
    expect(added).toHaveLength(1);
    writeFileSync(join(bed.stateDir, "metrics-waiting", added[0] ?? ""), JSON.stringify(tally()));
    await bed.count();
    expect([bed.counted, bed.waiting]).toEqual([2, []]);
  });

  it.each<[string, string]>([
    ["no JSON", "{"],
    ["something else", '{"tally": {"counters": {"a": "b"}, "gauges": {}, "at": 1}, "added": []}'],
    ["a list", "[]"],
  ])("begins anew where the totals are %s", async (_, text) => {
    const bed = new Bed();
    await bed.count();
    writeFileSync(join(bed.stateDir, "metrics", "totals"), text);
    await bed.count();
    expect(bed.counted).toBe(1);
  });

  it("replaces a link in its place and does not follow it", async () => {
    const bed = new Bed();
    const target = join(bed.folder, "target");
    writeFileSync(target, "as it was");
    symlinkSync(target, bed.metricsFile);
    await bed.count();
    expect([readFileSync(target, "utf8"), bed.counted]).toEqual(["as it was", 1]);
  });

  it.each(["folder", "what the folder lies in"])(
    "does not write where a link in place of the %s leads",
    async (which) => {
      const bed = new Bed();
      const [exporter, elsewhere] = [join(bed.folder, "exporter"), join(bed.folder, "elsewhere")];
      mkdirSync(join(elsewhere, "deep"), { recursive: true });
      if (which === "folder") {
        rmSync(exporter, { recursive: true });
        symlinkSync(elsewhere, exporter);
      } else symlinkSync(elsewhere, join(exporter, "way"));
      const metricsFile = join(exporter, which === "folder" ? "a.prom" : "way/deep/a.prom");
      await countDecision(tally(), { stateDir: bed.stateDir, metricsFile, version: "1" }, warned(bed.warnings));
      expect([readdirSync(elsewhere), readdirSync(join(elsewhere, "deep"))]).toEqual([["deep"], []]);
      expect(bed.warnings).toEqual([expect.stringMatching(/^metrics\.not_written: /)]);
    },
  );

  it("takes a path with dots and double slashes in it for what it is", async () => {
    const bed = new Bed();
    const metricsFile = `${bed.folder}//exporter/./a.prom`;
    await countDecision(tally(), { stateDir: bed.stateDir, metricsFile, version: "1" }, warned(bed.warnings));
    expect([bed.counted, bed.warnings]).toEqual([1, []]);
  });

  it("takes a time that has not come for nobody's latest, once the clock is right", async () => {
    const bed = new Bed();
    const now = Date.now();
    await bed.count(tally(now + 365 * 86_400_000));
    await bed.count(tally(now));
    await bed.count(tally(now + 1));
    expect(readFileSync(bed.metricsFile, "utf8")).toContain(`last_decision_timestamp_seconds ${now + 1}\n`);
    expect(bed.counted).toBe(3);
  });

  it("loses no count where the sum cannot be kept", async () => {
    const bed = new Bed();
    await bed.count();
    const whole = join(bed.stateDir, "metrics");
    rmSync(whole, { recursive: true });
    writeFileSync(whole, "");
    await bed.count();
    expect([bed.waiting.length, bed.counted]).toEqual([1, 1]);
    expect(bed.warnings.every((line) => line.startsWith("metrics.not_written: "))).toBe(true);
    expect(bed.warnings).not.toEqual([]);
    rmSync(whole);
    await bed.count();
    expect(bed.waiting).toEqual([]);
    expect(bed.counted).toBe(2);
  });

  it("is a warning where the text cannot be written, and its count is not lost", async () => {
    const bed = new Bed();
    rmSync(join(bed.folder, "exporter"), { recursive: true });
    await bed.count();
    expect(bed.warnings).toEqual([expect.stringMatching(/^metrics\.not_written: .*ENOENT/)]);
    mkdirSync(join(bed.folder, "exporter"));
    await bed.count();
    expect(bed.counted).toBe(2);
  });

  it("is a warning where the state cannot be kept", async () => {
    const bed = new Bed();
    writeFileSync(bed.stateDir, "");
    await bed.count();
    expect(bed.warnings.length).toBeGreaterThan(0);
  });
});
