import type { Escape } from "./dockerfile-instructions.ts";

/** Values of build arguments; undefined: declared, but what it is only the build knows. */
export type BuildArguments = ReadonlyMap<string, string | undefined>;

/** Longest value that is made of others. Stops arguments that double each other from filling the memory. */
const MAX_EXPANDED = 4096;
/** Defaults inside defaults: `${A:-${B:-c}}`. */
const MAX_NESTING = 8;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*/;

/** Text of which it is known what the build makes of it, or why it is not known. */
export type Expanded = { readonly text: string } | { readonly problem: string };

/** Divides at white space that is neither in quotes nor escaped; quotes and escapes are left in place. Undefined: a quote is open. */
export function splitWords(text: string, escapedBy: Escape = "\\"): readonly string[] | undefined {
  const words: string[] = [];
  let word = "";
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? "";
    if (character === escapedBy && quote !== "'" && at + 1 < text.length) {
      word += character + (text[++at] ?? "");
      continue;
    }
    if (quote === "" && /\s/.test(character)) {
      if (word !== "") words.push(word);
      word = "";
      continue;
    }
    if (quote === character) quote = "";
    else if (quote === "" && (character === '"' || character === "'")) quote = character;
    word += character;
  }
  if (quote !== "") return undefined;
  return word === "" ? words : [...words, word];
}

/**
 * Flags in front of what an instruction takes, as BuildKit's extractBuilderFlags reads them: without quotes and escapes.
 *
 * @returns the flags, `--name=value`, and what follows them
 */
export function splitFlags(text: string): { readonly flags: readonly string[]; readonly rest: string } {
  const flags: string[] = [];
  let at = 0;
  for (;;) {
    while (/\s/.test(text[at] ?? "")) at++;
    if (!text.startsWith("--", at)) return { flags, rest: text.slice(at) };
    let flag = "";
    let quote = "";
    for (; at < text.length && (quote !== "" || !/\s/.test(text[at] ?? "")); at++) {
      const character = text[at] ?? "";
      if (character === "\\") flag += text[++at] ?? "";
      else if (character === quote) quote = "";
      else if (quote === "" && (character === '"' || character === "'")) quote = character;
      else flag += character;
    }
    if (flag === "--") return { flags, rest: text.slice(at).trimStart() };
    flags.push(flag);
  }
}

/**
 * The heredocs that a line of RUN, COPY or ADD begins, in their order.
 *
 * @returns or what is found that programs may read differently
 */
export function heredocNames(rest: string): readonly { name: string; chomp: boolean }[] | string {
  const words = splitWords(rest);
  if (words === undefined)
    return "found << and a quote that is not closed, expected text that every program divides alike";
  const found: { name: string; chomp: boolean }[] = [];
  for (const word of words) {
    const [, chomp, written = ""] = /^\d*<<(-?)([^<]*)$/.exec(word) ?? [];
    if (written === "") continue;
    const name = written.replace(/^(["'])(.*)\1$/, "$2");
    if (!/^[A-Za-z0-9_.-]+$/.test(name)) {
      return `found the heredoc ${JSON.stringify(word.slice(0, 40))}, expected a name of letters and digits behind <<`;
    }
    found.push({ name, chomp: chomp === "-" });
  }
  return found;
}

/** What the build makes of a word: quotes and escapes removed, variables replaced by their defaults. */
export function expand(word: string, values: BuildArguments, escapedBy: Escape, nesting = 0): Expanded {
  let text = "";
  let quote = "";
  for (let at = 0; at < word.length; at++) {
    const character = word[at] ?? "";
    if (character === escapedBy && quote !== "'") text += word[++at] ?? "";
    else if (character === "$" && quote !== "'") {
      const variable = readVariable(word.slice(at), values, escapedBy, nesting);
      if ("problem" in variable) return variable;
      text += variable.text;
      at += variable.length - 1;
    } else if (character === quote) quote = "";
    else if (quote === "" && (character === '"' || character === "'")) quote = character;
    else text += character;
    if (text.length > MAX_EXPANDED) return { problem: `its variables make more than ${MAX_EXPANDED} characters of it` };
  }
  return quote === "" ? { text } : { problem: "a quote in it is not closed" };
}

type Variable = { readonly text: string; readonly length: number } | { readonly problem: string };

function readVariable(word: string, values: BuildArguments, escapedBy: Escape, nesting: number): Variable {
  const isBraced = word.startsWith("${");
  const [name = ""] = NAME.exec(word.slice(isBraced ? 2 : 1)) ?? [];
  const start = name.length + (isBraced ? 2 : 1);
  const notKnown = { problem: `it contains a variable that cannot be resolved: ${word.slice(0, 40)}` };
  if (name === "") return notKnown;
  const value = values.get(name);
  const unset = values.has(name)
    ? `the build argument ${name} has no value in the file; give it a default there: ARG ${name}=VALUE`
    : `no ARG above the first FROM sets the variable ${name}; add one with a value: ARG ${name}=VALUE`;
  if (!isBraced || word[start] === "}") {
    return value === undefined ? { problem: unset } : { text: value, length: start + (isBraced ? 1 : 0) };
  }
  const [operator] = /^:?[-+]/.exec(word.slice(start)) ?? [];
  const end = closingBrace(word, start);
  if (operator === undefined || end === -1 || nesting >= MAX_NESTING) return notKnown;
  // What the build platform or a build argument says comes first, and only the build knows it.
  if (values.has(name) && value === undefined) return { problem: unset };
  const isSet = value !== undefined && (value !== "" || operator.length === 1);
  const other = expand(word.slice(start + operator.length, end), values, escapedBy, nesting + 1);
  const taken = operator.endsWith("-") ? (isSet ? { text: value } : other) : isSet ? other : { text: "" };
  return "problem" in taken ? taken : { text: taken.text, length: end + 1 };
}

function closingBrace(word: string, from: number): number {
  let open = 1;
  for (let at = from; at < word.length; at++) {
    if (word[at] === "{") open++;
    else if (word[at] === "}" && --open === 0) return at;
  }
  return -1;
}
