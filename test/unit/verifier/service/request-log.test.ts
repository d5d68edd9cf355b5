import { beforeAll, describe, expect, it } from "vitest";
import { parseReference } from "../../../../src/core/oci/reference.ts";
import { HttpFailure, type HttpRequest } from "../../../../src/io/net/exchange.ts";
import { Deadline } from "../../../../src/io/process/deadline.ts";
import { RequestLog } from "../../../../src/verifier/service/request-log.ts";
import { policy } from "../../../support/deciding.ts";
import { NOW, signer, subject, type TestSigner } from "../../../support/evidence.ts";
import { RecordedSession } from "../../../support/recorded-session.ts";
import { World } from "../../../support/world.ts";

const REQUEST: HttpRequest = {
  url: "https://a.example/",
  accept: "",
  maxBytes: 1,
  timeout: 1,
  maxRedirects: 0,
  originMayBePrivate: false,
  purpose: "registry",
};
const answering = async () => ({ status: 200, url: "", headers: new Map(), body: new Uint8Array(5) });
const recorded = async (request: Partial<HttpRequest>) => {
  const log = new RequestLog(() => NOW);
  await log.recorded(answering)({ ...REQUEST, ...request }, new Deadline(1000));
  return log.requests[0];
};

let alice: TestSigner;
beforeAll(async () => {
  alice = await signer({ name: "alice" });
});

/** A session that records. */
class Recording extends RecordedSession {
  readonly requestLog = new RequestLog(() => this.now());
}

describe("RequestLog", () => {
  it("records status, size and time of each request, and why there was no answer", async () => {
    const log = new RequestLog(() => NOW);
    const deadline = new Deadline(1000);
    await log.recorded(answering)({ ...REQUEST, method: "HEAD" }, deadline);
    const failing = log.recorded(() => Promise.reject(new HttpFailure("tls", "no")));
    await expect(failing({ ...REQUEST, form: { a: "b" } }, deadline)).rejects.toThrow("no");
    const looked = await log.recordedTxt(async () => ["did=x"])({ name: "_atproto.a.example", timeout: 1 }, deadline);
    expect(looked).toEqual(["did=x"]);
    const base = {
      purpose: "registry",
      url: "https://a.example/",
      cached: false,
      at: NOW,
      ms: expect.any(Number) as number,
    };
    expect(log.requests).toEqual([
      { ...base, method: "HEAD", status: 200, bytes: 5 },
      { ...base, method: "POST", failure: "tls", bytes: 0 },
      { ...base, purpose: "DNS", method: "TXT", url: "_atproto.a.example", bytes: 5 },
    ]);
  });

  it.each([
    [
      "of the query only what this program writes",
      { url: "https://user:pw@a.example/x?did=did:plc:a&sig=secret#f" },
      "https://a.example/x?did=did:plc:a",
    ],
    [
      "no path that repeats a credential",
      { url: "https://a.example/x/c2VjcmV0cw", headers: { Authorization: "Bearer c2VjcmV0cw" } },
      "https://a.example/ [withheld: it repeats a credential or a header that was sent]",
    ],
    [
      "no host that repeats one",
      { url: "https://c2vjcmv0cw.example/", secrets: [{ form: { token: "c2VjcmV0cw" } }] },
      "[withheld: it repeats a credential or a header that was sent]",
    ],
    ["printable ASCII", { url: "https://a.example/\u001b[31m" }, "https://a.example/%1B[31m"],
  ])("shows %s", async (_, request, url) => {
    expect((await recorded(request))?.url).toBe(url);
  });

  it("shows a bounded part of an endless URL", async () => {
    const url = (await recorded({ url: `https://a.example/${"x".repeat(5000)}` }))?.url ?? "";
    expect(url.length).toBe(512);
    expect(url.endsWith("...")).toBe(true);
  });

  it("counts what is beyond its bound", async () => {
    const log = new RequestLog(() => NOW);
    const http = log.recorded(answering);
    for (let i = 0; i < 1003; i++) await http(REQUEST, new Deadline(1000));
    expect([log.requests.length, log.unrecorded]).toEqual([1000, 3]);
  });
});

describe("a session with a RequestLog", () => {
  it("records what a resolution and a verification ask, then what the cache answered instead", async () => {
    await using world = await World.start(alice);
    const first = new Recording(world);
    const verifier = world.verifier(policy([alice.did]));
    const image = world.registry.pushImage("team/app", "one", "v1");
    await verifier.resolve(parseReference("registry.example/team/app:v1"), first);
    await verifier.verify(subject(), first);
    const asked = first.requestLog.requests;
    expect(asked).toHaveLength(world.http.asked.length);
    expect(asked.every(({ cached }) => !cached)).toBe(true);
    expect(asked[0]).toMatchObject({ purpose: "registry", method: "HEAD", status: 200, bytes: 0 });
    expect(asked[0]?.url).toBe("https://registry.example/v2/team/app/manifests/v1");
    expect(image.digest).toMatch(/^sha256:/);
    expect(new Set(asked.map(({ purpose }) => purpose))).toEqual(new Set(["registry", "directory", "PDS"]));

    world.now += 1000;
    const second = new Recording(world);
    await world.verifier(policy([alice.did])).verify(subject(), second);
    const { requests } = second.requestLog;
    expect(requests.map(({ purpose, cached, at, status }) => [purpose, cached, at, status])).toEqual([
      ["cache", true, NOW, undefined],
      ["cache", true, NOW, undefined],
    ]);
    expect(requests.every(({ bytes }) => bytes > 100)).toBe(true);
  });

  it("changes nothing about the requests", async () => {
    await using world = await World.start(alice);
    const [plain, recording] = [new RecordedSession(world), new Recording(world)];
    const verifier = world.verifier(policy([alice.did]), { config: { cacheEnabled: false } });
    await verifier.verify(subject(), plain);
    const before = world.http.asked.map(({ url }) => url).toSorted();
    world.http.asked.length = 0;
    await verifier.verify(subject(), recording);
    expect(world.http.asked.map(({ url }) => url).toSorted()).toEqual(before);
    expect(recording.requestCounts.asked.size).toBe(plain.requestCounts.asked.size);
  });
});
