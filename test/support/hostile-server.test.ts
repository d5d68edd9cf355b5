import { get } from "node:https";
import { describe, expect, it } from "vitest";
import { CertificateAuthority } from "./certificates.ts";
import { HOSTILE_NAMES } from "./hostile-behaviours.ts";
import { CONNECTION_FAULT_NAMES, HostileServer, hostile } from "./hostile-server.ts";
import { StandInRegistry } from "./stand-in-registry.ts";

/** What a careless client gets within a moment: a status, or a failure. */
async function outcome(origin: string): Promise<string> {
  try {
    const response = await fetch(`${origin}/v2/a/referrers/b`, {
      redirect: "manual",
      signal: AbortSignal.timeout(150),
    });
    return String(response.status);
  } catch (error) {
    return (error as Error).name;
  }
}

describe("a hostile server", () => {
  it.each(HOSTILE_NAMES)("gets its request, and stops: %s", async (name) => {
    const server = await HostileServer.start(name);
    const seen = await outcome(server.origin);
    expect(server.requests).toEqual(["GET /v2/a/referrers/b"]);
    expect(seen).toMatch(/^\d+$|Error$/);
    await server.stop();
  });

  it.each(CONNECTION_FAULT_NAMES)("never gets as far as a request: %s", async (name) => {
    const server = await HostileServer.start(name);
    expect(await outcome(server.origin)).toMatch(name === "plain text" ? /^400$/ : /Error$/);
    expect(server.requests).toEqual([]);
    await server.stop();
  });

  it("speaks TLS", async () => {
    const authority = new CertificateAuthority();
    await using server = await HostileServer.start("status 500", { tls: authority.issue({ names: ["127.0.0.1"] }) });
    const status = await new Promise((done) => {
      get(server.origin, { ca: authority.cert, agent: false }, (response) => done(response.resume().statusCode));
    });
    expect(status).toBe(500);
    expect(await outcome(server.origin)).toBe("TypeError"); // no CA given
  });

  it("sends a small bomb that really inflates", async () => {
    await using server = await HostileServer.start("a gzip bomb");
    const response = await fetch(server.origin, { headers: { "accept-encoding": "gzip" } });
    expect((await response.bytes()).length).toBe(64 * 1024 * 1024);
    expect(Number(response.headers.get("content-length"))).toBeLessThan(128 * 1024);
  });

  it("can stand at some of a stand-in's paths", async () => {
    await using registry = await StandInRegistry.start();
    registry.override("/referrers/", hostile("not HTTP"));
    expect(await outcome(registry.origin)).toBe("TypeError");
    expect((await fetch(`${registry.origin}/v2/`)).status).toBe(200);
  });
});
