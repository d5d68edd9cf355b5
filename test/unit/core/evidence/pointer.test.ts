import { describe, expect, it } from "vitest";
import { pointerFromAnnotations, pointerFromPayload } from "../../../../src/core/evidence/pointer.ts";
import { recordPath } from "../../../../src/core/evidence/record-path.ts";
import { DIGEST, didNamed, digestOf, json } from "../../../support/evidence.ts";
import { codeOf } from "../../../support/rejection.ts";

const DID = didNamed("a");
const URL = "https://registry.example/v2/team/app/manifests/x";
const OURS = `at://${DID}/${recordPath(DIGEST)}`;
const annotated = (entries: Record<string, string>) => pointerFromAnnotations(entries, URL, DIGEST);
const paid = (payload: unknown) => pointerFromPayload(json(payload), URL, DIGEST);

describe.each([
  [
    "annotations",
    (did: string, recordUri?: string) =>
      annotated({
        "io.atcr.atproto.did": did,
        "io.atcr.atproto.pds": "https://trap.example",
        ...(recordUri === undefined ? {} : { "io.atcr.atproto.recordUri": recordUri }),
      }),
  ],
  [
    "a payload",
    (did: string, recordUri?: string) => paid({ atproto: { did, recordUri, pdsEndpoint: "https://trap.example" } }),
  ],
])("a pointer from %s", (_, pointer) => {
  it("is the DID and nothing else", () => {
    expect(pointer(DID)).toEqual({ signer: DID, url: URL });
    expect(pointer(DID, OURS)).toEqual({ signer: DID, url: URL });
  });

  it.each(["", "alice.example.com", "did:key:z6Mk", `${DID}/x`, "did:web:127.0.0.1", "did:web:a.example%2Fx"])(
    "is none where %j is no DID",
    (did) => {
      expect(pointer(did)).toBeUndefined();
    },
  );

  it.each([
    `at://${DID}/app.bsky.feed.post/x`,
    `at://${DID}/${recordPath(digestOf("other"))}`,
    `at://${didNamed("b")}/${recordPath(DIGEST)}`,
    "",
    "https://trap.example/",
  ])("to another record, %s, is noted", (uri) => {
    expect(pointer(DID, uri)).toEqual({
      signer: DID,
      url: URL,
      note: `points to ${JSON.stringify(uri)}, expected ${OURS}`,
    });
  });

  it("repeats little of what it was given", () => {
    expect(pointer(DID, "x".repeat(100_000))?.note?.length).toBeLessThan(1000);
  });
});

describe("pointerFromPayload", () => {
  it("finds none in a payload of another shape", () => {
    for (const payload of [
      null,
      [],
      {},
      { atproto: null },
      { atproto: [DID] },
      { atproto: { did: 1 } },
      { atproto: { did: [DID] } },
      { did: DID },
    ]) {
      expect(paid(payload)).toBeUndefined();
    }
    expect(paid({ atproto: { did: DID, recordUri: 1 } })).toEqual({ signer: DID, url: URL });
  });

  it("refuses what is no JSON", () => {
    expect(codeOf(() => pointerFromPayload(new Uint8Array([1]), URL, DIGEST))).toBe("registry.bad_response");
  });
});
