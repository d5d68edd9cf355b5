import { execFile } from "node:child_process";
import { get } from "node:https";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { CertificateAuthority } from "./certificates.ts";
import { StandInPlc } from "./stand-in-plc.ts";

const BUN = resolve("node_modules/.bin/bun");

function statusOf(url: string, ca: string): Promise<number | string> {
  return new Promise((done) => {
    get(url, { ca, agent: false }, (response) => {
      response.resume();
      done(response.statusCode ?? 0);
    }).on("error", (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
  });
}

const authority = new CertificateAuthority();

describe("a certificate", () => {
  it("is accepted for its addresses, by Node and by Bun", async () => {
    const tls = authority.issue({ names: ["localhost", "127.0.0.1", "::1", "fe80::1:2"] });
    await using server = await StandInPlc.start({ tls });
    expect(await statusOf(`${server.origin}/x`, authority.cert)).toBe(404);
    const script = "console.log((await fetch(process.argv[1], { tls: { ca: process.env.CA } })).status)";
    const env = { ...process.env, CA: authority.cert };
    const { stdout } = await promisify(execFile)(BUN, ["-e", script, `${server.origin}/x`], { env });
    expect(stdout.trim()).toBe("404");
  });

  it("is refused for another name, by another authority, and out of its time", async () => {
    await using other = await StandInPlc.start({ tls: authority.issue({ names: ["example.com", "127.0.0.2"] }) });
    expect(await statusOf(other.origin, authority.cert)).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
    expect(await statusOf(other.origin, new CertificateAuthority("Other CA").cert)).toMatch(
      /UNABLE_TO_VERIFY|UNABLE_TO_GET/,
    );
    const now = Date.now();
    await using old = await StandInPlc.start({
      tls: authority.issue({ names: ["127.0.0.1"], notAfter: now - 60_000 }),
    });
    expect(await statusOf(old.origin, authority.cert)).toBe("CERT_HAS_EXPIRED");
  });
});
