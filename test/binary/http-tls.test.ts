import { writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ask, headline, TestNode } from "../support/binary.ts";
import { CertificateAuthority, type TlsIdentity } from "../support/certificates.ts";
import { makeTemporaryDirectory, run } from "../support/process.ts";
import { StandInPlc } from "../support/stand-in-plc.ts";
import type { ProbeJob, ProbeReport, ProbeResult } from "./http-probe.ts";

const ROOT = join(import.meta.dirname, "../..");
const PROBE = join(ROOT, "build/http-probe-tls");
const BUILD = "build --compile --minify --bytecode --format=esm --outfile";

const known = new CertificateAuthority("known to the system");
const private1 = new CertificateAuthority("private");
const files = makeTemporaryDirectory("http-tls");
const SSL_CERT_FILE = join(files, "ca.pem");
const closing: (() => void)[] = [];

beforeAll(async () => {
  writeFileSync(SSL_CERT_FILE, known.cert);
  const bun = join(ROOT, "node_modules/.bin/bun");
  const built = await run(bun, [...BUILD.split(" "), PROBE, join(import.meta.dirname, "http-probe.ts")]);
  expect(built.code, built.stderr).toBe(0);
});
afterAll(() => {
  for (const close of closing) close();
});

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
  /** Common name of the certificate that the client showed. */
  readonly client: string | undefined;
}

/** Answers `ok`, or redirects from `/` where it is told where to. */
async function serve(identity: TlsIdentity, redirect?: () => string) {
  const seen: Seen[] = [];
  const server = createServer({ ...identity, requestCert: true, rejectUnauthorized: false }, (request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += String(chunk);
    });
    request.on("end", () => {
      const peer = (request.socket as TLSSocket).getPeerCertificate().subject as { CN?: string } | undefined;
      const { method = "", url = "", headers } = request;
      seen.push({ method, url, headers, body, client: peer?.CN });
      if (url === "/" && redirect !== undefined) response.writeHead(302, { location: redirect() }).end();
      else response.end("ok");
    });
  });
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, seen };
}

const pem = ({ cert }: CertificateAuthority) => [{ path: "ca.pem", text: cert }];
const issued = (by: CertificateAuthority) => by.issue({ names: ["good.example", "other.example"] });
const table = { "good.example": [["127.0.0.1"]], "other.example": [["127.0.0.1"]] };

async function ask(job: Partial<ProbeJob> & { requests: ProbeJob["requests"] }): Promise<readonly ProbeResult[]> {
  const all = { cidrs: ["127.0.0.0/8"], table, ...job };
  const { stdout, stderr } = await run(PROBE, [JSON.stringify(all)], { env: { SSL_CERT_FILE } });
  expect(stderr).toBe("");
  return (JSON.parse(stdout) as ProbeReport).results;
}

const outcome = ({ status, kind }: ProbeResult) => status ?? kind;

describe.concurrent("certificate authorities of a host, and of the configuration", () => {
  it("count beside the system's, for the name all the same", async () => {
    const [own, system] = [await serve(issued(private1)), await serve(issued(known))];
    const ca = pem(private1);
    for (const given of [{ ca: [private1.cert] }, { ca: [] }]) {
      const trusted = given.ca.length > 0;
      const results = await ask({
        ...given,
        requests: [
          { url: `https://good.example:${own.port}/` },
          { url: `https://good.example:${system.port}/` },
          { url: `https://good.example:${own.port}/`, tls: { ca } },
          { url: `https://good.example:${system.port}/`, tls: { ca } },
          { url: `https://127.0.0.1:${own.port}/`, tls: { ca } },
        ],
      });
      expect(results.map(outcome)).toEqual([trusted ? 200 : "tls", 200, 200, 200, "tls"]);
    }
  });

  it("hold for the host that they are given for alone, and for no redirect to another", async () => {
    const target = await serve(issued(private1));
    const port = await serve(issued(private1), () => `https://good.example:${target.port}/end`);
    const name = await serve(issued(private1), () => `https://other.example:${target.port}/end`);
    const same = await serve(issued(private1), () => "/end");
    const requests = [port, name, same].map((server) => ({
      url: `https://good.example:${server.port}/`,
      maxRedirects: 3,
      tls: { ca: pem(private1) },
    }));
    expect((await ask({ requests })).map(outcome)).toEqual(["tls", "tls", 200]);
    expect(target.seen).toEqual([]);
  });

  it("are not those of the request before, on a connection that is kept", async () => {
    const { port } = await serve(issued(private1));
    const url = `https://good.example:${port}/`;
    const results = await ask({ requests: [{ url, tls: { ca: pem(private1) } }, { url }] });
    expect(results.map(outcome)).toEqual([200, "tls"]);
  });
});

