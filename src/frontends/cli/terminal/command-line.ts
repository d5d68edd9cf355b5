import { closest } from "../../../core/encoding/closest.ts";
import { reject } from "../../../core/rejection.ts";
import type { CommandEntry, CommandLine } from "../command-table/command.ts";
import { COMMAND_NAMES, type CommandName, entryOf, namesBelow } from "../command-table/command-groups.ts";

const NAMES_OF_HELP = ["help", "--help", "--version"];
/** The options of all commands, and whether each takes a value: they may precede the command. */
const TAKES_VALUE = new Map(
  COMMAND_NAMES.flatMap((name) => Object.entries(entryOf(name).options)).flatMap(([name, { kind, short }]) =>
    [`--${name}`, ...(short === undefined ? [] : [`-${short}`])].map((word) => [word, kind !== "flag"] as const),
  ),
);
/** What only an image has in its name; a bare word is a command, so that a misspelt command is never an image. */
const LOOKS_LIKE_IMAGE = /[/:@.]/;

/** The command of a command line, and the remaining arguments. */
export interface CommandFound {
  readonly name: CommandName;
  readonly rest: readonly string[];
}

/**
 * Finds the command: the first words that are not options. If the first is an image, or there is none beside `--file`, the command
 * is `verify`.
 *
 * @throws Rejection input.malformed
 */
export function findCommand(args: readonly string[]): CommandFound {
  const rest = [...args];
  let words = "";
  for (let i = 0; i < rest.length; ) {
    const arg = rest[i] ?? "";
    const takesValue = TAKES_VALUE.get(arg.split("=", 1)[0] ?? "");
    if (takesValue !== undefined) {
      i += takesValue && !arg.includes("=") ? 2 : 1;
      continue;
    }
    if (words === "" && !arg.startsWith("-") && LOOKS_LIKE_IMAGE.test(arg)) return { name: "verify", rest };
    words = `${words} ${arg}`.trimStart();
    const [name, ...more] = namesBelow(words);
    if (name === undefined) return reject("input.malformed", wrongCommand(words));
    rest.splice(i, 1);
    if (more.length === 0 && name === words) return { name, rest };
  }
  if (words === "" && args.some((arg) => /^(?:-f|--file)(?:=|$)/.test(arg))) return { name: "verify", rest };
  const expected = (words === "" ? COMMAND_NAMES : namesBelow(words)).map((name) => name);
  return reject("input.malformed", `found no command${words && ` after "${words}"`}, expected ${expected.join(", ")}`);
}

/**
 * Rejects a command about a node where there cannot be one.
 *
 * @param platform as Node names it: `linux`, `darwin`
 * @throws Rejection input.malformed
 */
export function assertRunsOn(name: CommandName, platform: string, rest: readonly string[]): void {
  const { linuxOnly, elsewhereWith } = entryOf(name);
  if (linuxOnly !== true || platform === "linux") return;
  if (elsewhereWith !== undefined && rest.includes(`--${elsewhereWith}`)) return;
  reject(
    "input.malformed",
    `${name} is Linux only: it needs containerd and /proc, and this system is ${platform}; run it on the node`,
  );
}

/** @param words the first words, which are not a command */
export function wrongCommand(words: string): string {
  const [group = ""] = words.split(" ");
  const inGroup = words === group ? [] : namesBelow(group);
  // For an unknown command of a group, only the others of that group are suggested.
  const expected = inGroup.length > 0 ? inGroup : COMMAND_NAMES;
  const isOption = words.startsWith("-");
  const meant = suggestion(words, expected);
  const help = inGroup.length > 0 ? `atcr-verify help ${group}` : "atcr-verify --help";
  const isBareWord = inGroup.length === 0 && !isOption && /^[a-z0-9]/i.test(words);
  const image = isBareWord ? `; to verify an image of that name: atcr-verify verify ${words}` : "";
  const others = `expected ${expected.join(", ")}${image}; see ${help}`;
  const advice = meant === undefined ? others : `did you mean ${meant}?`;
  return `unknown ${isOption ? "option" : "command"} "${words}"; ${advice}`;
}

function suggestion(words: string, expected: readonly CommandName[]): string | undefined {
  const known = [...expected, ...new Set(expected.map((name) => name.split(" ")[0] ?? "")), ...NAMES_OF_HELP];
  return closest(
    words,
    words.startsWith("-") ? [...known, ...[...TAKES_VALUE.keys()].filter((word) => word.startsWith("--"))] : known,
  );
}

/**
 * Parses the arguments of a command: `--option value`, `--option=value`, `--flag`, `-o value`, operands anywhere, `--` before
 * operands that begin with a dash. Unknown options, empty values and options repeated that take one value are errors.
 *
 * @throws Rejection input.malformed
 */
