import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestNode } from "../support/binary.ts";
import { isRoot, requirement } from "../support/requirement.ts";
import { missingTmux, showInTerminal } from "../support/terminal.ts";

// What a person sees: the real program in a real terminal, of three widths, with and without colour.

const WIDTHS = [60, 80, 200] as const;
const SCREEN = 24;
/** Escape sequences that begin or end a colour, as text. */
const COLOUR = /\\u001b\[[\d;]*m/;
/** The outcome, or behind a place in a file how bad a mistake is. */
const IN_COLOUR = /^(?:\S+:\d+:\d+: )?\\u001b\[3[123]m([a-z]+):?\\u001b\[[\d;]*m /;
/** Digests, keys and CIDs are longer than some terminals are wide; they stay whole, so that they can be copied. */
const LONG_WORD = /\S{48,}/;
/** A word in a table that was cut. */
const CUT = /\S+[^.\s]\.\.(?=\s|$)/g;
/** Columns in front of such a word. */
const MARGIN = 24;

let node: TestNode;
/** Runs it where nobody has written a policy. */
let unconfigured: readonly string[];
const base = () => `${node.registry.authority}/alice/app`;

beforeAll(async () => {
  node = await TestNode.start();
  const { digest } = node.registry.pushImage("alice/app", "signed", "v1");
  await node.signer.sign(digest, "app", node.begun + 1000);
  const { digest: unsigned } = node.registry.pushImage("alice/app", "unsigned", "v2");
  node.configure({ ...node.settings, cacheEnabled: true, decisionLog: join(node.folder, "decisions.log") });
  await node.verify([`${base()}:v1`, "--save-evidence", join(node.folder, "saved.bundle")]);
  const size = 2;
  for (const one of [digest, unsigned]) await node.pull(`${base()}:v1`, { mediaType: "", digest: one, size } as never);
  node.policy(
    `version: 1
trustedDids:
  alice.example.com: {}
policies:
  - { name: all, scope: **, action: enforced }
`,
    "wrong.yaml",
  );
  node.write(
    "deploy.yaml",
    `a: { image: "${base()}:v1" }\nb: { image: "${base()}:v2" }\nc: { image: "\${VARIABLE}" }\n`,
  );
  const script = [
    "mount -t tmpfs -o mode=755 none /etc",
    "mkdir /etc/atcr-verify",
    `printf '%s' '${JSON.stringify(node.settings)}' > /etc/atcr-verify/config.yaml`,
    'exec "$0" "$@"',
  ].join(" && ");
  const path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin; ";
  unconfigured = ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", `${path}${script}`];
});
afterAll(() => node.stop());

interface Case {
  readonly args: readonly string[];
  readonly status: number;
  /** What is on the first screen. */
  readonly first: readonly RegExp[];
  /** Beginning of what is in colour, if anything is. */
  readonly colour?: string;
  readonly isUnconfigured?: true;
}

/** `:TAG` stands for an image, `./NAME` for a file of the node. */
const CASES: Readonly<Record<string, Case>> = {
  "a signed image": {
    args: [":v1"],
    status: 0,
    first: [/^allow signed:/, /^ {2}signer /m, /^ {2}key\b/m, /^ {2}rule /m, /^ {2}checked /m],
    colour: "allow",
  },
  "an unsigned image": {
    args: [":v2"],
    status: 1,
    first: [/^deny signature\.none:/, /^ {2}rule /m, /^ {2}do /m],
    colour: "deny",
  },
  "a tag that is unknown": {
    args: [":nosuch"],
    status: 2,
    first: [/^inconclusive registry\.unknown_tag:/],
    colour: "inconclusive",
  },
  "several images": {
    args: [":v1", ":v2"],
    status: 1,
    first: [/^allow signed:/, /^deny signature\.none:/m],
    colour: "allow",
  },
  "the images of a file": { args: ["-f", "./deploy.yaml"], status: 3, first: [/^allow signed:/], colour: "allow" },
  "each request of a signed image": {
    args: [":v1", "--verbose"],
    status: 0,
    first: [/^allow signed:/, /^ {2}signer /m],
    colour: "allow",
  },
  "an image, with nothing configured": {
    args: [":v1"],
    status: 5,
    first: [/^unjudged no_policy:/, /^ {2}signed by /m, /policy\s+init/],
    colour: "unjudged",
    isUnconfigured: true,
  },
  "who signed an image": {
    args: ["inspect", ":v1", "--signer", "SIGNER"],
    status: 0,
    first: [/^not judged:/, /signed/, /alice\.example\.com/],
  },
  "mistakes in a policy": {
    args: ["policy", "check", "./wrong.yaml"],
    status: 3,
    first: [/^misconfigured policy\.invalid: 4 mistakes/, /did you mean\s+trustedDIDs/, /atcr-verify\s+identity/],
    colour: "misconfigured",
  },
  "what a bundle proves": { args: ["bundle", "list", "./saved.bundle"], status: 0, first: [/1\s+image/, /^signed\b/m] },
  "who a signer is": { args: ["identity", "SIGNER"], status: 0, first: [/^proven: did:plc:/, /did:key:/] },
  "what is cached": { args: ["cache", "list"], status: 0, first: [/did:plc:/] },
  "what is recorded about signers": { args: ["state", "show"], status: 0, first: [/did:plc:/] },
  "past decisions, in short": {
    args: ["log", "--summary"],
    status: 0,
    first: [/^count +latest +code\b/m, /signed/],
  },
  "past decisions": { args: ["log"], status: 0, first: [/allow signed/] },
  "which rule applies": { args: ["policy", "explain", ":v1"], status: 0, first: [/rule "?all/] },
  "a configuration": { args: ["config", "check"], status: 0, first: [/0 errors/], colour: "warning" },
  "whether pulls are verified": {
    args: ["doctor", "--offline", "--address", "./none.sock"],
    status: 1,
    first: [/^problem/, /^warning/m],
    colour: "problem",
  },
  "gathering evidence": {
    args: ["bundle", "create", ":v1", ":v2", "-o", "./new.bundle"],
    status: 1,
    first: [/^signed /, /^not signed .*\/alice\/app:v2\b/m],
  },
  "the program's own test": { args: ["selftest"], status: 0, first: [/0 /] },
  "all commands": { args: ["--help"], status: 0, first: [/^Usage: atcr-verify IMAGE/m, /^ {2}verify /m] },
};

function show(name: string, columns: number, more: Readonly<Record<string, string>> = {}) {
  const { args, isUnconfigured } = CASES[name] ?? expect.fail(name);
  const full = args.map((arg) => {
    if (arg === "SIGNER") return node.signer.did;
    return arg.startsWith(":") ? `${base()}${arg}` : arg.replace(/^\.\//, `${node.folder}/`);
  });
  const { ATCR_VERIFY_CONFIG = "", ...env } = node.env;
  if (isUnconfigured)
    return showInTerminal(full, { columns, env: { ...env, HOME: node.folder, ...more }, through: unconfigured });
  return showInTerminal(full, { columns, env: { ...env, ATCR_VERIFY_CONFIG, ...more } });
}

const names = Object.entries(CASES).flatMap(([name, { isUnconfigured }]) =>
  isUnconfigured && !isRoot() ? [] : [name],
);

describe.runIf(requirement("the terminal as a person sees it", missingTmux()))("in a terminal", () => {
  describe.each(WIDTHS)("of %i columns", (columns) => {
    it.each(names)("%s: fits, and what matters is on the first screen", async (name) => {
      const { status, first } = CASES[name] ?? expect.fail(name);
      const { code, lines, rows } = await show(name, columns);
      expect(code, rows.join("\n")).toBe(status);
      const tooLong = lines.filter((line) => line.length > columns);
      expect(tooLong.filter((line) => line.replace(LONG_WORD, "").length > MARGIN)).toEqual([]);
      const cut = lines.flatMap((line) => line.match(CUT) ?? []);
      expect(cut.filter((word) => !/^(?:sha256|did):/.test(word))).toEqual([]);
      const screen = rows.slice(0, SCREEN).join("\n");
      for (const wanted of first) expect(screen).toMatch(wanted);
    });
  });

  it.each(names)("%s: only the outcome is in colour", async (name) => {
    const { colour } = CASES[name] ?? expect.fail(name);
    const { coloured, lines } = await show(name, 80);
    const inColour = coloured.filter((line) => COLOUR.test(line));
    expect(inColour.filter((line) => !IN_COLOUR.test(line))).toEqual([]);
    expect(IN_COLOUR.exec(coloured[0] ?? "")?.[1]).toBe(colour);
    expect(inColour.length > 0).toBe(colour !== undefined);
    expect(inColour.length).toBeLessThan(lines.length / 2);
  });

  it.each([
    ["NO_COLOR", { NO_COLOR: "1" }],
    ["a terminal that is dumb", { TERM: "dumb" }],
  ])("nothing is in colour with %s", async (_, env) => {
    for (const name of ["a signed image", "mistakes in a policy"]) {
      expect((await show(name, 80, env)).coloured.filter((line) => COLOUR.test(line))).toEqual([]);
    }
  });

  it("an empty NO_COLOR changes nothing", async () => {
    expect((await show("a signed image", 80, { NO_COLOR: "" })).coloured[0]).toMatch(IN_COLOUR);
  });
});
