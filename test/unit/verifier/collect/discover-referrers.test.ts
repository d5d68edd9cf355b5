import { describe, expect, it } from "vitest";
import type { Did } from "../../../../src/core/atproto/syntax.ts";
import type { Config } from "../../../../src/core/config/config.ts";
import { NOTHING_ALLOWED } from "../../../../src/core/config/network-allow.ts";
import type { Gap, Pointer, Subject } from "../../../../src/core/evidence/evidence.ts";
import { searchRegistry } from "../../../../src/verifier/collect/discover-referrers.ts";
import { DIGEST, didNamed, digestOf, subject } from "../../../support/evidence.ts";
import { type Descriptor, SIGNATURE_TYPE } from "../../../support/stand-in-registry.ts";
import { payloadOf, World } from "../../../support/world.ts";

const [A, B, STRANGER] = [didNamed("a"), didNamed("b"), didNamed("x")];
const EMPTY = "application/vnd.oci.empty.v1+json";
const BAD = "registry.bad_response";

interface Searching {
  readonly trusted?: readonly Did[];
  readonly enough?: number;
  readonly config?: Partial<Config>;
  readonly subject?: Subject;
}

async function searchFully(world: World, { trusted = [A, B], enough = 1, config, ...given }: Searching = {}) {
  const found: (Pointer | Gap)[] = [];
  const context = world.context(config);
  await searchRegistry(given.subject ?? subject(), { signers: new Set(trusted), enough }, context, (item) =>
    found.push(item),
  );
  return found;
}

/** Signers and codes, in the order of finding. */
async function search(world: World, options?: Searching): Promise<readonly string[]> {
  return (await searchFully(world, options)).map((item) => ("code" in item ? item.code : item.signer));
}

/** A descriptor of a manifest that need not exist. */
function listed(content: string, did?: string, changes: object = {}): object {
  const annotations = did === undefined ? {} : { annotations: { "io.atcr.atproto.did": did } };
  return { artifactType: SIGNATURE_TYPE, digest: digestOf(content), size: 1, ...annotations, ...changes };
}

const many = (count: number, did?: string): object[] =>
  Array.from({ length: count }, (_, i) => listed(`${did} ${i}`, did));

