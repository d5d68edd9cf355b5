import { printable } from "../encoding/printable.ts";
import type { Rejection } from "../rejection.ts";
import { refusalOf } from "../verify/answer.ts";
import { answerCode, type ImageAnswer, type Outcome, unenforced, worstFirst, worstOutcome } from "./image-answer.ts";

/**
 * Rules for the text in answers, which people read in kubectl and in audit logs:
 * - printable ASCII only, as everything in it may be written by others;
 * - the code first, and each text bounded: the API server has no bound of its own for a message.
 */

/** Longest message of a refusal, characters, line breaks included. */
const MAX_MESSAGE = 1024;
/** What each image has of a message at least, if there are several, characters. */
const MIN_LINE = 120;
/** Reserved for the line that says how many images are left out. */
const REST = 24;
/** Longest warning, characters: the API server cuts longer ones when there are many. */
const MAX_WARNING = 120;
/** Warnings of one answer, which kubectl prints each in a line. */
const MAX_WARNINGS = 10;
/** Longest value of an audit annotation, characters. */
const MAX_ANNOTATION = 1024;

/** One line for each image that is not allowed, worst first, its code first; at most {@link MAX_MESSAGE} characters. */
export function refusalMessage(answers: readonly ImageAnswer[]): string {
  const lines = worstFirst(answers).flatMap(({ image, answer }) =>
    answer.outcome === "allow" ? [] : [printable(`${answer.code} ${image}: ${answer.detail}`)],
  );
  const share = Math.max(MIN_LINE, Math.floor((MAX_MESSAGE - REST) / lines.length) - 1);
  const shown = lines.slice(0, Math.floor((MAX_MESSAGE - REST) / (share + 1))).map((line) => cut(line, share));
  return [...shown, ...rest(lines.length - shown.length)].join("\n");
}

/** The refusal of a request whose object cannot be judged. */
export function refusalOfRequest({ code, message }: Rejection): {
  readonly outcome: Exclude<Outcome, "allow">;
  readonly code: string;
  readonly message: string;
} {
  const { outcome } = refusalOf(code, message);
  return { outcome, code, message: cut(printable(`${code}: ${message}`), MAX_MESSAGE) };
}

/** A line for each image that is allowed although it was refused: its rule only audits, or break-glass is active. */
export function warningsOf(answers: readonly ImageAnswer[]): readonly string[] {
  const lines = answers.flatMap((one) => {
    const would = unenforced(one);
    if (would === undefined) return [];
    const why = answerCode(one) === "audited" ? "atcr-verify would refuse this" : "atcr-verify BREAK-GLASS IS ACTIVE";
    return [warning(`${why}: ${would.code} ${shortened(one.image)}: ${would.detail}`)];
  });
  return fewOf(lines);
}

/** The warning about an object that is only audited. */
export function warningOf(code: string): string {
  return `atcr-verify would refuse this: ${code}`;
}

/** A line for each image that should have been pinned and was not: the validating webhook says only that it has no digest. */
export function unpinnedWarnings(answers: readonly ImageAnswer[]): readonly string[] {
  const lines = answers.flatMap(({ image, pinned, answer }) =>
    pinned !== undefined || answer.outcome === "allow" || answer.code === "image.not_pinned"
      ? []
      : [warning(`atcr-verify could not pin ${shortened(image)}: ${answer.code}: ${answer.detail}`)],
  );
  return fewOf(lines);
}

/** The name with the beginning of its digest: all of it would leave no room for the reason. */
function shortened(image: string): string {
  return image.replace(/(@sha256:[0-9a-f]{8})[0-9a-f]{56}$/, "$1...");
}

function warning(text: string): string {
  return cut(printable(text), MAX_WARNING);
}

function fewOf(lines: readonly string[]): readonly string[] {
  const shown = lines.length > MAX_WARNINGS ? lines.slice(0, MAX_WARNINGS - 1) : lines;
  return [...shown, ...rest(lines.length - shown.length)];
}

/** What the audit log notes; the API server puts the webhook's name before each key. */
export function auditAnnotations(answers: readonly ImageAnswer[]): Readonly<Record<string, string>> {
  const signers = answers.flatMap(({ answer }) =>
    answer.outcome === "allow" && answer.because.kind === "signed"
      ? answer.because.signatures.map(({ signer }) => signer)
      : [],
  );
  const would = answers.flatMap((one) => unenforced(one)?.code ?? []);
  return {
    verdict: worstOutcome(answers),
    images: String(answers.length),
    codes: listed(answers.map(answerCode)),
    ...(would.length > 0 && { unenforced: listed(would) }),
    ...(signers.length > 0 && { signers: listed(signers) }),
  };
}

function listed(values: readonly string[]): string {
  return cut(printable([...new Set(values)].join(",")), MAX_ANNOTATION);
}

function rest(count: number): readonly string[] {
  return count > 0 ? [`and ${count} more`] : [];
}

export function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 3)}...`;
}
