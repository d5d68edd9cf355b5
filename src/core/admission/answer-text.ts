import { printable } from "../encoding/printable.ts";
import type { Rejection } from "../rejection.ts";
import { refusalOf } from "../verify/answer.ts";
import { answerCode, type ImageAnswer, type Outcome, unenforced, worstFirst, worstOutcome } from "./image-answer.ts";

/**
 * Rules for the text in answers, which people read in kubectl and in audit logs:
 * - printable ASCII only, as everything in it may be written by others;
 * - the code first, and each text bounded: the API server has no bound of its own for a message;
 * - code, name and reason each have their room, as none of them says enough alone;
 * - a name is one word, so its author cannot write another name or a reason, and a line ends where this program ends it.
 */

/** Longest message of a refusal, characters, line breaks included. */
const MAX_MESSAGE = 1024;
/** What each reason has of a message at least, if there are several, characters: a code, a name and a sentence. */
const MIN_LINE = 256;
/** Reserved for the line that says how many images are left out. */
const REST = 24;
/** Longest name of an image in a text, characters: 100 and a shortened digest. */
const MAX_NAME = 128;
/** What is read of a name, characters: of a longer one messages repeat only its beginning. */
const MAX_READ = 1024;
/** Shortest part of a name that could be read as words, characters: no code and name are shorter. */
const MIN_PHRASE = 4;
/** Such parts that are looked for in a reason: each costs time, and no name that is meant to be one has more. */
const MAX_PHRASES = 16;
/** Longest warning, characters: the API server cuts what is longer than 256 when a request has many. */
const MAX_WARNING = 250;
/** Warnings of one answer, characters: the API server drops what is beyond 4096 of a request, which two webhooks share. */
const MAX_WARNINGS = 2048;
/** Longest value of an audit annotation, characters. */
const MAX_ANNOTATION = 1024;

/** Images that are refused for one reason. */
interface Refused {
  readonly code: string;
  readonly reason: string;
  /** As shown; one at least. */
  readonly names: readonly string[];
}

/**
 * One line for each reason, worst first: its code, the images that it holds for, and the reason; at most
 * {@link MAX_MESSAGE} characters. As many reasons are named as have enough room, and what then is free is shared.
 */
export function refusalMessage(answers: readonly ImageAnswer[]): string {
  const all = byReason(worstFirst(answers));
  const needed = all.map((one) => Math.min(MIN_LINE, widthOf(one, named(one.names, 0).length)));
  const room = MAX_MESSAGE - REST;
  const shown = all.slice(0, fitting(needed, room, "\n".length));
  let free = room - needed.slice(0, shown.length).reduce((sum, width) => sum + width + "\n".length, 0);
  const lines = shown.map((one, i) => {
    const least = needed[i] ?? 0;
    const line = lineOf(one, least + Math.floor(free / (shown.length - i)));
    free -= line.length - least;
    return line;
  });
  const left = all.slice(shown.length).reduce((sum, { names }) => sum + names.length, 0);
  return [...lines, ...(left > 0 ? [`and ${left} more`] : [])].join("\n");
}

/** The refused images by code and reason, in the order of the first of each. */
function byReason(answers: readonly ImageAnswer[]): readonly Refused[] {
  const found = new Map<string, Refused & { readonly names: string[] }>();
  for (const { image, answer } of answers) {
    if (answer.outcome === "allow") continue;
    const reason = shownReason(answer.detail, image);
    // What one failure took differs from image to image.
    const key = `${answer.code} ${reason.replace(/\b\d+(?: attempts?|(?:\.\d+)? s)\b/g, "")}`;
    const same = found.get(key);
    if (same === undefined) found.set(key, { code: answer.code, reason, names: [shownName(image)] });
    else same.names.push(shownName(image));
  }
  return [...found.values()];
}

/** One line of at most `most` characters. Names have half of it if the reason needs the rest, and room for one at least. */
function lineOf({ code, reason, names }: Refused, most: number): string {
  const room = most - widthOf({ code, reason: "" }, 0);
  const forNames = Math.max(named(names, 0).length, Math.floor(room / 2), room - reason.length);
  const list = named(names, forNames);
  return `${code} ${list}: ${cut(reason, room - list.length)}`;
}

function widthOf({ code, reason }: Pick<Refused, "code" | "reason">, names: number): number {
  return code.length + " ".length + names + ": ".length + reason.length;
}

