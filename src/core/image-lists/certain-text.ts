import type { ForeignScalar } from "../encoding/foreign-yaml.ts";

/** Tags that every reader takes for text. */
const TEXT_TAGS: ReadonlySet<string> = new Set(["!", "tag:yaml.org,2002:str"]);
/** What YAML 1.1 or 1.2 makes nothing or a boolean of. */
const WORD = /^(?:~|null|y|n|yes|no|on|off|true|false)$/i;
/** What either makes a number of, without its sign and separators: in some base, with an exponent, or in base 60. */
const NUMBERS: readonly RegExp[] = [
  /^0(?:x[0-9a-f]+|o?[0-7]+|b[01]+)$/i,
  /^(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]+)?$/i,
  /^[0-9]+(?::[0-5]?[0-9])+(?:\.[0-9]*)?$/,
  /^\.(?:inf|nan)$/i,
];
/** Numbers from here on are written with an exponent by Go's templates, with which Helm renders. */
const EXPONENT_FROM = 1_000_000;

/**
 * Why readers of YAML may not agree on the text of a scalar: `tag: 1.10` is the number 1.1 to Helm, and `!!binary` is decoded
 * by some.
 *
 * @returns undefined where every reader has the same text
 */
export function uncertainty({ text, isPlain, tag }: ForeignScalar): string | undefined {
  if (tag !== undefined) {
    return TEXT_TAGS.has(tag) ? undefined : "it has a tag (!), which programs read differently; write the text alone";
  }
  if (!isPlain || !(WORD.test(text) || isNumber(text))) return undefined;
  return `it is the plain ${JSON.stringify(text.slice(0, 40))}, which is no text to every program; put it in quotes`;
}

/** As {@link uncertainty}, but a number that every program writes as it is written here is taken as text. */
export function uncertaintyOfTag(scalar: ForeignScalar): string | undefined {
  const value = Number(scalar.text);
  const isSame = value >= 0 && value < EXPONENT_FROM && String(value) === scalar.text;
  return isSame && scalar.tag === undefined ? undefined : uncertainty(scalar);
}

/** Whether every reader takes a scalar for the same key. */
export function isCertainKey({ tag }: ForeignScalar): boolean {
  return tag === undefined || TEXT_TAGS.has(tag);
}

function isNumber(text: string): boolean {
  const digits = text.replace(/^[-+]/, "").replaceAll(/[_,]/g, "");
  return NUMBERS.some((form) => form.test(digits));
}
