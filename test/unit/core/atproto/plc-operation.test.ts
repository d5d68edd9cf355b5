import { describe, expect, it } from "vitest";
import { readPlcOperation } from "../../../../src/core/atproto/plc-operation.ts";
import { toHex } from "../../../../src/core/encoding/bytes.ts";
import {
  encodeOperation,
  legacyCreate,
  type Operation,
  type PlcState,
  plcOperation,
  plcTombstone,
  type SignatureForm,
  signOperation,
} from "../../../support/plc-operations.ts";
import { codeOf } from "../../../support/rejection.ts";
import { signingKey } from "../../../support/signing-key.ts";

const rotation = signingKey("p256", "rotation");
const key = signingKey("k256", "signing");
const PREV = "bafyreihdb57fdysx5h35urvxz64ros7zvywshber7id6t6c6fek37jgyfe";
const STATE: PlcState = {
  rotationKeys: [rotation, key, rotation, ""],
  signingKey: key,
  handle: "alice.example",
  pds: "https://pds.example",
};
const modern = plcOperation(STATE, PREV);
const create = legacyCreate(STATE);
const tombstone = plcTombstone(PREV);

const read = (operation: unknown) => readPlcOperation(operation, "operation 1");
const codeFor = (operation: unknown) => codeOf(() => read(operation));
const signed = (operation: Operation, form: SignatureForm = "low-S") => signOperation(operation, rotation, form);

describe("an operation", () => {
  it.each([
    ["a plc_operation", modern],
    ["a legacy create", create],
    ["a tombstone", tombstone],
  ])("%s is hashed and signed as the reference encodes it", async (_, operation) => {
    const whole = await signed(operation);
    const { sig, ...unsigned } = whole;
    const found = read(whole);
    expect(found.cid.toString()).toBe((await encodeOperation(whole)).cid);
    expect(toHex(found.signedBytes)).toBe(toHex((await encodeOperation(unsigned)).bytes));
    expect(Buffer.from(found.signature).toString("base64url")).toBe(sig);
    expect(found.prev).toBe(operation["prev"]);
  });

  it("of today says who signs and where the repo is; duplicate and empty rotation keys stay", async () => {
    expect(read(await signed(modern)).state).toEqual({
      rotationKeys: [rotation.did(), key.did(), rotation.did(), ""],
      signingKey: key.did(),
      pds: "https://pds.example",
      alsoKnownAs: ["at://alice.example"],
      services: [{ id: "atproto_pds", type: "AtprotoPersonalDataServer" }],
    });
  });

  it("of today may lack keys and services", async () => {
    const empty = { ...modern, rotationKeys: [], verificationMethods: {}, services: {}, alsoKnownAs: [] };
    expect(read(await signed(empty)).state).toEqual({
      rotationKeys: [],
      signingKey: undefined,
      pds: undefined,
      alsoKnownAs: [],
      services: [],
    });
  });

  it("names its PDS by identifier and type", async () => {
    const pds = { type: "AtprotoPersonalDataServer", endpoint: "https://pds.example" };
    const pdsOf = async (services: Operation) => read(await signed({ ...modern, services })).state?.pds;
    expect(await pdsOf({ atproto_labeler: pds, atproto_pds: pds })).toBe("https://pds.example");
    expect(await pdsOf({ atproto_labeler: pds })).toBeUndefined();
    expect(await pdsOf({ atproto_pds: { ...pds, type: "Other" } })).toBeUndefined();
  });

  it("may say legacy that a host and a handle are bare", async () => {
    expect(read(await signed(create)).state).toEqual({
      rotationKeys: [rotation.did(), key.did()],
      signingKey: key.did(),
      pds: "https://pds.example",
      alsoKnownAs: ["at://alice.example"],
      services: [{ id: "atproto_pds", type: "AtprotoPersonalDataServer" }],
    });
    const changed = { ...create, service: "pds.example", handle: "at://bob.example" };
    expect(read(await signed(changed)).state).toMatchObject({
      pds: "https://pds.example",
      alsoKnownAs: ["at://bob.example"],
    });
    const plain = { ...create, service: "http://localhost:1" };
    expect(read(await signed(plain)).state?.pds).toBe("http://localhost:1");
    const withUrls = { ...create, service: "pds.example/?http://other.example", handle: "http://bob.example" };
    expect(read(await signed(withUrls)).state).toMatchObject({
      pds: "https://pds.example/?http://other.example",
      alsoKnownAs: ["at://bob.example"],
    });
    const inside = { ...create, handle: "bob.example/at://alice.example" };
    expect(read(await signed(inside)).state?.alsoKnownAs).toEqual(["at://bob.example/at://alice.example"]);
  });

  it("that is a tombstone has no state", async () => {
    expect(read(await signed(tombstone)).state).toBeUndefined();
  });
});

