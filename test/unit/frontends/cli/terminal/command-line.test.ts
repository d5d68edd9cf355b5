import { describe, expect, it } from "vitest";
import { readCommandLine } from "../../../../../src/frontends/cli/terminal/command-line.ts";
import { codeOf } from "../../../../support/rejection.ts";

const OPTIONS = { policy: "value", offline: "flag" } as const;
const read = (...args: string[]) => readCommandLine(args, OPTIONS);

describe("a command line", () => {
  it("has options with a value, flags and operands in any order", () => {
    for (const line of [read("a", "--policy", "p", "--offline", "b"), read("--offline", "--policy=p", "a", "b")]) {
      expect([...line.values]).toEqual([["policy", "p"]]);
      expect([...line.flags]).toEqual(["offline"]);
      expect(line.operands).toEqual(["a", "b"]);
    }
    expect(read().operands).toEqual([]);
  });

  it("takes what is behind -- for operands, and the word behind an option for its value", () => {
    expect(read("--", "--policy", "-x", "--").operands).toEqual(["--policy", "-x", "--"]);
    expect(read("--policy", "--offline").values.get("policy")).toBe("--offline");
    expect(read("--policy=a=b").values.get("policy")).toBe("a=b");
  });

  it.each([
    ["--unknown"],
    ["--unknown=x"],
    ["-policy", "p"],
    ["-p"],
    ["-xpolicy", "p"],
    ["-"],
    ["--policy"],
    ["--policy="],
    ["--policy", ""],
    ["--policy", "a", "--policy", "b"],
    ["--policy=a", "--policy", "b"],
    ["--offline", "--offline"],
    ["--offline="],
    ["--offline=true"],
    ["--constructor"],
    ["--__proto__=x"],
    ["--Policy", "p"],
    ["--=x"],
  ])("is malformed: %s %s", (...args) => {
    expect(codeOf(() => read(...args.filter((arg) => typeof arg === "string")))).toBe("input.malformed");
  });
});