describe("searchRegistry, the list of referrers", () => {
  const url = `https://registry.example/v2/team/app/referrers/${DIGEST}`;
  const filtered = `${url}?artifactType=application%2Fvnd.atproto.signature.v1%2Bjson`;

  it("is the Referrers API's, asked for signatures, and for all where none is listed; that both are empty is final", async () => {
    await using world = await World.start();
    expect(await search(world)).toEqual([]);
    expect(world.http.asked.map((request) => request.url)).toEqual([filtered, url]);
  });

  it("is asked for once where it has a candidate, or others that show that it is not filtered", async () => {
    await using world = await World.start();
    world.attach({ did: A });
    expect(await search(world)).toEqual([A]);
    expect(world.http.asked.map((request) => request.url)).toEqual([filtered]);
    world.list({ ...listed("sbom", A), artifactType: "application/spdx+json" });
    expect(await search(world)).toEqual([]);
    expect(world.http.asked).toHaveLength(2);
  });

  it("is taken without the filter where a registry filters by another type (goharbor/harbor)", async () => {
    await using world = await World.start();
    const { artifactType: _, ...descriptor } = world.attach({ did: A });
    world.list({ ...descriptor, artifactType: EMPTY });
    world.registry.override("artifactType=", { json: { schemaVersion: 2, manifests: [] } });
    expect(await search(world)).toEqual([A]);
  });

  it.each([
    ["is not known", { status: 404 }, []],
    ["is a page", { body: "<html>" }, []],
    ["fails", { status: 503 }, ["registry.unreachable"]],
    ["wants credentials", { status: 403 }, ["registry.unauthorized"]],
  ])("without a filter that %s adds %j", async (_, answer, expected) => {
    await using world = await World.start();
    world.registry.override("/referrers/", answer);
    world.registry.override("artifactType=", { json: { schemaVersion: 2, manifests: [] } });
    expect(await search(world)).toEqual(expected);
    expect(world.http.count("/manifests/")).toBe(0);
  });

  it("reads no more pages with both questions than with one", async () => {
    await using world = await World.start();
    const page = { json: { manifests: [] }, headers: { link: `<?more>; rel="next"` } };
    const last = { json: { manifests: [] } };
    world.registry.override("/referrers/", page, page, last, page);
    expect(await search(world)).toEqual(["registry.too_many_candidates"]);
    expect(world.http.asked).toHaveLength(8);
  });

  it.each([400, 404, 405, 406, 501] as const)("is the fallback tag's where the API answers %i", async (status) => {
    await using world = await World.start();
    world.registry.referrersApi = status;
    expect(await search(world)).toEqual([]);
    expect(world.http.asked.map(({ url }) => url)[1]).toBe(
      `https://registry.example/v2/team/app/manifests/${DIGEST.replace(":", "-")}`,
    );
    expect(world.http.asked).toHaveLength(2);
    world.attach({ did: A, fallbackTag: true });
    expect(await search(world)).toEqual([A]);
  });

  it.each([
    [402, BAD],
    [401, "registry.unauthorized"],
    [403, "registry.unauthorized"],
    [410, BAD],
    [429, "registry.unreachable"],
    [500, "registry.unreachable"],
    [503, "registry.unreachable"],
  ])("is missing where a status %i comes from the API or the fallback", async (status, code) => {
    await using world = await World.start();
    // Without it, 401 is how Harbor once said that it has no such API.
    const headers = { "www-authenticate": "Basic" };
    world.registry.override("/referrers/", { status, headers });
    expect(await search(world)).toEqual([code]);
    expect(world.http.asked).toHaveLength(status === 429 || status >= 500 ? 3 : 1);
    world.registry.reset();
    world.registry.referrersApi = 404;
    world.registry.override("/manifests/", { status });
    // 403 says nothing of credentials where there may be no tag at all.
    expect(await search(world)).toEqual([status === 403 ? BAD : code]);
  });

  it("is missing where what stands at the tag is no index, or the list goes on with none", async () => {
    await using world = await World.start();
    world.registry.referrersApi = 404;
    world.registry.override("/manifests/", { body: "<html>" }, { json: {} });
    expect(await search(world)).toEqual([BAD]);
    expect(await search(world)).toEqual([BAD]);
    world.registry.override("/referrers/", { body: "<html>" });
    const headers = { link: `<?page=2>; rel="next"` };
    world.registry.override("artifactType=", { json: { manifests: [] }, headers });
    expect(await search(world)).toEqual([BAD]);
  });

  it("says that the tag could not be asked for where the status for it is 403", async () => {
    await using world = await World.start();
    world.registry.referrersApi = 404;
    world.registry.override("/manifests/", { status: 403 });
    const [gap] = await searchFully(world);
    expect(gap).toMatchObject({
      code: BAD,
      detail: expect.stringMatching(/fallback tag could not be read/) as string,
    });
  });

  it("is filtered here too", async () => {
    await using world = await World.start();
    world.registry.filters = false;
    world.attach({ did: B, artifactType: "application/spdx+json" });
    world.attach({ did: A });
    expect(await search(world)).toEqual([A]);
    expect(world.http.asked).toHaveLength(1);
  });

  it("leaves a gap for what cannot be read of it, and goes on", async () => {
    await using world = await World.start();
    world.list(listed("bad", B, { digest: `sha512:${"0".repeat(128)}` }), listed("good", A));
    expect(await search(world)).toEqual([BAD, A]);
  });
});

describe("searchRegistry, pages", () => {
  it("are followed on the same host", async () => {
    await using world = await World.start();
    world.registry.pageSize = 1;
    world.attach({ did: A });
    world.attach({ did: B });
    world.attach({ did: STRANGER });
    expect(await search(world)).toEqual([A, B, STRANGER]);
  });

  it.each([
    "https://trap.example/v2/team/app/referrers/x",
    "//trap.example/x",
    "http://registry.example/x",
    "https://registry.example:8443/x",
    "https://[",
  ])("are not followed to %s, and what was read counts", async (target) => {
    await using world = await World.start();
    const headers = { link: `<${target}>; rel="next"` };
    world.registry.override("/referrers/", { json: { manifests: [listed("a", A)] }, headers });
    expect(await search(world)).toEqual([BAD, A]);
    expect(world.http.origins).toEqual(["https://registry.example"]);
  });

  it("that cannot be had leave a gap, and what was read counts", async () => {
    await using world = await World.start();
    const headers = { link: `<?page=2>; rel="next"` };
    world.registry.override("page=2", { status: 404 });
    world.registry.override("artifactType=", { json: { manifests: [listed("a", A)] }, headers });
    expect(await search(world)).toEqual([BAD, A]);
    expect(world.http.asked).toHaveLength(2);
  });

  it("are bounded", async () => {
    await using world = await World.start();
    const headers = { link: `<?again>; rel="next"` };
    world.registry.override("/referrers/", { json: { manifests: [listed("a", A)] }, headers });
    expect(await search(world)).toEqual([A, "registry.too_many_candidates"]);
    expect(world.http.asked).toHaveLength(8);
  });

  it("go on at the host that the image names after a redirect, or not at all", async () => {
    await using world = await World.start();
    world.http.places.set("https://mirror.example", world.registry);
    const headers = { link: `<?page=2>; rel="next"` };
    world.registry.override("mirrored", { json: { manifests: [listed("a", A)] }, headers });
    world.registry.override("artifactType=", { status: 307, headers: { location: "https://mirror.example/mirrored" } });
    expect(await search(world)).toEqual([BAD, A]);
    expect(world.http.asked).toHaveLength(2);
  });
});

