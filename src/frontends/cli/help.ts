import { reject } from "../../core/rejection.ts";
import { detailsOf, type OptionEntry } from "./command-table/command.ts";
import {
  COMMAND_NAMES,
  type CommandName,
  entryOf,
  GROUPS,
  namesBelow,
  usageOf,
} from "./command-table/command-groups.ts";
import { wrongCommand } from "./terminal/command-line.ts";
import { twoColumns, wrapped } from "./terminal/screen.ts";

/**
 * The help that a command line asks for, if it asks for nothing else. A line that also names an image must not end with 0,
 * which means that the image may be used; so `--help` is accepted only next to the words of a command.
 *
 * @throws Rejection input.malformed for help on an unknown command
 */
export function helpOf(args: readonly string[], width: number): string | undefined {
  const [first, ...rest] = args;
  if (first === undefined) return overview(width);
  if (args.length === 1 && (first === "-help" || first === "-?")) return overview(width);
  const words = (first === "help" ? rest : args.filter((arg) => arg !== "--help" && arg !== "-h")).join(" ");
  if (words === "") return args.length === 1 ? overview(width) : undefined;
  const names = namesBelow(words);
  if (first === "help" && names.length === 0) return reject("input.malformed", wrongCommand(words));
  const isHelp = first === "help" || words.split(" ").length === args.length - 1;
  const [name] = names;
  if (name === undefined || !isHelp) return undefined;
  return name === words ? pageOf(name, width) : groupPage(words, names, width);
}

function overview(width: number): string {
  const first = Math.max(...COMMAND_NAMES.map((name) => name.length));
  const groups = Object.entries(GROUPS).flatMap(([title, names]) => [
    "",
    title,
    ...twoColumns(
      names.map((name) => [name.padEnd(first), entryOf(name).summary]),
      width,
    ),
  ]);
  return lines([
    ...wrapped("atcr-verify: check that a signer this node trusts has signed exactly this image", width),
    "",
    "Usage: atcr-verify IMAGE... [options]",
    "       atcr-verify COMMAND [options]",
    "       atcr-verify help COMMAND | --version",
    ...groups,
    "",
    ...wrapped("containerd runs it as an image verifier, through a link in bin_dir.", width),
  ]);
}

/** @param names of all commands of the group */
function groupPage(group: string, names: readonly CommandName[], width: number): string {
  return lines([
    ...names.map((name, i) => `${i === 0 ? "Usage: " : "       "}atcr-verify ${usageOf(name)}`),
    "",
    ...twoColumns(
      names.map((name) => [name, entryOf(name).summary]),
      width,
    ),
    "",
    `For the options: atcr-verify help ${group} COMMAND`,
  ]);
}

function pageOf(name: CommandName, width: number): string {
  const entry = entryOf(name);
  const { summary, options, statuses, examples } = entry;
  const ofOptions = Object.entries(options).map(
    ([option, entry]) => [optionText(option, entry), optionMeaning(entry)] as const,
  );
  return lines([
    `Usage: atcr-verify ${usageOf(name)}`,
    "",
    ...wrapped([sentence(summary), detailsOf(entry)].join(" ").trimEnd(), width),
    ...(ofOptions.length === 0 ? [] : ["", "Options", ...twoColumns(ofOptions, width)]),
    "",
    "Exit status",
    ...twoColumns(Object.entries(statuses), width),
    ...(examples.length === 0 ? [] : ["", "Examples"]),
    ...examples.flatMap(({ shows, line }) => [`  # ${shows}`, `  ${line}`]),
  ]);
}

/** `-o, --output text|json` */
export function optionText(name: string, { kind, value, short }: OptionEntry): string {
  const names = short === undefined ? `--${name}` : `-${short}, --${name}`;
  if (kind === "flag") return names;
  return `${names} ${value ?? (typeof kind === "string" ? kind : kind.join("|"))}`;
}

/** What it does, with its default. */
export function optionMeaning(entry: OptionEntry): string {
  return entry.default === undefined ? entry.summary : `${entry.summary} (default: ${entry.default})`;
}

/** A phrase of the command table as a sentence. */
export function sentence(phrase: string): string {
  return `${phrase.slice(0, 1).toUpperCase()}${phrase.slice(1)}.`;
}

function lines(text: readonly string[]): string {
  return text.map((line) => `${line}\n`).join("");
}
