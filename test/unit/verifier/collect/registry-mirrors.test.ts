import { describe, expect, it } from "vitest";
import type { Gap, Pointer } from "../../../../src/core/evidence/evidence.ts";
import type { Endpoint, Endpoints } from "../../../../src/io/registry/endpoints.ts";
import { searchRegistry } from "../../../../src/verifier/collect/discover-referrers.ts";
import { DIGEST, didNamed, digestOf, MANIFEST, subject } from "../../../support/evidence.ts";
import { SIGNATURE_TYPE, StandInRegistry } from "../../../support/stand-in-registry.ts";
import { payloadOf, World } from "../../../support/world.ts";

const [A, B, STRANGER] = [didNamed("a"), didNamed("b"), didNamed("x")];
const IMAGE = { mediaType: MANIFEST, digest: DIGEST, size: 500 };
const REPOSITORY = "team/app";

/** A world whose registry has mirrors. */
class Mirrored implements AsyncDisposable {
  readonly world: World;
  readonly mirrors: readonly StandInRegistry[];

  private constructor(world: World, mirrors: readonly StandInRegistry[]) {
    this.world = world;
    this.mirrors = mirrors;
    for (const [i, mirror] of mirrors.entries()) world.http.places.set(`https://mirror${i}.example`, mirror);
  }

  static async start(count: number): Promise<Mirrored> {
    const starting = Array.from({ length: count }, () => StandInRegistry.start());
    return new Mirrored(await World.start(), await Promise.all(starting));
  }

  /** @param changes to the mirrors' endpoints */
  async search(enough = 1, changes: Partial<Endpoint> = {}, problems: Endpoints["problems"] = [], time?: number) {
    const found: (Pointer | Gap)[] = [];
    const server = { root: "https://registry.example/v2", host: "registry.example" };
    const mirrors = this.mirrors.map((_, i) => ({
      root: `https://mirror${i}.example/v2`,
      host: `mirror${i}`,
      ...changes,
    }));
    const all = [...mirrors, server] as unknown as Endpoints["all"];
    const context = this.world.context({}, time);
    const registries = { ...context.registries, endpoints: () => ({ all, problems }) };
    const wanted = { signers: new Set([A, B]), enough };
    await searchRegistry(subject(), wanted, { ...context, registries }, (item) => found.push(item));
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.mirrors.map((mirror) => mirror.stop()));
    await this.world[Symbol.asyncDispose]();
  }
}

const brief = (found: readonly (Pointer | Gap)[]) => found.map((item) => ("code" in item ? item.code : item.signer));
const by = (did: string) => ({ annotations: { "io.atcr.atproto.did": did } });

