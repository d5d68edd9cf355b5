import { describe, expect, it } from "vitest";
import { parseReference } from "../../../../src/core/oci/reference.ts";
import type { Endpoint, Endpoints } from "../../../../src/io/registry/endpoints.ts";
import { type ResolveOptions, resolveImage } from "../../../../src/verifier/service/resolve-image.ts";
import { digestOf } from "../../../support/evidence.ts";
import { INDEX_TYPE, MANIFEST_TYPE, StandInRegistry } from "../../../support/stand-in-registry.ts";
import { World } from "../../../support/world.ts";

const REPOSITORY = "team/app";
const TAG = parseReference("registry.example/team/app:v1");
const SERVER: Endpoint = { root: "https://registry.example/v2", host: "registry.example" };

/** A registry with mirrors that serve the same name. */
class Site implements AsyncDisposable {
  readonly world: World;
  readonly mirror: StandInRegistry;

  private constructor(world: World, mirror: StandInRegistry) {
    this.world = world;
    this.mirror = mirror;
    world.http.places.set("https://mirror.example", mirror);
  }

  static async start(): Promise<Site> {
    return new Site(await World.start(), await StandInRegistry.start());
  }

  async resolve(name = TAG, options: ResolveOptions = {}, all: readonly Endpoint[] = [SERVER]) {
    const context = this.world.context();
    const registries = { ...context.registries, endpoints: () => ({ all: all as Endpoints["all"], problems: [] }) };
    return resolveImage(name, { ...context, registries }, options);
  }

