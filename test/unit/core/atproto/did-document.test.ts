import { describe, expect, it } from "vitest";
import { readDidDocument, readHandles } from "../../../../src/core/atproto/did-document.ts";
import { parseDidKey } from "../../../../src/core/atproto/key.ts";
import { toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { type DocumentForm, didDocument, verificationMethod } from "../../../support/did-document.ts";
import { codeOf } from "../../../support/rejection.ts";
import { type Curve, signingKey } from "../../../support/signing-key.ts";

const DID = "did:web:alice.example";
const PDS = "https://pds.example";
const key = signingKey("k256", "document");
const good = didDocument({ did: DID, handles: ["alice.example", "alice.org"], key, pds: PDS });
const method = verificationMethod(DID, key, "multikey");
const service = { id: "#atproto_pds", type: "AtprotoPersonalDataServer", serviceEndpoint: PDS };

const bytesOf = (document: unknown) => toUtf8(JSON.stringify(document));
const read = (document: unknown) => readDidDocument(DID, bytesOf(document));
const codeFor = (changes: Record<string, unknown>) => codeOf(() => read({ ...good, ...changes }));

describe("a DID document", () => {
  it("names the key, the PDS and the handles", () => {
    expect(read(good)).toEqual({
      did: DID,
      key: parseDidKey(key.did()),
      formerKeys: new Set(),
      pds: PDS,
      handles: ["alice.example", "alice.org"],
      services: [{ id: "atproto_pds", type: "AtprotoPersonalDataServer" }],
    });
  });

  const forms: [Curve, DocumentForm][] = (["k256", "p256"] as const).flatMap((curve) =>
    (["multikey", "fragment", "legacy", "legacy-compressed"] as const).map((form): [Curve, DocumentForm] => [
      curve,
      form,
    ]),
  );
  it.each(forms)("may hold a %s key as %s", (curve, form) => {
    const held = signingKey(curve, "form");
    const document = didDocument({ did: DID, key: held, pds: PDS, form });
    expect(read(document).key).toEqual(parseDidKey(held.did()));
  });

  it("may hold other methods, services and fields, and write ids with the DID", () => {
    const document = {
      ...good,
      verificationMethod: [{ ...method, id: `${DID}#other` }, method, { id: "#x" }, null, "text", 1, []],
      service: [
        { ...service, id: "#labeler" },
        { ...service, id: `${DID}#atproto_pds` },
        null,
        { type: "x" },
        { id: 1, type: "x" },
        { id: "#x" },
        { id: "#x", type: 1 },
      ],
      created: 1,
    };
    const services = ["labeler", "atproto_pds"].map((id) => ({ id, type: service.type }));
    expect(read(document)).toEqual({ ...read(good), services });
  });

  it("is one of this DID", () => {
    expect(codeFor({ id: "did:web:bob.example" })).toBe("identity.invalid");
    expect(codeFor({ id: `${DID}#` })).toBe("identity.invalid");
    expect(codeFor({ id: undefined })).toBe("identity.invalid");
    expect(codeFor({ id: [DID] })).toBe("identity.invalid");
  });

  it("may not stop the program with an id that has no text", () => {
    expect(codeFor({ id: { toString: null, valueOf: null } })).toBe("identity.invalid");
    const deep = `{"id":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
    expect(codeOf(() => readDidDocument(DID, toUtf8(deep)))).toBe("identity.invalid");
  });

  it("is a JSON object", () => {
    for (const text of ["", "{", "null", "[]", '"x"', "1", "<!doctype html><title>Back soon</title>"]) {
      expect(codeOf(() => readDidDocument(DID, toUtf8(text)))).toBe("identity.bad_response");
    }
    expect(codeOf(() => readDidDocument(DID, Uint8Array.of(0x7b, 0xff, 0x7d)))).toBe("identity.bad_response");
    expect(codeOf(() => readDidDocument(DID, toUtf8("{}")))).toBe("identity.invalid");
  });
});

describe("the #atproto method", () => {
  it("is one at least", () => {
    expect(codeFor({ verificationMethod: undefined })).toBe("identity.invalid");
    expect(codeFor({ verificationMethod: method })).toBe("identity.invalid");
    expect(codeFor({ verificationMethod: [] })).toBe("identity.invalid");
    expect(codeFor({ verificationMethod: [{ ...method, id: "#other" }] })).toBe("identity.invalid");
    expect(codeFor({ verificationMethod: [{ ...method, id: "did:web:bob.example#atproto" }] })).toBe(
      "identity.invalid",
    );
    expect(codeFor({ verificationMethod: [{ ...method, id: "atproto" }] })).toBe("identity.invalid");
  });

  it("is the first that holds a key, and further ones are ignored", () => {
    const legacy = verificationMethod(DID, key, "legacy");
    const stranger = verificationMethod(DID, signingKey("p256", "stranger"), "fragment");
    const keyOf = (...verificationMethod: readonly unknown[]) => read({ ...good, verificationMethod }).key.didKey;
    // As documents are on the way from the legacy type to Multikey.
    expect(keyOf(method, legacy)).toBe(key.did());
    expect(keyOf(legacy, method, method)).toBe(key.did());
    expect(keyOf(method, stranger)).toBe(key.did());
    expect(keyOf(stranger, method)).toBe(signingKey("p256", "stranger").did());
    const useless = [
      { ...method, type: "JsonWebKey2020" },
      { ...method, publicKeyMultibase: "z1" },
      { id: "#atproto" },
    ];
    expect(keyOf(...useless, method, stranger)).toBe(key.did());
    const codes = (...methods: readonly unknown[]) => codeFor({ verificationMethod: methods });
    expect(codes(...useless)).toBe("identity.unsupported_key");
    // Eight are tried.
    expect(codes(...Array<unknown>(7).fill(useless[1]), method)).toBe("none");
    expect(codes(...Array<unknown>(8).fill(useless[1]), method)).toBe("identity.unsupported_key");
  });

  it("has a type and a key", () => {
    expect(codeFor({ verificationMethod: [{ ...method, type: undefined }] })).toBe("identity.invalid");
    expect(codeFor({ verificationMethod: [{ ...method, type: ["Multikey"] }] })).toBe("identity.invalid");
    expect(codeFor({ verificationMethod: [{ ...method, publicKeyMultibase: undefined }] })).toBe("identity.invalid");
    expect(codeFor({ verificationMethod: [{ ...method, publicKeyMultibase: 1 }] })).toBe("identity.invalid");
  });

  it("is k256 or p256, in the form of its type", () => {
    const unsupported = "identity.unsupported_key";
    const ed25519 = "z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";
    expect(codeFor({ verificationMethod: [{ ...method, publicKeyMultibase: ed25519 }] })).toBe(unsupported);
    expect(codeFor({ verificationMethod: [{ ...method, publicKeyMultibase: "" }] })).toBe(unsupported);
    expect(codeFor({ verificationMethod: [{ ...method, type: "JsonWebKey2020" }] })).toBe(unsupported);
    expect(codeFor({ verificationMethod: [{ ...method, type: "EcdsaSecp256k1VerificationKey2019" }] })).toBe(
      unsupported,
    );
    const legacy = verificationMethod(DID, key, "legacy");
    expect(codeFor({ verificationMethod: [{ ...legacy, type: "Multikey" }] })).toBe(unsupported);
    expect(codeFor({ verificationMethod: [{ ...legacy, type: "EcdsaSecp256r1VerificationKey2019" }] })).toBe(
      unsupported,
    );
  });
});

describe("the #atproto_pds service", () => {
  it("is one at least", () => {
    expect(codeFor({ service: undefined })).toBe("identity.invalid");
    expect(codeFor({ service: [] })).toBe("identity.invalid");
    expect(codeFor({ service: [{ ...service, id: "#pds" }] })).toBe("identity.invalid");
  });

  it("is the first of its type, and further ones are ignored", () => {
    const other = { ...service, serviceEndpoint: "https://other.example" };
    const pdsOf = (...services: readonly unknown[]) => read({ ...good, service: services }).pds;
    expect(pdsOf(service, other)).toBe(PDS);
    expect(pdsOf(other, service)).toBe("https://other.example");
    expect(pdsOf({ ...other, type: "Other" }, service, other)).toBe(PDS);
    // It is not passed over for being unusable.
    expect(codeFor({ service: [{ ...service, serviceEndpoint: "ftp://pds.example" }, service] })).toBe(
      "identity.invalid",
    );
  });

  it("has its type and an endpoint", () => {
    expect(codeFor({ service: [{ ...service, type: "Other" }] })).toBe("identity.invalid");
    expect(codeFor({ service: [{ ...service, type: undefined }] })).toBe("identity.invalid");
    expect(codeFor({ service: [{ ...service, serviceEndpoint: undefined }] })).toBe("identity.invalid");
    expect(codeFor({ service: [{ ...service, serviceEndpoint: { uri: PDS } }] })).toBe("identity.invalid");
    expect(codeFor({ service: [{ ...service, serviceEndpoint: `${PDS}/path` }] })).toBe("identity.invalid");
  });
});

describe("lists in a DID document", () => {
  it("are read up to 256 entries", () => {
    const others = (count: number) => Array.from({ length: count }, (_, i) => ({ ...method, id: `#${i}` }));
    expect(codeFor({ verificationMethod: [...others(255), method] })).toBe("none");
    expect(codeFor({ verificationMethod: [...others(256), method] })).toBe("identity.invalid");
    expect(codeFor({ service: [...others(256), service] })).toBe("identity.invalid");
  });
});

describe("handles", () => {
  it("are the at:// entries of alsoKnownAs, in order", () => {
    expect(readHandles(["at://a.example", "https://b.example", 1, null, "c.example", "at://d.example"])).toEqual([
      "a.example",
      "d.example",
    ]);
  });

  it("are none where there is no list", () => {
    for (const none of [undefined, null, "at://a.example", {}, []]) expect(readHandles(none)).toEqual([]);
  });

  it("are read up to 256 entries", () => {
    expect(readHandles(Array.from({ length: 300 }, (_, i) => `at://h${i}.example`))).toHaveLength(256);
  });
});