describe("searchRegistry, through mirrors", () => {
  it("ends with the first that names a trusted signer", async () => {
    await using site = await Mirrored.start(2);
    site.mirrors[0]?.attach(REPOSITORY, IMAGE, by(STRANGER));
    site.mirrors[1]?.attach(REPOSITORY, IMAGE, by(A));
    site.world.attach({ did: B });
    expect(brief(await site.search())).toEqual([STRANGER, A]);
    expect(site.world.registry.requests).toEqual([]);
  });

  it("ends where as many are named as the rule wants, on one host or on several", async () => {
    await using site = await Mirrored.start(1);
    site.mirrors[0]?.attach(REPOSITORY, IMAGE, by(A));
    site.world.attach({ did: A });
    site.world.attach({ did: B });
    expect(brief(await site.search(2))).toEqual([A, A, B]);
    site.mirrors[0]?.attach(REPOSITORY, IMAGE, by(B));
    site.world.registry.forget();
    expect(brief(await site.search(2))).toEqual([A, B]);
    expect(site.world.registry.requests).toEqual([]);
  });

  it("fetches what a mirror lists and does not have from the registry itself, and nothing twice", async () => {
    await using site = await Mirrored.start(2);
    const [lacking, having] = site.mirrors;
    const listed = having?.attach(REPOSITORY, IMAGE, { payload: payloadOf(STRANGER) });
    const gone = site.world.attach({ payload: payloadOf(A) });
    lacking?.override("/referrers/", { json: { manifests: [gone] } });
    site.world.registry.override("/referrers/", { json: { manifests: [listed] } });
    expect(brief(await site.search())).toEqual([STRANGER, A]);
    // The stranger's was looked into at the mirror.
    expect(site.world.registry.count(`/manifests/${listed?.digest}`)).toBe(0);
  });

  it("reports what nobody has", async () => {
    await using site = await Mirrored.start(1);
    const nowhere = { artifactType: SIGNATURE_TYPE, digest: digestOf("nowhere") };
    site.mirrors[0]?.override("/referrers/", { json: { manifests: [nowhere] } });
    expect(brief(await site.search())).toEqual(["registry.bad_response"]);
  });

  it("that failed are a gap where the registry itself names too few, and none where it names enough", async () => {
    await using site = await Mirrored.start(2);
    site.mirrors[0]?.override("", { status: 503 });
    site.mirrors[1]?.override("", { status: 403 });
    const [gap, ...more] = await site.search(1, {}, ["certs.d is not used"]);
    expect(more).toEqual([]);
    expect(gap).toMatchObject({ code: "registry.unreachable" });
    expect(gap).toHaveProperty("detail", expect.stringMatching(/^mirror0.*; mirror1.*; certs\.d is not used$/));
    site.world.attach({ did: A });
    expect(brief(await site.search())).toEqual([A]);
  });

  it("that are not asked are such a gap as well, with the reason", async () => {
    await using site = await Mirrored.start(1);
    const [gap] = await site.search(1, {
      unusable: "hosts.toml sets rewrite for it, which atcr-verify does not support",
    });
    expect(gap).toMatchObject({ code: "registry.unreachable", detail: expect.stringContaining("rewrite") as string });
    expect(site.mirrors[0]?.requests).toEqual([]);
  });

  it("cost no host more than its own bound, however much junk they list", async () => {
    await using site = await Mirrored.start(5);
    for (const [i, mirror] of site.mirrors.entries()) {
      const junk = Array.from({ length: 40 }, (_, n) => ({
        artifactType: SIGNATURE_TYPE,
        digest: digestOf(`${i} ${n}`),
      }));
      mirror.override("/referrers/", { json: { manifests: junk } });
    }
    const found = brief(await site.search());
    expect(found).toContain("registry.too_many_candidates");
    expect(site.mirrors.map((mirror) => mirror.count("/manifests/"))).toEqual([32, 32, 32, 32, 0]);
    expect(site.world.registry.count("/manifests/")).toBeLessThanOrEqual(32);

    site.world.registry.forget();
    site.mirrors[3]?.override("/referrers/", { json: { manifests: [{ ...site.world.attach({ did: A }), size: 1 }] } });
    expect(brief(await site.search())).toContain(A);
    expect(site.world.registry.count("/manifests/")).toBe(32);
  });

  it("that answer each question in time leave the others their share all the same", async () => {
    await using site = await Mirrored.start(1);
    const [slow] = site.mirrors as [StandInRegistry];
    slow.pageSize = 1;
    for (let i = 0; i < 8; i++) slow.attach(REPOSITORY, IMAGE, { ...by(STRANGER), payload: i });
    slow.delay(400);
    site.world.attach({ did: A });
    // Its eight pages would take longer than there is time.
    expect(brief(await site.search(1, {}, [], 3000))).toContain(A);
    expect(slow.requests.length).toBeGreaterThan(1);
    expect(slow.requests.length).toBeLessThan(8);
  });

  it("by http where one does not speak TLS and may be asked so", async () => {
    await using site = await Mirrored.start(1);
    site.mirrors[0]?.attach(REPOSITORY, IMAGE, by(A));
    site.world.http.places.set("https://mirror0.example", "no TLS");
    site.world.http.places.set("http://mirror0.example", site.mirrors[0] as StandInRegistry);
    const plain = { root: "http://mirror0.example/v2", host: "mirror0" };
    expect(brief(await site.search(1, { plain }))).toEqual([A]);
    // It speaks TLS and is not trusted, or nothing is known of what it speaks.
    for (const [place, code] of [
      ["tls", "net.tls"],
      ["unreachable", "registry.unreachable"],
    ] as const) {
      site.world.http.places.set("https://mirror0.example", place);
      expect(brief(await site.search(1, { plain }))).toEqual([code]);
    }
  });

  it("say what would allow http where one does not speak TLS, and only there", async () => {
    await using site = await Mirrored.start(1);
    const httpEntry = "http://mirror0.example:443";
    const advised = async () =>
      (await site.search(1, { httpEntry })).map(
        (item) => "detail" in item && item.detail.includes(`list ${httpEntry} `),
      );
    site.world.http.places.set("https://mirror0.example", "no TLS");
    expect(await advised()).toEqual([true]);
    for (const place of ["tls", "unreachable"] as const) {
      site.world.http.places.set("https://mirror0.example", place);
      expect(await advised()).toEqual([false]);
    }
  });

  it("not by http where it is their token server that speaks no TLS", async () => {
    await using site = await Mirrored.start(1);
    const [mirror] = site.mirrors as [StandInRegistry];
    mirror.attach(REPOSITORY, IMAGE, by(A));
    const challenge = { "www-authenticate": 'Bearer realm="https://auth.example/token"' };
    mirror.override("/v2/", { status: 401, headers: challenge });
    site.world.http.places.set("https://auth.example", "no TLS");
    site.world.http.places.set("http://mirror0.example", mirror);
    const plain = { root: "http://mirror0.example/v2", host: "mirror0" };
    expect(brief(await site.search(1, { plain }))).toEqual(["net.tls"]);
    expect(site.world.http.origins).not.toContain("http://mirror0.example");
  });
});