export function readCommandLine<C extends CommandEntry>(
  args: readonly string[],
  { operands, options }: C,
  usage: string,
): CommandLine<C> {
  const values = new Map<string, readonly string[]>();
  const words: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? "";
    if (arg === "--") {
      words.push(...args.slice(i + 1));
      break;
    }
    if (!arg.startsWith("-") || arg === "-") {
      words.push(arg);
      continue;
    }
    const equals = arg.indexOf("=");
    const name = nameOf(equals === -1 ? arg : arg.slice(0, equals), options);
    const option = name === undefined ? undefined : options[name];
    if (name === undefined || option === undefined) {
      const [written = ""] = arg.split("=", 1);
      const operand = operands.find(({ insteadOf }) => insteadOf !== undefined && `--${insteadOf}` === written);
      if (operand === undefined) return reject("input.malformed", wrongOption(arg, Object.keys(options)));
      const value = (equals === -1 ? args[i + 1] : arg.slice(equals + 1)) ?? operand.name;
      const line = `atcr-verify ${usage.replace(/ \[.*/, "")} ${value}`;
      return reject("input.malformed", `there is no option ${written} here; write: ${line}`);
    }
    const earlier = values.get(name) ?? [];
    if (earlier.length > 0 && option.repeatable !== true)
      reject("input.malformed", `the option --${name} is given twice`);
    if (option.kind === "flag") {
      if (equals !== -1) reject("input.malformed", `the option --${name} takes no value`);
      values.set(name, [""]);
      continue;
    }
    const value = equals === -1 ? args[++i] : arg.slice(equals + 1);
    if (value === undefined || value === "") return reject("input.malformed", `the option --${name} has no value`);
    const word = typeof option.kind === "string" ? value : readWord(name, value, option.kind);
    values.set(name, [...earlier, word]);
  }
  const needed = operands.filter(({ optional }) => optional !== true).length;
  const hasMany = operands.at(-1)?.repeatable === true;
  if (words.length < needed || (words.length > operands.length && !hasMany)) {
    const found = words.length === 0 ? "nothing" : words.map((word) => `"${word}"`).join(", ");
    reject("input.malformed", `found ${found} after the command, expected: atcr-verify ${usage}`);
  }
  const named: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(options)) {
    const given = values.get(name);
    if (option.required === true && given === undefined) {
      reject("input.malformed", `the option --${name} is missing, expected: atcr-verify ${usage}`);
    }
    if (option.kind === "flag") named[name] = given !== undefined;
    else named[name] = option.repeatable === true ? (given ?? []) : (given?.[0] ?? option.default);
  }
  const single = hasMany ? operands.length - 1 : operands.length;
  const read = [...words.slice(0, single), ...(hasMany ? [words.slice(single)] : [])];
  // The checks above guarantee the entry's types.
  return { operands: read, options: named } as unknown as CommandLine<C>;
}

/** The option that is written so: by its name after two dashes, or by its letter after one. */
function nameOf(written: string, options: CommandEntry["options"]): string | undefined {
  if (written.startsWith("--")) return Object.hasOwn(options, written.slice(2)) ? written.slice(2) : undefined;
  return Object.entries(options).find(([, { short }]) => short !== undefined && `-${short}` === written)?.[0];
}

function wrongOption(arg: string, known: readonly string[]): string {
  const name = arg.replace(/^-+|=.*$/gs, "");
  if (name === "help" || arg === "-h")
    return `found ${arg} among other arguments; atcr-verify help COMMAND prints the help`;
  const meant = known.length === 0 ? undefined : closest(name, known);
  const expected =
    known.length === 0 ? "there are none here" : `expected ${known.map((option) => `--${option}`).join(", ")}`;
  return `unknown option "${arg}"; ${meant === undefined ? expected : `did you mean --${meant}?`}`;
}

/** The output format as written, read before the rest of the line, so that a mistake there is printed in it too. */
export function writtenOutput(args: readonly string[]): string {
  const at = args.findIndex((arg) => /^(?:--output|-o)(?:=|$)/.test(arg));
  const [, value = args[at + 1]] = /=(.*)$/s.exec(args[at] ?? "") ?? [];
  return at === -1 ? "text" : (value ?? "").toLowerCase();
}

function readWord<Word extends string>(option: string, value: string, words: readonly Word[]): Word {
  const found = words.find((word) => word === value.toLowerCase());
  if (found !== undefined) return found;
  const meant = closest(value, words);
  const advice = meant === undefined ? `expected ${inWords(words)}` : `did you mean ${meant}?`;
  return reject("input.malformed", `--${option} is "${value}"; ${advice}`);
}

/** `a`, `a or b`, `a, b or c` */
function inWords(words: readonly string[]): string {
  return [words.slice(0, -1).join(", "), words.at(-1) ?? ""].filter((part) => part !== "").join(" or ");
}
