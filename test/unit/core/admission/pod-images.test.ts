import { describe, expect, it } from "vitest";
import { imagesOf, isKnownKind } from "../../../../src/core/admission/pod-images.ts";
import { codeOf } from "../../../support/rejection.ts";

describe("isKnownKind", () => {
  it("knows kinds by their group and version", () => {
    for (const known of ["v1/Pod", "apps/v1/Deployment", "batch/v1/CronJob"]) expect(isKnownKind(known)).toBe(true);
    for (const other of ["Pod", "v2/Pod", "apps/v1/Pod", "v1/Deployment", "batch/v1beta1/CronJob", "", "toString"]) {
      expect(isKnownKind(other)).toBe(false);
    }
  });
});

describe("imagesOf", () => {
  it("has the place of each image", () => {
    const containers = [{ name: "a", image: "x" }, { image: "y" }];
    const volumes = [{ name: "v", image: { reference: "z" } }];
    expect(imagesOf({ spec: { containers, volumes } }, "v1/Pod", "object")).toEqual([
      { image: "x", pointer: "/spec/containers/0/image", place: '["containers","a"]' },
      { image: "y", pointer: "/spec/containers/1/image", place: '["containers",null]' },
      { image: "z", pointer: "/spec/volumes/0/image/reference", place: '["volumes","v"]' },
    ]);
  });

  it("reads nothing but ephemeral containers at the top of EphemeralContainers, none without an image", () => {
    const of = (object: Record<string, unknown>) => imagesOf(object, "v1/EphemeralContainers", "object");
    expect(of({ ephemeralContainers: [{ name: "a", image: "x" }], volumes: "of another kind" })).toHaveLength(1);
    expect(codeOf(() => of({ ephemeralContainers: [{ name: "a" }] }))).toBe("input.malformed");
  });

  it("names the place of a mistake", () => {
    const pod = {
      spec: {
        initContainers: [
          { name: "a", image: "x" },
          { name: "b", image: [] },
        ],
      },
    };
    expect(() => imagesOf(pod, "v1/Pod", "request.object")).toThrow(
      "request.object.spec.initContainers[1].image is a list, expected a text",
    );
  });

  it("names the place of an image volume behind many others", () => {
    const volumes = [...Array.from({ length: 12 }, () => ({ name: "v" })), { image: { reference: "" } }];
    expect(() => imagesOf({ spec: { volumes } }, "v1/Pod", "object")).toThrow(
      "object.spec.volumes[12].image.reference is empty",
    );
  });

  it("finds none where the specification is missing", () => {
    expect(imagesOf({}, "v1/Pod", "object")).toEqual([]);
    expect(imagesOf({ spec: null }, "apps/v1/Deployment", "object")).toEqual([]);
  });

  it("refuses a kind that is not known", () => {
    expect(codeOf(() => imagesOf({}, "v1/Node", "object"))).toBe("input.malformed");
  });
});
