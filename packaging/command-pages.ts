/** What docs/reference/cli.md and the manual page say of commands, as the table of commands has it. */
import {
  ADDRESS,
  CONFIG,
  CONTAINERD_CONFIG,
  type CommandEntry,
  detailsOf,
  INTERNAL_ERROR,
  MISCONFIGURED,
  type OptionEntry,
  OUTPUT,
  POLICY,
} from "../src/frontends/cli/command-table/command.ts";
import {
  COMMAND_NAMES,
  type CommandName,
  entryOf,
  namesBelow,
  usageOf,
} from "../src/frontends/cli/command-table/command-groups.ts";
import { optionMeaning, optionText, sentence } from "../src/frontends/cli/help.ts";

/** Options that the manual page explains once. */
const SHARED: Readonly<Record<string, OptionEntry>> = {
  policy: POLICY,
  config: CONFIG,
  output: OUTPUT,
  address: ADDRESS,
  "containerd-config": CONTAINERD_CONFIG,
};

/**
 * A part of docs/reference/cli.md.
 *
 * @param part `commands`, the list of all, or of a heading's commands `synopsis of state` or `options of state`
 */
export function markdownOf(part: string): string {
  const [what = "", words = ""] = part.split(" of ");
  if (what === "commands") return table(["to", "run"], COMMAND_NAMES.map(commandRow));
  const names = namesBelow(words);
  if (names.length === 0) throw new Error(`${words} is no command`);
  return what === "synopsis" ? block(names.map((name) => `atcr-verify ${usageOf(name)}`)) : optionsAndStatuses(names);
}

function commandRow(name: CommandName): readonly string[] {
  const [group = ""] = name.split(" ");
  // Commands of one heading share what is written below it.
  const heading = ["policy", "bundle"].includes(group) ? name.replace(" ", "-") : group;
  return [coded(entryOf(name).summary), `[\`atcr-verify ${name}\`](#${heading})`];
}

/** @param names commands whose options are the same */
function optionsAndStatuses(names: readonly CommandName[]): string {
  const entries = names.map(entryOf);
  const options = Object.entries(entries[0]?.options ?? {});
  const statuses = [...new Set(entries.flatMap((entry) => Object.keys(entry.statuses)))].toSorted();
  const examples = entries.flatMap((entry) => entry.examples);
  const heads = names.length === 1 ? ["exit status"] : ["exit status", ...names.map((name) => `\`${name}\``)];
  return [
    ...(options.length === 0 ? [] : [table(["option", "meaning"], options.map(optionRow))]),
    table(
      names.length === 1 ? [...heads, "meaning"] : heads,
      statuses.map((status) => [status, ...entries.map((entry) => coded(entry.statuses[Number(status)] ?? ""))]),
    ),
    ...(examples.length === 0 ? [] : [block(examples.flatMap(({ shows, line }) => [`# ${shows}`, line]))]),
  ].join("\n");
}

function optionRow([name, entry]: readonly [string, OptionEntry]): readonly string[] {
  return [`\`${optionText(name, entry).replaceAll("|", "\\|")}\``, coded(optionMeaning(entry))];
}

/** Options, paths, keys and names in backticks. */
function coded(text: string): string {
  const names =
    /(?<![\w`./-])(?:(?:doctor )?--[a-z-]+|\/\w[\w./-]*\w|[A-Z]+_[A-Z_]+|[a-z]+[A-Z]\w*|bin_dir|\w+(?:\.\w+)+(?:\/(?:[\w:.]+\w|\*\*))*)/g;
  return text.replaceAll(names, "`$&`");
}

function block(lines: readonly string[]): string {
  return ["```", ...lines, "```", ""].join("\n");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return `${[line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n")}\n`;
}

/** The manual page with its synopsis and its list of commands as they have to be. */
export function withCommands(manual: string): string {
  return manual.replaceAll(/(\.\\" (synopsis|commands): begin\n).*?(\.\\" \2: end\n)/gs, (_, begin, what, end) => {
    const lines = what === "synopsis" ? [...COMMAND_NAMES.flatMap(mdocSynopsis), ...HELP] : mdocCommands();
    return `${begin}${lines.join("\n")}\n${end}`;
  });
}

const HELP = [".Nm", ".Ar IMAGE ...", ".Op Ar options", ".Nm", ".Cm help", ".Op Ar command", ".Nm", ".Fl -version"];

function mdocSynopsis(name: CommandName): readonly string[] {
  const { options } = entryOf(name);
  return [
    ".Nm",
    `.Cm ${name}`,
    ...operandsOf(entryOf(name)).map((operand) => `.${operand}`),
    ...(Object.keys(options).length === 0 ? [] : [".Op Ar options"]),
  ];
}

function operandsOf({ operands }: CommandEntry): readonly string[] {
  return operands.map(
    ({ name, optional, repeatable }) =>
      `${optional === true ? "Op " : ""}Ar ${name}${repeatable === true ? " ..." : ""}`,
  );
}

function mdocCommands(): readonly string[] {
  return [
    ".Bl -tag -width Ds",
    ...COMMAND_NAMES.flatMap(mdocCommand),
    ".It Cm help Op Ar command",
    "List the commands, or explain one, as",
    ".Fl -help",
    "behind it does.",
    ".El",
    ".Pp",
    "Options of several commands are:",
    ".Bl -tag -width Ds",
    ...Object.entries(SHARED).flatMap(mdocOption),
    ".El",
  ];
}

function mdocCommand(name: CommandName): readonly string[] {
  const entry = entryOf(name);
  const own = Object.entries(entry.options).filter(([option, one]) => !isShared(option, one));
  const shared = Object.entries(entry.options).filter(([option, one]) => isShared(option, one));
  const statuses = Object.entries(entry.statuses).filter(
    ([, text]) => text !== MISCONFIGURED && text !== INTERNAL_ERROR,
  );
  return [
    `.It Cm ${[name, ...operandsOf(entry)].join(" ")}`,
    ...sentences([sentence(entry.summary), detailsOf(entry)].join(" ").trim()),
    ...(own.length === 0 ? [] : [".Bl -tag -width Ds", ...own.flatMap(mdocOption), ".El"]),
    ...(shared.length === 0
      ? []
      : [
          ".Pp",
          `${own.length === 0 ? "Options" : "Further options"}:`,
          `.Fl ${shared.map(([option]) => `-${option}`).join(" , Fl ")} .`,
        ]),
    ".Pp",
    ...sentences(`Exit status: ${statuses.map(([status, text]) => `${status} ${text}`).join("; ")}.`),
  ];
}

/** Whether the manual page explains it once for all commands. */
function isShared(option: string, entry: OptionEntry): boolean {
  return SHARED[option]?.summary === entry.summary;
}

function mdocOption([name, entry]: readonly [string, OptionEntry]): readonly string[] {
  const { kind, value, short } = entry;
  const of =
    kind === "flag"
      ? ""
      : typeof kind === "string"
        ? ` Ar ${value}`
        : value === undefined
          ? ` Cm ${kind.join(" | ")}`
          : ` Ar ${value}`;
  return [
    `.It ${short === undefined ? "" : `Fl ${short} , `}Fl -${name}${of}`,
    ...sentences(sentence(optionMeaning(entry))),
  ];
}

/** Each sentence in a line of its own, as mdoc wants it; what begins a line or an escape of roff does not. */
function sentences(text: string): readonly string[] {
  return text
    .replaceAll("\\", "\\e")
    .split(/(?<=\.) (?=[A-Z])/)
    .map((line) => line.replace(/^(?=[.'])/, "\\&"));
}
