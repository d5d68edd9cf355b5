import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parseReference } from "../../../../../src/core/oci/reference.ts";
import { VERIFY_FORMATS } from "../../../../../src/frontends/cli/command-table/verify-options.ts";
import { reportToGithub } from "../../../../../src/frontends/cli/verify/github-files.ts";
import type { ImageResult, Report } from "../../../../../src/frontends/cli/verify/image-result.ts";
import { githubReport } from "../../../../../src/frontends/cli/verify/report-github.ts";
import { junitReport } from "../../../../../src/frontends/cli/verify/report-junit.ts";
import { markdownReport } from "../../../../../src/frontends/cli/verify/report-markdown.ts";
import { reportIn } from "../../../../../src/frontends/cli/verify/reports.ts";
import {
  ABSENT,
  ALICE,
  AUDITED,
  counted,
  digestOf,
  EXEMPT,
  MALFORMED,
  resultOf,
  SIGNED,
  SILENT,
  summaryOf,
  UNJUDGED,
} from "../../../../support/image-results.ts";

const folder = mkdtempSync(join(tmpdir(), "pipeline-reports-"));
afterAll(() => rmSync(folder, { recursive: true }));

const golden = (name: string): string => join(import.meta.dirname, "golden", name);
const PLACE = { file: "deploy.yaml", line: 7 };
const ALL = [SIGNED, ABSENT, AUDITED, EXEMPT, SILENT, MALFORMED, UNJUDGED].map((answer, i) =>
  resultOf(answer, { requested: { text: `atcr.io/image${i}`, ...(i > 0 && { places: [{ ...PLACE, line: i }] }) } }),
);
/** What others could write: control characters, commands of a runner, markup. */
const HOSTILE = "\x1b[31m::error::\u202e%0A,file=x\n##[group]]]>--><b>&'\"|`*_@alice [x](http://x)\r";
const HOSTILE_SIGNED = {
  ...SIGNED,
  because: { kind: "signed", rule: HOSTILE, notes: [HOSTILE], signatures: [counted({ signerName: HOSTILE })] },
} as const;
const HOSTILE_RESULTS = [
  resultOf(HOSTILE_SIGNED, { requested: { text: HOSTILE, places: [{ file: HOSTILE, line: 1 }] } }),
  resultOf({ ...ABSENT, detail: HOSTILE }, { requested: { text: HOSTILE, places: [{ file: HOSTILE, line: 1 }] } }),
  resultOf({ ...SILENT, detail: HOSTILE }, { requested: { text: HOSTILE } }),
  resultOf(ABSENT, {
    platformImage: { ...resultOf({ ...ABSENT, detail: HOSTILE }), platform: HOSTILE },
    signedImages: [{ digest: digestOf("b2"), platform: HOSTILE, signers: [ALICE] }],
  }),
];
const OF_PLATFORM = { name: parseReference("atcr.io/alice.example.com/app"), digest: digestOf("b2") };
/** A signed index of an unsigned image, a signed one of a signed image, and an unsigned one of a signed image. */
const INDEXES = [
  resultOf(SIGNED, { platformImage: { ...resultOf(ABSENT, { subject: OF_PLATFORM }), platform: "linux/amd64" } }),
  resultOf(SIGNED, { platformImage: { ...resultOf(SIGNED, { subject: OF_PLATFORM }), platform: "linux/amd64" } }),
  resultOf(ABSENT, {
    platformImage: { ...resultOf(SIGNED, { subject: OF_PLATFORM }), platform: "linux/amd64" },
    signedImages: [{ digest: digestOf("b2"), platform: "linux/amd64", signers: [ALICE] }],
  }),
];
const REPORTS: Readonly<Record<string, Report>> = {
  junit: junitReport,
  github: githubReport,
  markdown: markdownReport,
};

/** What a report says for one result. */
const said = (report: Report, answer: ImageResult["answer"]): string =>
  report([resultOf(answer)], summaryOf([resultOf(answer)]));

