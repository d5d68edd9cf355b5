import { printable, withoutCommands } from "../../../core/encoding/printable.ts";
import {
  auditedRefusal,
  codeOf,
  headlineOf,
  type ImageResult,
  indexNotes,
  nameOf,
  type Report,
} from "./image-result.ts";

const SUITE = "atcr-verify";
/** Characters that have a meaning in XML, in text and in attributes. */
const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

/**
 * One test case for each image, in the form that GitLab, Jenkins and CircleCI read: `failure` for a refusal, `error` where
 * there was no verdict. An index is one test case, with a line for each image of it that is known. An image that is allowed without a signature passes, and its output says why.
 */
export const junitReport: Report = (results, { ended, status }) => {
  const cases = results.length > 0 || ended === undefined ? results.map(caseOf) : [endOf(ended, status)];
  const count = (kind: Kind): number => cases.filter((one) => one.kind === kind).length;
  const counts = `tests="${cases.length}" failures="${count("failure")}" errors="${count("error")}" skipped="0"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="${SUITE}" ${counts}>`,
    `  <testsuite name="${SUITE}" ${counts}>`,
    ...cases.map(({ xml }) => xml),
    "  </testsuite>",
    "</testsuites>",
    "",
  ].join("\n");
};

type Kind = "passed" | "failure" | "error";
interface TestCase {
  readonly kind: Kind;
  readonly xml: string;
}

function caseOf(result: ImageResult): TestCase {
  const { answer, decision, status } = result;
  const [place] = result.requested.places ?? [];
  const seconds = ((decision?.timings.total ?? 0) / 1000).toFixed(3);
  const file = place === undefined ? "" : ` file="${text(place.file)}" line="${place.line}"`;
  const open = `    <testcase name="${text(nameOf(result))}" classname="${text(decision?.rule?.name ?? SUITE)}" time="${seconds}"${file}>`;
  return { kind: kindOf(status), xml: `${open}\n${bodyOf(answer, status, indexNotes(result))}\n    </testcase>` };
}

/** A run that ended before any image was known. */
function endOf(ended: ImageResult["answer"], status: number): TestCase {
  return {
    kind: "error",
    xml: `    <testcase name="${SUITE}" classname="${SUITE}" time="0.000">\n${bodyOf(ended, status)}\n    </testcase>`,
  };
}

/** An audited refusal fails as its status does. */
function kindOf(status: number): Kind {
  if (status === 0) return "passed";
  return status === 1 ? "failure" : "error";
}

function bodyOf(answer: ImageResult["answer"], status: number, notes: readonly string[] = []): string {
  const kind = kindOf(status);
  const reason = headlineOf(answer);
  const lines = [reason, ...notes].map(text).join("\n");
  if (kind === "passed") return `      <system-out>${lines}</system-out>`;
  const { code } = auditedRefusal(answer) ?? { code: codeOf(answer) };
  return `      <${kind} type="${text(code)}" message="${text(reason)}">${lines}</${kind}>`;
}

/** Text for XML: printable ASCII, so no character that XML 1.0 forbids. */
function text(foreign: string): string {
  return withoutCommands(printable(foreign)).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
