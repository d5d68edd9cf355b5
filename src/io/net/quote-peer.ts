import { percentDecoded } from "../../core/encoding/percent.ts";
import type { Sent } from "./exchange.ts";

/** Characters of a peer's words that are printed: enough for an error's name and the beginning of its message. */
const MAX_QUOTED = 120;
/** Characters in a row that two texts have in common by accident; a peer that repeats more of a secret is not quoted. */
const TELLING = 8;
/** In the place of what is not quoted. */
export const WITHHELD = "[withheld: it repeats a credential or a header that was sent]";

/**
 * What a peer says about an error, in quotation marks, for the end of a message of ours: at most
 * {@link MAX_QUOTED} characters of printable ASCII, on one line. A peer may repeat what it was sent, so nothing
 * is quoted that has a part of a header or a form field of the request in it, as it is or as it was encoded.
 *
 * @param words attacker-controlled: the name of the error, its message; those that are absent are left out
 * @param sent what the peer was sent: the request that was answered, and those before
 * @returns undefined where the peer says nothing
 */
export function quotePeer(words: readonly (string | undefined)[], sent: readonly Sent[]): string | undefined {
  const said = words.map((word) => (word ?? "").replace(/\s+/gu, " ").trim()).filter((word) => word !== "");
  // A little more than is quoted, so that a secret that is cut off at the end is seen all the same.
  const text = said.join(": ").slice(0, 2 * MAX_QUOTED);
  if (text === "") return undefined;
  if (repeatsSent(text, sent)) return WITHHELD;
  const shown = text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED - 3)}...` : text;
  return `"${shown.replace(/[^\x20-\x7e]/gu, "?").replaceAll('"', "'")}"`;
}

/**
 * The host of a URL that a peer named, for a message of ours.
 *
 * @param url attacker-controlled; of it no more than the host is named
 */
export function nameHost(url: URL, sent: readonly Sent[]): string {
  return repeatsSent(url.host, sent) ? WITHHELD : url.host;
}

/** Whether a peer's text has a part of what it was sent in it, as it is or as it was encoded. */
export function repeatsSent(text: string, sent: readonly Sent[]): boolean {
  const forms = [...new Set([text, percentDecoded(text)])];
  return sent.flatMap(secretsOf).some((secret) => forms.some((form) => repeats(form, secret)));
}

/** Values of all headers and form fields, credentials taken apart, each in the forms in which it may come back. */
function secretsOf({ headers = {}, form = {} }: Sent): readonly string[] {
  const values = [...Object.values(headers).flatMap(partsOf), ...Object.values(form)];
  return values.flatMap((value) => {
    const encoded = encodeURIComponent(value);
    const bytes = Buffer.from(value);
    return [value, encoded, encoded.replaceAll("%20", "+"), bytes.toString("base64"), bytes.toString("base64url")];
  });
}

/** `Basic dXNlcjpwYXNz` is also `dXNlcjpwYXNz` and `pass`. The user's name alone is no secret. */
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