describe("a report for a pipeline", () => {
  it.each([
    ["junit", "xml"],
    ["github", "github.txt"],
    ["markdown", "md"],
  ])("of images of each kind: %s", async (format, ending) => {
    const report = REPORTS[format] ?? expect.fail(format);
    await expect(report(ALL, summaryOf(ALL))).toMatchFileSnapshot(golden(`list.${ending}`));
  });

  it.each([
    ["junit", "xml"],
    ["github", "github.txt"],
    ["markdown", "md"],
  ])("of an index says what is known of its images: %s", async (format, ending) => {
    const report = REPORTS[format] ?? expect.fail(format);
    await expect(report(INDEXES, summaryOf(INDEXES))).toMatchFileSnapshot(golden(`index.${ending}`));
  });

  it.each(Object.keys(REPORTS))("says why a run ended before it knew any image: %s", (format) => {
    const report = REPORTS[format] ?? expect.fail(format);
    expect(report([], summaryOf([], { ended: MALFORMED }))).toContain("image.malformed_reference");
  });

  it.each(VERIFY_FORMATS)("has printable ASCII alone, and no commands in the text of others: %s", (format) => {
    const text = reportIn(format, {})(
      HOSTILE_RESULTS,
      summaryOf(HOSTILE_RESULTS, { found: [{ file: HOSTILE, images: 1, passedOver: [], kinds: [] }] }),
    );
    expect(text).toMatch(/^[ -~\n]*$/);
    // What remains is this program's own: the commands of annotations, and the heading.
    const ours = text.replace(/^::(?:error|warning) [^:]*::/gm, "").replace(/^### /, "");
    expect(ours).not.toMatch(/::|##/);
  });
});

describe("the report as JUnit", () => {
  it("counts refusals as failures, and what could not be verified as errors", () => {
    expect(junitReport(ALL, summaryOf(ALL))).toContain('tests="7" failures="2" errors="3" skipped="0"');
    expect(said(junitReport, SILENT)).toContain("<error ");
    expect(said(junitReport, ABSENT)).toContain("<failure ");
  });

  it("passes an audited image only where the caller accepts it", () => {
    expect(said(junitReport, AUDITED)).toMatch(/<(?:failure|error) /);
    const accepted = { ...resultOf(AUDITED), status: 0 };
    expect(junitReport([accepted], summaryOf([accepted]))).toContain('failures="0" errors="0"');
  });

  it("is well-formed, whatever others wrote", () => {
    const xml = junitReport(HOSTILE_RESULTS, summaryOf(HOSTILE_RESULTS));
    const tags = /<(?:\?xml [^<>]*\?|\/?[a-z-]+(?: [a-z]+="[^"<>]*")*)>/g;
    expect(xml.replace(tags, "")).not.toMatch(/[<>]/);
    expect(xml.replace(/&(?:amp|lt|gt|quot|apos);/g, "")).not.toContain("&");
  });
});

describe("the report as GitHub's annotations", () => {
  it("keeps to ten of a kind, and says how many are not shown", () => {
    const many = Array.from({ length: 25 }, () => resultOf(ABSENT));
    const lines = githubReport(many, summaryOf(many)).split("\n");
    expect(lines.filter((line) => line.startsWith("::error "))).toHaveLength(10);
    expect(lines[9]).toContain("16 more");
  });

  it("has one line for each annotation, with file and line", () => {
    const [line = "", ...rest] = githubReport(HOSTILE_RESULTS, summaryOf(HOSTILE_RESULTS)).trimEnd().split("\n");
    expect(rest).toHaveLength(3);
    expect(line).toMatch(/^::error file=[^:,]*,line=1,title=[^:,]*::/);
  });

  it("warns of images that are allowed without a signature", () => {
    expect(said(githubReport, EXEMPT)).toMatch(/^::warning /);
    expect(said(githubReport, SIGNED)).not.toMatch(/^::/m);
  });
});

describe("the report as Markdown", () => {
  it("stays below what GitHub accepts as a summary", () => {
    const many = Array.from({ length: 20_000 }, () => resultOf({ ...ABSENT, detail: "x".repeat(500) }));
    const text = markdownReport(many, summaryOf(many));
    expect(text.length).toBeLessThan(1024 * 1024);
    expect(text).toMatch(/\d+ more are not shown here/);
  });

  it("has text of others in code spans alone", () => {
    const text = markdownReport(HOSTILE_RESULTS, summaryOf(HOSTILE_RESULTS));
    const outside = text.replace(/`[^`\n]*`/g, "").replace(/<code>[^<]*<\/code>/g, "");
    expect(outside).not.toMatch(/alice|http|group|error/);
    // Each row of the table has four cells.
    const rows = text.split("\n").filter((line) => line.startsWith("| "));
    expect(rows.map((row) => row.replaceAll("\\|", "").split("|").length)).toEqual(rows.map(() => 6));
  });
});

describe("a step of GitHub", () => {
  const environment = { GITHUB_STEP_SUMMARY: join(folder, "summary.md"), GITHUB_OUTPUT: join(folder, "output") };
  const outputs = (results: readonly ImageResult[]): string => {
    writeFileSync(environment.GITHUB_OUTPUT, "before=1\n");
    expect(reportToGithub(results, summaryOf(results), environment)).toBeUndefined();
    return readFileSync(environment.GITHUB_OUTPUT, "utf8");
  };

  it("gets the summary, the status, and the references where all are allowed", () => {
    const good = [resultOf(SIGNED)];
    expect(outputs(good)).toMatch(
      /^before=1\nstatus=0\nverified=true\nreferences<<([A-Z-]+)\natcr\.io\/[^\n]+@sha256:[0-9a-f]{64}\n\1\n$/,
    );
    expect(readFileSync(environment.GITHUB_STEP_SUMMARY, "utf8")).toBe(markdownReport(good, summaryOf(good)));
    expect(outputs([...good, resultOf(ABSENT)])).toMatch(
      /^before=1\nstatus=1\nverified=false\nreferences<<([A-Z-]+)\n\1\n$/,
    );
    expect(outputs([resultOf(EXEMPT)])).toContain("verified=false\n");
  });

  it("is told where a file cannot be written", () => {
    const results = [resultOf(SIGNED)];
    expect(reportToGithub(results, summaryOf(results), { GITHUB_OUTPUT: folder })).toContain("EISDIR");
    expect(reportToGithub(results, summaryOf(results), {})).toBeUndefined();
  });
});
