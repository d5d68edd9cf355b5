import { BUNDLE_COMMANDS } from "./bundle-commands.ts";
import type { CommandEntry, CommandLine } from "./command.ts";
import { IMAGE_COMMANDS } from "./image-commands.ts";
import { NODE_COMMANDS } from "./node-commands.ts";
import { POLICY_COMMANDS } from "./policy-commands.ts";
import { SERVICE_COMMANDS } from "./service-commands.ts";
import { SIGNER_COMMANDS } from "./signer-commands.ts";

export const COMMANDS = {
  ...IMAGE_COMMANDS,
  ...POLICY_COMMANDS,
  ...SIGNER_COMMANDS,
  ...BUNDLE_COMMANDS,
  ...NODE_COMMANDS,
  ...SERVICE_COMMANDS,
};
export type CommandName = keyof typeof COMMANDS;
/** The parsed command line of the command with this name. */
export type LineOf<Name extends CommandName> = CommandLine<(typeof COMMANDS)[Name]>;

/** Command names by subject, in the order of the help. */
export const GROUPS: Readonly<Record<string, readonly CommandName[]>> = {
  Images: namesOf(IMAGE_COMMANDS),
  "Policies and configuration": namesOf(POLICY_COMMANDS),
  "Signers and cache": namesOf(SIGNER_COMMANDS),
  Bundles: namesOf(BUNDLE_COMMANDS),
  "Nodes and clusters": [...namesOf(NODE_COMMANDS), ...namesOf(SERVICE_COMMANDS)],
};
export const COMMAND_NAMES: readonly CommandName[] = Object.values(GROUPS).flat();

export function entryOf(name: CommandName): CommandEntry {
  return COMMANDS[name];
}

/** Commands whose name starts with these words: one, all of a group such as `policy`, or none. */
export function namesBelow(words: string): readonly CommandName[] {
  return COMMAND_NAMES.filter((name) => name === words || name.startsWith(`${words} `));
}

/** `verify [IMAGE...] [options]` */
export function usageOf(name: CommandName): string {
  const { operands, options } = entryOf(name);
  const words = operands.map((operand) => {
    const word = operand.repeatable === true ? `${operand.name}...` : operand.name;
    return operand.optional === true ? `[${word}]` : word;
  });
  const needed = Object.entries(options).flatMap(([option, { required, value }]) =>
    required === true ? [`--${option} ${value ?? ""}`] : [],
  );
  const others = Object.keys(options).length > needed.length ? ["[options]"] : [];
  return [name, ...words, ...needed, ...others].join(" ");
}

function namesOf<Entries extends Partial<Record<CommandName, CommandEntry>>>(entries: Entries): readonly CommandName[] {
  return Object.keys(entries) as CommandName[];
}
