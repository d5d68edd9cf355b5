import { describe, expect, it } from "vitest";
import { parseAdmissionReview } from "../../../../src/core/admission/admission-request.ts";
import { imagesOf, isKnownKind } from "../../../../src/core/admission/pod-images.ts";
import { toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { findImages } from "../../../../src/core/image-lists/find-images.ts";
import { RECORDED_REQUESTS, recordedBytes } from "../../../support/recorded-admission/recorded-request.ts";

// `verify -f` of a manifest finds what admission judges where it is applied: the two look for images in different ways.

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
}

/** The objects of the recorded requests, as files. */
const MANIFESTS = RECORDED_REQUESTS.flatMap((name): [string, Manifest][] => {
  const { request } = JSON.parse(new TextDecoder().decode(recordedBytes(name))) as { request?: { object?: Manifest } };
  const object = request?.object;
  return object?.kind !== undefined && isKnownKind(`${object.apiVersion}/${object.kind}`) ? [[name, object]] : [];
});

const inFile = (object: object, name = "a.json") =>
  findImages(toUtf8(JSON.stringify(object)), name).images.map(({ text }) => text);
const sorted = (images: readonly string[]) => images.toSorted();

describe("verify -f and admission", () => {
  it("are compared on manifests of each kind of list", () => {
    expect(MANIFESTS.length).toBeGreaterThan(8);
    const kinds = new Set(MANIFESTS.map(([, { apiVersion, kind }]) => `${apiVersion}/${kind}`));
    for (const kind of ["v1/Pod", "apps/v1/Deployment", "batch/v1/CronJob"]) expect(kinds).toContain(kind);
  });

  it.each(MANIFESTS)("find the same images: %s", (_, object) => {
    const judged = imagesOf(object as never, `${object.apiVersion}/${object.kind}`, "object").map(({ image }) => image);
    expect(sorted(inFile(object))).toEqual(sorted(judged));
    expect(sorted(inFile({ apiVersion: "v1", kind: "List", items: [object] }))).toEqual(sorted(judged));
  });

  it("find the same in a request that is created", () => {
    const { images } = parseAdmissionReview(recordedBytes("pod-create-image-volume"));
    const [, pod] = MANIFESTS.find(([name]) => name === "pod-create-image-volume") ?? [];
    expect(sorted(inFile(pod ?? {}))).toEqual(sorted(images.map(({ image }) => image)));
    expect(images).toHaveLength(4);
  });

  it("find the same in a pod that runs, whose status names images as well", () => {
    const [, pod] = MANIFESTS.find(([name]) => name === "pod-ephemeral-containers") ?? [];
    const status = { containerStatuses: [{ name: "app", image: "sha256:0", imageID: "x" }] };
    expect(sorted(inFile({ ...pod, status }))).toEqual(sorted(inFile(pod ?? {})));
  });
});
