import type { FailAt } from "../encoding/foreign-yaml.ts";
import { heredocNames } from "./dockerfile-words.ts";

/** What escapes a character, and continues a line at its end. */
export type Escape = "\\" | "`";

export interface Instruction {
  /** Of its first line, from 1. */
  readonly line: number;
  /** In capitals. */
  readonly name: string;
  /** What follows the name, lines joined; without heredocs. */
  readonly rest: string;
}

export interface DockerfileText {
  /** The images of `# syntax=`; only one has an effect. */
  readonly syntaxes: readonly { readonly text: string; readonly line: number }[];
  readonly escapedBy: Escape;
  readonly instructions: readonly Instruction[];
}

const NAMES: ReadonlySet<string> = new Set(
  "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER VOLUME WORKDIR".split(
    " ",
  ),
);
const WITH_HEREDOC: ReadonlySet<string> = new Set(["ADD", "COPY", "RUN"]);
/** A comment that BuildKit takes for a directive while nothing else stands above it. */
const DIRECTIVE = /^\s*#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(\S.*?)\s*$/;
const COMMENT = /^\s*#/;

/**
 * Divides a Dockerfile into instructions, as BuildKit's parser does (moby/buildkit frontend/dockerfile/parser).
 *
 * @param text attacker-controlled, of lines that all end with LF or CRLF
 */
export function readInstructions(text: string, fail: FailAt): DockerfileText {
  const lines = text.split("\n").map((line) => line.replace(/\r$/, ""));
  const { syntaxes, escapedBy } = readDirectives(lines, fail);
  const continued = escapedBy === "\\" ? /(?<=[^\\]|^)\\[ \t]*$/ : /(?<=[^`]|^)`[ \t]*$/;
  const instructions: Instruction[] = [];
  for (let at = 0; at < lines.length; ) {
    const line = at + 1;
    const parts: string[] = [];
    for (let isOpen = true; isOpen && at < lines.length; at++) {
      const written = lines[at] ?? "";
      // Empty lines and comments do not end an instruction that goes on.
      if (COMMENT.test(written) || written.trim() === "") {
        if (parts.length === 0) isOpen = false;
        continue;
      }
      isOpen = continued.test(written);
      parts.push(isOpen ? written.replace(continued, "") : written);
    }
    const joined = parts.join("").trim();
    if (joined === "") continue;
    const instruction = readInstruction(joined, line, fail);
    instructions.push(instruction);
    for (const heredoc of heredocsOf(instruction, fail)) at = skipHeredoc(lines, at, heredoc, line, fail);
  }
  return { syntaxes, escapedBy, instructions };
}

function readInstruction(text: string, line: number, fail: FailAt): Instruction {
  const [, word = "", rest = ""] = /^(\S+)\s*(.*)$/s.exec(text) ?? [];
  const name = word.toUpperCase();
  if (!NAMES.has(name)) {
    fail(
      line,
      `found ${JSON.stringify(word.slice(0, 40))}, expected an instruction of a Dockerfile such as FROM or RUN`,
    );
  }
  return { line, name, rest: rest.trim() };
}

/** All comments above the first instruction are looked at, because programs disagree on where directives end. */
function readDirectives(lines: readonly string[], fail: FailAt): Pick<DockerfileText, "syntaxes" | "escapedBy"> {
  const syntaxes: { text: string; line: number }[] = [];
  let escapedBy: Escape | undefined;
  let isTop = true;
  for (const [index, text] of lines.entries()) {
    if (text.trim() !== "" && !COMMENT.test(text)) break;
    const [, name = "", value = ""] = DIRECTIVE.exec(text) ?? [];
    if (name === "") isTop = false;
    if (name.toLowerCase() === "syntax") syntaxes.push({ text: value, line: index + 1 });
    if (name.toLowerCase() !== "escape") continue;
    if (value !== "\\" && value !== "`")
      fail(index + 1, `found the escape ${JSON.stringify(value.slice(0, 40))}, expected \\ or \``);
    if (!isTop || escapedBy !== undefined) {
      fail(index + 1, "found an escape directive below other lines or a second time, expected it once, at the top");
    }
    escapedBy = value;
  }
  return { syntaxes, escapedBy: escapedBy ?? "\\" };
}

function heredocsOf({ name, rest, line }: Instruction, fail: FailAt): readonly { name: string; chomp: boolean }[] {
  const [, inner = "", below = ""] = name === "ONBUILD" ? (/^(\S+)\s*(.*)$/s.exec(rest) ?? []) : ["", name, rest];
  if (!WITH_HEREDOC.has(inner.toUpperCase()) || !below.includes("<<")) return [];
  const names = heredocNames(below);
  if (typeof names === "string") fail(line, names);
  return names;
}

/** @returns the index of the line after the one that ends it */
function skipHeredoc(
  lines: readonly string[],
  from: number,
  { name, chomp }: { name: string; chomp: boolean },
  line: number,
  fail: FailAt,
): number {
  for (let at = from; at < lines.length; at++) {
    const text = lines[at] ?? "";
    if ((chomp ? text.replace(/^\t+/, "") : text) === name) return at + 1;
  }
  return fail(line, `found a heredoc <<${name} without its end, expected a line ${name}`);
}
