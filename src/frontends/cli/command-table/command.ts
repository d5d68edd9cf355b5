/**
 * What a command of a person looks like. The table is data alone: from it come the reading of a command line, the help,
 * docs/reference/cli.md, the manual page and the completions of shells. What runs a command is found by its name in
 * commands.ts.
 */

/** An option, `--name`. */
export interface OptionEntry {
  /** What its value is, or the words it may be; a flag has none. */
  readonly kind: "flag" | "file" | "folder" | "text" | readonly string[];
  /** Stands for the value in help: `FILE`. */
  readonly value?: string;
  /** What it does, as a phrase. */
  readonly summary: string;
  /** The value that it has where it is not given. */
  readonly default?: string;
}

/** What stands on the line and is no option. */
export interface OperandEntry {
  readonly name: string;
  readonly kind: "file" | "text";
  readonly optional?: true;
}

export interface CommandExample {
  /** What it shows, as a phrase. */
  readonly shows: string;
  readonly line: string;
}

export interface CommandEntry {
  /** What it is for, as a phrase that follows "to": `verify an image as a pull would`. */
  readonly summary: string;
  /** Sentences that a reader of its help needs beside the options. */
  readonly details?: string;
  readonly operands: readonly OperandEntry[];
  readonly options: Readonly<Record<string, OptionEntry>>;
  /** What each exit status means. */
  readonly statuses: Readonly<Record<number, string>>;
  readonly examples: readonly CommandExample[];
}

/** Commands by their names: one word, or that of a group and one more. */
export type CommandEntries = Readonly<Record<string, CommandEntry>>;

/** A command line as it was read: each operand and option in its place, with its type. */
export interface CommandLine<C extends CommandEntry = CommandEntry> {
  readonly operands: OperandValues<C["operands"]>;
  readonly options: { readonly [Name in keyof C["options"]]: OptionValue<C["options"][Name]> };
}

type OperandValues<O extends readonly OperandEntry[]> = { readonly [I in keyof O]: OperandValue<O[I]> };
type OperandValue<O> = O extends { readonly optional: true } ? string | undefined : string;
type OptionValue<O> = O extends { readonly kind: "flag" }
  ? boolean
  : (O extends { readonly kind: readonly (infer Word)[] } ? Word : string) | Absent<O>;
type Absent<O> = O extends { readonly default: string } ? never : undefined;

/** What all statuses of 4 mean, and those of 3 where nothing more is to be said. */
export const INTERNAL_ERROR = "internal error, or output that could not be written";
export const MISCONFIGURED = "the arguments, the policy or the configuration cannot be used";

/** Options of more than one command. */
export const CONFIG = {
  kind: "file",
  value: "FILE",
  summary: "this configuration, instead of the file that ATCR_VERIFY_CONFIG names, or /etc/atcr-verify/config.yaml",
} as const satisfies OptionEntry;
export const OUTPUT = {
  kind: ["text", "json"],
  summary: "form of the answer",
  default: "text",
} as const satisfies OptionEntry;
export const POLICY = {
  kind: "file",
  value: "FILE",
  summary: "this policy, instead of the configuration's trustPolicyPath",
} as const satisfies OptionEntry;
export const ADDRESS = {
  kind: "file",
  value: "SOCKET",
  summary: "containerd's socket",
  default: "/run/containerd/containerd.sock",
} as const satisfies OptionEntry;
export const CONTAINERD_CONFIG = {
  kind: "file",
  value: "FILE",
  summary: "containerd's configuration, instead of the file that its process was given",
} as const satisfies OptionEntry;
