import { percentDecoded } from "../../core/encoding/percent.ts";
import type { Sent } from "./exchange.ts";

/** Characters of a peer's text that are printed: enough for an error's name and the beginning of its message. */
const MAX_QUOTED = 120;
/** A text that shares this many consecutive characters with a secret is not quoted; shorter matches are accidental. */
const TELLING = 8;
/** Replaces text that is not quoted. */
export const WITHHELD = "[withheld: it repeats a credential or a header that was sent]";

/**
 * Quotes a peer's error text, to end one of our messages: at most {@link MAX_QUOTED} characters of printable ASCII, on
 * one line. A peer may repeat what it was sent, so text that contains a part of a header or form field of the request,
 * plain or encoded, is withheld.
 *
 * @param words attacker-controlled: the name of the error and its message, where present
 * @param sent what the peer was sent, in this request and earlier ones
 * @returns undefined where the peer sent no text
 */
export function quotePeer(words: readonly (string | undefined)[], sent: readonly Sent[]): string | undefined {
  const said = words.map((word) => (word ?? "").replace(/\s+/gu, " ").trim()).filter((word) => word !== "");
  // Longer than what is quoted, so that a secret at the cut is still recognised.
  const text = said.join(": ").slice(0, 2 * MAX_QUOTED);
  if (text === "") return undefined;
  if (repeatsSent(text, sent)) return WITHHELD;
  const shown = text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED - 3)}...` : text;
  return `"${shown.replace(/[^\x20-\x7e]/gu, "?").replaceAll('"', "'")}"`;
}

/**
 * The host of a URL that a peer sent, for one of our messages.
 *
 * @param url attacker-controlled; only its host is shown
 */
export function nameHost(url: URL, sent: readonly Sent[]): string {
  return repeatsSent(url.host, sent) ? WITHHELD : url.host;
}

/** Whether a peer's text contains a part of what it was sent, plain or encoded. */
export function repeatsSent(text: string, sent: readonly Sent[]): boolean {
  const forms = [...new Set([text, percentDecoded(text)])];
  return sent.flatMap(secretsOf).some((secret) => forms.some((form) => repeats(form, secret)));
}

/** Values of all headers and form fields, with credentials split, in each encoding in which they may come back. */
function secretsOf({ headers = {}, form = {} }: Sent): readonly string[] {
  const values = [...Object.values(headers).flatMap(partsOf), ...Object.values(form)];
  return values.flatMap((value) => {
    const encoded = encodeURIComponent(value);
    const bytes = Buffer.from(value);
    return [value, encoded, encoded.replaceAll("%20", "+"), bytes.toString("base64"), bytes.toString("base64url")];
  });
}

/** `Basic dXNlcjpwYXNz` is also `dXNlcjpwYXNz` and `pass`. The user name alone is not a secret. */
function partsOf(value: string): readonly string[] {
  const [, scheme = "", credential = ""] = /^(\S+) +(\S+)$/.exec(value) ?? [];
  if (credential === "") return [value];
  if (scheme.toLowerCase() !== "basic") return [value, credential];
  const pair = Buffer.from(credential, "base64").toString("utf8");
  return [value, credential, pair.slice(pair.indexOf(":") + 1)];
}

function repeats(text: string, secret: string): boolean {
  const [said, hidden] = [text.toLowerCase(), secret.trim().toLowerCase()];
  if (hidden === "") return false;
  if (hidden.length <= TELLING) return said.includes(hidden);
  for (let at = 0; at + TELLING <= said.length; at++) if (hidden.includes(said.slice(at, at + TELLING))) return true;
  return false;
}
