import { get } from "node:http";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readDidDocument } from "../../src/core/atproto/did-document.ts";
import type { Did } from "../../src/core/atproto/syntax.ts";
import { type Ask, ask, Bench, enforcing, headline } from "../support/binary.ts";
import { NameServer, ownAddress } from "../support/name-server.ts";
import { HANDLE_PATH } from "../support/named-world.ts";
import { type Account, type ReferenceServers, startReferenceServers } from "../support/reference-servers.ts";
import { missingRoot, requirement } from "../support/requirement.ts";
import { missingBinary } from "../support/scenario.ts";
import { StandInPds } from "../support/stand-in-pds.ts";

// What the reference PLC directory and the reference PDS say of an account, shown and judged by the built binary.

/** No other test uses this net's addresses. */
const NET = 58;
const IMAGE_TYPE = "application/vnd.oci.image.manifest.v1+json";

const testable = requirement("identities that the reference servers hold", missingBinary());
const canServeNames =
  testable && requirement("a handle of the reference PDS", missingRoot("binds ports 53 and 443, mounts resolv.conf"));

let servers: ReferenceServers;
let bench: Bench;

beforeAll(async () => {
  if (!testable) return;
  servers = await startReferenceServers();
  bench = new Bench();
});
afterAll(async () => {
  bench?.remove();
  await servers?.stop();
});

/** The environment of a node whose configuration also allows these hosts, and says this. */
function node(settings: object = {}, ...hosts: readonly string[]): Ask {
  const allow = [servers.plcUrl, servers.pdsUrl, ...hosts];
  const config = { plcDirectories: [servers.plcUrl], network: { allow }, ...settings };
  return { env: { ...bench.env, ATCR_VERIFY_CONFIG: bench.configure(config) } };
}

async function identity(asked: string, options = node()) {
  const { code, stdout } = await ask(["identity", asked, "--output", "json"], options);
  return { exit: code, ...(JSON.parse(stdout) as Record<string, unknown>) };
}

describe.runIf(testable)("the identity of an account", () => {
  it("is proven from its log, and shown with its key, its PDS and its history", async () => {
    const { did, handle } = await servers.createAccount("shown.test");
    const [genesis] = await servers.auditLog(did);
    const { rotationKeys, verificationMethods } = genesis!.operation;
    const { atproto: key } = verificationMethods as { atproto: string };
    const proven = {
      exit: 0,
      outcome: "proven",
      did,
      source: `${servers.plcUrl}/${did}/log/audit`,
      handles: [handle],
      pds: servers.pdsUrl,
      services: [{ id: "atproto_pds", type: "AtprotoPersonalDataServer" }],
      rotationKeys,
    };
    expect(await identity(did)).toMatchObject({
      ...proven,
      key: { key, younger: true, formerKeys: [] },
      history: [{ cid: genesis?.cid, kind: "genesis", rotationKey: expect.any(Number), nullified: false }],
    });

    const next = await servers.rotateSigningKey(did, { curve: "p256" });
    const log = await servers.auditLog(did);
    expect(await identity(did)).toMatchObject({
      ...proven,
      key: { key: next, younger: true, formerKeys: [key] },
      history: [
        { cid: log[0]?.cid, kind: "genesis" },
        { cid: log[1]?.cid, kind: "update", nullified: false, changes: { signingKey: next } },
      ],
    });

    await servers.tombstone(did);
    expect(await identity(did)).toMatchObject({ exit: 1, outcome: "deny", code: "identity.deactivated" });
  });

  it("is read from a document of the form that the directory writes", async () => {
    const { did, handle } = await servers.createAccount("written.test");
    for (const curve of ["k256", "p256"] as const) {
      const key = await servers.rotateSigningKey(did, { curve });
      // Neither server has a did:web of its own; one that is kept by hand is written like this.
      const written = JSON.stringify(await servers.didDocument(did)).replaceAll(did, "did:web:example.com");
      const found = readDidDocument("did:web:example.com" as Did, new TextEncoder().encode(written));
      expect(found).toMatchObject({ key: { didKey: key }, pds: servers.pdsUrl, handles: [handle] });
    }
  });
});

describe.runIf(canServeNames)("a handle of the PDS", () => {
  let names: NameServer;
  let front: StandInPds;
  let alice: Account;

  beforeAll(async () => {
    alice = await servers.createAccount("alice.test");
    names = await NameServer.start(NET);
    names.answers.set(`A ${alice.handle}`, [ownAddress(NET + 1)]);
    // The PDS speaks no TLS; what terminates it in front passes the host on.
    const tls = bench.authority.issue({ names: [alice.handle] });
    front = await StandInPds.start({ tls, host: ownAddress(NET + 1), port: 443 });
    front.override(HANDLE_PATH, async ({ request }) => ({ body: await wellKnown(request.headers.host ?? "") }));
  });
  afterAll(async () => {
    names?.stop();
    await front?.stop();
  });

  function wellKnown(host: string): Promise<string> {
    return new Promise((resolve, reject) => {
      get(servers.pdsUrl + HANDLE_PATH, { headers: { host } }, (answer) => resolve(text(answer))).once("error", reject);
    });
  }

  const through = (settings?: object): Ask => ({
    ...node(settings, alice.handle),
    through: names.through(bench.folder),
  });

  it("leads to the account, which claims it", async () => {
    expect(await identity(alice.handle, through())).toMatchObject({
      exit: 0,
      asked: alice.handle,
      did: alice.did,
      handle: {
        handle: alice.handle,
        leadsTo: alice.did,
        source: `https://${alice.handle}${HANDLE_PATH}`,
        bothWays: true,
      },
    });
  });

  it("owns the images in its name, and nobody else does", async () => {
    const mallory = await servers.createAccount("mallory.test");
    const pullSignedBy = async (account: Account, hex: string): Promise<string> => {
      const digest = `sha256:${hex.repeat(64)}`;
      const createdAt = new Date().toISOString();
      const record = { repository: "app", digest, mediaType: IMAGE_TYPE, schemaVersion: 2, createdAt };
      await servers.putRecord(account, "io.atcr.manifest", hex.repeat(64), record);
      bench.policy(enforcing(account.did));
      const name = `registry.example.com/${alice.handle}/app:v1`;
      const options = through({ atcrHosts: ["registry.example.com"] });
      return headline(await bench.pull(name, { mediaType: IMAGE_TYPE, digest, size: 2 }, options));
    };
    expect(await pullSignedBy(alice, "a")).toBe("0 allow signed");
    expect(await pullSignedBy(mallory, "b")).toBe("1 deny image.owner_mismatch");
  });
});
