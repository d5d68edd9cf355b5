import { writeFileSync } from "node:fs";
import { createServer, type ServerOptions } from "node:https";
import { type AddressInfo, createServer as createPlainServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CertificateAuthority, type TlsIdentity } from "../support/certificates.ts";
import { makeTemporaryDirectory, run } from "../support/process.ts";
import { StandInProxy } from "../support/stand-in-proxy.ts";
import type { ProbeJob, ProbeReport, ProbeResult } from "./http-probe.ts";

const ROOT = join(import.meta.dirname, "../..");
const PROBE = join(ROOT, "build/http-probe-tls-failures");
const BUILD = "build --compile --minify --bytecode --format=esm --outfile";
/** keyEncipherment and dataEncipherment, as many guides have it for servers. */
const ENCIPHERMENT_ONLY = 0b0011_0000;

const known = new CertificateAuthority("known to the system");
const files = makeTemporaryDirectory("tls-failures");
const SSL_CERT_FILE = join(files, "ca.pem");
const NAMES = { names: ["good.example"] };
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

async function listen(server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket.on("error", () => {})));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `https://good.example:${(server.address() as AddressInfo).port}/`;
}

function serve(identity: TlsIdentity, options: ServerOptions = {}): Promise<string> {
  const server = createServer({ ca: known.cert, ...identity, ...options }, (_, response) => response.end("ok"));
  return listen(server.on("tlsClientError", () => {}));
}

async function get(url: string, job: Partial<ProbeJob> & { tls?: object } = {}): Promise<ProbeResult> {
  const { tls, ...rest } = job;
  const all = {
    cidrs: ["127.0.0.0/8"],
    table: { "good.example": [["127.0.0.1"]] },
    requests: [{ url, ...(tls && { tls }) }],
  };
  const env = { SSL_CERT_FILE, SSL_CERT_DIR: join(files, "none") };
  const { stdout, stderr } = await run(PROBE, [JSON.stringify({ ...all, ...rest })], { env });
  expect(stderr).toBe("");
  const [result] = (JSON.parse(stdout) as ProbeReport).results;
  if (result === undefined) throw new Error("no result");
  return result;
}

