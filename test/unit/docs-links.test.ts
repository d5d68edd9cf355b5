import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { documents, sources } from "../../packaging/docs-tables.ts";
import { COMMAND_NAMES, entryOf } from "../../src/frontends/cli/command-table/command-groups.ts";

// Whoever follows a link or types a command of a document must arrive.

const ROOT = join(import.meta.dirname, "../..");
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");
/** Options of each command, by its name. */
const COMMANDS: ReadonlyMap<string, readonly string[]> = new Map(
  COMMAND_NAMES.map((name) => [name, Object.keys(entryOf(name).options)]),
);

const DOCUMENTS = ["CHANGELOG.md", ...documents()];
/** Files that are no documents, and whose comments name commands and documents. */
const COMMENTED = ["config-examples", "packaging/etc", "packaging/debian"].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.ya?ml$|postinst$/.test(name))
    .map((name) => `${folder}/${name}`),
);
const MANUALS = ["packaging/man/atcr-verify.8", "packaging/man/atcr-verify-policy.5"];

const FENCED = /^```(.*)\n([\s\S]*?)^```$/gm;
/** Blocks of what somebody types: what is shown or written is marked as text, yaml or another language. */
const blocks = (text: string): readonly string[] =>
  Array.from(text.matchAll(FENCED), ([, language, block = ""]) => (language === "" ? block : ""));
const withoutBlocks = (text: string): string => text.replaceAll(FENCED, "");

