import { describe, expect, it } from "vitest";
import { toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { parseDateTime } from "../../../../src/core/encoding/time.ts";
import {
  attachmentOf,
  isSealedBy,
  listAttachment,
  orderAttachments,
} from "../../../../src/core/oci/attached-evidence.ts";
import { readDescriptor } from "../../../../src/core/oci/descriptor.ts";
import { listsAllOf } from "../../../../src/core/oci/fallback-index.ts";
import { EVIDENCE_TYPE } from "../../../../src/core/oci/referrers.ts";
import { DIGEST, digestOf, json } from "../../../support/evidence.ts";
import { codeOf } from "../../../support/rejection.ts";

const [KEY, OTHER] = ["did:key:zOurs", "did:key:zTheirs"];
const SUBJECT = { mediaType: "application/vnd.oci.image.index.v1+json", digest: DIGEST, size: 3 };
const AT = parseDateTime("2026-11-30T00:00:00Z") ?? 0;
const attachment = (content = "sealed", key = KEY) => attachmentOf(SUBJECT, toUtf8(content), key, AT);
const NOTE = { mediaType: "x/y", digest: digestOf("note"), size: 4, artifactType: "a/note", other: { kept: [1] } };
const read = (value: unknown) => readDescriptor(value, "registry.bad_response", "it");
const parsed = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes));

describe("attachmentOf", () => {
  it("describes the bundle and names the image as its subject", () => {
    const { bundle, manifest } = attachment();
    expect(parsed(manifest.bytes)).toEqual({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      artifactType: EVIDENCE_TYPE,
      config: { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf("{}"), size: 2 },
      layers: [
        {
          mediaType: "application/vnd.atcr-verify.evidence.v2+jsonl",
          digest: digestOf("sealed"),
          size: bundle.bytes.length,
        },
      ],
      subject: SUBJECT,
      annotations: { "atcr-verify.seal.key": KEY, "org.opencontainers.image.created": "2026-11-30T00:00:00Z" },
    });
    expect(manifest.descriptor).toEqual({
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      digest: digestOf(new TextDecoder().decode(manifest.bytes)),
      size: manifest.bytes.length,
      artifactType: EVIDENCE_TYPE,
      annotations: parsed(manifest.bytes).annotations,
    });
    expect(attachment().manifest).toEqual(manifest);
  });
});

describe("isSealedBy", () => {
  it("needs the type and the key", () => {
    const { descriptor } = attachment().manifest;
    expect(isSealedBy(read(descriptor), KEY)).toBe(true);
    expect(isSealedBy(read(descriptor), OTHER)).toBe(false);
    expect(isSealedBy(read({ ...descriptor, artifactType: "a/note" }), KEY)).toBe(false);
    expect(isSealedBy(read({ ...descriptor, annotations: {} }), KEY)).toBe(false);
  });
});

describe("orderAttachments", () => {
  const named = (name: string, key: string | undefined, created?: string) =>
    read({
      digest: digestOf(name),
      annotations: {
        ...(key && { "atcr-verify.seal.key": key }),
        ...(created && { "org.opencontainers.image.created": created }),
      },
    });
  const order = (...all: readonly ReturnType<typeof named>[]) =>
    orderAttachments(all, [KEY], AT).map(({ digest }) => digest);

  it("puts those that name a key that counts first, the newest first, and then those that name none", () => {
    const [old, late] = [named("old", KEY, "2026-01-01T00:00:00Z"), named("late", KEY, "2026-11-01T00:00:00Z")];
    const [none, undated] = [named("none", undefined, "2026-11-02T00:00:00Z"), named("undated", KEY)];
    expect(order(none, undated, old, late)).toEqual(["late", "old", "undated", "none"].map(digestOf));
  });

  it("leaves out those of other keys and those from the future", () => {
    const latest = named("latest", KEY, "2026-11-30T00:00:00Z");
    expect(order(named("other", OTHER), named("future", KEY, "2026-11-30T00:00:01Z"), latest)).toEqual([latest.digest]);
    expect(order(named("odd", KEY, "tomorrow"))).toEqual([digestOf("odd")]);
  });
});

describe("listAttachment", () => {
  const entry = attachment().manifest.descriptor;
  const list = (before: unknown) => listAttachment(before === undefined ? undefined : json(before), entry, KEY);

  it("makes an index where there is none", () => {
    const { index, replaced } = list(undefined);
    expect(parsed(index.bytes)).toEqual({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [entry],
    });
    expect(index.descriptor.mediaType).toBe("application/vnd.oci.image.index.v1+json");
    expect(replaced).toEqual([]);
  });

  it("keeps what others wrote as it is, and replaces its own", () => {
    const [older, theirs] = [attachment("older"), attachment("theirs", OTHER)].map((one) => one.manifest.descriptor);
    const before = { schemaVersion: 2, annotations: { a: "b" }, manifests: [NOTE, older, "odd", theirs, null] };
    const { index, replaced } = list(before);
    expect(parsed(index.bytes)).toMatchObject({
      annotations: { a: "b" },
      manifests: [NOTE, "odd", theirs, null, entry],
    });
    expect(replaced).toEqual([older?.digest]);
    const again = listAttachment(index.bytes, entry, KEY);
    expect([again.replaced, parsed(again.index.bytes)]).toEqual([[], parsed(index.bytes)]);
  });

  it.each([["[]"], ["{}"], ['{"manifests":{}}'], ["x"], ['{"layers":[]}']])("does not replace %s", (text) => {
    expect(codeOf(() => listAttachment(toUtf8(text), entry, KEY))).toBe("registry.bad_response");
  });

  it("takes null for an empty list, as registries in Go write it", () => {
    expect(parsed(list({ manifests: null }).index.bytes).manifests).toEqual([entry]);
  });
});

describe("listsAllOf", () => {
  it("compares entries, whatever their order", () => {
    const entry = attachment().manifest.descriptor;
    const { index } = listAttachment(json({ manifests: [NOTE] }), entry, KEY);
    expect(listsAllOf(json({ manifests: [entry, NOTE, "more"] }), index)).toBe(true);
    expect(listsAllOf(json({ manifests: [entry] }), index)).toBe(false);
    expect(listsAllOf(json({ manifests: [NOTE] }), index)).toBe(false);
    expect(listsAllOf(undefined, index)).toBe(false);
  });
});
