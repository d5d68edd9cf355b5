import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseReference } from "../../../../../src/core/oci/reference.ts";
import { VERIFY_FORMATS } from "../../../../../src/frontends/cli/command-table/verify-options.ts";
import type { ImageResult, Summary } from "../../../../../src/frontends/cli/verify/image-result.ts";
import { jsonReport, ndjsonReport } from "../../../../../src/frontends/cli/verify/report-json.ts";
import { textReportFor } from "../../../../../src/frontends/cli/verify/report-text.ts";
import { refReport, reportIn } from "../../../../../src/frontends/cli/verify/reports.ts";
import type { Inspection } from "../../../../../src/verifier/inspect/inspect-image.ts";
import {
  ABSENT,
  ALICE,
  AUDITED,
  counted,
  digestOf,
  EXEMPT,
  MALFORMED,
  REPORTED,
  resultOf,
  SIGNED,
  SILENT,
  summaryOf,
  UNJUDGED,
} from "../../../../support/image-results.ts";

const golden = (name: string): string => join(import.meta.dirname, "golden", name);
const PIPE = { width: Number.POSITIVE_INFINITY, hasColour: false };
const text = textReportFor(PIPE, REPORTED);
const HOSTILE = "\x1b[31m::error::\u202e\u00e9\n##[group]";

const INSPECTED: Inspection = {
  name: { host: "atcr.io", path: "alice.example.com/app", tag: "v1" },
  tag: "v1",
  signers: [{ did: ALICE, sources: [{ kind: "referrer", url: "https://atcr.io/v2/x" }] }],
  unknown: [],
  notAsked: [],
  gaps: [],
  now: REPORTED,
};
const REQUEST = {
  purpose: "PDS",
  method: "GET",
  url: "https://pds.example.com/xrpc/x",
  cached: false,
  at: REPORTED,
  ms: 0,
  bytes: 0,
} as const;
const OF_PLATFORM = { name: parseReference("atcr.io/alice.example.com/app"), digest: digestOf("b2") };
const ONE: Readonly<Record<string, readonly [ImageResult["answer"], Partial<ImageResult>?, Partial<Summary>?]>> = {
  signed: [SIGNED],
  absent: [ABSENT],
  audited: [AUDITED],
  exempt: [EXEMPT],
  silent: [SILENT],
  malformed: [MALFORMED],
  unjudged: [UNJUDGED, { inspected: INSPECTED }],
  index: [
    ABSENT,
    {
      platformImage: { ...resultOf(SIGNED, { subject: OF_PLATFORM }), platform: "linux/amd64" },
      signedImages: [{ digest: digestOf("b2"), platform: "linux/amd64", signers: [ALICE] }],
    },
  ],
  signer: [
    SIGNED,
    {
      decision: {
        ...(resultOf(SIGNED).decision as NonNullable<ImageResult["decision"]>),
        rule: { name: "--signer", file: "", line: 1 },
      },
    },
    { signers: [{ asked: "alice.example.com", did: ALICE }] },
  ],
  verbose: [
    SIGNED,
    {
      requests: [
        { ...REQUEST, status: 200, ms: 45.6, bytes: 1234 },
        { ...REQUEST, method: "HEAD", failure: "tls" },
        { ...REQUEST, purpose: "DNS", method: "TXT", url: "_atproto.alice.example.com" },
        { ...REQUEST, purpose: "cache", cached: true, bytes: 1 },
      ],
    },
    { verbose: true },
  ],
};
const LIST = [SIGNED, ABSENT, MALFORMED].map((answer, i) =>
  resultOf(answer, { requested: { text: `atcr.io/image${i}`, places: [{ file: "deploy.yaml", line: i + 1 }] } }),
);
const KINDS = [
  { kind: "manifest", images: 2 },
  { kind: "values", images: 1 },
];
const FOUND = {
  found: [{ file: "deploy.yaml", images: 3, kinds: KINDS, passedOver: [{ what: "schemas", count: 4 }] }],
};

