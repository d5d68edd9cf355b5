import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatReference, normaliseReference, parseReference } from "../../src/core/oci/reference.ts";
import { Rejection } from "../../src/core/rejection.ts";

const CODES = ["image.malformed_reference", "input.unsupported_digest"];

/** Text made of the pieces that names are made of, so that many of them are nearly names. */
const almostName = fc
  .array(
    fc.constantFrom(
      ..."abz09.-_:/@%?#[]* A\\\n\u00e4".split(""),
      "docker.io",
      "localhost",
      "library/",
      ":443",
      ":5000",
      "..",
      "//",
      "127.0.0.1",
      "[::1]",
      "0x7f.1",
      "@sha256:",
      "0123456789abcdef".repeat(4),
    ),
    { maxLength: 12 },
  )
  .map((pieces) => pieces.join(""));

const component = fc.stringMatching(/^[a-z0-9]+((\.|_|__|-{1,3})[a-z0-9]+){0,3}$/);
const name = fc.record({
  host: fc.constantFrom(
    "atcr.io",
    "localhost",
    "localhost:5000",
    "registry:443",
    "[::1]:8080",
    "10.0.0.1",
    "a-b.c0.example:1",
  ),
  path: fc
    .array(component, { minLength: 1, maxLength: 4 })
    .map((parts) => parts.join("/"))
    .filter((p) => p.length <= 255),
  tag: fc.option(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/), { nil: undefined }),
});

describe("parseReference", () => {
  it("reads a name, or rejects it with one of its codes; what it reads, it reads again the same", () => {
    fc.assert(
      fc.property(fc.oneof(almostName, fc.string({ unit: "binary" })), (text) => {
        for (const parse of [parseReference, normaliseReference]) {
          try {
            const reference = parse(text);
            expect(parseReference(formatReference(reference))).toEqual(reference);
          } catch (error) {
            if (!(error instanceof Rejection)) throw error;
            expect(CODES).toContain(error.code);
          }
        }
      }),
      { numRuns: 3000 },
    );
  });

  it("leads a URL to the host and path that it says", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          almostName,
          name.map(({ host, path, tag }) => `${host}/${path}${tag ? `:${tag}` : ""}`),
        ),
        (text) => {
          let reference: ReturnType<typeof parseReference>;
          try {
            reference = parseReference(text);
          } catch {
            return;
          }
          const { host, path } = reference;
          const url = new URL(`https://${host}/v2/${path}/manifests/x`);
          expect([url.host, url.pathname, url.username, url.search, url.hash]).toEqual([
            host,
            `/v2/${path}/manifests/x`,
            "",
            "",
            "",
          ]);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it("reads every canonical name", () => {
    fc.assert(
      fc.property(name, ({ host, path, tag }) => {
        const text = `${host}/${path}${tag === undefined ? "" : `:${tag}`}`;
        expect(parseReference(text)).toEqual({
          host: host.replace(/:443$/, ""),
          ...(host.endsWith(":443") && { writtenHost: host }),
          path,
          ...(tag === undefined ? {} : { tag }),
        });
      }),
      { numRuns: 1000 },
    );
  });
});