describe("searchRegistry, candidates", () => {
  it("that name a trusted signer come first, however many others there are", async () => {
    await using world = await World.start();
    world.list(...many(2000, STRANGER), listed("b", B), listed("a", A));
    const found = await search(world);
    expect(found.slice(0, 3)).toEqual([B, A, STRANGER]);
    expect(found).toHaveLength(32);
    expect(found).not.toContain("registry.too_many_candidates");
    expect(world.http.asked).toHaveLength(1);
  });

  it("beyond the bound are a gap where none names a trusted signer", async () => {
    await using world = await World.start();
    world.list(...many(33, STRANGER));
    expect((await search(world)).filter((item) => item !== STRANGER)).toEqual(["registry.too_many_candidates"]);
    world.registry.reset();
    world.list(...many(32, STRANGER));
    expect(await search(world)).toEqual(Array(32).fill(STRANGER));
  });

  it("beyond the bound are a gap where they may name another trusted signer than the one that is named", async () => {
    await using world = await World.start();
    world.list(listed("a", A), ...many(32));
    expect(await search(world)).toContain("registry.too_many_candidates");
  });

  it("that all name one signer hide no other", async () => {
    await using world = await World.start();
    world.list(...many(2000, A), listed("b", B), ...many(2000, A));
    expect(await search(world)).toEqual([A, B]);
  });

  it("that say they are by strangers hide none that says nothing", async () => {
    await using world = await World.start();
    world.registry.filters = false;
    for (let i = 0; i < 40; i++) world.attach({ did: STRANGER, payload: i });
    world.attach({ payload: payloadOf(A) });
    expect(await search(world)).toContain(A);
  });

  it("cost a bounded number of requests, a few at a time", async () => {
    await using world = await World.start();
    world.registry.delay(5);
    for (let i = 0; i < 40; i++) world.attach({ payload: payloadOf(didNamed("c"), { i }) });
    const found = await search(world);
    expect(found.filter((item) => item === didNamed("c"))).toHaveLength(32);
    expect(found).toContain("registry.too_many_candidates");
    expect(world.http.asked).toHaveLength(1 + 2 * 32);
    const inFlight = Math.max(...world.requests.map((request) => request.inFlight));
    expect(inFlight).toBeGreaterThan(1);
    expect(inFlight).toBeLessThanOrEqual(8);
  });

  it("are 2,000 without costing more time than 32", async () => {
    await using world = await World.start();
    world.list(...many(2000));
    const found = await search(world);
    expect(found.filter((item) => item === BAD)).toHaveLength(32);
    expect(found).toContain("registry.too_many_candidates");
    expect(world.http.asked).toHaveLength(33);
  });
});

