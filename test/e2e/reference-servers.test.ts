import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { verifyProofs, verifyRecords } from "@atproto/repo";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../support/process.ts";
import { type Account, type ReferenceServers, startReferenceServers } from "../support/reference-servers.ts";

const COLLECTION = "io.atcr.manifest";
const RKEY = "5e".repeat(32);
const RECORD = { repository: "app", digest: `sha256:${RKEY}`, mediaType: "application/vnd.oci.image.manifest.v1+json" };

let servers: ReferenceServers;
let accounts = 0;

beforeAll(async () => {
  servers = await startReferenceServers();
});

afterAll(async () => {
  await servers?.stop();
});

function createAccount(): Promise<Account> {
  accounts += 1;
  return servers.createAccount(`signer${accounts}.test`);
}

async function accountWithRecord(): Promise<Account> {
  const account = await createAccount();
  await servers.putRecord(account, COLLECTION, RKEY, RECORD);
  return account;
}

/** The signing key that the directory's newest operation names. */
async function publishedKey(did: string): Promise<string> {
  const { operation } = (await servers.auditLog(did)).at(-1)!;
  return (operation["verificationMethods"] as { atproto: string }).atproto;
}

function proof(did: string): Promise<Uint8Array> {
  return servers.getRecordProof(did, COLLECTION, RKEY);
}

describe("the repo", () => {
  it("proves a record under a digest's hex, signed by the key in the directory", async () => {
    const { did } = await accountWithRecord();
    const records = await verifyRecords(await proof(did), did, await publishedKey(did));
    expect(records).toEqual([{ collection: COLLECTION, rkey: RKEY, record: { $type: COLLECTION, ...RECORD } }]);
  });

  it("serves the proof as a CAR", async () => {
    const { did } = await accountWithRecord();
    const response = await fetch(servers.recordProofUrl(did, COLLECTION, RKEY));
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/vnd.ipld.car");
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(await proof(did));
  });

  it("proves the absence of a deleted record", async () => {
    const account = await accountWithRecord();
    const { did } = account;
    const absence = { collection: COLLECTION, rkey: RKEY, cid: null };
    const key = await publishedKey(did);
    expect((await verifyProofs(await proof(did), [absence], did, key)).unverified).toEqual([absence]);
    await servers.deleteRecord(account, COLLECTION, RKEY);
    expect((await verifyProofs(await proof(did), [absence], did, key)).verified).toEqual([absence]);
  });

  it("answers a write of the same record without a commit, and of another one with a newer", async () => {
    const account = await createAccount();
    const first = await servers.putRecord(account, COLLECTION, RKEY, RECORD);
    const same = await servers.putRecord(account, COLLECTION, RKEY, RECORD);
    expect([same.commit, same.cid]).toEqual([undefined, first.cid]);
    const second = await servers.resign(account);
    expect(second.rev > first.commit!.rev).toBe(true);
    expect((await servers.resign(account)).rev > second.rev).toBe(true);
  });

  it("keeps blobs", async () => {
    const account = await createAccount();
    const manifestBlob = await servers.uploadBlob(account, new TextEncoder().encode("{}"), RECORD.mediaType);
    expect(manifestBlob).toMatchObject({ $type: "blob", mimeType: RECORD.mediaType, size: 2 });
    await servers.putRecord(account, COLLECTION, RKEY, { ...RECORD, manifestBlob });
    const query = new URLSearchParams({ did: account.did, cid: manifestBlob.ref.$link });
    const response = await fetch(`${servers.pdsUrl}/xrpc/com.atproto.sync.getBlob?${query.toString()}`);
    expect(await response.text()).toBe("{}");
  });
});

describe("keys", () => {
  it.each(["k256", "p256"] as const)("signs with a rotated %s key from the next write on", async (curve) => {
    const account = await accountWithRecord();
    const { did } = account;
    const before = await publishedKey(did);
    const after = await servers.rotateSigningKey(did, { curve });
    expect(after).toMatch(curve === "k256" ? /^did:key:zQ3s/ : /^did:key:zDn/);
    expect(await publishedKey(did)).toBe(after);
    expect(await verifyRecords(await proof(did), did, before)).toHaveLength(1);
    await expect(verifyRecords(await proof(did), did, after)).rejects.toThrow("Invalid signature");

    await servers.resign(account);
    expect(await verifyRecords(await proof(did), did, after)).toHaveLength(1);
    await expect(verifyRecords(await proof(did), did, before)).rejects.toThrow("Invalid signature");
  });

  it("signs with a key that the directory was not told", async () => {
    const account = await accountWithRecord();
    const { did } = account;
    const before = await publishedKey(did);
    const secret = await servers.rotateSigningKey(did, { publish: false });
    await servers.resign(account);
    expect(await publishedKey(did)).toBe(before);
    await expect(verifyRecords(await proof(did), did, before)).rejects.toThrow("Invalid signature");
    expect(await verifyRecords(await proof(did), did, secret)).toHaveLength(1);
  });
});

