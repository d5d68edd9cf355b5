import { describe, expect, it } from "vitest";
import { COMMAND_NAMES, COMMANDS, entryOf } from "../../../../../src/frontends/cli/command-table/command-groups.ts";
import { findCommand, readCommandLine } from "../../../../../src/frontends/cli/terminal/command-line.ts";

describe("the table of commands", () => {
  it("lists each command once", () => {
    expect(COMMAND_NAMES.toSorted()).toEqual(Object.keys(COMMANDS).toSorted());
  });

  it("has an option of one name take a value in all commands or in none: it may stand before the command", () => {
    const kinds = new Map<string, Set<boolean>>();
    for (const name of COMMAND_NAMES) {
      for (const [option, { kind }] of Object.entries(entryOf(name).options)) {
        kinds.set(option, (kinds.get(option) ?? new Set()).add(kind === "flag"));
      }
    }
    expect(kinds.size).toBeGreaterThan(20);
    expect([...kinds].filter(([, found]) => found.size > 1)).toEqual([]);
  });

  it.each(COMMAND_NAMES)("has for %s what every command needs", (name) => {
    const { options, operands, statuses, summary, details } = entryOf(name);
    for (const { kind, value, default: initial } of Object.values(options)) {
      if (typeof kind === "string") expect(value === undefined).toBe(kind === "flag");
      if (typeof kind !== "string" && initial !== undefined) expect(kind).toContain(initial);
    }
    // Optional operands come last, or it would not be known which is which.
    expect(operands.toSorted((a, b) => Number(a.optional === true) - Number(b.optional === true))).toEqual(operands);
    expect(Object.keys(statuses)).toEqual(expect.arrayContaining(["0", "3", "4"]));
    expect(summary).toMatch(/^[a-z][^.]*$/);
    expect(details ?? ".").toMatch(/\.$/);
  });

  it("has examples that can be read", () => {
    for (const name of COMMAND_NAMES) {
      for (const { line } of entryOf(name).examples) {
        for (const command of line.split(" && ").filter((one) => /\batcr-verify\b/.test(one))) {
          const [, ...args] = command.replace(/^sudo (?:runuser -u \S+ -- )?/, "").split(" ");
          const found = findCommand(args);
          expect(() => readCommandLine(found.rest, COMMANDS[found.name], "")).not.toThrow();
        }
      }
    }
  });
});
