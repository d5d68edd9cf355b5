import { describe, expect, it } from "vitest";
import { unlistedBounds, withTables } from "../../packaging/docs-tables.ts";

const CODE = {
  "src/io/net/hop.ts": "const MAX_ADDRESSES = 6;\nconst MAX_SIZE = 64 * 1024;\n",
  "src/io/tree.ts": "export const MAX_SIZE = 2 * 1024 * 1024;\nconst PATIENCE = 90_000;\n",
};

function written(rows: readonly string[], code: Readonly<Record<string, string>> = CODE): readonly string[] {
  const [begin, end] = ["<!-- bounds: begin -->\n", "<!-- bounds: end -->"];
  const head = "| what | bound | constant |\n| --- | --- | --- |";
  const text = `Bounds\n\n${begin}\n${head}\n${rows.join("\n")}\n\n${end}\n\nMore\n`;
  const result = withTables(text, new Map(Object.entries(code)));
  expect(withTables(result, new Map(Object.entries(code)))).toBe(result);
  const [before, table = "", after] = result.split(new RegExp(`\n${begin}\n|\n${end}\n`));
  expect([before, after]).toEqual(["Bounds\n", "\nMore\n"]);
  return table.trimEnd().split("\n").slice(2);
}

const ADDRESSES = "| addresses | 6 | `MAX_ADDRESSES` in `src/io/net/hop.ts` |";
const SIZE_OF_HOP = "| hop | 64 KiB | `MAX_SIZE` in `src/io/net/hop.ts` |";
const SIZE_OF_TREE = "| tree | 2 MiB | `MAX_SIZE` in `src/io/tree.ts` |";
const TIMEOUT = "| patience | 90 s | `PATIENCE` in `src/io/tree.ts` |";
const ROWS = [ADDRESSES, SIZE_OF_HOP, SIZE_OF_TREE, TIMEOUT];

describe("the table of bounds", () => {
  it("stays as it is where it is right, without padding", () => {
    expect(written(ROWS)).toEqual(ROWS);
    expect(written(ROWS.map((row) => row.replaceAll(" | ", "   | ")))).toEqual(ROWS);
  });

  it("takes the value from the code, in the largest unit of its kind", () => {
    const old = ["| addresses | 9 |", "| hop | 1 MiB |", "| tree | 7 KiB |", "| patience | 2 h |"];
    expect(written(ROWS.map((row, i) => row.replace(/^\|.+?\|.+?\|/, old[i] ?? "")))).toEqual(ROWS);
  });

  it("finds a file that was moved by its name, and one that was renamed by a constant that no other row has", () => {
    const moved = ROWS.map((row) =>
      row.replace("src/io/", "src/disk/").replace("src/io/net/hop.ts", "src/net/leap.ts"),
    );
    expect(written(moved)).toEqual(ROWS);
  });

  it.each([
    ["a row has no bound", [...ROWS, "| more | 6 | `MAX_MORE` in `src/io/net/hop.ts` |"]],
    ["a line is no row", [...ROWS, "| more | 6 | see below |"]],
    ["a row may be of two files", ROWS.map((row) => row.replace(/src.*ts/, "src/a.ts"))],
  ])("is refused where %s", (_, rows) => {
    expect(() => written(rows)).toThrow();
  });
});

describe("bounds that no table has", () => {
  const code = new Map(Object.entries(CODE));

  it("are those in no row of any document; others than maxima need none", () => {
    expect(unlistedBounds([ROWS.slice(0, 2).join("\n"), ROWS[2] ?? ""], code)).toEqual([]);
    expect(unlistedBounds([ROWS.slice(1).join("\n")], code)).toEqual(["`MAX_ADDRESSES` in `src/io/net/hop.ts`"]);
    expect(unlistedBounds([], code)).toHaveLength(3);
  });
});

describe("a source file that a document names", () => {
  const named = (text: string) => withTables(text, new Map(Object.entries(CODE)));

  it("is named where it lies now", () => {
    expect(named("see `src/old/tree.ts`, not test/unit/old/tree.ts")).toBe(
      "see `src/io/tree.ts`, not test/unit/old/tree.ts",
    );
  });

  it("has to be there", () => {
    expect(() => named("see `src/net/gone.ts`")).toThrow();
  });
});