describe("the directory", () => {
  it("lists every operation in the audit log, each naming the one before it", async () => {
    const { did } = await createAccount();
    await servers.rotateSigningKey(did);
    await servers.rotateSigningKey(did, { curve: "p256" });
    await servers.tombstone(did);
    const log = await servers.auditLog(did);
    expect(log.map(({ operation }) => operation.type)).toEqual([
      "plc_operation",
      "plc_operation",
      "plc_operation",
      "plc_tombstone",
    ]);
    expect(log.map(({ operation }) => operation["prev"])).toEqual([null, ...log.slice(0, -1).map(({ cid }) => cid)]);
    expect(log.filter(({ nullified }) => nullified)).toEqual([]);
  });

  it("names the PDS and the key in the DID document, until the DID is ended", async () => {
    const { did, handle } = await createAccount();
    await servers.rotateSigningKey(did, { curve: "p256" });
    expect(await servers.didDocument(did)).toMatchObject({
      id: did,
      alsoKnownAs: [`at://${handle}`],
      verificationMethod: [{ type: "EcdsaSecp256r1VerificationKey2019" }],
      service: [{ type: "AtprotoPersonalDataServer", serviceEndpoint: servers.pdsUrl }],
    });
    await servers.tombstone(did);
    await expect(servers.didDocument(did)).rejects.toMatchObject({ status: 404 });
  });
});

describe("answers other than a proof", () => {
  it("RepoNotFound", async () => {
    const unknown = proof(`did:plc:${"a".repeat(24)}`);
    await expect(unknown).rejects.toMatchObject({ status: 400, error: "RepoNotFound" });
  });

  it("RepoDeactivated, until the account is activated", async () => {
    const { did } = await accountWithRecord();
    await servers.setDeactivated(did, true);
    await expect(proof(did)).rejects.toMatchObject({ status: 400, error: "RepoDeactivated" });
    await servers.setDeactivated(did, false);
    await expect(proof(did)).resolves.toBeInstanceOf(Uint8Array);
  });

  it("RepoTakendown, until the takedown is lifted", async () => {
    const { did } = await accountWithRecord();
    await servers.setTakenDown(did, true);
    await expect(proof(did)).rejects.toMatchObject({ status: 400, error: "RepoTakendown" });
    await servers.setTakenDown(did, false);
    await expect(proof(did)).resolves.toBeInstanceOf(Uint8Array);
  });

  it("no connection while a server is off its port", async () => {
    const { did } = await accountWithRecord();
    const key = await publishedKey(did);
    const refused = { cause: { code: "ECONNREFUSED" } };
    await servers.setListening("pds", false);
    await expect(proof(did)).rejects.toMatchObject(refused);
    expect(await publishedKey(did)).toBe(key);
    await servers.setListening("pds", true);
    await servers.setListening("plc", false);
    await expect(publishedKey(did)).rejects.toMatchObject(refused);
    expect(await verifyRecords(await proof(did), did, key)).toHaveLength(1);
    await servers.setListening("plc", true);
    expect(await publishedKey(did)).toBe(key);
  });
});

describe("the network", () => {
  // After the tests above, which have shown everything that the servers do.
  it("was never asked for anything outside loopback, and could not have been reached", async () => {
    expect(await servers.refusedConnections()).toEqual([]);
    const query = new URLSearchParams({ handle: "somebody.invalid" });
    const response = await fetch(`${servers.pdsUrl}/xrpc/com.atproto.identity.resolveHandle?${query.toString()}`);
    expect(response.status).toBe(400);
    expect(await servers.refusedConnections()).toContain("resolveTxt _atproto.somebody.invalid");
  });

  it.each([
    ["fetch", `await fetch("http://somebody.invalid:4000").catch(() => {})`],
    ["node:http", `await new Promise((done) => get("http://somebody.invalid:4000").once("error", done))`],
    ["node:net", `await new Promise((done) => connect(4000, "somebody.invalid").once("error", done))`],
  ])("cannot be reached through %s", async (_, attempt) => {
    const guard = pathToFileURL(join(import.meta.dirname, "servers/loopback-only.mjs")).href;
    const program = `
      import { refused } from ${JSON.stringify(guard)};
      import { get } from "node:http";
      import { connect } from "node:net";
      ${attempt};
      process.stdout.write(JSON.stringify(refused));`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", program]);
    expect(JSON.parse(stdout)).toEqual(["connect somebody.invalid:4000"]);
  });
});

describe("stop", () => {
  it("ends a second pair of servers, and does nothing the second time", async () => {
    const second = await startReferenceServers();
    expect(second.pdsUrl).not.toBe(servers.pdsUrl);
    await second.stop();
    await second.stop();
    await expect(fetch(second.pdsUrl)).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
  });
});
