/**
 * The shape of a command's entry. The table is pure data: argument parsing, help, docs/reference/cli.md, the manual page and
 * shell completions are derived from it. commands.ts maps each name to its implementation.
 */

/** An option, `--name`. */
export interface OptionEntry {
  /** The type of its value, or the allowed words; a flag has no value. */
  readonly kind: "flag" | "file" | "folder" | "text" | readonly string[];
  /** Placeholder for the value in help: `FILE`. Words have one if they are too many, and the summary lists them. */
  readonly value?: string;
  /** What it does, as a phrase. */
  readonly summary: string;
  /** The command cannot do without it. */
  readonly required?: true;
  /** The value if the option is not given. */
  readonly default?: string;
  /** One letter, `-o`: where output goes, or its form. */
  readonly short?: string;
  /** May be given several times; the value is a list. */
  readonly repeatable?: true;
}

/** A positional argument. */
export interface OperandEntry {
  readonly name: string;
  readonly kind: "file" | "text";
  readonly optional?: true;
  /** May be given several times; only the last operand. The value is a list. */
  readonly repeatable?: true;
  /** The option by which other commands take it: a likely mistake here. */
  readonly insteadOf?: string;
}

export interface CommandExample {
  /** What it shows, as a phrase. */
  readonly shows: string;
  readonly line: string;
}

export interface CommandEntry {
  /** What it does, as a phrase that follows "to": `verify an image as a pull would`. */
  readonly summary: string;
  /** Further sentences for its help. */
  readonly details?: string;
  /** It needs containerd or /proc, so on another system it only says that. */
  readonly linuxOnly?: true;
  /** A flag with which it needs neither, and so runs on every system. */
  readonly elsewhereWith?: string;
  readonly operands: readonly OperandEntry[];
  readonly options: Readonly<Record<string, OptionEntry>>;
  /** What each exit status means. */
  readonly statuses: Readonly<Record<number, string>>;
  readonly examples: readonly CommandExample[];
}

/** Commands by name: one word, or a group's name and one more. */
export type CommandEntries = Readonly<Record<string, CommandEntry>>;

/** The sentences of its help. */
export function detailsOf({ details, linuxOnly, elsewhereWith }: CommandEntry): string {
  const linux = elsewhereWith === undefined ? "Linux only." : `Linux only, except with --${elsewhereWith}.`;
  return [details, linuxOnly && linux].filter((text) => text !== undefined).join(" ");
}

/** A parsed command line: operands and options with their types. */
export interface CommandLine<C extends CommandEntry = CommandEntry> {
  readonly operands: OperandValues<C["operands"]>;
  readonly options: { readonly [Name in keyof C["options"]]: OptionValue<C["options"][Name]> };
}

type OperandValues<O extends readonly OperandEntry[]> = { readonly [I in keyof O]: OperandValue<O[I]> };
type OperandValue<O> = O extends { readonly repeatable: true }
  ? readonly string[]
  : O extends { readonly optional: true }
    ? string | undefined
    : string;
type OptionValue<O> = O extends { readonly kind: "flag" }
  ? boolean
  : O extends { readonly repeatable: true }
    ? readonly string[]
    : SingleValue<O>;
type SingleValue<O> = (O extends { readonly kind: readonly (infer Word)[] } ? Word : string) | Absent<O>;
type Absent<O> = O extends { readonly default: string } | { readonly required: true } ? never : undefined;

/** The meaning of status 4, and of status 3 in most commands. */
export const INTERNAL_ERROR = "internal error, or output that could not be written";
export const MISCONFIGURED = "the arguments, the policy or the configuration cannot be used";

/** Options of more than one command. */
export const CONFIG = {
  kind: "file",
  value: "FILE",
  summary: "use this configuration instead of the file that ATCR_VERIFY_CONFIG names, or /etc/atcr-verify/config.yaml",
} as const satisfies OptionEntry;
export const OUTPUT = {
  kind: ["text", "json"],
  summary: "output format",
  default: "text",
  short: "o",
} as const satisfies OptionEntry;
export const POLICY = {
  kind: "file",
  value: "FILE",
  summary: "use this policy instead of the configuration's trustPolicyPath",
} as const satisfies OptionEntry;
export const ADDRESS = {
  kind: "file",
  value: "SOCKET",
  summary:
    "containerd's socket; otherwise the first known one that is listened on: of containerd, k3s or RKE2, k0s, MicroK8s",
} as const satisfies OptionEntry;
export const CONTAINERD_CONFIG = {
  kind: "file",
  value: "FILE",
  summary: "use this containerd configuration instead of the one that its process was given",
} as const satisfies OptionEntry;
export const CONTAINERS_DIR = {
  kind: "folder",
  value: "DIR",
  summary: "with --containers: use this folder instead of /etc/containers",
  default: "/etc/containers",
} as const satisfies OptionEntry;