describe("an operation is refused", () => {
  it("where it is no object of a known type", async () => {
    for (const other of [null, undefined, [], "x", 1]) expect(codeFor(other)).toBe("identity.log_invalid");
    for (const type of [undefined, null, 1, "", "plc_update", "toString", [], { toJSON: 1 }]) {
      expect(codeFor({ ...(await signed(modern)), type })).toBe("identity.log_invalid");
    }
  });

  it("where its type is too deep to be told", async () => {
    const type: unknown = JSON.parse(`${"[".repeat(100_000)}${"]".repeat(100_000)}`);
    expect(codeFor({ ...(await signed(modern)), type })).toBe("identity.log_invalid");
  });

  it.each([
    ["a plc_operation", modern],
    ["a legacy create", create],
    ["a tombstone", tombstone],
  ])("where %s lacks a field, or one has another type", async (_, operation) => {
    const whole = await signed(operation);
    for (const name of Object.keys(whole)) {
      const { [name]: __, ...rest } = whole as Operation;
      expect(codeFor(rest)).toBe("identity.log_invalid");
      expect(codeFor({ ...whole, [name]: undefined })).toBe("identity.log_invalid");
      expect(codeFor({ ...whole, [name]: 1 })).toBe("identity.log_invalid");
      expect(codeFor({ ...whole, [name]: [1] })).toBe("identity.log_invalid");
      expect(codeFor({ ...whole, [name]: { a: 1 } })).toBe("identity.log_invalid");
      if (name !== "prev") expect(codeFor({ ...whole, [name]: null })).toBe("identity.log_invalid");
    }
    expect(codeFor(whole)).toBe("none");
  });

  it.each([
    ["a plc_operation", modern, "handle"],
    ["a legacy create", create, "rotationKeys"],
    ["a tombstone", tombstone, "services"],
  ])("where %s has a field it does not know", async (_, operation, name) => {
    for (const field of ["nonce", "__proto__", "constructor", name]) {
      const text = JSON.stringify(await signed(operation)).replace("{", `{${JSON.stringify(field)}:"x",`);
      expect(codeFor(JSON.parse(text))).toBe("identity.log_invalid");
    }
  });

  it("where a service has fields it does not know, or lacks its own", async () => {
    const pds = { type: "AtprotoPersonalDataServer", endpoint: "https://pds.example" };
    for (const service of [
      { ...pds, id: "x" },
      { type: pds.type },
      { endpoint: pds.endpoint },
      { ...pds, endpoint: null },
      "https://pds.example",
      null,
      [],
    ]) {
      expect(codeFor({ ...(await signed(modern)), services: { atproto_pds: service } })).toBe("identity.log_invalid");
      expect(codeFor({ ...(await signed(modern)), services: { other: service } })).toBe("identity.log_invalid");
    }
  });

  it("where a list or a map holds anything but text", async () => {
    const whole = await signed(modern);
    expect(codeFor({ ...whole, rotationKeys: [rotation.did(), null] })).toBe("identity.log_invalid");
    expect(codeFor({ ...whole, alsoKnownAs: [1] })).toBe("identity.log_invalid");
    expect(codeFor({ ...whole, verificationMethods: { atproto: key.did(), other: null } })).toBe(
      "identity.log_invalid",
    );
    expect(codeFor({ ...whole, verificationMethods: [key.did()] })).toBe("identity.log_invalid");
    expect(codeFor({ ...whole, services: [] })).toBe("identity.log_invalid");
  });

  it("where a legacy create follows another", async () => {
    expect(codeFor(await signed({ ...create, prev: PREV }))).toBe("identity.log_invalid");
  });

  it("where a text has half a surrogate pair, which would be hashed as another text", async () => {
    const whole = await signed(modern);
    for (const half of ["\ud800", "a\udc00b"]) {
      expect(codeFor({ ...whole, alsoKnownAs: [`at://${half}`] })).toBe("identity.log_invalid");
      expect(codeFor({ ...whole, verificationMethods: { [half]: key.did() } })).toBe("identity.log_invalid");
      expect(codeFor({ ...whole, prev: half })).toBe("identity.log_invalid");
    }
    expect(codeFor({ ...whole, alsoKnownAs: ["at://\ufffd", "at://😀"] })).toBe("none");
  });

  it.each(["padded", "pad-bits", "standard-base64", "truncated", "der"] as const)(
    "where its signature is %s",
    async (form) => {
      expect(codeFor(await signed(modern, form))).toBe("identity.log_invalid");
    },
  );

  it("where its signature is longer or empty", async () => {
    expect(codeFor({ ...modern, sig: "" })).toBe("identity.log_invalid");
    expect(codeFor({ ...modern, sig: "A".repeat(87) })).toBe("identity.log_invalid"); // 65 bytes
    expect(codeFor({ ...modern, sig: "A".repeat(86) })).toBe("none"); // 64 bytes
  });
});
