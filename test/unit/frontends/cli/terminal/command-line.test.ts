import { describe, expect, it } from "vitest";
import type { CommandEntry } from "../../../../../src/frontends/cli/command-table/command.ts";
import { COMMAND_NAMES } from "../../../../../src/frontends/cli/command-table/command-groups.ts";
import { assertRunsOn, findCommand, readCommandLine } from "../../../../../src/frontends/cli/terminal/command-line.ts";
import { codeOf, rejectionOf } from "../../../../support/rejection.ts";

const ENTRY = {
  summary: "",
  operands: [
    { name: "A", kind: "text" },
    { name: "B", kind: "text", optional: true },
    { name: "C", kind: "text", optional: true },
  ],
  options: {
    policy: { kind: "text", value: "P", summary: "" },
    output: { kind: ["text", "json"], summary: "", default: "text" },
    offline: { kind: "flag", summary: "" },
    only: { kind: "text", value: "P", summary: "", short: "s", repeatable: true },
    mute: { kind: "flag", summary: "", short: "m" },
  },
  statuses: {},
  examples: [],
} as const satisfies CommandEntry;
const read = (...args: string[]) => readCommandLine(args, ENTRY, "try A [B] [C]");

describe("a command line", () => {
  it("has options with a value, flags and operands in any order", () => {
    for (const line of [read("a", "--policy", "p", "--offline", "b"), read("--offline", "--policy=p", "a", "b")]) {
      expect(line.options).toMatchObject({ policy: "p", output: "text", offline: true });
      expect(line.operands).toEqual(["a", "b"]);
    }
    expect(read("a").options).toEqual({
      policy: undefined,
      output: "text",
      offline: false,
      only: [],
      mute: false,
    });
    expect(read("a", "--output", "json").options.output).toBe("json");
  });

  it("has options by one letter, and options that are given several times", () => {
    expect(read("a", "-m", "-s", "1", "--only=2", "-s", "-m").options).toMatchObject({
      mute: true,
      only: ["1", "2", "-m"],
    });
    for (const args of [["-m", "-m"], ["-ms", "1"], ["-s"], ["-s", ""], ["-M"], ["-m=1"]]) {
      expect(codeOf(() => read("a", ...args))).toBe("input.malformed");
    }
  });

  it("has a last operand that is given several times, or not at all", () => {
    const operands = [
      { name: "A", kind: "text" },
      { name: "B", kind: "text", optional: true, repeatable: true },
    ] as const;
    const many = (...args: string[]) => readCommandLine(args, { ...ENTRY, operands }, "try A [B...]").operands;
    expect(many("a")).toEqual(["a", []]);
    expect(many("a", "b", "--offline", "c")).toEqual(["a", ["b", "c"]]);
    expect(codeOf(() => many())).toBe("input.malformed");
  });

  it("takes what is behind -- for operands, and the word behind an option for its value", () => {
    expect(read("--", "--policy", "-x", "--").operands).toEqual(["--policy", "-x", "--"]);
    expect(read("a", "--policy", "--offline").options.policy).toBe("--offline");
    expect(read("a", "--policy=a=b").options.policy).toBe("a=b");
  });

  it("takes a dash alone for an operand or a value: standard input", () => {
    expect(read("-", "--policy", "-")).toMatchObject({ operands: ["-"], options: { policy: "-" } });
  });

  it.each([
    ["--unknown"],
    ["--unknown=x"],
    ["-policy", "p"],
    ["-p"],
    ["-xpolicy", "p"],
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
    ["--output", "yaml"],
    ["--output=toString"],
    ["--help"],
    ["-h"],
    ["b", "c", "d"],
  ])("is malformed: a %s %s", (...args) => {
    expect(codeOf(() => read("a", ...args.filter((arg) => typeof arg === "string")))).toBe("input.malformed");
  });

  it("needs its operands, and says which", () => {
    expect(rejectionOf(() => read("--offline")).message).toContain("expected: atcr-verify try A [B] [C]");
  });

  it("suggests the option that was most likely meant", () => {
    for (const option of ["--polic", "--Policy=x", "-policy", "--plicy"]) {
      expect(rejectionOf(() => read("a", option)).message).toBe(`unknown option "${option}"; did you mean --policy?`);
    }
    const said = 'unknown option "--nothing"; expected --policy, --output, --offline, --only, --mute';
    expect(rejectionOf(() => read("a", "--nothing")).message).toBe(said);
  });

  it("says how an operand is given that other commands take by an option", () => {
    const entry = { ...ENTRY, operands: [{ name: "FILE", kind: "file", optional: true, insteadOf: "file" }] } as const;
    for (const [args, line] of [
      [["--file", "f"], "atcr-verify try f"],
      [["--file=f"], "atcr-verify try f"],
      [["--file"], "atcr-verify try FILE"],
    ] as const) {
      const { code, message } = rejectionOf(() => readCommandLine(args, entry, "try [FILE] [options]"));
      expect([code, message]).toEqual(["input.malformed", `there is no option --file here; write: ${line}`]);
    }
  });
});

