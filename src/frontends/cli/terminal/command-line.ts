import { closest } from "../../../core/encoding/closest.ts";
import { reject } from "../../../core/rejection.ts";
import type { CommandEntry, CommandLine } from "../command-table/command.ts";
import { COMMAND_NAMES, type CommandName, entryOf, namesBelow } from "../command-table/command-groups.ts";

const NAMES_OF_HELP = ["help", "--help", "--version"];
/** The options of all commands, and whether each takes a value: they may precede the command. */
const TAKES_VALUE = new Map(
  COMMAND_NAMES.flatMap((name) => Object.entries(entryOf(name).options)).map(([name, { kind }]) => [
    `--${name}`,
    kind !== "flag",
  ]),
);

/** The command of a command line, and the remaining arguments. */
export interface CommandFound {
  readonly name: CommandName;
  readonly rest: readonly string[];
}

/**
 * Finds the command: the first words that are not options.
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
    words = `${words} ${arg}`.trimStart();
    const [name, ...more] = namesBelow(words);
    if (name === undefined) return reject("input.malformed", wrongCommand(words));
    rest.splice(i, 1);
    if (more.length === 0 && name === words) return { name, rest };
  }
  const expected = (words === "" ? COMMAND_NAMES : namesBelow(words)).map((name) => name);
  return reject("input.malformed", `found no command${words && ` after "${words}"`}, expected ${expected.join(", ")}`);
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
  const advice = meant === undefined ? `expected ${expected.join(", ")}; see ${help}` : `did you mean ${meant}?`;
  return `unknown ${isOption ? "option" : "command"} "${words}"; ${advice}`;
}

function suggestion(words: string, expected: readonly CommandName[]): string | undefined {
  // Only an image name contains these.
  if (/[/@:]/.test(words) && !words.startsWith("-")) return `atcr-verify verify ${words}`;
  const known = [...expected, ...new Set(expected.map((name) => name.split(" ")[0] ?? "")), ...NAMES_OF_HELP];
  return closest(words, words.startsWith("-") ? [...known, ...TAKES_VALUE.keys()] : known);
}

/**
 * Parses the arguments of a command: `--option value`, `--option=value`, `--flag`, operands anywhere, `--` before operands that
 * begin with a dash. Unknown options, repeated options and empty values are errors.
 *
 * @throws Rejection input.malformed
 */
export function readCommandLine<C extends CommandEntry>(
  args: readonly string[],
  { operands, options }: C,
  usage: string,
): CommandLine<C> {
  const values = new Map<string, string | true>();
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
    const name = equals === -1 ? arg.slice(2) : arg.slice(2, equals);
    const option = arg.startsWith("--") && Object.hasOwn(options, name) ? options[name] : undefined;
    if (option === undefined) {
      const operand = operands.find(({ insteadOf }) => insteadOf === name && arg.startsWith("--"));
      if (operand === undefined) return reject("input.malformed", wrongOption(arg, Object.keys(options)));
      const value = (equals === -1 ? args[i + 1] : arg.slice(equals + 1)) ?? operand.name;
      const line = `atcr-verify ${usage.replace(/ \[.*/, "")} ${value}`;
      return reject("input.malformed", `there is no option --${name} here; write: ${line}`);
    }
    if (values.has(name)) reject("input.malformed", `the option --${name} is given twice`);
    if (option.kind === "flag") {
      if (equals !== -1) reject("input.malformed", `the option --${name} takes no value`);
      values.set(name, true);
      continue;
    }
    const value = equals === -1 ? args[++i] : arg.slice(equals + 1);
    if (value === undefined || value === "") return reject("input.malformed", `the option --${name} has no value`);
    if (typeof option.kind !== "string") readWord(name, value, option.kind);
    values.set(name, value);
  }
  const needed = operands.filter(({ optional }) => optional !== true).length;
  if (words.length < needed || words.length > operands.length) {
    const found = words.length === 0 ? "nothing" : words.map((word) => `"${word}"`).join(", ");
    reject("input.malformed", `found ${found} after the command, expected: atcr-verify ${usage}`);
  }
  const named: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(options)) {
    if (option.required === true && !values.has(name)) {
      reject("input.malformed", `the option --${name} is missing, expected: atcr-verify ${usage}`);
    }
    named[name] = option.kind === "flag" ? values.has(name) : (values.get(name) ?? option.default);
  }
  // The checks above guarantee the entry's types.
  return { operands: words, options: named } as unknown as CommandLine<C>;
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

/**
 * The output format, read before the rest of the line, so that a mistake there is printed in it too.
 *
 * @throws Rejection input.malformed
 */
export function readOutput(args: readonly string[]): "text" | "json" {
  const at = args.findIndex((arg) => arg === "--output" || arg.startsWith("--output="));
  if (at === -1) return "text";
  const form = args[at]?.includes("=") ? args[at].slice("--output=".length) : args[at + 1];
  return readWord("output", form ?? "", ["text", "json"]);
}

function readWord<Word extends string>(option: string, value: string, words: readonly Word[]): Word {
  const found = words.find((word) => word === value);
  return found ?? reject("input.malformed", `--${option} is "${value}", expected ${words.join(" or ")}`);
}
