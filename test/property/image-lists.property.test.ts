// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of the files that are read
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { toUtf8 } from "../../src/core/encoding/bytes.ts";
import { findImages } from "../../src/core/image-lists/find-images.ts";
import { Rejection } from "../../src/core/rejection.ts";

/** Pieces of YAML, Dockerfiles and lists, which together are mostly none of them. */
const PIECES = [
  ...'image: ev|image|"image"|: |:|ev|\n|\n  |\n    | |\t|- |? |[|]|{|}|,|\'|"|&a |*a|!!str |!!binary |!x |<<: '.split(
    "|",
  ),
  ..."FROM ev|FROM |ARG A=|$A|${A|COPY --from=|RUN --mount=from=ev|<<E|\nE\n|\\\n|# syntax=ev|# escape=`\n|`|AS x".split(
    "|",
  ),
  ..."|\n,>-\n,---\n,\n---,...\n,%YAML 1.1\n,%TAG ! a\n,\r\n,{{,}},a/b:1\n, # ,~,1.0".split(","),
];
const text = fc.array(fc.constantFrom(...PIECES), { maxLength: 24 }).map((all) => all.join(""));

const word = fc
  .stringMatching(/^[a-z]{1,6}$/)
  .filter((one) => !["y", "n", "no", "on", "yes", "off", "true", "false", "null"].includes(one));
const reference = fc.tuple(word, word, word).map(([host, path, tag]) => `${host}.example/${path}:v${tag}`);
const key = word.filter((one) => one !== "image");
/** A value with images in it, at any depth. */
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.oneof(word, fc.integer(), fc.constant(null), fc.constant("text: |\n  image: not/seen:1\n")),
    fc.array(tie("tree"), { maxLength: 4 }),
    fc
      .tuple(fc.dictionary(key, tie("tree"), { maxKeys: 4 }), fc.option(reference))
      .map(([map, image]) => (image === null ? map : { ...map, image })),
  ),
}));

/** As a person would look for them. */
function imagesOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(imagesOf);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, one]) => (name === "image" ? [String(one)] : imagesOf(one)));
}

const found = (written: string): readonly string[] =>
  findImages(toUtf8(written), "a.yaml").images.map((image) => image.text);

describe("findImages", () => {
  it("finds what is written, whatever the style", () => {
    const style = fc.record({
      collectionStyle: fc.constantFrom("any", "block", "flow"),
      defaultStringType: fc.constantFrom("PLAIN", "QUOTE_DOUBLE", "QUOTE_SINGLE", "BLOCK_LITERAL", "BLOCK_FOLDED"),
      defaultKeyType: fc.constantFrom("PLAIN", "QUOTE_DOUBLE", "QUOTE_SINGLE"),
      indent: fc.constantFrom(1, 2, 4, 8),
      // Folding has a defect in the library's writer, which is not what is tested.
      lineWidth: fc.constant(0),
    } as const);
    fc.assert(
      fc.property(tree, style, (value, options) => {
        const all = { value, last: { image: "last.example/a:1" } };
        // A block that is folded or ends with a line break is still one image.
        expect(found(stringify(all, options)).map((image) => image.trim())).toEqual(imagesOf(all));
        expect(found(JSON.stringify(all, null, options.indent))).toEqual(imagesOf(all));
        expect(found(`${stringify(all)}---\n# c\n${JSON.stringify(all)}\n`)).toHaveLength(2 * imagesOf(all).length);
      }),
      { numRuns: 500 },
    );
  });

  it("rejects, or finds images on lines that the text has, whatever is written", () => {
    fc.assert(
      fc.property(text, fc.constantFrom("-", "a.yaml", "Dockerfile"), (given, file) => {
        try {
          const { images } = findImages(toUtf8(given), file);
          const lines = given.split("\n").length;
          expect(images.every(({ line }) => line >= 1 && line <= lines)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(Rejection);
        }
      }),
      { numRuns: 5_000 },
    );
  });

  it("finds the image of a manifest also behind any text that is YAML", () => {
    fc.assert(
      fc.property(text, (given) => {
        try {
          expect(found(`${given}\n---\nimage: last/image:1\n`)).toContain("last/image:1");
        } catch (error) {
          expect(error).toBeInstanceOf(Rejection);
          expect((error as Rejection).code).toBe("input.malformed");
        }
      }),
      {
        numRuns: 3_000,
        // Found by chance: the library leaves out a value without ":" before it, here with the rest of the file.
        examples: [['? >-\n- "'], ['image: first/image:1\n---\n? x\n- "'], ["? x\n- 'a\n---\nb: '"]],
      },
    );
  });
});
