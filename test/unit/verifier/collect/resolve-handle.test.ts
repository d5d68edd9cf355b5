import { describe, expect, it } from "vitest";
import { type Handle, isHandle } from "../../../../src/core/atproto/handle.ts";
import type { Config } from "../../../../src/core/config/config.ts";
import { NOTHING_ALLOWED } from "../../../../src/core/config/network-allow.ts";
import { HttpFailure, type HttpFailureKind } from "../../../../src/io/net/exchange.ts";
import { fetchOwner } from "../../../../src/verifier/collect/resolve-handle.ts";
import { asDid, didNamed, NOW } from "../../../support/evidence.ts";
import type { Answer } from "../../../support/http-server.ts";
import { World } from "../../../support/world.ts";
// Untransformed it takes longer to load than the timeouts below.
import "../../../../src/verifier/collect/reference-resolvers.ts";

const ALICE = didNamed("a");
const OTHER = didNamed("b");
const DNS = "dns:_atproto.alice.example.com";
const URL = "https://alice.example.com/.well-known/atproto-did";

type Dns = readonly string[] | Error | "silent";
/** What the handle's https host does: answers, or fails to. */
type Https = Answer | HttpFailureKind;

const failed = (kind: HttpFailureKind) => new HttpFailure(kind, `DNS: ${kind}`);
const NOT_FOUND: Https = { status: 404, body: "not found" };

function handle(text: string): Handle {
  if (!isHandle(text)) throw new Error(`${text} is no handle`);
  return text;
}

async function asking(dns: Dns, https: Https, name = "alice.example.com"): Promise<World> {
  const world = await World.start();
  world.txt.set(`_atproto.${name}`, dns);
  world.http.places.set(`https://${name}`, typeof https === "string" ? https : world.pds);
  if (typeof https !== "string") world.pds.override("/.well-known/atproto-did", https);
  return world;
}

interface Found {
  readonly did?: string;
  readonly source?: string;
  readonly code?: string;
  readonly message?: string;
}

async function owner(dns: Dns, https: Https, changes: Partial<Config> = {}, time?: number): Promise<Found> {
  await using world = await asking(dns, https);
  return await fetchOwner(handle("alice.example.com"), world.context(changes, time)).then(
    (answer) => {
      expect(answer).toMatchObject({ handle: "alice.example.com", fetchedAt: NOW });
      return { ...(answer.did && { did: answer.did }), source: answer.source };
    },
    (error: Found) => ({
      code: error.code ?? "",
      message: (error.message ?? "").replaceAll(/ \(\d attempts? in [^)]*\)/g, ""),
    }),
  );
}