describe("the command of a line", () => {
  it.each([
    [["verify", "x", "--offline"], "verify", ["x", "--offline"]],
    [["--config", "verify", "verify", "x"], "verify", ["--config", "verify", "x"]],
    [["--config=c", "--offline", "verify", "verify"], "verify", ["--config=c", "--offline", "verify"]],
    [["policy", "check", "policy"], "policy check", ["policy"]],
    [["--strict", "policy", "--config", "c", "check", "f"], "policy check", ["--strict", "--config", "c", "f"]],
    [["state", "forget", "--", "show"], "state forget", ["--", "show"]],
    [["atcr.io/a/b:v1"], "verify", ["atcr.io/a/b:v1"]],
    [["-q", "app:v1", "b"], "verify", ["-q", "app:v1", "b"]],
    [["-o", "verify", "--policy", "images", "app@x"], "verify", ["-o", "verify", "--policy", "images", "app@x"]],
    [["-f", "-"], "verify", ["-f", "-"]],
    [["--quiet", "--file=verify"], "verify", ["--quiet", "--file=verify"]],
    [["registry.example", "policy"], "verify", ["registry.example", "policy"]],
    [["policy", "explain", "a.example/b"], "policy explain", ["a.example/b"]],
  ])("is its first words that are no option: %j", (args, name, rest) => {
    expect(findCommand(args)).toEqual({ name, rest });
  });

  it.each([
    [["verfy"], 'unknown command "verfy"; did you mean verify?'],
    [["Doctor"], "; did you mean doctor?"],
    [["polciy", "check"], "; did you mean policy?"],
    [["policy", "chek"], "; did you mean policy check?"],
    [["state", "list"], "expected state show, state forget; see atcr-verify help state"],
    [["version"], "; did you mean --version?"],
    [["--confg", "c", "verify"], 'unknown option "--confg"; did you mean --config?'],
    [["nginx"], "; to verify an image of that name: atcr-verify verify nginx; see atcr-verify --help"],
    [
      ["policy"],
      'found no command after "policy", expected policy init, policy check, policy explain, policy test, policy schema',
    ],
    [["--config", "c"], "found no command, expected verify, "],
    [["--config"], "found no command, expected verify, "],
    [["--", "verify"], 'unknown option "--"; expected '],
    [[""], 'unknown command ""; expected verify, '],
    [["unheard"], 'unknown command "unheard"; expected verify, inspect, images, vouch, policy init, '],
    [["-V", "verify"], 'unknown option "-V"'],
  ])("is suggested where it is none: %j", (args, said) => {
    expect(codeOf(() => findCommand(args))).toBe("input.malformed");
    expect(rejectionOf(() => findCommand(args)).message).toContain(said);
  });
});

describe("another system than Linux", () => {
  it("is told that commands about a node are Linux only, and runs the others", () => {
    const refused = COMMAND_NAMES.filter((name) => codeOf(() => assertRunsOn(name, "darwin", [])) !== "none");
    expect(refused).toEqual(["images", "enable", "disable", "doctor", "break-glass", "lookaside", "serve"]);
    expect(rejectionOf(() => assertRunsOn("doctor", "darwin", ["--output", "json"]))).toMatchObject({
      code: "input.malformed",
      message: expect.stringContaining("doctor is Linux only"),
    });
    for (const name of COMMAND_NAMES) assertRunsOn(name, "linux", []);
    assertRunsOn("doctor", "darwin", ["--cluster"]);
  });
});
