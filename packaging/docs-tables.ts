/**
 * Writes into the documents what the code knows better: `node packaging/docs-tables.ts`, a part of `make format`.
 *
 *   - the value and the place of each bound, in the tables of docs/reference/bounds.md. Their words and
 *     their order are the documents'.
 *   - the layers (layers.ts), in CONTRIBUTING.md
 *   - of each command the synopsis, options, exit statuses and examples, in docs/reference/cli.md and the manual page, and
 *     the completions of shells: all of src/frontends/cli/command-table
 *   - where a source file lies now, wherever a document names one as `src/…`
 *
 * test/unit/docs.test.ts fails where a document is not as this writes it. So a source file that is moved needs no
 * edit of a document, and one that is renamed only where prose names it.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { markdownOf, withCommands } from "./command-pages.ts";
import { picture } from "./layers.ts";
import { completions } from "./shell-completions.ts";

/** Text of each source file by its path from the root. */
export type Sources = ReadonlyMap<string, string>;

interface Bound {
  readonly name: string;
  readonly file: string;
  readonly value: number;
}

/** A row of the table: what is bound, the bound as it was written last, and where. */
interface Row {
  readonly what: string;
  readonly amount: string;
  readonly name: string;
  readonly file: string;
}

const ROOT = join(import.meta.dirname, "..");
const MANUAL = "packaging/man/atcr-verify.8";
const ROW = /^\| *(?<what>.+?) *\| *(?<amount>\S+(?: \w+)?) *\| *`(?<name>\w+)` in `(?<file>[^`]+)` *\|$/;
/** Of a row's unit the whole family: a value is written in the largest one that divides it. */
const UNITS: readonly (readonly (readonly [unit: string, size: number])[])[] = [
  [
    ["KiB", 1024],
    ["MiB", 1024 ** 2],
  ],
  [
    ["ms", 1],
    ["s", 1000],
    ["min", 60_000],
    ["h", 3_600_000],
  ],
];

export function sources(): Sources {
  const names = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" });
  const files = names.filter((name) => name.endsWith(".ts")).map((name) => `src/${name}`);
  return new Map(files.sort().map((file) => [file, readFileSync(join(ROOT, file), "utf8")]));
}

/** Documents that name source files or hold a table of theirs. */
export function documents(): readonly string[] {
  const below = readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" });
  const docs = below.filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`);
  return ["README.md", "SECURITY.md", "CONTRIBUTING.md", "packaging/README.md", ...docs.sort()];
}

/**
 * The document as it has to be.
 *
 * @throws Error where only a person can tell: a row without a bound, a file that is gone
 */
export function withTables(text: string, code: Sources): string {
  const tables = text.replaceAll(
    /(<!-- (bounds|layers|commands|(?:synopsis|options) of [a-z -]+): begin -->\n)(.*?)(<!-- \2: end -->)/gs,
    (_, begin: string, name: string, old: string, end: string) => `${begin}\n${partOf(name, old, code)}\n${end}`,
  );
  return tables.replaceAll(/`(src\/[\w/-]+\.ts)`/g, (_, file: string) => `\`${placeOf(file, code)}\``);
}

/** A part between its marks as it has to be. @param old as it is */
function partOf(name: string, old: string, code: Sources): string {
  if (name === "bounds") return boundsTable(old, code);
  return name === "layers" ? layersPicture() : markdownOf(name);
}

/** Text of each file that a package installs for a shell or as its manual page, as it has to be, by its path from the root. */
export function commandFiles(): ReadonlyMap<string, string> {
  const found = new Map([...completions()].map(([name, text]) => [`packaging/completions/${name}`, text]));
  return found.set(MANUAL, withCommands(readFileSync(join(ROOT, MANUAL), "utf8")));
}

/** Bounds that no table of these documents has, as a row would name them. */
export function unlistedBounds(texts: readonly string[], code: Sources): readonly string[] {
  const bounds = [...code].flatMap(([file, text]) => boundsOf(file, text));
  const names = bounds.filter(({ name }) => name.startsWith("MAX_")).map(placed);
  return names.filter((name) => !texts.some((text) => text.includes(`| ${name} |`)));
}

const placed = ({ name, file }: Bound): string => `\`${name}\` in \`${file}\``;

function layersPicture(): string {
  return ["```text", ...picture(), "```\n"].join("\n");
}

function boundsTable(table: string, code: Sources): string {
  const bounds = [...code].flatMap(([file, text]) => boundsOf(file, text));
  const [, , ...body] = table.trim().split("\n");
  const rows = body.map((line) => {
    const row = ROW.exec(line)?.groups as Row | undefined;
    if (row === undefined) throw new Error(`no row of the table of bounds: ${line}`);
    return row;
  });
  const lines = rows.map((row) => {
    const bound = boundOf(row, rows, bounds);
    return `| ${row.what} | ${amountOf(bound.value, row.amount)} | ${placed(bound)} |`;
  });
  return `${["| what | bound | constant |", "| --- | --- | --- |", ...lines].join("\n")}\n`;
}

/** Constants of the top level that are a number or a product of numbers. */
function boundsOf(file: string, text: string): Bound[] {
  const found = text.matchAll(/^(?:export )?const ([A-Z][A-Z_0-9]+) = ([\d_]+(?: \* [\d_]+)*);/gm);
  return Array.from(found, ([, name = "", product = ""]) => {
    const factors = product.split(" * ").map((factor) => Number(factor.replaceAll("_", "")));
    return { name, file, value: factors.reduce((a, b) => a * b) };
  });
}

/** The constant of a row: where the row says, or in the file of that name elsewhere, or the only one no other row has. */
function boundOf(row: Row, rows: readonly Row[], bounds: readonly Bound[]): Bound {
  const named = bounds.filter(({ name }) => name === row.name);
  const isOf = (one: Row, bound: Bound) => one.name === bound.name && basename(one.file) === basename(bound.file);
  const found =
    named.find(({ file }) => file === row.file) ??
    only(named.filter((bound) => isOf(row, bound))) ??
    only(named.filter((bound) => !rows.some((one) => isOf(one, bound))));
  if (found === undefined) throw new Error(`${row.name} is not in ${row.file}, and no one place is left where it is`);
  return found;
}

function amountOf(value: number, written: string): string {
  const [, unit = ""] = written.split(" ");
  const family = UNITS.find((units) => units.some(([one]) => one === unit)) ?? [];
  const [name, size] = family.findLast(([, size]) => value % size === 0) ?? ["", 1];
  return `${value / size} ${name}`.trimEnd();
}

function placeOf(file: string, code: Sources): string {
  const found = code.has(file) ? file : only([...code.keys()].filter((one) => basename(one) === basename(file)));
  if (found === undefined) throw new Error(`${file} is not there, and there is no one file of its name elsewhere`);
  return found;
}

function only<T>(list: readonly T[]): T | undefined {
  return list.length === 1 ? list[0] : undefined;
}

if (import.meta.main) {
  const code = sources();
  for (const document of documents()) {
    const text = readFileSync(join(ROOT, document), "utf8");
    const written = withTables(text, code);
    if (written !== text) writeFileSync(join(ROOT, document), written);
  }
  for (const [file, text] of commandFiles()) writeFileSync(join(ROOT, file), text);
  const texts = documents().map((document) => readFileSync(join(ROOT, document), "utf8"));
  const unlisted = unlistedBounds(texts, code);
  if (unlisted.length > 0) throw new Error(`bounds without a row: ${unlisted.join(", ")}`);
}
