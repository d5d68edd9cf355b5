import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isDocument, LineCounter, parseDocument } from "yaml";
import { parseOne } from "../../src/core/encoding/yaml-document.ts";

const OPTIONS = { logLevel: "error", prettyErrors: false, stringKeys: true, uniqueKeys: false } as const;

/** Pieces of YAML, which together are a file now and then, and mostly are none. */
const PIECES = ["a", "b", "a: ", "a:\n", "- ", "? ", ": ", "\n", "\n  ", " ", "\t", "[", "]", "{", "}", ",", "'", '"'];
const RARE = [
  "&a ",
  "*a",
  "!a ",
  "|\n",
  ">-\n",
  "# x\n",
  "%YAML 1.2\n",
  "---\n",
  "...\n",
  "@",
  "`",
  "1",
  "null",
  "\r\n",
];
const text = fc.array(fc.constantFrom(...PIECES, ...PIECES, ...RARE), { maxLength: 24 }).map((all) => all.join(""));

describe("parseOne", () => {
  it("reads what the library reads, complains of the place of its first complaint, and of what it leaves out", () => {
    fc.assert(
      fc.property(text, (given) => {
        const theirs = parseDocument(given, OPTIONS);
        const [first] = [...theirs.errors, ...theirs.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
        const ours = parseOne(given, new LineCounter());
        if (isDocument(ours)) {
          expect(first?.code).toBeUndefined();
          expect([ours.contents, ours.directives]).toEqual([theirs.contents, theirs.directives]);
        } else if (ours.code === "LOST_VALUE") {
          // The library leaves the value out, and with it the mistakes in it.
          expect(ours.offset).toBeLessThanOrEqual(first?.pos[0] ?? Number.POSITIVE_INFINITY);
        } else if (first?.code !== "MULTIPLE_DOCS") expect(ours.offset).toBe(first?.pos[0]);
      }),
      { numRuns: 5_000 },
    );
  });
});
