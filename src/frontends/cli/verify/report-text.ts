/**
 * The report for people: first `OUTCOME CODE: SENTENCE`, as a pull prints it, then a row for each fact. A sentence that the
 * first line has already is not repeated below it.
 */
import { printable, withoutCommands } from "../../../core/encoding/printable.ts";
import { formatDateTime } from "../../../core/encoding/time.ts";
import { formatReference } from "../../../core/oci/reference.ts";
import type { Inspection } from "../../../verifier/inspect/inspect-image.ts";
import type { RecordedRequest } from "../../../verifier/service/request-log.ts";
import { amount, detailLine } from "../../process/report.ts";
import { inspectionLines, inspectionSummary } from "../inspect/inspection-text.ts";
import { LabelledRows } from "../inspect/labelled-rows.ts";
import { codeFrame } from "../terminal/code-frame.ts";
import { folded, painted, type Screen } from "../terminal/screen.ts";
import { adviceFor } from "./advice.ts";
import {
  auditedRefusal,
  codeOf,
  headlineOf,
  type ImageResult,
  isVerified,
  type Report,
  type Summary,
  signedImageNote,
} from "./image-result.ts";
import { pinned, signaturesOf } from "./report-json.ts";
import { checkRows, type Row, signatureRows } from "./signature-rows.ts";

/** Characters of a row; a finding may quote what a peer sent. */
const MAX_ROW = 4096;
/** Places of one image that are listed. Stops one image that is named 100,000 times from hiding the others. */
const MAX_PLACES = 8;
/** What is passed over, in words. */
const PASSED_OVER: Readonly<Record<string, string>> = {
  schemas: "schema of a CustomResourceDefinition",
  statuses: "status of a Pod",
  pullSettings: "map of pull settings",
  stages: "build stage",
  scratch: "FROM scratch",
};

/** @param now milliseconds since 1970, for ages */
export function textReportFor(screen: Screen, now: number): Report {
  return (results, summary) => {
    const { ended, isList } = summary;
    const platformText = ({ platformImage: image }: ImageResult): readonly string[] =>
      image === undefined
        ? []
        : [answerText(image.answer, [["platform", image.platform], ...rowsOf(image, summary, now)], screen)];
    if (!isList) {
      const [result] = results;
      if (result === undefined) return ended === undefined ? "" : answerText(ended, [], screen);
      if (result.inspected !== undefined) return inspectedText(result, result.inspected, summary, screen);
      return [answerText(result.answer, rowsOf(result, summary, now), screen), ...platformText(result)].join("\n");
    }
    const done = results.filter(({ answer }) => answer !== ended);
    const blocks = done.map((result) => {
      const isShort = result.answer.outcome === "allow" && !summary.verbose && isVerified(result);
      const rows: readonly Row[] = isShort ? [["image", pinned(result) ?? ""]] : rowsOf(result, summary, now);
      return [answerText(result.answer, rows, screen), ...platformText(result)].join("\n");
    });
    return [
      ...blocks,
      `${ended === undefined ? "" : answerText(ended, [], screen)}${totals(done, results.length, summary, screen)}${pinRows(
        summary,
      )
        .map((row) => rowText(row, screen))
        .join("")}`,
    ].join("\n");
  };
}

/** The first line in colour, rows below it, and the line of a file that has a mistake. */
function answerText(answer: ImageResult["answer"], rows: readonly Row[], screen: Screen): string {
  const head = painted(folded(detailLine(withoutCommands(headlineOf(answer))), screen), colourOf(answer), screen);
  const frame = "place" in answer ? codeFrame(answer.place, screen) : "";
  return `${head}${rows.map((row) => rowText(row, screen)).join("")}${frame}`;
}

/** What is known of an image that was not judged; all of it under --verbose. */
function inspectedText(
  { answer, requests = [] }: ImageResult,
  inspected: Inspection,
  { verbose }: Summary,
  screen: Screen,
): string {
  const lines = verbose ? inspectionLines(inspected, screen.width) : inspectionSummary(inspected, screen.width);
  const rows = verbose ? requests.map(requestRow) : [];
  return `${answerText(answer, [], screen)}${lines.join("\n")}\n${rows.map((row) => rowText(row, screen)).join("")}`;
}

function rowText([label, text]: Row, screen: Screen): string {
  const lines = new LabelledRows(screen.width, MAX_ROW).of(label, [text]);
  return lines.map((line) => `${line}\n`).join("");
}

function colourOf(answer: ImageResult["answer"]): "green" | "yellow" | "red" {
  if (answer.outcome === "allow") return auditedRefusal(answer) ? "yellow" : "green";
  return answer.outcome === "inconclusive" || answer.outcome === "unjudged" ? "yellow" : "red";
}

