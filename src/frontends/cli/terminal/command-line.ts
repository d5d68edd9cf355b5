import { reject } from "../../../core/rejection.ts";

/** Options that a command knows: with a value, or without. */
export type Options = Readonly<Record<string, "value" | "flag">>;

export interface CommandLine<Name extends string> {
  readonly values: ReadonlyMap<Name, string>;
  readonly flags: ReadonlySet<Name>;
  /** What is no option. */
  readonly operands: readonly string[];
}

/**
 * Reads a person's command line: `--option value`, `--option=value`, `--flag`, operands anywhere, `--`
 * before operands that begin with a dash. Nothing unknown is passed over and nothing may come twice.
 *
 * @throws Rejection input.malformed
 */
export function readCommandLine<O extends Options>(args: readonly string[], options: O): CommandLine<keyof O & string> {
  const values = new Map<string, string>();
  const flags = new Set<string>();
  const operands: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? "";
    if (arg === "--") {
      operands.push(...args.slice(i + 1));
      break;
    }
    if (!arg.startsWith("-")) {
      operands.push(arg);
      continue;
    }
    const equals = arg.indexOf("=");
    const name = equals === -1 ? arg.slice(2) : arg.slice(2, equals);
    const kind = arg.startsWith("--") && Object.hasOwn(options, name) ? options[name] : undefined;
    if (kind === undefined) {
      const known = Object.keys(options).map((option) => `--${option}`);
      reject("input.malformed", `found the option "${arg}", expected one of ${known.join(", ")}`);
    }
    if (values.has(name) || flags.has(name)) reject("input.malformed", `the option --${name} is given twice`);
    if (kind === "flag") {
      if (equals !== -1) reject("input.malformed", `the option --${name} takes no value`);
      flags.add(name);
      continue;
    }
    const value = equals === -1 ? args[++i] : arg.slice(equals + 1);
    if (value === undefined || value === "") reject("input.malformed", `the option --${name} has no value`);
    values.set(name, value);
  }
  return { values, flags, operands };
}

/**
 * The form of the answer, read before the rest of the line, so that a mistake there is printed in it too.
 *
 * @throws Rejection input.malformed
 */
export function readOutput(args: readonly string[]): "text" | "json" {
  const at = args.findIndex((arg) => arg === "--output" || arg.startsWith("--output="));
  const form = args[at]?.includes("=") ? args[at].slice("--output=".length) : args[at + 1];
  if (at === -1 || form === "text") return "text";
  return form === "json" ? "json" : reject("input.malformed", `--output is "${form ?? ""}", expected text or json`);
}