describe("the report as text", () => {
  it.each(Object.keys(ONE))("of one image: %s", async (name) => {
    const [answer, changes, summary] = ONE[name] ?? expect.fail(name);
    const result = resultOf(answer, changes);
    await expect(text([result], summaryOf([result], summary))).toMatchFileSnapshot(golden(`${name}.txt`));
  });

  it("of a list has each refusal in full, each allow in short, and then the numbers", async () => {
    await expect(text(LIST, summaryOf(LIST, FOUND))).toMatchFileSnapshot(golden("list.txt"));
  });

  it("names the DID of a handle once in a list", () => {
    const signers = [{ asked: "alice.example.com", did: ALICE }];
    expect(text(LIST, summaryOf(LIST, { ...FOUND, signers })).match(/^ {2}pin .*--signer did:.*\n/gm)).toHaveLength(1);
  });

  it("has no sentence twice", () => {
    for (const [answer] of Object.values(ONE)) {
      const result = resultOf(answer);
      const detail = "detail" in answer ? answer.detail : undefined;
      if (detail !== undefined) expect(text([result], summaryOf([result])).split(detail)).toHaveLength(2);
    }
  });

  it("has printable ASCII alone, whatever is in it, and no more columns than the terminal", () => {
    const signed = {
      ...SIGNED,
      because: { kind: "signed", rule: HOSTILE, notes: [HOSTILE], signatures: [counted({ signerName: HOSTILE })] },
    } as const;
    const results = [
      resultOf(signed, {
        requested: { text: HOSTILE, places: [{ file: HOSTILE, line: 1 }] },
        inspected: { ...INSPECTED, unknown: [{ handle: HOSTILE, missing: HOSTILE }] },
      }),
      resultOf({ ...ABSENT, detail: HOSTILE, findings: [{ code: "record.absent", detail: `${HOSTILE} more` }] }),
      resultOf(MALFORMED, { requested: { text: HOSTILE } }),
    ];
    const summary = summaryOf(results, {
      verbose: true,
      found: [{ file: HOSTILE, images: 1, kinds: [], passedOver: [] }],
    });
    expect(text(results, summary)).toMatch(/^[ -~\n]+$/);
  });

  it.each([60, 80, 200])(
    "has lines of %i columns at most, but for a word that is longer, which has its own",
    (width) => {
      const report = textReportFor({ width, hasColour: false }, REPORTED);
      for (const results of [LIST, [resultOf(SIGNED)], [resultOf(ABSENT)]]) {
        const lines = report(results, summaryOf(results, { ...FOUND, verbose: true })).split("\n");
        expect(lines.filter((line) => line.length > width && !/^ *\S+$/.test(line))).toEqual([]);
      }
      // A digest alone fits into 80 columns.
      const long = report([resultOf(ABSENT)], summaryOf([resultOf(ABSENT)])).split("\n");
      expect(long.filter((line) => line.length > Math.max(width, 80))).toEqual([]);
    },
  );

  it("shows a mistake in a file, and says only once why a list was not finished", () => {
    const place = { file: "policy.yaml", line: 2, column: 3, lineText: "  x: [" };
    const invalid = { outcome: "misconfigured", code: "policy.invalid", detail: "policy.yaml:2:3: no", place } as const;
    const one = resultOf(invalid);
    expect(text([one], summaryOf([one], { ended: invalid }))).toContain("     2 |   x: [\n");
    const pending = [resultOf(SIGNED), resultOf(invalid), resultOf(invalid)];
    const said = text(pending, summaryOf(pending, { ended: invalid }));
    expect(said.split("policy.invalid")).toHaveLength(2);
    expect(said).toContain("1 of 3 images verified: 1 signed\n");
  });
});

describe("the report as JSON", () => {
  it.each(Object.keys(ONE))("of one image: %s", async (name) => {
    const [answer, changes, summary] = ONE[name] ?? expect.fail(name);
    const result = resultOf(answer, changes);
    await expect(jsonReport([result], summaryOf([result], summary))).toMatchFileSnapshot(golden(`${name}.json`));
  });

  it("of a list has all results", async () => {
    await expect(jsonReport(LIST, summaryOf(LIST, FOUND))).toMatchFileSnapshot(golden("list.json"));
  });

  it("says verified only where a trusted signature was, and allowed where a node would allow", () => {
    const breakGlass = { kind: "break_glass", reason: "", until: 0, would: ABSENT } as const;
    const answers: readonly ImageResult["answer"][] = [
      SIGNED,
      EXEMPT,
      AUDITED,
      { outcome: "allow", because: breakGlass },
      ABSENT,
      UNJUDGED,
    ];
    const said = answers.map((answer) => {
      const { allowed, verified } = JSON.parse(jsonReport([resultOf(answer)], summaryOf([resultOf(answer)]))) as {
        allowed: boolean;
        verified: boolean;
      };
      return [allowed, verified];
    });
    expect(said).toEqual([
      [true, true],
      [true, false],
      [true, false],
      [true, false],
      [false, false],
      [false, false],
    ]);
  });

  it("is ASCII, and says what was said", () => {
    const result = resultOf({ ...ABSENT, detail: HOSTILE }, { requested: { text: HOSTILE } });
    const said = jsonReport(
      [result],
      summaryOf([result], { warnings: [{ code: "cache.unusable", message: HOSTILE }] }),
    );
    expect(said).toMatch(/^[ -~\n]+\n$/);
    expect(JSON.parse(said)).toMatchObject({ requested: HOSTILE, warnings: [{ message: HOSTILE }] });
  });

  it("is one line for each image as ndjson, and one where the command ended before it knew any", () => {
    const lines = ndjsonReport(LIST, summaryOf(LIST)).trimEnd().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { code: string }).code)).toEqual([
      "signed",
      "signature.none",
      "image.malformed_reference",
    ]);
    const [line = "", ...others] = ndjsonReport([], summaryOf([], { ended: MALFORMED })).split("\n");
    expect([JSON.parse(line), others]).toEqual([expect.objectContaining({ verified: false, exitStatus: 3 }), [""]]);
  });
});

describe("the report as a reference", () => {
  it("is each name with its digest, and nothing unless all are allowed", () => {
    const good = [resultOf(SIGNED), resultOf(EXEMPT)];
    const ref = `atcr.io/alice.example.com/app@${digestOf("a1")}\n`;
    expect(refReport(good, summaryOf(good))).toBe(`${ref}${ref}`);
    for (const answer of [AUDITED, ABSENT, SILENT, MALFORMED, UNJUDGED]) {
      const some = [...good, resultOf(answer)];
      expect(refReport(some, summaryOf(some))).toBe("");
    }
    expect(refReport(good, summaryOf(good, { ended: SILENT }))).toBe("");
    expect(refReport([], summaryOf([], { ended: MALFORMED }))).toBe("");
  });
});

describe("each output format", () => {
  it.each(VERIFY_FORMATS)("reports nothing as an allow that is none: %s", (format) => {
    const report = reportIn(format, {});
    for (const answer of [ABSENT, SILENT, MALFORMED, UNJUDGED]) {
      const result = resultOf(answer);
      expect(report([result], summaryOf([result]))).not.toContain("allow signed");
    }
    expect(report([], summaryOf([], { ended: MALFORMED }))).not.toContain("allow signed");
  });

  it("that is unknown is text", () => {
    const result = resultOf(SIGNED);
    expect(reportIn("toString", {})([result], summaryOf([result]))).toMatch(/^allow signed: /);
  });
});