function rowsOf(result: ImageResult, summary: Summary, now: number): readonly Row[] {
  const { decision, requested, requests = [], signedImages = [] } = result;
  const rule = decision?.rule ?? result.rule;
  const signatures = signaturesOf(result);
  const ref = pinned(result);
  return [
    ...placeRows(requested),
    ["image", imageText(result)],
    ...digestRows(result),
    ...signatures.flatMap((signature) => signatureRows(signature, now)),
    ...findingRows(result),
    ...signedImages.map((child): Row => ["note", signedImageNote(child)]),
    ...(rule === undefined
      ? []
      : [["rule", rule.file === "" ? rule.name : `${rule.file}:${rule.line}  ${rule.name}`] as const]),
    ...(signatures[0] === undefined ? [] : checkRows(signatures[0])),
    ...(isVerified(result) && ref !== undefined ? [["use", ref] as const] : []),
    ...(summary.isList ? [] : pinRows(summary)),
    ...adviceFor(result).map((text): Row => ["do", text]),
    ...requests.map(requestRow),
    ...(summary.verbose && decision !== undefined ? timeRows(decision) : []),
  ];
}

/** Of `--signer HANDLE`; in a list once, below the counts. */
function pinRows({ signers }: Summary): readonly Row[] {
  return signers
    .filter(({ asked, did }) => asked !== did)
    .map(({ asked, did }) => [
      "pin",
      `${asked} is ${did} now, but a handle can move to another account; to pin it: --signer ${did}`,
    ]);
}

function placeRows({ places = [] }: ImageResult["requested"]): readonly Row[] {
  const shown = places.slice(0, MAX_PLACES).map(({ file, line }): Row => ["named in", `${file}:${line}`]);
  const more = places.length - shown.length;
  return more === 0 ? shown : [...shown, ["", `and in ${amount(more, "more place")}`]];
}

function requestRow({ purpose, method, url, status, failure, ms, bytes, cached, at }: RecordedRequest): Row {
  const size = amount(bytes, "byte");
  if (cached) return ["cached", `${url}, ${size}, fetched ${formatDateTime(at)}`];
  const result = status === undefined ? (failure ?? "answered") : `HTTP ${status}`;
  return ["asked", `${purpose}: ${method} ${url}, ${result}, ${Math.round(ms)} ms, ${size}`];
}

function imageText({ subject, reference, requested }: ImageResult): string {
  const name = subject?.name ?? reference;
  if (name === undefined) return requested.text;
  const { digest: _, ...plain } = name;
  return formatReference(plain);
}

function digestRows({ subject, resolved }: ImageResult): readonly Row[] {
  if (subject === undefined) return [];
  if (resolved === undefined) return [["digest", subject.digest]];
  const { at, by, children = [] } = resolved;
  const platforms = children.flatMap(({ platform }) => platform ?? []).join(" + ");
  const kind = /index|manifest\.list/.test(resolved.mediaType) ? "index" : "manifest";
  const about = [`${by} at ${formatDateTime(at)}`, kind, ...(platforms === "" ? [] : [platforms])].join(", ");
  return [["digest", `${subject.digest}  :${subject.name.tag ?? "latest"} points here (${about})`]];
}

/** What was found besides the reason in the first line. */
function findingRows({ answer }: ImageResult): readonly Row[] {
  if (answer.outcome === "unjudged") return [];
  const refusal = answer.outcome === "allow" ? auditedRefusal(answer) : answer;
  if (refusal === undefined || !("findings" in refusal)) return [];
  const shown = new Set([refusal.detail]);
  return refusal.findings.flatMap(({ signer, code, detail }): readonly Row[] => {
    const isShown = shown.has(detail);
    shown.add(detail);
    if (!isShown) return [["found", `${signer ?? "registry"}: ${code}: ${detail}`]];
    return signer === undefined || detail.includes(signer) ? [] : [["signer", signer]];
  });
}

function timeRows({ cache, timings }: NonNullable<ImageResult["decision"]>): readonly Row[] {
  const services = [...timings.services].map(
    ([name, { requests, ms }]) => `${name} ${amount(requests, "request")}, ${Math.round(ms)} ms`,
  );
  return [
    ["cache", cache],
    ["time", [`${Math.round(timings.total)} ms`, ...services].join("; ")],
  ];
}

/** `3 images: 2 signed, 1 record.absent`, and where they were found. */
function totals(done: readonly ImageResult[], of: number, { found, ended }: Summary, screen: Screen): string {
  const counts = new Map<string, number>();
  for (const { answer } of done) counts.set(codeOf(answer), (counts.get(codeOf(answer)) ?? 0) + 1);
  const list = [...counts].map(([code, count]) => `${count} ${code}`).join(", ");
  const many = ended === undefined ? amount(of, "image") : `${done.length} of ${amount(of, "image")} verified`;
  const places = found.map(({ file, images, kinds, passedOver }) => {
    const of = kinds.map(({ kind, images: count }) => `${count} ${kind}`);
    const over = passedOver.map(({ what, count }) => `${PASSED_OVER[what] ?? what} (${count})`);
    const besides = over.length === 0 ? "" : `; passed over: ${over.join(", ")}`;
    return `found ${amount(images, "image")} in ${file}: ${of.join(", ")}${besides}\n`;
  });
  return folded(
    `${printable(`${many}: ${list || "none"}`)}\n${places.map((place) => `${withoutCommands(printable(place.trimEnd()))}\n`).join("")}`,
    screen,
  );
}
