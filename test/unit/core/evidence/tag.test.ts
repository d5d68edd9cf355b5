import { describe, expect, it } from "vitest";
import type { DagCbor } from "../../../../src/core/encoding/dag-cbor.ts";
import { tagRecordAddress, tagRecordPath } from "../../../../src/core/evidence/record-path.ts";
import { namedDigest, readTag } from "../../../../src/core/evidence/tag.ts";
import { DIGEST, didNamed, digestOf, tagRecordOf } from "../../../support/evidence.ts";
import { codeOf } from "../../../support/rejection.ts";

const A = didNamed("a");
const HEX = DIGEST.slice("sha256:".length);
const OTHER = digestOf("another image");

/** How a record is read in which these fields are others; undefined: are not there. */
function reading(changes: Record<string, unknown>): () => unknown {
  const fields = Object.entries({ ...tagRecordOf(A), ...changes }).filter(([, value]) => value !== undefined);
  return () => readTag(A, DIGEST, new Map(fields) as DagCbor);
}

describe("the address of a tag's record", () => {
  it.each([
    ["app", "v1", "app_v1"],
    ["team/app", "v1", "team~app_v1"],
    ["a/b/c", "latest", "a~b~c_latest"],
    ["a_b", "c", "a_b_c"],
    ["a", "b_c", "a_b_c"],
  ])("of %s:%s is %s", (repository, tag, rkey) => {
    expect(tagRecordAddress(repository, tag)).toEqual({ collection: "io.atcr.tag", rkey });
    expect(tagRecordPath(repository, tag)).toBe(`io.atcr.tag/${rkey}`);
  });
});

describe("readTag", () => {
  it.each<[string, Record<string, unknown>]>([
    ["the at-uri of the digest's record", {}],
    ["the digest", { manifest: undefined, manifestDigest: DIGEST }],
    ["the digest, with null for the at-uri", { manifest: null, manifestDigest: DIGEST }],
    ["the at-uri, with null for the digest", { manifestDigest: null }],
    ["both", { manifestDigest: DIGEST }],
  ])("reads whose tag names the image by %s", (_, changes) => {
    expect(reading(changes)()).toEqual({ repository: "app", tag: "v1" });
  });

  const createdAt = "2025-06-01T00:00:00.000Z";
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = `at://${A}/io.atcr.manifest/${HEX}`;
  it.each<[string, Record<string, unknown>]>([
    ["the first", { manifestDigest: DIGEST, createdAt }],
    ["with an at-uri and the deprecated digest", { manifest, manifestDigest: DIGEST, createdAt }],
    ["of the time of its last change", { manifest, updatedAt: createdAt }],
    ["of no time at all", { manifest }],
    ["with the media type", { manifest, manifestDigest: DIGEST, updatedAt: createdAt, mediaType }],
    ["with the deprecated digest empty", { manifest, manifestDigest: "" }],
    ["with the at-uri empty", { manifest: "", manifestDigest: DIGEST, createdAt }],
  ])("reads the form of a record that is %s", (_, form) => {
    const record = new Map(Object.entries({ $type: "io.atcr.tag", repository: "app", tag: "v1", ...form }));
    expect(readTag(A, DIGEST, record as DagCbor)).toEqual({ repository: "app", tag: "v1" });
    const moved = [...record].map(([name, value]) => [name, value === DIGEST ? OTHER : value] as const);
    const elsewhere = new Map(moved.map(([name, value]) => [name, value === manifest ? `${manifest}0` : value]));
    expect(codeOf(() => readTag(A, DIGEST, elsewhere as DagCbor))).toBe("tag.mismatch");
  });

  it("reports repository and tag as the record has them", () => {
    expect(reading({ repository: "a_b", tag: "c" })()).toEqual({ repository: "a_b", tag: "c" });
  });

  it.each<[string, Record<string, unknown>]>([
    ["another type", { $type: "io.atcr.manifest" }],
    ["no type", { $type: undefined }],
    ["no repository", { repository: undefined }],
    ["a repository that is no text", { repository: 7 }],
    ["no tag", { tag: undefined }],
    ["a tag that is no text", { tag: null }],
    ["no manifest", { manifest: undefined }],
    ["null for both", { manifest: null, manifestDigest: null }],
    ["another digest's record", { manifest: `at://${A}/io.atcr.manifest/${OTHER.slice(7)}` }],
    ["a record in another repo", { manifest: `at://${didNamed("b")}/io.atcr.manifest/${HEX}` }],
    ["a record of another collection", { manifest: `at://${A}/io.atcr.tag/${HEX}` }],
    ["an at-uri with more behind it", { manifest: `at://${A}/io.atcr.manifest/${HEX}/x` }],
    ["an at-uri with less", { manifest: `at://${A}/io.atcr.manifest/${HEX.slice(1)}` }],
    ["an at-uri by handle", { manifest: `at://alice.test/io.atcr.manifest/${HEX}` }],
    ["the digest for an at-uri", { manifest: DIGEST }],
    ["an at-uri that is no text", { manifest: new Map() }],
    ["an empty at-uri", { manifest: "" }],
    ["another digest", { manifest: undefined, manifestDigest: OTHER }],
    ["a digest without its algorithm", { manifest: undefined, manifestDigest: HEX }],
    ["a digest that is no text", { manifest: undefined, manifestDigest: 7 }],
    ["a good at-uri and another digest", { manifestDigest: OTHER }],
    [
      "a good digest and another at-uri",
      { manifest: `at://${A}/io.atcr.manifest/${OTHER.slice(7)}`, manifestDigest: DIGEST },
    ],
    ["a good digest and an at-uri that is no text", { manifest: 7, manifestDigest: DIGEST }],
  ])("refuses a record that has %s", (_, changes) => {
    expect(codeOf(reading(changes))).toBe("tag.mismatch");
  });

  it.each<[string, DagCbor]>([
    ["a text", "text"],
    ["a list", []],
    ["null", null],
  ])("refuses %s for a record", (_, record) => {
    expect(codeOf(() => readTag(A, DIGEST, record))).toBe("tag.mismatch");
  });

  it("names what it found", () => {
    expect(reading({ manifestDigest: OTHER })).toThrow(`names "${OTHER}", not ${DIGEST}`);
    expect(reading({ manifest: new Map() })).toThrow("names something, not at://");
  });
});

describe("namedDigest", () => {
  const HEX = "ab".repeat(32);
  const named = (fields: Record<string, string | number>) =>
    namedDigest(SIGNER_OF_NAMED, new Map(Object.entries(fields)));
  const SIGNER_OF_NAMED = didNamed("a");
  const manifest = `at://${SIGNER_OF_NAMED}/io.atcr.manifest/${HEX}`;

  it("is that of the record in the same repo, or the one that is written out", () => {
    expect(named({ manifest })).toBe(`sha256:${HEX}`);
    expect(named({ manifestDigest: `sha256:${HEX}` })).toBe(`sha256:${HEX}`);
    expect(named({ manifest, manifestDigest: `sha256:${"0".repeat(64)}` })).toBe(`sha256:${HEX}`);
  });

  it.each([
    [{ manifest: manifest.replace("aaaa", "bbbb") }],
    [{ manifest: manifest.replace("manifest", "tag") }],
    [{ manifest: `${manifest}0` }],
    [{ manifestDigest: HEX }],
    [{ manifestDigest: 1 }],
    [{}],
  ])("is none of %j", (fields) => {
    expect(named(fields as Record<string, string | number>)).toBeUndefined();
  });

  it("is none of what is no map", () => {
    expect(namedDigest(SIGNER_OF_NAMED, "text")).toBeUndefined();
  });
});
