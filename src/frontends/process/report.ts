/**
 * What is printed follows these rules, because containerd passes it on to terminals and logs:
 * - printable ASCII only; every other character, also in names and messages of others, becomes `?`;
 * - at containerd's door one line of at most 1 KiB, newline included: `<outcome> <code>: <sentence>`;
 * - nothing secret: no credential ever reaches a message.
 */
import { printable } from "../../core/encoding/printable.ts";
import { formatDateTime } from "../../core/encoding/time.ts";
import type { Subject } from "../../core/evidence/evidence.ts";
import { formatReference } from "../../core/oci/reference.ts";
import type { Decider } from "../../core/policy/policy.ts";
import type { Place } from "../../core/rejection.ts";
import type { Answer, NotEnforced } from "../../core/verify/answer.ts";
import type { Allow, Finding, Refusal, SignatureFacts } from "../../core/verify/verdict.ts";

/** Bytes of the reason line, newline included. */
const MAX_LINE = 1024;
/** Bytes of each further line for people. */
const MAX_DETAIL = 4096;

/** The reason as containerd gets it. */
export function reasonLine(answer: Answer): string {
  return line(reasonOf(answer), MAX_LINE);
}

/** The reason, and below it everything that was found. */
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

/**
 * One JSON object; its keys are part of the public interface (docs/reference/cli.md).
 *
 * @param subject undefined as long as the question could not be read
 * @param rule undefined as long as nothing of the policy decided
 */
export function jsonReport(answer: Answer, subject?: Subject, rule?: Decider): string {
  const report = {
    outcome: answer.outcome,
    code: answer.outcome === "allow" ? answer.because.kind : answer.code,
    reason: printable(reasonOf(answer)),
    ...(subject && { image: formatReference(subject.name), digest: subject.digest }),
    ...(rule && { rule: rule.name, ruleFile: rule.file, ruleLine: rule.line }),
    signatures: answer.outcome === "allow" ? signaturesOf(answer).map(jsonSignature) : [],
    notes: answer.outcome === "allow" && answer.because.kind === "signed" ? answer.because.notes : [],
    ...verifiedAt(answer),
    ...would(answer),
    ...reportedPlace(answer),
    findings: "findings" in answer ? answer.findings : audited(answer),
  };
  return jsonText(report);
}

/** A count and what is counted. */
export function amount(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** A place as editors and terminals take it. */
export function placeText({ file, line, column }: Place): string {
  return `${file}:${line}:${column}`;
}

/** A value as JSON for machines: ASCII alone. */
export function jsonText(value: unknown): string {
  const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return `${JSON.stringify(value, null, 2).replace(/[^\x20-\x7e\n]/g, escaped)}\n`;
}

/** The reason, of any length and with any characters. */
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
      return `allow audited: rule "${because.rule}" only audits; enforced, this would be: ${outcome} ${code}: ${detail}`;
    }
    case "break_glass": {
      const until = formatDateTime(because.until);
      return `allow break_glass: THE GLASS IS BROKEN until ${until} (${because.reason}); without, this would be: ${reasonOf(because.would)}`;
    }
  }
}

function verifiedAt(answer: Answer): { verifiedAt?: string } {
  if (answer.outcome !== "allow" || answer.because.kind !== "signed") return {};
  const { verifiedAt } = answer.because;
  return verifiedAt === undefined ? {} : { verifiedAt: formatDateTime(verifiedAt) };
}

/** What the outcome would have been, had the rule been enforced. */
function would(answer: Answer): { would?: Pick<Refusal, "outcome" | "code"> } {
  if (answer.outcome !== "allow" || answer.because.kind !== "audited") return {};
  const { outcome, code } = answer.because.would;
  return { would: { outcome, code } };
}

/** Where the mistake is, where one in a file ended the run. */
export function reportedPlace(answer: Answer): Partial<Pick<Place, "file" | "line" | "column">> {
  if (!("place" in answer)) return {};
  const { file, line, column } = answer.place;
  return { file, line, column };
}

function audited(answer: Answer): readonly Finding[] {
  return answer.outcome === "allow" && answer.because.kind === "audited" ? answer.because.would.findings : [];
}

function signaturesOf({ because }: Allow | NotEnforced): readonly SignatureFacts[] {
  return because.kind === "signed" ? because.signatures : [];
}

function describeSignature({ signer, key, pds, rev, claim }: SignatureFacts): string {
  const written = formatDateTime(claim.createdAt);
  return `${signer}: repository "${claim.repository}", recorded ${written} by its own word, rev ${rev}, key ${key}, PDS ${pds}`;
}

function jsonSignature({ signer, key, pds, rev, claim }: SignatureFacts) {
  return { signer, key, pds, rev, repository: claim.repository, createdAt: formatDateTime(claim.createdAt) };
}

/** @param max bytes, newline included; all characters are ASCII then */
function line(text: string, max: number): string {
  const safe = printable(text);
  return safe.length < max ? `${safe}\n` : `${safe.slice(0, max - 4)}...\n`;
}