describe("fetchOwner", () => {
  it("asks DNS and the https host, both at once, within their time and bounds", async () => {
    await using world = await asking([`did=${ALICE}`], { body: ALICE });
    await fetchOwner(handle("alice.example.com"), world.context({ didResolverTimeout: 1234 }));
    expect(world.lookUps).toEqual([{ name: "_atproto.alice.example.com", timeout: 1234 }]);
    expect(world.http.asked).toEqual([
      {
        url: URL,
        accept: "text/plain",
        maxBytes: 2048,
        timeout: 1234,
        maxRedirects: 3,
        originMayBePrivate: false,
        purpose: "handle",
      },
    ]);
  });

  it.each<[string, Dns, Https, Found]>([
    ["DNS before the host", [`did=${ALICE}`], { body: OTHER }, { did: ALICE, source: DNS }],
    ["DNS where the host knows nobody", [`did=${ALICE}`], NOT_FOUND, { did: ALICE, source: DNS }],
    ["DNS where the host is away", [`did=${ALICE}`], "unreachable", { did: ALICE, source: DNS }],
    ["the host where DNS knows nobody", [], { body: ALICE }, { did: ALICE, source: URL }],
    ["the host where DNS cannot be asked", failed("unreachable"), { body: ALICE }, { did: ALICE, source: URL }],
    ["the host where DNS is silent", "silent", { body: ALICE }, { did: ALICE, source: URL }],
  ])("believes %s", async (_, dns, https, expected) => {
    expect(await owner(dns, https, { didResolverTimeout: 300 })).toEqual(expected);
  });

  it("takes texts for other purposes in DNS for nobody, and hears the host", async () => {
    const texts = ["v=spf1", "DID=x", " did=x", `x${ALICE}`];
    expect(await owner(texts, { body: OTHER })).toEqual({ did: OTHER, source: URL });
    expect(await owner(texts, NOT_FOUND)).toEqual({ source: URL });
  });

  it.each<[string, Dns]>([
    ["several DIDs", [`did=${ALICE}`, `did=${OTHER}`]],
    ["a DID beside what is none", [`did=${ALICE}`, "did=alice"]],
    ["what is no DID", ["did=alice"]],
    ["what is no DID, beside texts for other purposes", ["v=spf1", "did=alice"]],
    ["an empty DID", ["did="]],
    ["a DID of a method not known here", ["did=did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme"]],
    ["a DID that leads elsewhere", ["did=did:web:a%40evil.example"]],
    ["a DID with more behind it", [`did=${ALICE} `]],
  ])("takes %s in DNS for nobody, whatever the host says", async (_, dns) => {
    for (const https of [{ body: OTHER }, NOT_FOUND, "unreachable"] as const) {
      expect(await owner(dns, https)).toEqual({ source: DNS });
    }
  });

  it("passes over texts for other purposes beside a DID", async () => {
    expect(await owner(["v=spf1", `did=${ALICE}`], NOT_FOUND)).toEqual({ did: ALICE, source: DNS });
  });

  it.each(["", "\n", "\r\n", " \n<!-- more -->"])("reads the host's first line: %j behind the DID", async (rest) => {
    expect(await owner([], { body: `${ALICE}${rest}` })).toEqual({ did: ALICE, source: URL });
  });

  it.each(["", "alice", `did=${ALICE}`, "did:key:z", `\n${ALICE}`, "did:web:a%2fb.example", "<html>", `x ${ALICE}`])(
    "takes %j from the host for nobody",
    async (body) => {
      expect(await owner([], { body })).toEqual({ source: URL });
    },
  );

  it("takes a did:web", async () => {
    expect(await owner(["did=did:web:alice.example.com"], NOT_FOUND)).toEqual({
      did: asDid("did:web:alice.example.com"),
      source: DNS,
    });
  });

  it.each([404, 410])("hears from status %i that the host knows nobody, whatever the page says", async (status) => {
    expect(await owner([], { status, body: ALICE })).toEqual({ source: URL });
  });

  it.each([
    [400, "handle.bad_response"],
    [401, "handle.bad_response"],
    [403, "handle.bad_response"],
    [429, "handle.bad_response"],
    [500, "handle.bad_response"],
    [503, "handle.bad_response"],
  ])("is not told anything by status %i: %s", async (status, code) => {
    expect(await owner([], { status, body: ALICE })).toMatchObject({
      code,
      message: `alice.example.com answered with status ${status}`,
    });
  });

  it.each<[HttpFailureKind, string]>([
    ["unreachable", "handle.bad_response"],
    ["timeout", "handle.bad_response"],
    ["bad_response", "handle.bad_response"],
    ["tls", "net.tls"],
    ["forbidden_address", "net.forbidden_address"],
  ])("where DNS knows nobody and the host fails: %s is %s", async (kind, code) => {
    expect(await owner([], kind)).toEqual({ code, message: `alice.example.com: ${kind}` });
  });

  it.each<[Dns, Https, string, string]>([
    [failed("unreachable"), NOT_FOUND, "handle.bad_response", "DNS: unreachable"],
    [failed("timeout"), NOT_FOUND, "handle.bad_response", "DNS: timeout"],
    [failed("unreachable"), { body: "<html>" }, "handle.bad_response", "DNS: unreachable"],
    [failed("bad_response"), NOT_FOUND, "handle.bad_response", "DNS: bad_response"],
    [failed("unreachable"), "tls", "net.tls", "DNS: unreachable; alice.example.com: tls"],
    [failed("bad_response"), "unreachable", "handle.bad_response", "DNS: bad_response; alice.example.com: unreachable"],
    [
      failed("unreachable"),
      { status: 503 },
      "handle.unreachable",
      "DNS: unreachable; alice.example.com answered with status 503",
    ],
    [failed("timeout"), "unreachable", "handle.unreachable", "DNS: timeout; alice.example.com: unreachable"],
  ])("does not take silence for nobody: DNS %s, host %j", async (dns, https, code, message) => {
    expect(await owner(dns, https)).toEqual({ code, message });
  });

  it("is a timeout where nobody answered in time", async () => {
    expect(await owner("silent", "unreachable", {}, 50)).toMatchObject({ code: "net.deadline" });
    expect(await owner("silent", NOT_FOUND, {}, 50)).toMatchObject({ code: "handle.bad_response" });
  });

  it("reads no more than 2 KiB", async () => {
    expect(await owner([], { body: `${ALICE}\n${"x".repeat(2048)}` })).toMatchObject({ code: "handle.bad_response" });
  });

  it("follows a few redirects", async () => {
    await using world = await asking([], { status: 301, headers: { location: "https://www.example.com/1" } });
    world.http.places.set("https://www.example.com", world.pds);
    world.pds.override("/1", { status: 302, headers: { location: "/2" } });
    world.pds.override("/2", { status: 302, headers: { location: "/3" } });
    world.pds.override("/3", { body: ALICE });
    const answer = await fetchOwner(handle("alice.example.com"), world.context());
    expect(answer).toMatchObject({ did: ALICE, source: URL });
    world.pds.override("/3", { status: 302, headers: { location: "/4" } });
    await expect(fetchOwner(handle("alice.example.com"), world.context())).rejects.toMatchObject({
      code: "handle.bad_response",
    });
  });

  it("lets a bug through as it is", async () => {
    await using world = await asking(new TypeError("a bug"), NOT_FOUND);
    await expect(fetchOwner(handle("alice.example.com"), world.context())).rejects.toThrow(TypeError);
    world.txt.clear();
    const context = { ...world.context(), http: () => Promise.reject(new TypeError("a bug")) };
    await expect(fetchOwner(handle("alice.example.com"), context)).rejects.toThrow(TypeError);
  });
});

describe("a handle below a reserved domain", () => {
  it.each(["alice.test", "alice.localhost", "alice.internal", "alice.onion"])(
    "%s is asked only where listed",
    async (name) => {
      await using world = await asking([`did=${ALICE}`], NOT_FOUND, name);
      const refused = fetchOwner(handle(name), world.context());
      await expect(refused).rejects.toMatchObject({ code: "net.forbidden_address" });
      expect([world.lookUps, world.http.asked]).toEqual([[], []]);
      const listed = world.context({ network: { ...NOTHING_ALLOWED, hosts: [name] } });
      expect(await fetchOwner(handle(name), listed)).toMatchObject({ did: ALICE });
    },
  );
});
