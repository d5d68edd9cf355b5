import { describe, expect, it } from "vitest";
import { readDescriptor } from "../../../../src/core/oci/descriptor.ts";
import { DIGEST } from "../../../support/evidence.ts";
import { codeOf } from "../../../support/rejection.ts";

const VALID = { digest: DIGEST, size: 10, mediaType: "a/b", artifactType: "c/d", annotations: { x: "y" } };
const read = (value: unknown) => readDescriptor(value, "registry.bad_response", "it");

describe("readDescriptor", () => {
  it("reads what is needed and leaves the rest", () => {
    const { mediaType: _type, size: _size, ...expected } = VALID;
    expect(read({ ...VALID, platform: 1, urls: null })).toEqual(expected);
    for (const size of [undefined, 0, -1, "10", 2 ** 60]) {
      expect(read({ digest: DIGEST, size })).toEqual({ digest: DIGEST, annotations: {} });
    }
  });

  it.each([null, [], "text", 1])("refuses what is no object: %j", (value) => {
    expect(codeOf(() => read(value))).toBe("registry.bad_response");
  });

  it.each([
    { digest: undefined },
    { digest: 1 },
    { digest: DIGEST.toUpperCase() },
    { digest: `sha512:${"a".repeat(128)}` },
    { digest: `${DIGEST}/../x` },
  ])("refuses %j, by the code it is given", (changes) => {
    expect(codeOf(() => readDescriptor({ ...VALID, ...changes }, "car.malformed", "it"))).toBe("car.malformed");
  });

  it("takes types that are empty or no text for none", () => {
    for (const type of ["", null, 1, {}]) {
      expect(read({ ...VALID, artifactType: type }).artifactType).toBeUndefined();
    }
  });

  it("takes annotations that are no object for none", () => {
    for (const annotations of [null, "x", [["a", "b"]], 1]) {
      expect(read({ ...VALID, annotations }).annotations).toEqual({});
    }
  });
});
