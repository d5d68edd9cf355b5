import { describe, expect, it } from "vitest";
import {
  allReferrersPath,
  fallbackTagPath,
  isSignatureType,
  nextPage,
  readReferrers,
  referrersPath,
  SIGNATURE_TYPE,
  saysSomething,
} from "../../../../src/core/oci/referrers.ts";
import { DIGEST, digestOf, json } from "../../../support/evidence.ts";
import { codeOf } from "../../../support/rejection.ts";

const EMPTY = "application/vnd.oci.empty.v1+json";
const descriptor = (content: string, artifactType?: unknown) => ({
  digest: digestOf(content),
  size: 1,
  ...(artifactType === undefined ? {} : { artifactType }),
});
const page = (...manifests: readonly unknown[]) => {
  const found = readReferrers(json({ manifests }), SIGNATURE_TYPE);
  if (found === undefined) throw new Error("it is no index");
  return found;
};

describe("the paths of referrers", () => {
  it("are those of the distribution specification", () => {
    const type = "application%2Fvnd.atproto.signature.v1%2Bjson";
    expect(referrersPath(DIGEST, SIGNATURE_TYPE)).toBe(`referrers/${DIGEST}?artifactType=${type}`);
    expect(allReferrersPath(DIGEST)).toBe(`referrers/${DIGEST}`);
    expect(fallbackTagPath(DIGEST)).toBe(`manifests/${DIGEST.replace(":", "-")}`);
  });
});

describe("readReferrers", () => {
  it("keeps signatures, and what says nothing of its type", () => {
    const kept = [SIGNATURE_TYPE, undefined, "", EMPTY, null, 1].map((type, i) => descriptor(`kept ${i}`, type));
    const others = ["application/spdx+json", `${SIGNATURE_TYPE} `, "application/vnd.oci.image.config.v1+json"];
    const { candidates, unreadable } = page(...others.map((type, i) => descriptor(`other ${i}`, type)), ...kept);
    expect(candidates.map(({ digest }) => digest)).toEqual(kept.map(({ digest }) => digest));
    expect(unreadable).toBeUndefined();
  });

  it("lets a descriptor that cannot be read hide no other", () => {
    const bad = { ...descriptor("bad", SIGNATURE_TYPE), digest: `sha512:${"0".repeat(128)}` };
    const { candidates, unreadable } = page(bad, descriptor("good", SIGNATURE_TYPE), null);
    expect(candidates.map(({ digest }) => digest)).toEqual([digestOf("good")]);
    expect(unreadable).toMatchObject({ code: "registry.bad_response" });
  });

  it("does not mind what is wrong with descriptors of other artifacts", () => {
    expect(page({ artifactType: "application/spdx+json", digest: "sha512:…" })).toEqual({
      candidates: [],
      hasOthers: true,
    });
  });

  it.each(["", "[]", "null", "{}", `{"manifests":{}}`, `{"manifests":"x"}`, "<html>", "\xff"])(
    "knows what is no index: %s",
    (text) => {
      expect(readReferrers(Buffer.from(text, "latin1"), SIGNATURE_TYPE)).toBeUndefined();
    },
  );

  it("takes a list that is null for an empty one", () => {
    expect(readReferrers(json({ manifests: null }), SIGNATURE_TYPE)).toEqual({ candidates: [], hasOthers: false });
  });

  it("bounds the referrers of one page", () => {
    const many = (count: number) => Array.from({ length: count }, () => descriptor("same", "x/y"));
    expect(page(...many(5000)).candidates).toEqual([]);
    expect(codeOf(() => page(...many(5001)))).toBe("registry.bad_response");
  });
});

describe("artifact types", () => {
  it("mean a signature, something else, or nothing", () => {
    expect([SIGNATURE_TYPE, EMPTY, undefined, "x/y"].map(isSignatureType)).toEqual([true, false, false, false]);
    expect([SIGNATURE_TYPE, EMPTY, undefined, "x/y"].map(saysSomething)).toEqual([true, false, false, true]);
  });
});

describe("nextPage", () => {
  it.each([
    [`</v2/a/referrers/x?n=2>; rel="next"`, "/v2/a/referrers/x?n=2"],
    ["<https://r.example/x>;rel=next", "https://r.example/x"],
    [`<a>; rel="first", <b>; rel="next"`, "b"],
    [`<a>; title="x, y"; rel="next"`, "a"],
    [`<a?after=1,2;3>; rel="next"`, "a?after=1,2;3"],
    [`<a>; rel="prev next"`, "a"],
    [`<a>; REL = "NEXT"`, "a"],
    [`<>; rel="next"`, ""],
  ])("finds the target in %s", (header, target) => {
    expect(nextPage(header)).toBe(target);
  });

  it.each([
    undefined,
    "",
    "<a>",
    `<a>; rel="prev"`,
    `<a>; rel="next-archive"`,
    `<a>; rel="prev"; rel="next"`,
    `a; rel="next"`,
    `<a; rel="next"`,
    `<a>; xrel="next"`,
    `<a>; rel="first", rel="next"`,
  ])("finds none in %s", (header) => {
    expect(nextPage(header)).toBeUndefined();
  });

  it.each(["<", "<a>", `<a>"`, "<a>;", "<a>; rel=", `<a>; rel="`, " ", `<a>;"`])(
    "comes to an end with 64 KiB of %j",
    (text) => {
      expect(nextPage(text.repeat(65_536 / text.length))).toBeOneOf([undefined, "a"]);
    },
  );
});
