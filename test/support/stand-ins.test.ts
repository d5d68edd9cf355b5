import { verifyRecords } from "@atproto/repo";
import { describe, expect, it } from "vitest";
import { sequentialRoundTrips } from "./http-server.ts";
import { PlcLog } from "./plc-operations.ts";
import { MANIFEST_COLLECTION, manifestRecord, SignedRepo } from "./signed-repo.ts";
import { signingKey } from "./signing-key.ts";
import { StandInPds } from "./stand-in-pds.ts";
import { StandInPlc } from "./stand-in-plc.ts";
import { type Descriptor, SIGNATURE_TYPE, StandInRegistry, sha256 } from "./stand-in-registry.ts";

const AT = Date.UTC(2025, 0, 1);
const key = signingKey("k256", "repo");
const RKEY = "cd".repeat(32);

async function json(url: string, init?: RequestInit): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(url, init);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe("the stand-in directory", () => {
  it("serves documents and logs, and records what was asked", async () => {
    await using plc = await StandInPlc.start();
    const state = { rotationKeys: [key], signingKey: key, handle: "alice.example.com", pds: "https://pds.example.com" };
    const log = await PlcLog.create(state, { at: AT });
    plc.add(log);
    expect((await json(`${plc.origin}/${log.did}`)).body["id"]).toBe(log.did);
    expect((await json(`${plc.origin}/${log.did}/log/audit`)).body).toEqual(log.entries());
    expect((await json(`${plc.origin}/did:plc:${"a".repeat(24)}`)).status).toBe(404);
    expect(plc.count("/log/audit")).toBe(1);
    expect(plc.count()).toBe(3);
    await log.tombstone({ at: AT + 1 });
    expect((await json(`${plc.origin}/${log.did}`)).status).toBe(404);
    expect((await json(`${plc.origin}/${log.did}/log/audit`)).body).toHaveLength(2);
  });

  it("answers differently if told to: first this, then that", async () => {
    await using plc = await StandInPlc.start();
    const undo = plc.override("/x", { status: 503 }, { json: { a: 1 } }, "usual");
    expect((await fetch(`${plc.origin}/x`)).status).toBe(503);
    expect((await json(`${plc.origin}/x`)).body).toEqual({ a: 1 });
    expect((await fetch(`${plc.origin}/x`)).status).toBe(404);
    undo();
    expect((await fetch(`${plc.origin}/x`)).status).toBe(404);
  });

  it("tells sequential from parallel requests", async () => {
    await using plc = await StandInPlc.start();
    plc.delay(30);
    await Promise.all([fetch(`${plc.origin}/a`), fetch(`${plc.origin}/b`)]);
    expect(sequentialRoundTrips(plc.requests)).toBe(1);
    expect(plc.requests.map(({ inFlight }) => inFlight)).toEqual([1, 2]);
    await fetch(`${plc.origin}/c`);
    expect(sequentialRoundTrips(plc.requests)).toBe(2);
  });

  it("stops while an answer is delayed", async () => {
    const plc = await StandInPlc.start();
    plc.delay(60_000);
    const pending = fetch(`${plc.origin}/a`).catch(() => "ended");
    while (plc.count() === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await plc.stop();
    expect(await pending).toBe("ended");
  });
});

describe("the stand-in PDS", () => {
  it("serves proofs, errors and did:web documents", async () => {
    await using pds = await StandInPds.start();
    const did = pds.serveDidWeb(key, "alice.example.com");
    const repo = await SignedRepo.create({ did, key, at: AT });
    await repo.put(MANIFEST_COLLECTION, RKEY, manifestRecord(`sha256:${RKEY}`, "app"), AT + 1);
    pds.add(repo);
    const url = `${pds.origin}/xrpc/com.atproto.sync.getRecord?did=${did.replaceAll("%", "%25")}&collection=${MANIFEST_COLLECTION}&rkey=${RKEY}`;
    const response = await fetch(url);
    expect(response.headers.get("content-type")).toBe("application/vnd.ipld.car");
    expect(await verifyRecords(await response.bytes(), did, key.did())).toHaveLength(1);
    expect((await json(`${pds.origin}/.well-known/did.json`)).body["id"]).toBe(did);
    pds.setStatus(did, "RepoTakendown");
    expect(await json(url)).toMatchObject({ status: 400, body: { error: "RepoTakendown" } });
    expect((await json(url.replace(RKEY, "").replace("&rkey=", ""))).body["error"]).toBe("InvalidRequest");
  });
});

describe("the stand-in registry", () => {
  it("takes pushes over HTTP and lists referrers by page and type", async () => {
    await using registry = await StandInRegistry.start();
    const blob = new TextEncoder().encode("blob");
    const begun = await fetch(`${registry.origin}/v2/a/b/blobs/uploads/`, { method: "POST" });
    const location = new URL(begun.headers.get("location") ?? "", registry.origin);
    location.searchParams.set("digest", sha256(blob));
    expect((await fetch(location, { method: "PUT", body: blob })).status).toBe(201);
    expect(await (await fetch(`${registry.origin}/v2/a/b/blobs/${sha256(blob)}`)).text()).toBe("blob");

    const image = registry.pushImage("a/b", "1", "v1");
    const manifest = { schemaVersion: 2, artifactType: "text/other", subject: image, layers: [] };
    const put = await fetch(`${registry.origin}/v2/a/b/manifests/other`, {
      method: "PUT",
      body: JSON.stringify(manifest),
    });
    expect(put.headers.get("oci-subject")).toBe(image.digest);
    const first = registry.attach("a/b", image, { payload: { n: 1 } });
    const second = registry.attach("a/b", image, { payload: { n: 2 } });

    registry.pageSize = 1;
    const digests: string[] = [];
    let next: string | undefined =
      `/v2/a/b/referrers/${image.digest}?artifactType=${encodeURIComponent(SIGNATURE_TYPE)}`;
    while (next !== undefined) {
      const page: Response = await fetch(`${registry.origin}${next}`);
      expect(page.headers.get("oci-filters-applied")).toBe("artifactType");
      const index = (await page.json()) as { manifests: Descriptor[] };
      digests.push(...index.manifests.map(({ digest }) => digest));
      next = /^<(.*)>; rel="next"$/.exec(page.headers.get("link") ?? "")?.[1];
    }
    expect(digests).toEqual([first.digest, second.digest]);
  });

  it("does without the Referrers API and behind a token", async () => {
    await using registry = await StandInRegistry.start();
    registry.referrersApi = 404;
    const image = registry.pushImage("a", "1");
    const artifact = registry.attach("a", image, { fallbackTag: true });
    expect((await fetch(`${registry.origin}/v2/a/referrers/${image.digest}`)).status).toBe(404);
    const tag = `${registry.origin}/v2/a/manifests/${image.digest.replace(":", "-")}`;
    expect((await json(tag)).body["manifests"]).toEqual([artifact]);
    registry.access = "token";
    const refused = await fetch(tag);
    expect(refused.status).toBe(401);
    expect(refused.headers.get("www-authenticate")).toContain('scope="repository:a:pull"');
    const { token } = (await json(`${registry.origin}/token`)).body as { token: string };
    expect((await fetch(tag, { headers: { authorization: `Bearer ${token}` } })).status).toBe(200);
  });
});
