import { describe, expect, it } from "vitest";
import { fromHex } from "../../../../src/core/encoding/bytes.ts";
import { Cid, cidOf } from "../../../../src/core/encoding/cid.ts";
import type { DagCbor } from "../../../../src/core/encoding/dag-cbor.ts";
import { readClaim } from "../../../../src/core/evidence/claim.ts";
import { recordAddress, recordPath } from "../../../../src/core/evidence/record-path.ts";
import { digestHex } from "../../../../src/core/oci/digest.ts";
import { DIGEST, digestOf, MANIFEST, recordOf, SIGNED } from "../../../support/evidence.ts";
import { codeOf } from "../../../support/rejection.ts";

const HEX = digestHex(DIGEST);

type Fields = Record<string, DagCbor | undefined>;

/** A map without the fields that are undefined. */
function mapOf(fields: Fields): DagCbor {
  return new Map(Object.entries(fields).filter((field): field is [string, DagCbor] => field[1] !== undefined));
}

function record(changes: Fields = {}): DagCbor {
  return mapOf({ ...(recordOf() as Fields), ...changes });
}

/** A CIDv1 of SHA-256 with this codec and hash. */
function cid(codec: number, hex: string): Cid {
  return new Cid(Uint8Array.of(1, codec, 0x12, 32, ...fromHex(hex)));
}

function blob(changes: Fields = {}): DagCbor {
  return mapOf({ $type: "blob", ref: cid(0x55, HEX), mimeType: MANIFEST, size: 512, ...changes });
}

const read = (changes: Fields) => codeOf(() => readClaim(DIGEST, record(changes)));

describe("the place of a record", () => {
  it("is the collection and the digest's hex", () => {
    expect(recordPath(DIGEST)).toBe(`io.atcr.manifest/${HEX}`);
    expect(recordAddress(DIGEST)).toEqual({ collection: "io.atcr.manifest", rkey: HEX });
  });
});

describe("readClaim", () => {
  it("reads what the record says", () => {
    expect(readClaim(DIGEST, record())).toEqual({ repository: "app", mediaType: MANIFEST, createdAt: SIGNED });
  });

  it("does not judge fields that no rule looks at", () => {
    expect(read({ schemaVersion: "two", layers: null, holdEndpoint: 7 })).toBe("none");
  });

  it.each([null, "text", 7, [], new Uint8Array(3), cidOf("raw", new Uint8Array())])("wants a map", (value) => {
    expect(codeOf(() => readClaim(DIGEST, value))).toBe("record.malformed");
  });

  it.each(["$type", "digest", "repository", "createdAt", "mediaType"])("wants %s, and as a string", (name) => {
    for (const value of [undefined, null, 7, [], new Uint8Array(3)])
      expect(read({ [name]: value })).toBe("record.malformed");
  });

  it("wants ATCR's type of record", () => {
    expect(read({ $type: "io.atcr.tag" })).toBe("record.malformed");
    expect(read({ $type: "io.atcr.manifest#main" })).toBe("record.malformed");
  });

  it("wants the digest itself, not something like it", () => {
    expect(read({ digest: digestOf("another image") })).toBe("record.digest_mismatch");
    expect(read({ digest: DIGEST.toUpperCase() })).toBe("record.digest_mismatch");
    expect(read({ digest: HEX })).toBe("record.digest_mismatch");
    expect(read({ digest: `${DIGEST} ` })).toBe("record.digest_mismatch");
  });

  it("wants a repository with a name: the end of every path is empty", () => {
    expect(read({ repository: "" })).toBe("record.malformed");
  });

  it("wants a date of the calendar", () => {
    for (const createdAt of ["", "yesterday", "2025-02-30T00:00:00Z", "2025-01-01"]) {
      expect(read({ createdAt })).toBe("record.malformed");
    }
  });
});

describe("readClaim of a copy of the manifest", () => {
  it("takes its size", () => {
    expect(readClaim(DIGEST, record({ manifestBlob: blob() }))).toMatchObject({ blobSize: 512 });
  });

  it("takes null as no copy", () => {
    expect(readClaim(DIGEST, record({ manifestBlob: null }))).not.toHaveProperty("blobSize");
  });

  it("wants a reference to raw bytes, with a size", () => {
    const malformed: DagCbor[] = [
      "blob",
      new Map<string, DagCbor>(),
      blob({ ref: undefined }),
      blob({ ref: HEX }),
      blob({ ref: cid(0x71, HEX) }),
      blob({ ref: new Cid(Uint8Array.of(1, 0x55, 0, 3, 1, 2, 3)) }),
      blob({ size: undefined }),
      blob({ size: "512" }),
    ];
    for (const manifestBlob of malformed) expect(read({ manifestBlob })).toBe("record.malformed");
  });

  it("wants the digest as its hash", () => {
    const other = blob({ ref: cid(0x55, digestHex(digestOf("another image"))) });
    expect(read({ manifestBlob: other })).toBe("record.blob_mismatch");
  });
});