describe("searchRegistry, one candidate", () => {
  /** Lists what is attached with other descriptors. */
  function relist(world: World, descriptor: Descriptor, changes: object): void {
    const { annotations: _, ...rest } = descriptor;
    world.list({ ...rest, ...changes });
  }

  it("names a signer in its descriptor, and its manifest is not fetched", async () => {
    await using world = await World.start();
    const { digest } = world.attach({ did: A });
    const url = `https://registry.example/v2/team/app/manifests/${digest}`;
    expect(await searchFully(world)).toEqual([{ signer: A, url }]);
    expect(world.http.asked).toHaveLength(1);
  });

  it.each([undefined, "", EMPTY])("of type %j is what its manifest says", async (artifactType) => {
    await using world = await World.start();
    const config = { mediaType: SIGNATURE_TYPE, digest: DIGEST, size: 1 };
    for (const signature of [{ did: A }, { did: A, artifactType: "", config }]) {
      relist(world, world.attach(signature), { artifactType });
      expect(await search(world)).toEqual([A]);
    }
    const annotations = { "io.atcr.atproto.did": A };
    for (const other of [
      { did: A, artifactType: "text/other" },
      { did: A, artifactType: "" },
    ]) {
      relist(world, world.attach(other), { artifactType, annotations });
      expect(await search(world)).toEqual([]);
    }
  });

  it("names a signer in its manifest, and its payload is not fetched", async () => {
    await using world = await World.start();
    const descriptor = world.attach({ did: A, payload: payloadOf(B) });
    relist(world, descriptor, {});
    const url = `https://registry.example/v2/team/app/manifests/${descriptor.digest}`;
    expect(await searchFully(world)).toEqual([{ signer: A, url }]);
    expect(world.http.asked).toHaveLength(2);
  });

  it("names a signer in its payload; whatever else the payload names is not asked", async () => {
    await using world = await World.start();
    world.attach({ payload: payloadOf(A, { recordUri: `at://${A}/app.bsky.feed.post/x` }) });
    const [pointer] = await searchFully(world);
    expect(pointer).toMatchObject({ signer: A, url: expect.stringContaining("/blobs/sha256:") as string });
    expect(pointer).toHaveProperty("note");
    expect(world.http.asked).toHaveLength(3);
    expect(world.http.origins).toEqual(["https://registry.example"]);
  });

  it("that is large leaves a gap, whatever size is listed", async () => {
    await using world = await World.start();
    world.attach({ payload: { filler: "x".repeat(64 * 1024) } });
    expect(await search(world)).toEqual([BAD]);
    const { annotations: _, ...small } = world.attach({ payload: payloadOf(A) });
    for (const size of [64 * 1024 + 1, 1, undefined]) {
      world.list({ ...small, size });
      expect(await search(world)).toEqual([A]);
    }
  });

  it("that names nobody is none", async () => {
    await using world = await World.start();
    world.attach({ payload: { atproto: {} } });
    world.attach({ did: "alice.example.com" });
    expect(await search(world)).toEqual([]);
  });

  it.each([
    [
      "with other bytes than listed",
      (world: World, it: Descriptor) =>
        world.registry.override(`/manifests/${it.digest}`, { body: "x".repeat(it.size) }),
    ],
    ["that is gone", (world: World, it: Descriptor) => world.registry.remove("team/app", it.digest)],
    [
      "with a payload of other bytes",
      (world: World) => world.registry.override("/blobs/", { body: JSON.stringify(payloadOf(B)) }),
    ],
    ["with a payload that is gone", (world: World) => world.registry.override("/blobs/", { status: 404 })],
  ])("%s leaves a gap", async (_, spoil) => {
    await using world = await World.start();
    const descriptor = world.attach({ payload: payloadOf(A) });
    relist(world, descriptor, {});
    expect(await search(world)).toEqual([A]);
    spoil(world, descriptor);
    expect(await search(world)).toEqual([BAD]);
  });

  it("about another image, or with a payload that is no JSON, leaves a gap and stops no other", async () => {
    await using world = await World.start();
    const image = { mediaType: "x/y", digest: digestOf("other"), size: 1 };
    const foreign = world.registry.attach("team/app", image, { payload: payloadOf(B) });
    const broken = world.attach({ payload: new Uint8Array([1, 2]) });
    const good = world.attach({ payload: payloadOf(A) });
    world.list(foreign, broken, good);
    expect([...(await search(world))].sort()).toEqual([A, BAD, BAD].sort());
  });

  it("that cannot be had is said to be so", async () => {
    await using world = await World.start();
    world.attach({ payload: payloadOf(A) });
    world.registry.override("/blobs/", { status: 401 }, { status: 503 });
    expect(await search(world)).toEqual(["registry.unauthorized"]);
    expect(await search(world)).toEqual(["registry.unreachable"]);
  });
});

