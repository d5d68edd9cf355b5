/**
 * Rules for everything printed, because containerd passes it on to terminals and logs:
 * - printable ASCII only: any other character, including those in foreign names and messages, becomes `?`;
 * - for containerd, one line of at most 1 KiB, newline included: `<outcome> <code>: <sentence>`;
 * - no secrets: no credential ever reaches a message.
 */
import { printable } from "../../core/encoding/printable.ts";
import { formatDateTime } from "../../core/encoding/time.ts";
import type { Place } from "../../core/rejection.ts";
import type { Answer, NotEnforced } from "../../core/verify/answer.ts";
import type { Allow, CountedSignature, Finding, SignatureFacts } from "../../core/verify/verdict.ts";

/** Maximum bytes of the reason line, newline included. */
const MAX_LINE = 1024;
/** Maximum bytes of each further line for people. */
const MAX_DETAIL = 4096;

/** The reason line, as containerd gets it. */
export function reasonLine(answer: Answer): string {
  return line(reasonOf(answer), MAX_LINE);
}

/** The reason, and below it all signatures and findings. */
export function textReport(answer: Answer): string {
  const findings = "findings" in answer ? answer.findings : audited(answer);
  const signatures = answer.outcome === "allow" ? signaturesOf(answer) : [];
  const details = [
    ...signatures.map((facts) => `  ${describeSignature(facts)}`),
    ...findings.map(({ signer, code, detail }) => `  ${signer ?? "registry"}: ${code}: ${detail}`),
  ];
  return [reasonLine(answer), ...details.map(detailLine)].join("");
}

/** A further line for people. */
export function detailLine(text: string): string {
  return line(text, MAX_DETAIL);
}

/** A count with its noun, in the plural where needed. */
export function amount(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** A place in the form that editors and terminals recognise. */
export function placeText({ file, line, column }: Place): string {
  return `${file}:${line}:${column}`;
}

/** A value as JSON, in ASCII only, and without what a pipeline takes for commands (`withoutCommands`). */
export function jsonText(value: unknown): string {
  const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return `${JSON.stringify(value, null, 2).replace(/[^\x20-\x7e\n]|(?<=:):|(?<=#)#/g, escaped)}\n`;
}

/** The reason, neither shortened nor restricted to ASCII. */
export function reasonOf(answer: Answer): string {
  return answer.outcome === "allow" ? allowReason(answer) : `${answer.outcome} ${answer.code}: ${answer.detail}`;
}

function allowReason({ because }: Allow | NotEnforced): string {
  switch (because.kind) {
    case "signed": {
      const [first] = because.signatures;
      const signers = because.signatures.map(({ signer }) => signer).join(", ");
      const notes = because.notes.map((note) => `; ${note}`).join("");
      return `allow signed: ${first?.digest ?? ""} is signed by ${signers} (rule "${because.rule}")${notes}`;
    }
    case "exempt":
      return `allow exempt: ${because.because}`;
    case "audited": {
      const { outcome, code, detail } = because.would;
      return `allow audited: rule "${because.rule}" only audits; if enforced, this would be: ${outcome} ${code}: ${detail}`;
    }
    case "break_glass": {
      const until = formatDateTime(because.until);
      return `allow break_glass: BREAK-GLASS IS ACTIVE until ${until} (${because.reason}); without it, this would be: ${reasonOf(because.would)}`;
    }
  }
}

/** Where the mistake is, if one in a file caused the answer. */
export function reportedPlace(answer: Answer): Partial<Pick<Place, "file" | "line" | "column">> {
  if (!("place" in answer)) return {};
  const { file, line, column } = answer.place;
  return { file, line, column };
}

function audited(answer: Answer): readonly Finding[] {
  return answer.outcome === "allow" && answer.because.kind === "audited" ? answer.because.would.findings : [];
}

function signaturesOf({ because }: Allow | NotEnforced): readonly CountedSignature[] {
  return because.kind === "signed" ? because.signatures : [];
}

function describeSignature({ signer, key, pds, rev, claim }: SignatureFacts): string {
  const written = formatDateTime(claim.createdAt);
  return `${signer}: repository "${claim.repository}", createdAt ${written} (claimed by the signer), rev ${rev}, key ${key}, PDS ${pds}`;
}

/** @param max bytes, newline included; the text is ASCII by then */
function line(text: string, max: number): string {
  const safe = printable(text);
  return safe.length < max ? `${safe}\n` : `${safe.slice(0, max - 4)}...\n`;
}
