import { printable } from "../../core/encoding/printable.ts";

/** Codes of Ratify's protocol for plugins (v1.4: pkg/verifier/types). Its 1 to 8 are what the host or its settings did wrong. */
const CODES = {
  /** The standard input is not the object that the host writes. */
  input: 1,
  /** The Verifier resource has a mistake. */
  parameters: 2,
  command: 3,
  /** A variable is missing. */
  environment: 4,
  /** The standard input could not be read. */
  io: 5,
  version: 6,
  /** The subject is not an image's name. */
  subject: 7,
  /** This program failed. */
  internal: 999,
} as const;

/** What keeps a plugin from answering at all. */
export type PluginErrorKind = keyof typeof CODES;

/** Most characters of each text in what is written for the host, which splits its plugins' output into lines of 64 KiB. */
export const MAX_TEXT = 1024;

/**
 * An error of Ratify's protocol, in which the plugin gives no result. The host refuses the image for it.
 *
 * `message` may hold attacker-controlled text, which {@link errorLine} makes printable and short.
 */
export class PluginError extends Error {
  readonly kind: PluginErrorKind;
  readonly details: string;

  /** @param details the program's own code and sentence, where it has them */
  constructor(kind: PluginErrorKind, message: string, details = "") {
    super(message);
    this.name = "PluginError";
    this.kind = kind;
    this.details = details;
  }
}

/** The one line in which the host finds the error; the exit status beside it must not be 0. */
export function errorLine({ kind, message, details }: Pick<PluginError, "kind" | "message" | "details">): string {
  return oneLine({ code: CODES[kind], msg: bounded(message), ...(details !== "" && { details: bounded(details) }) });
}

/** Compact JSON on a line of its own: the host tries to read each line that has a brace. */
export function oneLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

export function bounded(text: string): string {
  return printable(text.slice(0, MAX_TEXT));
}