  get asked(): readonly string[] {
    return [...this.mirror.requests, ...this.world.registry.requests].map(({ method, path }) => `${method} ${path}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mirror.stop();
    await this.world[Symbol.asyncDispose]();
  }
}

const HEAD = "HEAD /v2/team/app/manifests/v1";
const GET = "GET /v2/team/app/manifests/v1";
const MIRROR: Endpoint = { root: "https://mirror.example/v2", host: "mirror.example", namespace: "registry.example" };
const code = (asking: Promise<unknown>) =>
  asking.then(
    () => "resolved",
    (error: { code: string }) => error.code,
  );

describe("resolveImage, of a tag", () => {
  it("asks by HEAD alone, with containerd's media types", async () => {
    await using site = await Site.start();
    const image = site.world.registry.pushImage(REPOSITORY, "one", "v1");
    expect(await site.resolve()).toEqual({
      digest: image.digest,
      mediaType: MANIFEST_TYPE,
      size: image.size,
      by: "registry.example",
      at: site.world.now,
    });
    expect(site.asked).toEqual([HEAD]);
    expect(site.world.registry.requests[0]?.headers.accept).toBe(
      "application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, */*",
    );
  });

  it("means latest where there is none", async () => {
    await using site = await Site.start();
    site.world.registry.pushImage(REPOSITORY, "one", "latest");
    await site.resolve(parseReference("registry.example/team/app"));
    expect(site.asked).toEqual(["HEAD /v2/team/app/manifests/latest"]);
  });

  it.each([
    ["HEAD is not allowed", { status: 405 }],
    ["HEAD names no digest", { headers: { "content-length": "7" } }],
  ])("fetches and hashes the content where %s", async (_, answer) => {
    await using site = await Site.start();
    const image = site.world.registry.pushImage(REPOSITORY, "one", "v1");
    site.world.registry.override((request) => request.method === "HEAD", answer);
    expect(await site.resolve()).toMatchObject({ digest: image.digest, size: image.size });
    expect(site.asked).toEqual([HEAD, GET]);
  });

  it.each([true, false])(
    "fetches the content where HEAD names no size, and compares: right digest %s",
    async (isRight) => {
      await using site = await Site.start();
      const image = site.world.registry.pushImage(REPOSITORY, "one", "v1");
      const named = isRight ? image.digest : digestOf("b");
      site.world.registry.override(
        (request) => request.method === "HEAD",
        ({ outgoing }) => {
          outgoing.writeHead(200, { "docker-content-digest": named }).end();
          return undefined;
        },
      );
      expect(await code(site.resolve())).toBe(isRight ? "resolved" : "registry.bad_response");
      expect(site.asked).toEqual([HEAD, GET]);
    },
  );

  it("refuses content that does not hash to the digest in the header", async () => {
    await using site = await Site.start();
    site.world.registry.pushImage(REPOSITORY, "one", "v1");
    site.world.registry.override((request) => request.method === "HEAD", { status: 405 });
    site.world.registry.override((request) => request.method === "GET", {
      headers: { "docker-content-digest": digestOf("b"), "content-type": MANIFEST_TYPE },
      body: "{}",
    });
    expect(await code(site.resolve())).toBe("registry.bad_response");
  });

  it("takes nothing that is larger than containerd takes", async () => {
    await using site = await Site.start();
    const headers = { "docker-content-digest": digestOf("b"), "content-length": String(4 * 1024 * 1024 + 1) };
    site.world.registry.override((request) => request.method === "HEAD", { headers });
    expect(await code(site.resolve())).toBe("registry.bad_response");
    expect(site.asked).toEqual([HEAD]);
    site.world.registry.override((request) => request.method === "HEAD", { status: 405 });
    site.world.registry.override((request) => request.method === "GET", { body: new Uint8Array(4 * 1024 * 1024 + 1) });
    expect(await code(site.resolve())).toBe("registry.bad_response");
  });

  it.each([
    ["no such tag", "registry.unknown_tag", {}],
    ["a login", "registry.unauthorized", { status: 401, headers: { "www-authenticate": "Basic" } }],
    ["a web page with status 404", "registry.bad_response", { status: 404, body: "<html>not here</html>" }],
    ["no answer", "registry.unreachable", { status: 503 }],
    ["a digest of another algorithm", "registry.bad_response", { headers: { "docker-content-digest": "sha512:00" } }],
  ])("says what the registry answered: %s", async (what, expected, answer) => {
    await using site = await Site.start();
    if (what !== "no such tag") site.world.registry.override("", answer);
    expect(await code(site.resolve())).toBe(expected);
  });

  it("asks mirrors first, and the registry where they do not know the tag or do not answer", async () => {
    await using site = await Site.start();
    const image = site.world.registry.pushImage(REPOSITORY, "one", "v1");
    expect(await site.resolve(TAG, {}, [MIRROR, SERVER])).toMatchObject({
      by: "registry.example",
      digest: image.digest,
    });
    expect(site.asked).toEqual([HEAD, HEAD]);
    const other = site.mirror.pushImage(REPOSITORY, "another", "v1");
    expect(await site.resolve(TAG, {}, [MIRROR, SERVER])).toMatchObject({ by: "mirror.example", digest: other.digest });
    site.world.http.places.set("https://mirror.example", "timeout");
    expect(await site.resolve(TAG, {}, [MIRROR, SERVER])).toMatchObject({ by: "registry.example" });
  });

  it("asks no host that hosts.toml does not let resolve tags", async () => {
    await using site = await Site.start();
    site.mirror.pushImage(REPOSITORY, "one", "v1");
    const image = site.world.registry.pushImage(REPOSITORY, "two", "v1");
    const mirror = { ...MIRROR, isForDigestsOnly: true } as const;
    expect(await site.resolve(TAG, {}, [mirror, SERVER])).toMatchObject({ digest: image.digest });
    expect(site.mirror.requests).toEqual([]);
    const server = { ...SERVER, isForDigestsOnly: true } as const;
    expect(await code(site.resolve(TAG, {}, [mirror, server]))).toBe("registry.unreachable");
    expect(site.mirror.requests).toEqual([]);
  });

  it("names the tag as unknown where the registry does, whatever a mirror said", async () => {
    await using site = await Site.start();
    site.mirror.override("", { status: 500 });
    expect(await code(site.resolve(TAG, {}, [MIRROR, SERVER]))).toBe("registry.unknown_tag");
  });
});

describe("resolveImage, the images of an index", () => {
  const child = (site: Site, salt: string, platform: Readonly<Record<string, string>>) => ({
    ...site.world.registry.pushImage(REPOSITORY, salt),
    platform,
  });

  it("are those that it lists, without attestations", async () => {
    await using site = await Site.start();
    const amd = child(site, "amd", { os: "linux", architecture: "amd64" });
    const arm = child(site, "arm", { os: "linux", architecture: "arm64", variant: "v8" });
    const attestation = child(site, "attestation", { os: "unknown", architecture: "unknown" });
    const index = site.world.registry.pushIndex(REPOSITORY, [amd, arm, attestation], "v1");
    const { children, ...rest } = await site.resolve(TAG, { children: true });
    expect(rest).toMatchObject({ digest: index.digest, mediaType: INDEX_TYPE });
    expect(children).toEqual([
      { digest: amd.digest, mediaType: MANIFEST_TYPE, platform: "linux/amd64" },
      { digest: arm.digest, mediaType: MANIFEST_TYPE, platform: "linux/arm64" },
    ]);
    expect(site.asked).toEqual([HEAD, `GET /v2/team/app/manifests/${index.digest}`]);
  });

  it("are not looked for unless wanted, and there are none of a single image", async () => {
    await using site = await Site.start();
    site.world.registry.pushImage(REPOSITORY, "one", "v1");
    expect(await site.resolve(TAG, { children: true })).not.toHaveProperty("children");
    expect(await site.resolve(TAG)).not.toHaveProperty("children");
  });

  it("are missing with a reason where the index cannot be read", async () => {
    await using site = await Site.start();
    const index = site.world.registry.pushIndex(REPOSITORY, [], "v1");
    site.world.registry.override(index.digest, { headers: { "content-type": INDEX_TYPE }, body: "{}" });
    const found = await site.resolve(TAG, { children: true });
    expect(found).toMatchObject({ digest: index.digest, unread: expect.any(String) as string });
    expect(found).not.toHaveProperty("children");
  });
});

describe("resolveImage, of a name with a digest", () => {
  it("fetches what has this digest, whatever the tag points to", async () => {
    await using site = await Site.start();
    const image = site.world.registry.pushImage(REPOSITORY, "one");
    site.world.registry.pushImage(REPOSITORY, "two", "v1");
    const name = parseReference(`registry.example/team/app:v1@${image.digest}`);
    expect(await site.resolve(name)).toMatchObject({ digest: image.digest, mediaType: MANIFEST_TYPE });
    expect(site.asked).toEqual([`GET /v2/team/app/manifests/${image.digest}`]);
  });

  it("refuses what does not hash to it", async () => {
    await using site = await Site.start();
    const name = parseReference(`registry.example/team/app@${digestOf("c")}`);
    site.world.registry.override("", { body: "{}" });
    expect(await code(site.resolve(name))).toBe("registry.bad_response");
  });
});
