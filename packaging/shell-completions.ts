/** The completions of three shells, from the table of commands. */
import type { OptionEntry } from "../src/frontends/cli/command-table/command.ts";
import {
  COMMAND_NAMES,
  type CommandName,
  entryOf,
  namesBelow,
} from "../src/frontends/cli/command-table/command-groups.ts";

const WRITTEN = "written by packaging/docs-tables.ts from src/frontends/cli/command-table";
/** First words of commands, in their order. */
const FIRST: readonly string[] = [...new Set(COMMAND_NAMES.map((name) => name.split(" ")[0] ?? ""))];
/** Of an option that takes other words in other commands, the entry with the most words. */
const OPTIONS: ReadonlyMap<string, OptionEntry> = new Map(
  COMMAND_NAMES.flatMap((name) => Object.entries(entryOf(name).options)).toSorted(
    ([, a], [, b]) => wordsOf(a) - wordsOf(b),
  ),
);
const isGroup = (word: string): boolean => namesBelow(word).some((name) => name !== word);
const GROUPS = FIRST.filter(isGroup);
/** Second words of the commands of a group. */
const actionsOf = (group: string): readonly string[] => namesBelow(group).map((name) => name.slice(group.length + 1));
const takesFile = (name: CommandName): boolean => entryOf(name).operands.some(({ kind }) => kind === "file");

/** Text of each file of packaging/completions by its name. */
export function completions(): ReadonlyMap<string, string> {
  return new Map([
    ["atcr-verify.bash", bash()],
    ["_atcr-verify", zsh()],
    ["atcr-verify.fish", fish()],
  ]);
}

function wordsOf({ kind }: OptionEntry): number {
  return typeof kind === "string" ? 0 : kind.length;
}

/** Names of the options whose value is of a kind, as they are typed. */
function valued(kind: OptionEntry["kind"]): readonly string[] {
  return [...OPTIONS].filter(([, option]) => option.kind === kind).flatMap(typed);
}

/** An option as it is typed: by its name, and by its letter. */
function typed([name, { short }]: readonly [string, OptionEntry]): readonly string[] {
  return [`--${name}`, ...(short === undefined ? [] : [`-${short}`])];
}

function bash(): string {
  const words = [...OPTIONS].flatMap((one) =>
    typeof one[1].kind === "string" ? [] : [[typed(one), one[1].kind] as const],
  );
  const taking = [...OPTIONS].filter(([, { kind }]) => kind !== "flag").flatMap(typed);
  const ofCommands = COMMAND_NAMES.map((name) => {
    const options = [...Object.keys(entryOf(name).options), "help"].map((option) => `--${option}`);
    return `\t"${name}") offered="${options.join(" ")}"${takesFile(name) ? " files=yes" : ""} ;;`;
  });
  return lines([
    `# bash completion for atcr-verify, ${WRITTEN}`,
    "_atcr_verify() {",
    "\tlocal cur prev words cword",
    "\t_init_completion -s 2>/dev/null || {",
    `\t\tcur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} words=("\${COMP_WORDS[@]}") cword=$COMP_CWORD`,
    "\t}",
    "\tcase $prev in",
    ...words.map(
      ([names, kind]) => `\t${names.join(" | ")}) COMPREPLY=($(compgen -W "${kind.join(" ")}" -- "$cur")); return ;;`,
    ),
    `\t${valued("file").join(" | ")}) COMPREPLY=($(compgen -f -- "$cur")); return ;;`,
    `\t${valued("folder").join(" | ")}) COMPREPLY=($(compgen -d -- "$cur")); return ;;`,
    `\t${valued("text").join(" | ")}) return ;;`,
    "\tesac",
    "\t# The words of the command so far; an option and its value may stand before it.",
    '\tlocal i command="" offered="" files=""',
    "\tfor ((i = 1; i < cword; i++)); do",
    `\t\tcase \${words[i]} in\n\t\t${taking.join(" | ")}) ((i++)) ;;`,
    "\t\t-*) ;;",
    `\t\t*) case $command in "") command=\${words[i]} ;; help | ${GROUPS.join(" | ")}) command="$command \${words[i]}" ;; esac ;;`,
    "\t\tesac",
    "\tdone",
    "\tcase $command in",
    `\t"" | help) offered="${FIRST.join(" ")}" ;;`,
    ...GROUPS.map((group) => `\t${group} | "help ${group}") offered="${actionsOf(group).join(" ")}" ;;`),
    ...ofCommands,
    "\tesac",
    '\t[[ $command == "" ]] && offered="$offered help --help --version"',
    '\tCOMPREPLY=($(compgen -W "$offered" -- "$cur"))',
    '\tif [[ $files && $cur != -* ]]; then COMPREPLY+=($(compgen -f -- "$cur")); fi',
    "}",
    "complete -F _atcr_verify atcr-verify",
  ]);
}