describe.concurrent("a host that need not prove its name", () => {
  it("is one that is listed, and no other", async () => {
    const { port } = await serve(new CertificateAuthority().issue({ names: ["elsewhere.example"] }));
    const url = `https://good.example:${port}/`;
    const tls = { skipVerify: true } as const;
    for (const [skipVerify, expected] of [
      [["good.example"], [200, "tls"]],
      [[`good.example:${port}`], [200, "tls"]],
      [
        ["good.example:443", "other.example"],
        ["tls", "tls"],
      ],
      [[], ["tls", "tls"]],
    ] as const) {
      const results = await ask({ skipVerify, requests: [{ url, tls }, { url }] });
      expect(results.map(outcome)).toEqual(expected);
    }
  });

  it("is not the host that it redirects to", async () => {
    const forged = new CertificateAuthority().issue({ names: ["elsewhere.example"] });
    const target = await serve(forged);
    const { port } = await serve(forged, () => `https://other.example:${target.port}/end`);
    const request = { url: `https://good.example:${port}/`, maxRedirects: 1, tls: { skipVerify: true } as const };
    const results = await ask({ skipVerify: ["good.example", "other.example"], requests: [request] });
    expect(results.map(outcome)).toEqual(["tls"]);
    expect(target.seen).toEqual([]);
  });
});

describe.concurrent("our own certificate", () => {
  it("is shown to its host alone", async () => {
    const { cert, key } = known.issue({ names: ["node.example"] });
    const target = await serve(issued(known));
    const { port, seen } = await serve(issued(known), () => `https://other.example:${target.port}/end`);
    const request = { url: `https://good.example:${port}/`, maxRedirects: 1, tls: { client: { cert, key } } };
    expect((await ask({ requests: [request] })).map(outcome)).toEqual([200]);
    expect([seen[0]?.client, target.seen[0]?.client]).toEqual(["node.example", undefined]);
  });
});

describe.concurrent("further header fields", () => {
  const headers = {
    Authorization: "Bearer secret",
    "X-Team": "a",
    host: "evil.example",
    "Content-Length": "7",
    accept: "x",
  };

  it("go to their host, replace none of ours, and no redirect carries them", async () => {
    for (const to of ["/end", "https://other.example"]) {
      const target = await serve(issued(known));
      const { port, seen } = await serve(issued(known), () => (to === "/end" ? to : `${to}:${target.port}/end`));
      const url = `https://good.example:${port}/`;
      expect((await ask({ requests: [{ url, maxRedirects: 1, headers }] })).map(outcome)).toEqual([200]);
      expect(seen[0]?.headers).toMatchObject({ authorization: "Bearer secret", "x-team": "a", accept: "*/*" });
      expect(seen[0]?.headers["host"]).toBe(`good.example:${port}`);
      expect(seen[0]?.headers["content-length"]).toBeUndefined();
      const second = to === "/end" ? seen[1] : target.seen[0];
      expect(second?.url).toBe("/end");
      expect(second?.headers).not.toHaveProperty("authorization");
      expect(second?.headers).not.toHaveProperty("x-team");
    }
  });
});

describe.concurrent("a form", () => {
  it("is sent by POST, and to nobody else", async () => {
    const form = { grant_type: "refresh_token", refresh_token: "a&b=c" };
    const plain = await serve(issued(known));
    const moved = await serve(issued(known), () => "/end");
    const requests = [plain, moved].map(({ port }) => ({
      url: `https://good.example:${port}/`,
      form,
      maxRedirects: 3,
    }));
    expect((await ask({ requests })).map(outcome)).toEqual([200, "bad_response"]);
    expect(plain.seen[0]).toMatchObject({ method: "POST", body: "grant_type=refresh_token&refresh_token=a%26b%3Dc" });
    expect(plain.seen[0]?.headers["content-type"]).toBe("application/x-www-form-urlencoded");
    expect(moved.seen.map(({ url }) => url)).toEqual(["/"]);
  });
});

describe("network.caFiles", () => {
  it("vouches for every service, and must be there, be PEM, and nobody else's to change", async () => {
    const world = await TestNode.start();
    const image = await world.image("signed");
    const tls = private1.issue({ names: ["127.0.0.1"] });
    await using plc = await StandInPlc.start({ tls });
    plc.add(world.signer.log);
    const own = world.write("own.pem", private1.cert);
    const writable = world.write("writable.pem", private1.cert, 0o666);
    const no = world.write("no.pem", "no certificate\n");
    const pulled = async (caFiles: readonly string[], name: string) => {
      const allow = ["127.0.0.0/8", "::1"];
      const config = world.configure({ plcDirectories: [plc.origin], network: { allow, caFiles } }, name);
      const options: Ask = { env: { ...world.env, ATCR_VERIFY_CONFIG: config } };
      return headline(await world.pull(world.name, image, options));
    };
    expect(await pulled([], "a.yaml")).toBe("2 inconclusive net.tls");
    expect(await pulled([own], "b.yaml")).toBe("0 allow signed");
    for (const wrong of [writable, no, `${own}.gone`]) {
      expect(await pulled([own, wrong], `c${wrong.length}.yaml`)).toBe("3 misconfigured config.invalid");
    }
    await world.stop();
  });
});