/** As many names as fit, one at least, and how many more there are. */
function named(names: readonly string[], most: number): string {
  const all = names.join(", ");
  if (all.length <= most) return all;
  const [first = "", ...others] = names;
  let [list, count] = [first, 1];
  for (const name of others) {
    const longer = `${list}, ${name}`;
    if (longer.length + moreOf(names.length - count - 1).length > most) break;
    [list, count] = [longer, count + 1];
  }
  return `${list}${moreOf(names.length - count)}`;
}

function moreOf(count: number): string {
  return count > 0 ? ` and ${count} more` : "";
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
    return [warning(`${why}: ${would.code} ${shownName(one.image)}: ${shownReason(would.detail, one.image)}`)];
  });
  return fewOf(lines, "atcr-verify would refuse");
}

/** The warning about an object that is only audited. */
export function warningOf(message: string): string {
  return warning(`atcr-verify would refuse this: ${message}`);
}

/** A line for each image that should have been pinned and was not: the validating webhook says only that it has no digest. */
export function unpinnedWarnings(answers: readonly ImageAnswer[]): readonly string[] {
  const lines = answers.flatMap(({ image, pinned, answer }) =>
    pinned !== undefined || answer.outcome === "allow" || answer.code === "image.not_pinned"
      ? []
      : [
          warning(
            `atcr-verify could not pin ${shownName(image)}: ${answer.code}: ${shownReason(answer.detail, image)}`,
          ),
        ],
  );
  return fewOf(lines, "atcr-verify could not pin");
}

/** The name as one word, its digest shortened to leave room for the reason. */
function shownName(image: string): string {
  return cut(withShortDigests(asWord(image.slice(0, MAX_READ))), MAX_NAME);
}

/** With the characters that names have alone: no space, comma or quote, with which it would read as something else. */
function asWord(name: string): string {
  return name.replace(/[^\w.\-/:@+[\]]/gu, "?");
}

/**
 * The reason in one line, without the name that stands before it: that would leave no room for the rest of it, and
 * reasons that differ by it alone are one. Where it repeats part of a name that is none, that is a word here, too.
 */
function shownReason(detail: string, image: string): string {
  const read = image.slice(0, MAX_READ);
  const repository = read.replace(/@.*$/s, "").replace(/:[^/:]*$/, "");
  const unquoted = [read, `${read.slice(0, 64)}\u2026`].reduce(
    (text, name) => text.replaceAll(`the image name "${name}"`, "this name"),
    detail,
  );
  const short = repository.includes("/") ? withoutName(unquoted, repository) : unquoted;
  return withShortDigests(printable(withWords(short, read)).replace(/ {2,}/g, " "));
}

/** The text in which each part of the name that could be read as words is one word. */
function withWords(text: string, name: string): string {
  const odd = name.split(/[/:@]/).filter((part) => part.length >= MIN_PHRASE && asWord(part) !== part);
  if (odd.length > MAX_PHRASES) return asWord(text);
  return odd.reduce((before, part) => before.replaceAll(part, asWord(part)), text);
}

/** The text with `this image` instead of a name that is not part of a longer one. */
function withoutName(text: string, name: string): string {
  const parts = text.split(name);
  return parts.reduce((before, after) => {
    const isWhole = !/[\w.\-/:@]$/.test(before) && !/^[\w.\-/:@]/.test(after);
    return `${before}${isWhole ? "this image" : name}${after}`;
  });
}

function withShortDigests(text: string): string {
  return text.replace(/(\bsha256:[0-9a-f]{12})[0-9a-f]{52}(?![0-9a-f])/g, "$1...");
}

function warning(text: string): string {
  return cut(printable(text), MAX_WARNING);
}

/** As many as the API server has room for; the last says how many more there are. */
function fewOf(lines: readonly string[], what: string): readonly string[] {
  const widths = lines.map(({ length }) => length);
  if (fitting(widths, MAX_WARNINGS) === lines.length) return lines;
  const shown = fitting(widths, MAX_WARNINGS - `${what} ${lines.length} more`.length);
  return [...lines.slice(0, shown), `${what} ${lines.length - shown} more`];
}

/** How many of the texts fit, each with what ends it. */
function fitting(widths: readonly number[], room: number, end = 0): number {
  let [count, used] = [0, 0];
  for (const width of widths) {
    used += width + end;
    if (used > room) break;
    count++;
  }
  return count;
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

export function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 3)}...`;
}