function zsh(): string {
  const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
  // In a description brackets and colons have a meaning.
  const plain = (text: string): string => text.replaceAll(/[[\]:\\]/g, "\\$&");
  const option = (name: string, typedAs: string, { kind, value, summary }: OptionEntry): string => {
    const what = `${typedAs}[${plain(summary)}]`;
    if (kind === "flag") return quoted(what);
    if (typeof kind !== "string") return quoted(`${what}:${name}:(${kind.join(" ")})`);
    const how = { file: "_files", folder: "_files -/", text: "" }[kind];
    return quoted(`${what}:${value ?? name}:${how}`);
  };
  const describe = (word: string): string =>
    isGroup(word)
      ? namesBelow(word)
          .map((name) => name.split(" ")[1])
          .join(", ")
      : entryOf(word as CommandName).summary;
  const run = (name: CommandName): readonly string[] => {
    const { operands, options } = entryOf(name);
    const parts = [
      ...Object.entries(options).flatMap((one) => typed(one).map((typedAs) => option(one[0], typedAs, one[1]))),
      quoted("--help[print the help of this command]"),
      ...operands.map((operand) =>
        quoted(`*:${operand.name.replaceAll(":", "\\:")}:${operand.kind === "file" ? "_files" : ""}`),
      ),
    ];
    return [
      `    ${quoted(name)})`,
      ...parts.map(
        (part, i) => `      ${i === 0 ? "_arguments " : "  "}${part}${i === parts.length - 1 ? " ;;" : " \\"}`,
      ),
    ];
  };
  return lines([
    "#compdef atcr-verify",
    `# zsh completion for atcr-verify, ${WRITTEN}`,
    "",
    "_atcr-verify() {",
    "  local -a commands",
    "  commands=(",
    ...FIRST.map((word) => `    ${quoted(`${word}:${plain(describe(word))}`)}`),
    `    ${quoted("help:explain a command")}`,
    "  )",
    "  if (( CURRENT == 2 )); then",
    "    _describe command commands",
    "    _arguments '--help[help]' '--version[version]'",
    "    return",
    "  fi",
    "  local command=$words[2]",
    "  shift words",
    "  (( CURRENT-- ))",
    "  case $command in",
    "    help) _describe command commands; return ;;",
    ...GROUPS.map(
      (group) =>
        `    ${group}) if (( CURRENT == 2 )); then _values command ${actionsOf(group).join(" ")}; return; fi ;;`,
    ),
    "  esac",
    `  if [[ $command == (${GROUPS.join("|")}) ]]; then`,
    '    command="$command $words[2]"',
    "    shift words",
    "    (( CURRENT-- ))",
    "  fi",
    "  case $command in",
    ...COMMAND_NAMES.flatMap(run),
    "  esac",
    "}",
    "",
    '_atcr-verify "$@"',
  ]);
}

function fish(): string {
  const quoted = (text: string): string => `'${text.replaceAll(/[\\']/g, "\\$&")}'`;
  const complete = (condition: string, rest: string): string =>
    `complete -c atcr-verify -n ${quoted(condition)} ${rest}`;
  const seen = (words: string): string => `__fish_seen_subcommand_from ${words}`;
  const behind = (name: string): string => name.split(" ").map(seen).join("; and ");
  const none = `not ${seen([...FIRST, "help"].join(" "))}`;
  const commands = FIRST.map((word) =>
    complete(none, `-a ${word}${isGroup(word) ? "" : ` -d ${quoted(entryOf(word as CommandName).summary)}`}`),
  );
  const actions = GROUPS.flatMap((group) =>
    namesBelow(group).map((name) =>
      complete(
        `${seen(group)}; and not ${seen(actionsOf(group).join(" "))}`,
        `-a ${name.slice(group.length + 1)} -d ${quoted(entryOf(name).summary)}`,
      ),
    ),
  );
  const option = (name: CommandName, [one, { kind, summary, short }]: readonly [string, OptionEntry]): string => {
    const how =
      kind === "flag"
        ? ""
        : kind === "text"
          ? " -x"
          : typeof kind === "string"
            ? " -r -F"
            : ` -x -a ${quoted(kind.join(" "))}`;
    return complete(behind(name), `-l ${one}${short === undefined ? "" : ` -s ${short}`}${how} -d ${quoted(summary)}`);
  };
  return lines([
    `# fish completion for atcr-verify, ${WRITTEN}`,
    "complete -c atcr-verify -f",
    "complete -c atcr-verify -l help -d 'Help'",
    complete(none, "-l version -d 'Version'"),
    complete(none, "-a help -d 'explain a command'"),
    complete(seen("help"), `-a ${quoted(FIRST.join(" "))}`),
    ...commands,
    ...actions,
    ...COMMAND_NAMES.flatMap((name) => [
      ...Object.entries(entryOf(name).options).map((one) => option(name, one)),
      ...(takesFile(name) ? [complete(behind(name), "-F")] : []),
    ]),
  ]);
}

function lines(text: readonly string[]): string {
  return text.map((line) => `${line}\n`).join("");
}