const DAY = 24 * 60 * 60 * 1000;
const plain = () =>
  listen(createPlainServer((socket) => socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"))));

describe.concurrent("the reason of a failed handshake", () => {
  it.each<[string, () => Promise<string>, string, RegExp]>([
    [
      "names a certificate that no authority vouches for, and its issuer",
      () => serve(new CertificateAuthority("stranger").issue(NAMES)),
      "tls",
      /"CN=good\.example", issued by "CN=stranger", does not chain to any of the 1 trusted certificate authorities: .* \(UNABLE_TO_/,
    ],
    [
      "names who a certificate is for",
      () => serve(known.issue({ names: ["a.example", "b.example"] })),
      "tls",
      /is for "DNS:a\.example, DNS:b\.example", not for this host/,
    ],
    [
      "names the date of expiry",
      () => serve(known.issue({ ...NAMES, notAfter: Date.now() - DAY })),
      "tls",
      /has expired \("/,
    ],
    [
      "names the date of validity",
      () => serve(known.issue({ ...NAMES, notBefore: Date.now() + DAY })),
      "tls",
      /is not valid yet \(".*is this node's clock right/,
    ],
    [
      "names a key usage that forbids signing",
      () => serve(known.issue({ ...NAMES, key: "RSA", keyUsage: ENCIPHERMENT_ONLY })),
      "tls",
      /key usage forbids signing.*digitalSignature/,
    ],
    ["says that it is no TLS", plain, "tls", /does not speak TLS on this port/],
    [
      "names the alert protocol_version",
      () => serve(known.issue(NAMES), { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" }),
      "tls",
      /alert protocol_version: .*TLS 1\.2 and 1\.3/,
    ],
    [
      "names the alert certificate_required",
      () => serve(known.issue(NAMES), { requestCert: true, rejectUnauthorized: true }),
      "tls",
      /alert certificate_required: .*client in hosts\.toml/,
    ],
    [
      "does not blame the certificate where HTTP/2 alone is spoken",
      () => serve(known.issue(NAMES), { ALPNProtocols: ["h2"] }),
      "bad_response",
      /does not speak HTTP\/1\.1, perhaps only HTTP\/2/,
    ],
  ])("%s", async (_, start, kind, message) => {
    const result = await get(await start());
    expect(result).toMatchObject({ kind, message: expect.stringMatching(message) });
  });

  it("prints what a certificate says as quoted ASCII, and not all of it", async () => {
    const stranger = new CertificateAuthority(`\u001b[31m"${"a".repeat(300)}`);
    const { message } = await get(await serve(stranger.issue(NAMES)));
    expect(message).toMatch(/^[\x20-\x7e]+$/);
    expect(message).not.toContain("a".repeat(121));
  });

  it("is given in time where the host is silent when it is asked again", async () => {
    let connections = 0;
    const identity = new CertificateAuthority("stranger").issue(NAMES);
    const real = new URL(await serve(identity)).port;
    const { connect } = await import("node:net");
    const url = await listen(
      createPlainServer((socket) => {
        if (connections++ > 0) return;
        const upstream = connect(Number(real), "127.0.0.1").on("error", () => {});
        socket.pipe(upstream).pipe(socket);
      }),
    );
    expect(await get(url)).toMatchObject({ kind: "tls", message: expect.stringContaining("UNABLE_TO_") });
    expect(connections).toBe(2);
  });
});

describe("the reason of a handshake that failed through a proxy", () => {
  const hidden = (url: string) => new URL(url).port;
  it.each<[string, () => Promise<string>, string | undefined, RegExp]>([
    [
      "names the host behind it and its certificate",
      () => serve(new CertificateAuthority("stranger").issue(NAMES)),
      undefined,
      /^PDS good\.example: good\.example, through the proxy 127\.0\.0\.1:\d+: .*"CN=good\.example", issued by "CN=stranger"/,
    ],
    [
      "does so through one that wants a password",
      () => serve(known.issue({ names: ["a.example"] })),
      "user:p@ss",
      /^PDS good\.example: good\.example, through the proxy [^ ]+: .* is for "DNS:a\.example", not for this host/,
    ],
    [
      "says that the host speaks no TLS",
      plain,
      undefined,
      /good\.example, through the proxy [^ ]+: it does not speak TLS/,
    ],
  ])("%s", async (_, start, credentials, message) => {
    const ports = { "good.example:443": Number(hidden(await start())) };
    await using proxy = await StandInProxy.start({ ports, ...(credentials && { credentials }) });
    const https = proxy.origin.replace(
      "//",
      credentials === undefined ? "//" : `//${credentials.replace("p@", "p%40")}@`,
    );
    const result = await get("https://good.example/", { proxy: { https, noProxy: [] } });
    expect(result).toMatchObject({ kind: "tls", message: expect.stringMatching(message) });
    expect(result.message).not.toContain("p@ss");
  });

  it("does not blame a host where the proxy itself wants TLS", async () => {
    const authority = new URL(await serve(known.issue(NAMES))).port;
    const https = `http://127.0.0.1:${authority}`;
    const { kind, message } = await get("https://good.example/", { proxy: { https, noProxy: [] } });
    expect(kind).not.toBe("tls");
    expect(message).toContain(`proxy 127.0.0.1:${authority} at 127.0.0.1: `);
    expect(message).not.toContain("through the proxy");
  });
});

describe("a host that need not prove its name", () => {
  it("may have a certificate whose key usage forbids signing", async () => {
    const identity = new CertificateAuthority("stranger").issue({ ...NAMES, key: "RSA", keyUsage: ENCIPHERMENT_ONLY });
    const url = await serve(identity, { ciphers: "DEFAULT:AES128-GCM-SHA256" });
    const skip = { skipVerify: ["good.example"], tls: { skipVerify: true } };
    expect(await get(url, skip)).toMatchObject({ status: 200 });
    expect(await get(url)).toMatchObject({ kind: "tls" });
    const modern = await serve(identity, { minVersion: "TLSv1.3" });
    expect(await get(modern, skip)).toMatchObject({
      kind: "tls",
      message: expect.stringContaining("digitalSignature"),
    });
  });
});
