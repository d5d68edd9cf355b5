import { describe, expect, it } from "vitest";
import { isDid } from "../../../../src/core/atproto/syntax.ts";
import { toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { didDocument } from "../../../support/did-document.ts";
import { proveIdentity } from "../../../support/identity.ts";
import { PlcLog } from "../../../support/plc-operations.ts";
import { codeOf } from "../../../support/rejection.ts";
import { signingKey } from "../../../support/signing-key.ts";

const AT = Date.UTC(2025, 0, 1);
const key = signingKey("k256", "identity");
const rotation = signingKey("p256", "identity rotation");

describe("an identity", () => {
  it("of did:plc comes from its log, never from a document", async () => {
    const log = await PlcLog.create(
      { rotationKeys: [rotation], signingKey: key, handle: "alice.example", pds: "https://pds.example" },
      { at: AT },
    );
    if (!isDid(log.did)) throw new Error(log.did);
    const { did } = log;
    expect(proveIdentity(did, log.bytes())).toMatchObject({ did, key: { didKey: key.did() } });
    expect(codeOf(() => proveIdentity(did, toUtf8(JSON.stringify(log.document()))))).toBe("identity.log_invalid");
  });

  it("of did:web comes from its document, never from a log", async () => {
    const did = "did:web:alice.example";
    const document = didDocument({ did, key, pds: "https://pds.example" });
    expect(proveIdentity(did, toUtf8(JSON.stringify(document)))).toMatchObject({ did, key: { didKey: key.did() } });
    expect(codeOf(() => proveIdentity(did, toUtf8("{}")))).toBe("identity.invalid");
  });
});
