import { describe, expect, it } from "vitest";
import type { Gap, Pointer } from "../../../../src/core/evidence/evidence.ts";
import { searchRegistry } from "../../../../src/verifier/collect/discover-referrers.ts";
import { DIGEST, didNamed, digestOf, MANIFEST, subject } from "../../../support/evidence.ts";
import type { Override } from "../../../support/http-server.ts";
import { SIGNATURE_TYPE } from "../../../support/stand-in-registry.ts";
import { World } from "../../../support/world.ts";

/** Whoever signed. */
const A = didNamed("a");
const EMPTY = "application/vnd.oci.empty.v1+json";

/** How registries answer that have no Referrers API, or one of their own kind; and where that is told of. */
const QUIRKS: readonly { registry: string; source: string; referrers: Override }[] = [
  { registry: "distribution", source: "oras-project/rust-oci-client#259", referrers: { status: 404 } },
  { registry: "GHCR", source: "actions/attest-build-provenance#71", referrers: { status: 404 } },
  {
    registry: "Docker Hub, ECR before it had the API: a page of text",
    source: "opencontainers/distribution-spec, pull.md",
    referrers: { status: 404, body: "404 page not found\n", headers: { "content-type": "text/plain" } },
  },
  {
    registry: "Quay",
    source: "quay/quay#3071",
    referrers: { status: 400, json: { errors: [{ code: "MANIFEST_INVALID" }] } },
  },
  { registry: "Artifactory", source: "google/go-containerregistry#1962", referrers: { status: 406 } },
  { registry: "Harbor before 2.9, without a challenge", source: "goharbor/harbor#18305", referrers: { status: 401 } },
  { registry: "one that knows no such method", source: "distribution-spec", referrers: { status: 405 } },
  { registry: "one that says so", source: "distribution-spec", referrers: { status: 501 } },
  {
    registry: "one that shows a page to log in",
    source: "GHCR behind a proxy that follows its redirect",
    referrers: { body: "<!DOCTYPE html><title>Sign in</title>", headers: { "content-type": "text/html" } },
  },
  {
    registry: "one that says that its page is JSON",
    source: "goharbor/harbor#19690",
    referrers: { body: "<html>", headers: { "content-type": "application/json" } },
  },
  { registry: "Harbor, of a subject that it does not know", source: "goharbor/harbor", referrers: { json: {} } },
  {
    registry: "one that leads elsewhere, to nobody",
    source: "GHCR, from a node that may reach it alone",
    referrers: { status: 303, headers: { location: "https://unreachable.example/login" } },
  },
  {
    registry: "one that leads in circles",
    source: "a proxy that wants a login",
    referrers: { status: 302, headers: { location: "?again" } },
  },
  {
    registry: "one that leads to a page that is forbidden",
    source: "a proxy that wants a login",
    referrers: { status: 302, headers: { location: "https://login.example/forbidden" } },
  },
];

async function search(world: World, digest = DIGEST): Promise<readonly string[]> {
  const found: (Pointer | Gap)[] = [];
  await searchRegistry(subject({ digest }), { signers: new Set([A]), enough: 1 }, world.context(), (item) =>
    found.push(item),
  );
  return found.map((item) => ("code" in item ? item.code : item.signer));
}

describe("a registry without the Referrers API has the tag in its place", () => {
  it.each(QUIRKS)("$registry ($source)", async ({ referrers }) => {
    await using world = await World.start();
    world.http.places.set("https://login.example", world.registry);
    world.registry.override("/forbidden", { status: 403 });
    world.attach({ did: A, fallbackTag: true });
    world.registry.override("/referrers/", referrers);
    expect(await search(world)).toEqual([A]);
    // No signature there is no gap: nobody has attached one.
    world.registry.override("/manifests/", { status: 404 });
    expect(await search(world)).toEqual([]);
  });

  it("GitLab takes the tag's dash for the digest itself, and answers with the image (oras-project/oras-go#1396)", async () => {
    await using world = await World.start();
    const image = JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config: {}, layers: [] });
    world.registry.override("/referrers/", { status: 404 });
    world.registry.override("/manifests/", { body: image, headers: { "content-type": MANIFEST } });
    expect(await search(world, digestOf(image))).toEqual([]);
    expect(await search(world)).toEqual(["registry.bad_response"]);
  });
});

describe("a redirect to where nobody may be asked", () => {
  it("is reported, and the tag is asked for all the same", async () => {
    await using world = await World.start();
    world.attach({ did: A, fallbackTag: true });
    world.http.places.set("https://inside.example", "forbidden_address");
    world.registry.override("/referrers/", { status: 302, headers: { location: "https://inside.example/" } });
    expect(await search(world)).toEqual(["net.forbidden_address", A]);
    world.registry.override("/manifests/", { status: 404 });
    expect(await search(world)).toEqual(["net.forbidden_address"]);
  });
});

describe("a list that is null (every client in Go takes it for empty)", () => {
  it("is no reason to ask for the tag", async () => {
    await using world = await World.start();
    world.attach({ did: A, fallbackTag: true });
    world.registry.override("/referrers/", { json: { schemaVersion: 2, manifests: null } });
    expect(await search(world)).toEqual([]);
    expect(world.http.count("/manifests/")).toBe(0);
  });
});

describe("a descriptor without a type of its own (kyverno/kyverno#16664, #16754)", () => {
  it.each([
    ["missing", undefined],
    ["empty", ""],
    ["that of the empty config", EMPTY],
  ])("%s: what its manifest says counts", async (_, artifactType) => {
    await using world = await World.start();
    const listed = world.attach({ did: A });
    const { artifactType: _type, ...rest } = listed;
    world.list({ ...rest, ...(artifactType !== undefined && { artifactType }) });
    expect(await search(world)).toEqual([A]);
    const other = world.attach({ did: A, artifactType: "application/spdx+json" });
    const { artifactType: _other, ...otherRest } = other;
    world.list({ ...otherRest, ...(artifactType !== undefined && { artifactType }) });
    expect(await search(world)).toEqual([]);
  });

  it("ACR and older clients name the type in the config alone", async () => {
    await using world = await World.start();
    const config = { mediaType: SIGNATURE_TYPE, digest: DIGEST, size: 2 };
    const { artifactType: _, ...listed } = world.attach({ did: A, artifactType: "", config });
    world.list(listed);
    expect(await search(world)).toEqual([A]);
  });
});
