import { describe, expect, it } from "vitest";
import { COMMAND_NAMES, entryOf, usageOf } from "../../../../src/frontends/cli/command-table/command-groups.ts";
import { helpOf } from "../../../../src/frontends/cli/help.ts";
import { codeOf } from "../../../support/rejection.ts";

const USUAL = 80;
const page = (words: string, width = USUAL): string =>
  helpOf(["help", ...words.split(" ")], width) ?? expect.fail(words);

describe("help", () => {
  it("lists every command with what it is for, on one screen", () => {
    const overview = helpOf(["--help"], USUAL) ?? expect.fail("no page");
    for (const name of COMMAND_NAMES) {
      expect(overview).toMatch(new RegExp(`^ {2}${name} +${entryOf(name).summary}$`, "m"));
    }
    expect(overview.split("\n").length).toBeLessThan(50);
  });

  it.each(COMMAND_NAMES)("of %s has its usage, options, exit statuses and examples", (name) => {
    const text = page(name);
    const { options, statuses, examples } = entryOf(name);
    expect(text).toContain(`Usage: atcr-verify ${usageOf(name)}\n`);
    for (const option of Object.keys(options))
      expect(text).toMatch(new RegExp(`^ {2}(?:-[a-z], )?--${option}\\b`, "m"));
    for (const status of Object.keys(statuses)) expect(text).toMatch(new RegExp(`^ {2}${status} `, "m"));
    for (const { line } of examples) expect(text).toContain(`  ${line}\n`);
  });

  it.each([60, 80, 200])("is no wider than a terminal of %d columns, and ASCII", (width) => {
    for (const words of [...COMMAND_NAMES, "policy", "state", "cache"]) {
      const lines = page(words, width).split("\n");
      expect(lines.filter((line) => line.length > Math.max(width, USUAL))).toEqual([]);
      expect(lines.filter((line) => line.length > width && !/^(?:Usage:| ) /.test(line))).toEqual([]);
      expect(page(words, width)).toMatch(/^[ -~\n]+$/);
    }
    for (const line of helpOf(["help"], width)?.split("\n") ?? []) expect(line.length).toBeLessThanOrEqual(USUAL * 2);
  });

  it("of a group lists its commands", () => {
    for (const name of ["policy check", "policy explain", "policy test", "policy schema"]) {
      expect(page("policy")).toContain(`atcr-verify ${usageOf(name as "policy check")}\n`);
    }
  });

  it.each([
    ["--help", "verify"],
    ["verify", "-h"],
    ["policy", "--help", "check"],
    ["policy", "check", "--help"],
  ])("is the same however it is asked for: %s %s %s", (...args) => {
    const words = args.filter((arg) => typeof arg === "string" && !arg.startsWith("-")).join(" ");
    expect(
      helpOf(
        args.filter((arg) => typeof arg === "string"),
        USUAL,
      ),
    ).toBe(page(words));
  });

  it.each([
    ["verify", "a.example/b", "--help"],
    ["verify", "--help", "a.example/b"],
    ["--help", "a.example/b"],
    ["verify", "--", "--help"],
    ["verify", "--help", "--help"],
    ["verify", "help"],
    ["unknown", "--help"],
    ["--config", "c", "verify", "--help"],
    ["verify", "-help"],
    ["--help", "--help"],
  ])("is not what a line with anything else asks for: %j", (...args) => {
    expect(
      helpOf(
        args.filter((arg) => typeof arg === "string"),
        USUAL,
      ),
    ).toBeUndefined();
  });

  it.each([["verfy"], ["a.example/b"], ["verify", "a.example/b"], ["--help"]])(
    "about %s %s is malformed",
    (...args) => {
      expect(codeOf(() => helpOf(["help", ...args.filter((arg) => typeof arg === "string")], USUAL))).toBe(
        "input.malformed",
      );
    },
  );
});