/** Names of a document's headings as its links have them: https://github.com, in lower case, `-` for spaces. */
function anchors(text: string): ReadonlySet<string> {
  const found = new Set<string>();
  for (const [, heading = ""] of withoutBlocks(text).matchAll(/^#+ (.*)$/gm)) {
    const plain = heading
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .toLowerCase()
      .replaceAll(" ", "-");
    let name = plain;
    for (let i = 1; found.has(name); i++) name = `${plain}-${i}`;
    found.add(name);
  }
  return found;
}

/** Why a link leads nowhere, or nothing. */
function broken(file: string, target: string): string | undefined {
  const [path = "", anchor] = target.split("#");
  const there = path === "" ? file : relative(ROOT, join(ROOT, dirname(file), path));
  if (there.startsWith("..") || !existsSync(join(ROOT, there))) return `${target}: no such file`;
  return anchor === undefined || anchors(read(there)).has(anchor) ? undefined : `${target}: no such heading`;
}

/** Lines of a block that somebody types: those behind a prompt, or all where there is none. Comments are left out. */
function typed(block: string): readonly string[] {
  const lines = block.split("\n");
  const prompted = lines.filter((line) => line.startsWith("$ ")).map((line) => line.slice(2));
  const all = prompted.length > 0 ? prompted : lines;
  return all.map((line) => line.replace(/(?:^|\s)#.*$/, "")).flatMap((line) => line.split(/\s(?:&&|\|\||[|;])\s/));
}

/** Commands of this program in a document: in blocks, and between backticks. */
function invocations(text: string): readonly string[] {
  const inline = Array.from(withoutBlocks(text).matchAll(/`([^`]+)`/g), ([, code = ""]) => code);
  return [...blocks(text).flatMap(typed), ...inline]
    .map((line) => line.trim().replace(/^sudo /, ""))
    .filter((line) => line.startsWith("atcr-verify "));
}

/** What is wrong with a command line, or nothing. Its values are placeholders. */
function mistake(line: string): string | undefined {
  const [first = "", second = ""] = line.split(/\s+/).slice(1);
  if (/^(?:--help|--version|-h|-V|help)$/.test(first)) return undefined;
  // What begins a seal or a bundle, and no command.
  if (/^atcr-verify evidence bundle(?: seal \d+)?$/.test(line)) return undefined;
  const named = COMMANDS.has(`${first} ${second}`) ? `${first} ${second}` : first;
  // An image, its placeholder, or an option needs no command word.
  const name = /[/:@.]|^-|^IMAGE/.test(named) ? "verify" : named;
  const options = COMMANDS.get(name);
  if (options === undefined) {
    const isGroup = second === "" && [...COMMANDS.keys()].some((known) => known.startsWith(`${first} `));
    return isGroup ? undefined : `${line}: no such command`;
  }
  const unknown = Array.from(line.matchAll(/(?<![\w-])--([a-z][a-z0-9-]*)/g), ([, option = ""]) => option).filter(
    (option) => option !== "help" && !options.includes(option),
  );
  return unknown.length === 0 ? undefined : `${line}: no option --${unknown.join(", --")}`;
}

describe("links", () => {
  it.each(DOCUMENTS)("of %s lead to a file and a heading", (file) => {
    const targets = Array.from(
      withoutBlocks(read(file)).matchAll(/\]\((?![a-z]+:)([^)\s]+)\)/g),
      ([, target = ""]) => target,
    );
    expect(targets.flatMap((target) => broken(file, target) ?? [])).toEqual([]);
  });

  it("are noticed where they lead nowhere", () => {
    expect(broken("README.md", "docs/spec.md#codes")).toBeUndefined();
    expect(broken("README.md", "docs/spec.md#no-such-heading")).toContain("no such heading");
    expect(broken("docs/spec.md", "no-such.md")).toContain("no such file");
    expect(broken("docs/spec.md", "../../elsewhere.md")).toContain("no such file");
  });

  it.each([...COMMENTED, ...MANUALS])("documents that %s names are there", (file) => {
    const installed = read(file).matchAll(/\/usr\/share\/doc\/atcr-verify\/([\w./-]*\w)/g);
    const own = read(file).matchAll(/(?<![\w/])((?:docs|config-examples)\/[\w./-]*\w)/g);
    const named = Array.from([...installed, ...own], ([, path = ""]) => path);
    expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  it("documents that comments of src name are there", () => {
    const named = [...sources().values()].flatMap((text) =>
      Array.from(text.matchAll(/(?<![\w/])docs\/[\w./-]+\.md/g), ([path]) => path),
    );
    expect(named.length).toBeGreaterThan(5);
    // containerd's own
    const ours = named.filter((path) => path !== "docs/hosts.md");
    expect(ours.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });
});

describe("commands", () => {
  it.each(DOCUMENTS)("of %s exist, with their options", (file) => {
    expect(invocations(read(file)).flatMap((line) => mistake(line) ?? [])).toEqual([]);
  });

  it.each(COMMENTED)("of %s exist, with their options", (file) => {
    const text = read(file);
    const between = Array.from(text.matchAll(/`(atcr-verify [^`]+)`/g), ([, line = ""]) => line);
    const indented = Array.from(text.matchAll(/^# {2,}(atcr-verify .*)$/gm), ([, line = ""]) => line);
    const within = Array.from(text.matchAll(/atcr-verify [a-z]+(?: [a-z]+)?(?: --[a-z0-9-]+)+/g), ([line]) => line);
    const lines = [...between, ...indented, ...within];
    expect(lines.flatMap((line) => mistake(line) ?? [])).toEqual([]);
  });

  it("are found in the documents, and noticed where they do not exist", () => {
    expect(invocations(read("README.md")).length).toBeGreaterThan(5);
    expect(invocations(read("docs/reference/cli.md")).length).toBeGreaterThan(20);
    expect(invocations("```\n$ sudo atcr-verify log --lines 3\natcr-verify is no command here\n```")).toHaveLength(1);
    expect(mistake("atcr-verify policy check --strict")).toBeUndefined();
    expect(mistake("atcr-verify policy check --probe")).toContain("--probe");
    expect(mistake("atcr-verify doctr")).toContain("no such command");
    expect(mistake("atcr-verify policy chek")).toContain("no such command");
    expect(mistake("atcr-verify -f - --probe")).toContain("--probe");
  });

  it.each(DOCUMENTS)("of make that %s names are targets", (file) => {
    const targets = new Set(Array.from(read("Makefile").matchAll(/^([a-z][\w-]*):/gm), ([, target = ""]) => target));
    const inline = Array.from(withoutBlocks(read(file)).matchAll(/`([^`]+)`/g), ([, code = ""]) => code);
    const lines = [...blocks(read(file)).flatMap(typed), ...inline].map((line) => line.trim().replace(/^sudo /, ""));
    const named = lines
      .filter((line) => line.startsWith("make "))
      .flatMap((line) => line.split(/\s+/).slice(1))
      .filter((word) => /^[a-z]/.test(word));
    expect(named.filter((target) => !targets.has(target))).toEqual([]);
  });
});

describe("docs/reference/cli.md", () => {
  const cli = read("docs/reference/cli.md");
  const sections = new Map(cli.split(/^## /m).map((text) => [text.slice(0, text.indexOf("\n")), text] as const));

  it.each([...COMMANDS.keys()])("has a section for %s, with its options and exit statuses", (name) => {
    const title = sections.has(name) ? name : (name.split(" ")[0] ?? "");
    const section = sections.get(title) ?? expect.fail("no section");
    // A section of a group has one table for all its commands.
    const all = [...COMMANDS].filter(([one]) => one === title || (title !== name && one.startsWith(`${title} `)));
    const options = [...new Set(all.flatMap(([, names]) => names))];
    expect(section).toContain(`\natcr-verify ${name}`);
    expect(section).toMatch(/^\| exit status \|.*\|\n.*\n\| 0 \| /m);
    const listed = Array.from(section.matchAll(/^\| `(?:-[a-z], )?--([a-z0-9-]+)/gm), ([, option = ""]) => option);
    expect(listed.toSorted()).toEqual(options.toSorted());
  });

  it("has one for no other", () => {
    const groups = new Set([...COMMANDS.keys()].flatMap((name) => [name, name.split(" ")[0]]));
    const more = [...sections.keys()].filter((name) => !groups.has(name) && !/^[A-Z#]/.test(name));
    expect(more).toEqual([]);
  });
});