describe("searchRegistry, the host", () => {
  it.each([
    ["registry.example", "https://registry.example"],
    ["registry.example:5000", "https://registry.example:5000"],
    ["docker.io", "https://registry-1.docker.io"],
  ])("of %s is %s", async (host, origin) => {
    await using world = await World.start();
    await search(world, { subject: subject({ name: { host, path: "team/app" } }) });
    expect(world.http.origins).toEqual([origin]);
  });

  it.each([
    [["registry.example:80"], "registry.example", "http://registry.example"],
    [["registry.example:5000"], "registry.example", "https://registry.example"],
    [["registry.example:5000"], "registry.example:5000", "http://registry.example:5000"],
    [["registry.example:5001"], "registry.example:5000", "https://registry.example:5000"],
    [["docker.io:80", "registry-1.docker.io:80"], "docker.io", "https://registry-1.docker.io"],
  ])("is asked by plain http where it is listed so: %j, %s", async (plainHttp, host, origin) => {
    await using world = await World.start();
    const config = { network: { ...NOTHING_ALLOWED, hosts: plainHttp, plainHttp } };
    await search(world, { config, subject: subject({ name: { host, path: "team/app" } }) });
    expect(world.http.origins).toEqual([origin]);
  });

  it("may be private and may redirect, within the time and size of a registry", async () => {
    await using world = await World.start();
    await search(world, { config: { registryTimeout: 1234 } });
    expect(world.http.asked[0]).toMatchObject({
      originMayBePrivate: true,
      maxRedirects: 5,
      maxBytes: 1024 * 1024,
      timeout: 1234,
      purpose: "registry",
    });
  });

  it.each([
    ["unreachable", "registry.unreachable"],
    ["tls", "net.tls"],
    ["forbidden_address", "net.forbidden_address"],
    ["bad_response", BAD],
  ] as const)("that fails by %s leaves the gap %s", async (kind, code) => {
    await using world = await World.start();
    world.http.places.set("https://registry.example", kind);
    expect(await search(world)).toEqual([code]);
  });

  it("that has a bug of ours met is no gap", async () => {
    await using world = await World.start();
    const context = { ...world.context(), http: () => Promise.reject(new TypeError("a bug")) };
    await expect(searchRegistry(subject(), { signers: new Set(), enough: 1 }, context, () => {})).rejects.toThrow(
      TypeError,
    );
  });
});

describe("searchRegistry, where a token server gives none", () => {
  it.each([
    [429, "registry.unreachable"],
    [503, "registry.unreachable"],
    [401, "registry.unauthorized"],
    [404, "registry.unauthorized"],
  ])("for status %i it is %s, for every request", async (status, code) => {
    await using world = await World.start();
    const challenge = `Bearer realm="https://registry.example/token"`;
    world.list(listed("first"), listed("second"));
    world.registry.override("/manifests/", { status: 401, headers: { "www-authenticate": challenge } });
    world.registry.override("/token", { status });
    expect(await search(world)).toEqual([code, code]);
    world.registry.override("/referrers/", { status: 401, headers: { "www-authenticate": challenge } });
    expect(await search(world)).toEqual([code]);
  });
});

describe("searchRegistry, the most requests", () => {
  it("is 3 for each page, each manifest and each payload, 3 for a token, and 3 for 8 who were asked who they are", async () => {
    await using world = await World.start();
    const busy = { status: 503 };
    const answer = `Bearer realm="https://registry.example/token"`;
    const whoIsIt = { status: 401, headers: { "www-authenticate": answer } };
    for (let i = 0; i < 32; i++) {
      const { digest } = world.attach({ payload: payloadOf(A, { salt: i }) });
      const first = i < 8 ? [busy, busy, whoIsIt] : [];
      world.registry.override(`/manifests/${digest}`, ...first, busy, busy, "usual");
    }
    world.registry.override("/token", busy, busy, "usual");
    world.registry.pageSize = 4;
    const pages = Array.from({ length: 8 }, () => [busy, busy, "usual"] as const).flat();
    world.registry.override("/referrers/", ...pages);
    const payloads = new Map<string, number>();
    world.registry.override("/blobs/", ({ request }) => {
      const nth = (payloads.get(request.url) ?? 0) + 1;
      payloads.set(request.url, nth);
      return nth < 3 ? busy : { json: payloadOf(A) };
    });
    await search(world);
    expect(["/referrers/", "/manifests/", "/blobs/", "/token"].map((part) => world.http.count(part))).toEqual([
      3 * 8,
      3 * 32 + 3 * 8,
      3 * 32,
      3,
    ]);
  });
});
