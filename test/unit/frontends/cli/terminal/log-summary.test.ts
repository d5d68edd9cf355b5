import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../../../../src/core/encoding/json.ts";
import { logSummary } from "../../../../../src/frontends/cli/terminal/log-summary.ts";

const PIPE = { width: Number.POSITIVE_INFINITY, hasColour: false };
const digest = (n: number): string => `sha256:${String(n).padStart(64, "0")}`;

let second = 0;
const decision = (image: string, outcome: string, code: string, more: JsonObject = {}): JsonObject => ({
  time: `2026-01-01T00:00:${String(second++ % 60).padStart(2, "0")}Z`,
  image,
  digest: digest(1),
  outcome,
  code,
  ...more,
});
const json = (decisions: readonly JsonObject[]): readonly Record<string, unknown>[] =>
  logSummary(decisions, true, PIPE)
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe("logSummary", () => {
  it("puts the worst first, then the most frequent, then the latest, and probes last", () => {
    const decisions = [
      decision("probe-a", "deny", "policy.probe"),
      decision("signed", "allow", "signed"),
      decision("signed", "allow", "signed"),
      decision("audited", "allow", "audited", { would: { outcome: "deny", code: "signature.none" } }),
      decision("glass", "allow", "break_glass"),
      decision("silent", "inconclusive", "pds.unreachable"),
      decision("silent", "inconclusive", "pds.unreachable"),
      decision("once", "deny", "signature.none"),
      decision("twice", "deny", "signature.none"),
      decision("twice", "deny", "signature.none"),
      decision("later", "deny", "signature.none"),
      decision("exempt", "allow", "exempt"),
      decision("node", "misconfigured", "policy.invalid"),
      decision("probe-b", "deny", "policy.probe"),
    ];
    expect(json(decisions).map(({ image, count }) => `${String(count)} ${String(image)}`)).toEqual([
      "1 node",
      "2 twice",
      "1 later",
      "1 once",
      "2 silent",
      "1 glass",
      "1 audited",
      "1 exempt",
      "2 signed",
      "2 probes",
    ]);
  });

  it("keeps what would have been apart, and names each digest once, the latest first", () => {
    const would = (code: string) => ({ would: { outcome: "deny", code } });
    const found = json([
      decision("a", "allow", "audited", { ...would("signature.none"), digest: digest(1) }),
      decision("a", "allow", "audited", { ...would("signature.none"), digest: digest(2) }),
      decision("a", "allow", "audited", { ...would("signature.none"), digest: digest(1) }),
      decision("a", "allow", "audited", { ...would("record.absent"), digest: digest(3) }),
    ]);
    expect(found.map(({ would: code, digests }) => [code, digests])).toEqual([
      ["signature.none", [digest(1), digest(2)]],
      ["record.absent", [digest(3)]],
    ]);
  });

  it("names at most 100 digests in JSON, and three in text", () => {
    const decisions = Array.from({ length: 120 }, (_, i) => decision("a", "deny", "x", { digest: digest(i) }));
    expect(json(decisions)).toMatchObject([{ digests: { length: 100 }, more: 20 }]);
    const text = logSummary(decisions, false, PIPE);
    expect(text).toContain(`${digest(119)}, ${digest(118)}, ${digest(117)} and 117 more\n`);
  });

  it("is a table with a header and short digests at a terminal, no wider than it", () => {
    const decisions = [decision(`registry.example.com/${"long/".repeat(20)}app:v1`, "deny", "signature.none")];
    const lines = logSummary(decisions, false, { width: 80, hasColour: false }).trimEnd().split("\n");
    expect(lines.slice(0, 2)).toEqual([expect.stringMatching(/^count +latest +code$/), "  image  digest"]);
    expect(lines[4]).toBe("  000000000000");
    // A name is never cut, so that it can be copied; it is alone in its line.
    expect(lines.filter((line) => line.length > 80 && !/^ {2}\S+$/.test(line))).toEqual([]);
  });

  it("prints nothing but ASCII of a name that a client chose", () => {
    expect(logSummary([decision("a\n\u202e\x1b[31m", "deny", "x")], false, PIPE)).toMatch(/^[ -~]+\n$/);
  });
});
