import { writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CertificateAuthority, type TlsIdentity } from "../support/certificates.ts";
import { type Behaviour, HOSTILE_NAMES, type HostileBehaviour } from "../support/hostile-behaviours.ts";
import { type ConnectionFault, HostileServer } from "../support/hostile-server.ts";
import { NameServer } from "../support/name-server.ts";
import { makeTemporaryDirectory, run } from "../support/process.ts";
import { missingRoot, requirement } from "../support/requirement.ts";
import type { ProbeJob, ProbeReport, ProbeResult } from "./http-probe.ts";

const ROOT = join(import.meta.dirname, "../..");
const PROBE = join(ROOT, "build/http-probe");
const BUILD =
  "build --compile --minify --bytecode --format=esm --no-compile-autoload-bunfig --no-compile-autoload-dotenv --outfile";
const MIB = 1024 * 1024;
/** A probe that does one exchange takes about 42 MiB; with a body or an inflated one taken whole it would be far more. */
const PEAK = 64 * MIB;
const DAY = 86_400_000;

const authority = new CertificateAuthority();
const files = makeTemporaryDirectory("http-guard");
const SSL_CERT_FILE = join(files, "ca.pem");
const GOOD = authority.issue({ names: ["good.example"] });
/** Most tests are about good.example at a loopback address, which is listed. */
const LOOPBACK = { cidrs: ["127.0.0.0/8", "::1/128"], table: { "good.example": [["127.0.0.1"]] } };
const OK: Behaviour = ({ socket }) => void socket.end("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");

const closing: (() => Promise<void> | void)[] = [];

beforeAll(async () => {
  writeFileSync(SSL_CERT_FILE, authority.cert);
  const built = await run(join(ROOT, "node_modules/.bin/bun"), [
    ...BUILD.split(" "),
    PROBE,
    join(import.meta.dirname, "http-probe.ts"),
  ]);
  expect(built.code, built.stderr).toBe(0);
});

afterAll(async () => {
  for (const close of closing) await close();
});

async function probe(job: ProbeJob, env: Record<string, string> = {}): Promise<ProbeReport> {
  const { stdout, stderr, code } = await run(PROBE, [JSON.stringify(job)], {
    env: { SSL_CERT_FILE, ...env },
    timeout: 15_000,
  });
  // What the runtime says of this variable, which changes nothing about the verification.
  const warning = /^\(node:\d+\) Warning: Setting the NODE_TLS_REJECT_UNAUTHORIZED .*\n\(Use .*\n/;
  expect(env["NODE_TLS_REJECT_UNAUTHORIZED"] === undefined ? stderr : stderr.replace(warning, "")).toBe("");
  expect(code).toBe(0);
  return JSON.parse(stdout) as ProbeReport;
}

/** The result of one request. */
async function get(url: string, job: Partial<ProbeJob> & { request?: object } = {}, env?: Record<string, string>) {
  const { request, ...rest } = job;
  const { results, ...report } = await probe({ ...LOOPBACK, requests: [{ url, ...request }], ...rest }, env);
  return { ...(results[0] as ProbeResult), ...report };
}

async function serve(
  what: HostileBehaviour | ConnectionFault | Behaviour,
  options: { tls?: TlsIdentity; host?: string; port?: number; name?: string } = {},
): Promise<HostileServer & { readonly port: number }> {
  const server = await HostileServer.start(what, { tls: GOOD, name: "good.example", ...options });
  closing.push(() => server.stop());
  return Object.assign(server, { port: Number(new URL(server.origin).port) });
}

/** Over http, for what has nothing to do with TLS: `plain` lists the server. */
async function servePlain(what: HostileBehaviour | ConnectionFault | Behaviour, host = "127.0.0.1") {
  const server = await HostileServer.start(what, { host, name: "good.example" });
  closing.push(() => server.stop());
  return { server, origin: server.origin, plain: { ...LOOPBACK, plainHttp: [server.authority] } };
}

const answer =
  (head: string, body: string | Uint8Array = ""): Behaviour =>
  ({ socket }) => {
    socket.write(`HTTP/1.1 ${head.replaceAll("\n", "\r\n")}\r\n\r\n`);
    socket.end(body);
  };
const redirectTo =
  (location: (authority: string) => string, status = 302): Behaviour =>
  ({ socket, authority: at }) =>
    void socket.end(`HTTP/1.1 ${status} Moved\r\nlocation: ${location(at)}\r\ncontent-length: 0\r\n\r\n`);

/** A TLS server that answers any number of requests on a connection, and notes what each asked for. */
async function keeping(identity: TlsIdentity, host = "127.0.0.1") {
  const seen: { readonly serverName: string | false; readonly requests: string[] }[] = [];
  const server = createTlsServer({ ...identity, ALPNProtocols: ["h2", "http/1.1"] }, (socket: TLSSocket) => {
    const connection = {
      serverName: (socket as { servername?: string | false }).servername ?? false,
      requests: [] as string[],
    };
    seen.push(connection);
    socket.on("error", () => {});
    socket.on("data", (data) => {
      connection.requests.push(data.toString("latin1"));
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nset-cookie: a=b\r\n\r\nok");
    });
  });
  server.on("tlsClientError", () => {});
  const port = await listen(server, host);
  return { port, seen };
}

async function listen(server: Server, host = "127.0.0.1"): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

describe.concurrent("what is sent", () => {
  it("connects to the checked address, with the host's name in TLS and in Host, and sends nothing else", async () => {
    const { port, seen } = await keeping(GOOD);
    const url = `https://good.example:${port}/a%2Fb?c=%2F&d`;
    const { status, text, url: answered, lookUps } = await get(`${url}#fragment`, { request: { accept: "a/b" } });
    expect({ status, text, answered, lookUps }).toEqual({
      status: 200,
      text: "ok",
      answered: `${url}#fragment`,
      lookUps: ["good.example"],
    });
    expect(seen.map(({ serverName }) => serverName)).toEqual(["good.example"]);
    const [line, ...headers] = (seen[0]?.requests[0] ?? "").trimEnd().split("\r\n");
    expect(line).toBe("GET /a%2Fb?c=%2F&d HTTP/1.1");
    expect(headers.map((header) => header.toLowerCase()).sort()).toEqual([
      "accept-encoding: identity",
      "accept: a/b",
      "connection: keep-alive",
      `host: good.example:${port}`,
      "user-agent: atcr-verify/1.2.3",
    ]);
  });

  it("keeps a connection for the same server name, and never gives it to another", async () => {
    const both = authority.issue({ names: ["good.example", "other.example"] });
    const table = Object.fromEntries(["good", "other", "third"].map((name) => [`${name}.example`, [["127.0.0.1"]]]));
    const { port, seen } = await keeping(both);
    const names = ["good", "good", "other", "good", "third", "other"];
    const requests = names.map((name) => ({ url: `https://${name}.example:${port}/${name}` }));
    const { results } = await probe({
      ...LOOPBACK,
      table,
      requests: [...requests, { url: `https://127.0.0.1:${port}/` }],
    });
    expect(results.map(({ status, kind }) => status ?? kind)).toEqual([200, 200, 200, 200, "tls", 200, "tls"]);
    const served = seen.filter(({ requests: lines }) => lines.length > 0);
    expect(
      served.map(({ serverName, requests: lines }) => [serverName, lines.map((text) => text.split(" ")[1])]),
    ).toEqual([
      ["good.example", ["/good", "/good", "/good"]],
      ["other.example", ["/other", "/other"]],
    ]);
    expect(seen.flatMap(({ requests: lines }) => lines).join()).not.toMatch(/cookie/i);
  });

  it("asks no proxy, whatever the environment says", async () => {
    let asked = 0;
    const proxy = createServer((socket) => {
      asked += 1;
      socket.end("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
    });
    const at = `http://127.0.0.1:${await listen(proxy)}`;
    const { port } = await serve(OK);
    const { origin, plain } = await servePlain(OK);
    const names = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"].flatMap((name) => [name, name.toLowerCase()]);
    const env = Object.fromEntries(names.map((name) => [name, at]));
    const { results } = await probe(
      { ...plain, requests: [{ url: `https://good.example:${port}/` }, { url: origin }] },
      env,
    );
    expect(results.map(({ status }) => status)).toEqual([200, 200]);
    expect(asked).toBe(0);
  });

  it("writes nothing to the standard output, whatever the environment says", async () => {
    const { origin } = await serve(OK);
    const { status } = await get(origin, {}, { BUN_CONFIG_VERBOSE_FETCH: "curl" });
    expect(status).toBe(200);
  });
});

describe.concurrent("TLS", () => {
  const names = ["good.example"];
  it.each([
    ["another name", () => authority.issue({ names: ["other.example"] })],
    ["an address for a name", () => authority.issue({ names: ["127.0.0.1"] })],
    [
      "an expired certificate",
      () => authority.issue({ names, notBefore: Date.now() - 9 * DAY, notAfter: Date.now() - DAY }),
    ],
    ["a certificate of tomorrow", () => authority.issue({ names, notBefore: Date.now() + DAY })],
    ["an unknown authority", () => new CertificateAuthority("Another CA").issue({ names })],
  ])("refuses %s", async (_, issue) => {
    const { origin, requests } = await serve(OK, { tls: issue() });
    expect((await get(origin)).kind).toBe("tls");
    expect((await get(origin, {}, { NODE_TLS_REJECT_UNAUTHORIZED: "0" })).kind).toBe("tls");
    expect(requests).toEqual([]);
  });

  it.each([
    ["127.0.0.1", "127.0.0.1"],
    ["::1", "[::1]"],
  ])("asks %s for a certificate of that address, and sends it no server name", async (host, inUrl) => {
    const right = await keeping(authority.issue({ names: [host] }), host);
    expect((await get(`https://${inUrl}:${right.port}/`)).status).toBe(200);
    expect(right.seen.map(({ serverName }) => serverName)).toEqual([false]);
    const wrong = await keeping(GOOD, host);
    expect((await get(`https://${inUrl}:${wrong.port}/`)).kind).toBe("tls");
    expect(wrong.seen.flatMap(({ requests }) => requests)).toEqual([]);
  });

  it("takes a server that does not speak TLS for one that does not prove its name", async () => {
    const { origin } = await serve("plain text");
    expect((await get(origin)).kind).toBe("tls");
  });

  it("takes authorities from SSL_CERT_FILE, and not from NODE_EXTRA_CA_CERTS", async () => {
    const { origin } = await serve(OK);
    expect((await get(origin, {}, { SSL_CERT_FILE })).status).toBe(200);
    expect((await get(origin, {}, { SSL_CERT_FILE: "", NODE_EXTRA_CA_CERTS: SSL_CERT_FILE })).kind).toBe("tls");
  });
});

describe.concurrent("addresses", () => {
  it.each(["127.0.0.1", "::1", "::ffff:127.0.0.1"])("contacts private %s only if listed", async (address) => {
    const { origin, requests } = await serve(OK, { host: address === "::1" ? "::1" : "127.0.0.1" });
    const table = { "good.example": [[address]] };
    expect((await get(origin, { table, cidrs: [] })).kind).toBe("forbidden_address");
    expect(requests).toEqual([]);
    expect((await get(origin, { table, cidrs: [], hosts: ["good.example"] })).status).toBe(200);
    expect((await get(origin, { table, cidrs: [], request: { originMayBePrivate: true } })).status).toBe(200);
    expect((await get(origin, { table })).status).toBe(200);
  });

  it("does not contact a metadata service, whatever is listed", async () => {
    for (const host of ["169.254.169.254", "[fd00:ec2::254]", "[::ffff:169.254.169.254]", "0.0.0.0", "2852039166"]) {
      const all = { cidrs: ["0.0.0.0/0", "::/0"], hosts: [host], plainHttp: [`${host}:80`] };
      const result = await get(`http://${host}/`, { ...all, request: { originMayBePrivate: true } });
      expect(result.kind, host).toBe("forbidden_address");
    }
  });

  it("refuses an address in the URL like one that was looked up", async () => {
    for (const host of ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]"]) {
      expect((await get(`https://${host}:9/`, { cidrs: [] })).kind, host).toBe("forbidden_address");
    }
  });

  it("looks up once, so that the address checked is the one contacted", async () => {
    const { origin, requests } = await serve(OK);
    const table = { "good.example": [["127.0.0.1"], ["169.254.169.254"], ["10.0.0.1"]] };
    const { results, lookUps } = await probe({ ...LOOPBACK, table, requests: [{ url: origin }, { url: origin }] });
    expect(results.map(({ status, kind }) => status ?? kind)).toEqual([200, "forbidden_address"]);
    expect(lookUps).toEqual(["good.example", "good.example"]);
    expect(requests.length).toBe(1);
  });

  it("passes over addresses that must not be contacted, and says so", async () => {
    const { origin } = await serve(OK);
    const mixed = { "good.example": [["169.254.169.254", "10.0.0.1", "127.0.0.1"]] };
    expect((await get(origin, { table: mixed })).status).toBe(200);
    const passedOver = await serve(OK, { host: "127.0.0.2", port: Number(new URL(origin).port) });
    const twoListed = { "good.example": [["127.0.0.2", "127.0.0.1"]] };
    expect((await get(origin, { table: twoListed, cidrs: ["127.0.0.1/32"] })).status).toBe(200);
    expect(passedOver.connections).toBe(0);
    const none = { "good.example": [["169.254.169.254", "10.0.0.1"]] };
    const { kind, message } = await get(origin, { table: none });
    expect(kind).toBe("forbidden_address");
    expect(message).toMatch(/^PDS good\.example:\d+: 169\.254\.169\.254 .*; 10\.0\.0\.1 /);
  });

  it.each(["file:///etc/passwd", "ftp://good.example/", "data:text/plain,x", "https://a:b@good.example/", "good", ""])(
    "refuses %j",
    async (url) => expect((await get(url)).kind).toBe("forbidden_address"),
  );

  it("speaks plain http only to a host and port listed for it", async () => {
    const { origin, plain, server } = await servePlain(OK);
    expect((await get(origin)).kind).toBe("forbidden_address");
    expect((await get(origin, { hosts: ["good.example", server.authority] })).kind).toBe("forbidden_address");
    expect((await get(origin, { plainHttp: ["good.example:80"] })).kind).toBe("forbidden_address");
    expect(server.connections).toBe(0);
    expect((await get(origin, { ...plain, cidrs: [] })).status).toBe(200);
  });

  it("asks the system's resolver", async () => {
    const { port } = await keeping(authority.issue({ names: ["localhost"] }));
    const request = { originMayBePrivate: true };
    const { results } = await probe({ requests: [{ url: `https://localhost:${port}/`, ...request }] });
    expect(results[0]?.status).toBe(200);
  });

  it("names a host that does not resolve", async () => {
    const { kind, message } = await get("https://nosuch.example/", { table: { "nosuch.example": ["fail"] } });
    expect(kind).toBe("unreachable");
    expect(message).toContain("does not resolve");
  });
});

const canServeNames = requirement("names whose servers never answer", missingRoot("binds port 53, mounts resolv.conf"));

describe.runIf(canServeNames)("look-ups that never end", () => {
  it("do not hold up those of other names", async () => {
    const names = await NameServer.start(53);
    closing.push(() => names.stop());
    names.answers.set("A good.example", ["127.0.0.1"]);
    for (let i = 0; i < 20; i++) {
      for (const type of ["A", "AAAA"]) names.answers.set(`${type} hung${i}.example`, "silent");
    }
    const { origin } = await serve(OK);
    const hung = Array.from({ length: 20 }, (_, i) => ({ url: `https://hung${i}.example/` }));
    const job = { cidrs: ["127.0.0.0/8"], requests: [...hung, { url: origin }], together: true, deadline: 1_500 };
    const [command, ...args] = [...names.through(files), PROBE, JSON.stringify(job)];
    const { stdout, stderr } = await run(command, args, { env: { SSL_CERT_FILE } });
    expect(stderr).toBe("");
    const results = (JSON.parse(stdout) as ProbeReport).results;
    expect(results.map(({ status, kind }) => status ?? kind)).toEqual([...hung.map(() => "timeout"), 200]);
  });
});

describe.concurrent("several addresses", () => {
  const table = { "good.example": [["127.0.0.2", "127.0.0.3", "127.0.0.1"]] };

  it.each(["refuse", "reset", "hang up", "plain text", "accept and be silent"] as const)(
    "passes by one that meets a connection so: %s",
    async (fault) => {
      const { origin, port } = await serve(OK);
      await serve(fault, { host: "127.0.0.2", port });
      expect((await get(origin, { table })).status).toBe(200);
    },
  );

  it("passes by one that does not prove its name, and says so where no other answers", async () => {
    const { origin, port } = await serve(OK);
    const impostor = await serve(OK, { host: "127.0.0.2", port, tls: authority.issue({ names: ["other.example"] }) });
    expect((await get(origin, { table })).status).toBe(200);
    const { kind, message } = await get(origin, { table: { "good.example": [["127.0.0.3", "127.0.0.2"]] } });
    expect(kind).toBe("tls");
    expect(message).toMatch(/127\.0\.0\.3: ECONNREFUSED; 127\.0\.0\.2: .*\(ERR_TLS_CERT_ALTNAME_INVALID\)$/);
    expect(impostor.requests).toEqual([]);
  });

  it("tries a few of a thousand", async () => {
    const { origin } = await serve("refuse");
    const many = Array.from({ length: 1_000 }, (_, i) => `127.1.${i >> 8}.${i & 255}`);
    const { kind, message } = await get(origin, { table: { "good.example": [many] } });
    expect(kind).toBe("unreachable");
    expect(message?.match(/ECONNREFUSED/g)?.length).toBe(6);
  });
});

describe.concurrent("time", () => {
  const silent: readonly HostileBehaviour[] = [
    "no answer",
    "one byte a second",
    "a header byte a second",
    "a stalled body",
    "informational answers without end",
  ];
  it.each(silent)("ends %s", async (behaviour) => {
    const { origin } = await serve(behaviour);
    const { kind, took } = await get(origin, { request: { timeout: 400, maxBytes: MIB } });
    expect(kind).toBe("timeout");
    expect(took).toBeGreaterThanOrEqual(390);
    expect(took).toBeLessThan(1_500);
  });

  it("ends a server that is silent before TLS, and says at which address it was", async () => {
    const { origin } = await serve("accept and be silent");
    const { kind, message, took } = await get(origin, { request: { timeout: 300 } });
    expect(kind).toBe("timeout");
    expect(message).toMatch(/127\.0\.0\.1: no answer \(after 0\.3 s\)$/);
    expect(took).toBeLessThan(1_500);
  });

  it("ends at the deadline where that is sooner, and names what it waits for", async () => {
    const { origin, port } = await serve("no answer");
    const hung = { "good.example": [["127.0.0.1"]], "hung.example": ["hang"] } as const;
    const { results, waitedFor } = await probe({
      ...LOOPBACK,
      table: hung,
      requests: [{ url: origin, purpose: "registry" }, { url: "https://hung.example/" }],
      together: true,
      deadline: 500,
      noteAfter: 250,
    });
    expect(results.map(({ kind }) => kind)).toEqual(["timeout", "timeout"]);
    expect(results[1]?.message).toContain("lookup");
    expect(Math.max(...results.map(({ took }) => took))).toBeLessThan(1_500);
    expect(waitedFor).toEqual([`registry good.example:${port}`, "PDS hung.example"]);
  });

  it("begins nothing once the deadline is over", async () => {
    const { origin, requests } = await serve(OK);
    const { kind, lookUps } = await get(origin, { deadline: 0 });
    expect(kind).toBe("timeout");
    expect([lookUps, requests]).toEqual([[], []]);
  });

  it("counts redirects in", async () => {
    const { origin } = await serve(async (victim) => {
      await new Promise((resolve) => setTimeout(resolve, 200));
      await redirectTo(() => "/again")(victim);
    });
    const { kind, took } = await get(origin, { request: { maxRedirects: 20, timeout: 500 } });
    expect(kind).toBe("timeout");
    expect(took).toBeLessThan(1_500);
  });
});

describe.concurrent("connections that break", () => {
  it.each(["refuse", "reset", "hang up"] as const)("%s: unreachable", async (fault) => {
    const { origin } = await serve(fault);
    expect((await get(origin)).kind).toBe("unreachable");
  });

  it.each(["closed without an answer", "reset before the answer"] as const)("%s: unreachable", async (behaviour) => {
    const { origin, plain } = await servePlain(behaviour);
    expect((await get(origin, plain)).kind).toBe("unreachable");
  });

  it("a name without an address: unreachable", async () => {
    expect((await get("https://good.example/", { table: { "good.example": ["fail"] } })).kind).toBe("unreachable");
    expect((await get("https://good.example/", { table: { "good.example": [[]] } })).kind).toBe("unreachable");
  });
});

// One at a time: the servers that pour data without end keep this process busy.
describe("bodies", () => {
  it.each([
    "a body without end",
    "a body without end or framing",
    "a gzip bomb",
    "a gzip bomb without end",
    "headers without end",
    "a header of one MiB",
  ] as const)("does not take %s", async (behaviour) => {
    const { origin } = await serve(behaviour);
    const { kind, peak, took } = await get(origin, { request: { maxBytes: 512 * 1024 } });
    expect(kind).toBe("bad_response");
    expect(peak).toBeLessThan(PEAK);
    expect(took).toBeLessThan(3_000);
  });

  it("hangs up where it stops reading", async () => {
    let written = 0;
    const ended = new Promise<void>((resolve) => {
      void serve(({ socket }) => {
        socket.write("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
        const pour = (): void => {
          while (written < 256 * MIB && socket.writable && socket.write(Buffer.alloc(65536))) written += 65536;
        };
        socket.on("drain", pour);
        socket.once("close", () => resolve());
        pour();
      }).then(async ({ origin, port }) => {
        // The second request keeps the program running: it is not its end that hangs up.
        const silent = await serve("no answer", { host: "127.0.0.2", port });
        expect(silent.port).toBe(port);
        const second = { url: `https://127.0.0.2:${port}/`, timeout: 2_000 };
        void probe({ ...LOOPBACK, requests: [{ url: origin, maxBytes: 100_000 }, second] });
      });
    });
    await ended;
    expect(written).toBeLessThan(32 * MIB);
  });

  it.each([
    "reset within the body",
    "a truncated body",
    "a truncated chunked body",
    "a truncated gzip body",
    "gzip in name only",
    "two lengths",
    "a negative length",
    "not HTTP",
    "no status",
  ] as const)("takes %s for a bad response", async (behaviour) => {
    const { origin, plain } = await servePlain(behaviour);
    expect((await get(origin, plain)).kind).toBe("bad_response");
  });

  it.each([
    [
      "Content-Length with Transfer-Encoding",
      "200 OK\ncontent-length: 2\ntransfer-encoding: chunked",
      "2\r\nok\r\n0\r\n\r\n",
    ],
    ["a transfer coding", "200 OK\ntransfer-encoding: gzip, chunked", "2\r\nok\r\n0\r\n\r\n"],
    ["an unknown transfer coding", "200 OK\ntransfer-encoding: foo", "ok"],
    ["a chunk size that is none", "200 OK\ntransfer-encoding: chunked", "zz\r\nok\r\n0\r\n\r\n"],
    ["a chunk size past 64 bits", "200 OK\ntransfer-encoding: chunked", "10000000000000002\r\nok\r\n0\r\n\r\n"],
    ["a length past all numbers", "200 OK\ncontent-length: 99999999999999999999", "ok"],
    ["brotli", "200 OK\ncontent-encoding: br\ncontent-length: 2", "ok"],
    ["a status over 599", "999 OK\ncontent-length: 2", "ok"],
    ["a status under 100", "099 OK\ncontent-length: 2", "ok"],
    ["an upgrade", "101 Switching Protocols\nupgrade: websocket\nconnection: upgrade", "ok"],
    ["65 KiB of headers", `200 OK\nx: ${"a".repeat(65 * 1024)}\ncontent-length: 2`, "ok"],
    ["300 header fields", `200 OK\n${"a: b\n".repeat(300)}content-length: 2`, "ok"],
    ["a length in an answer without a body", "204 No Content\ncontent-length: 2", "ok"],
  ])("takes %s for a bad response", async (_, head, body) => {
    const { origin } = await serve(answer(head, body));
    expect((await get(origin)).kind).toBe("bad_response");
  });

  it("takes every other answer as it is", async () => {
    const zipped = gzipSync("x".repeat(1024));
    for (const [head, body, status, text] of [
      ["200 OK\ncontent-length: 2", "ok", 200, "ok"],
      ["200 OK\nconnection: close", "ok", 200, "ok"],
      ["200 OK\ntransfer-encoding: chunked", "1\r\no\r\n1\r\nk\r\n0\r\n\r\n", 200, "ok"],
      ["404 Not Found\ncontent-length: 2", "no", 404, "no"],
      ["500 Error\ncontent-length: 0", "", 500, ""],
      ["204 No Content", "", 204, ""],
      [`200 OK\ncontent-encoding: gzip\ncontent-length: ${zipped.length}`, zipped, 200, "x".repeat(200)],
      ["200 OK\ncontent-length: 1024", "y".repeat(1024), 200, "y".repeat(200)],
    ] as const) {
      const { origin } = await serve(answer(head, body));
      const result = await get(origin);
      expect([result.status, result.text], head).toEqual([status, text]);
    }
  });

  it("gives header names in lower case, and a repeated field as a list", async () => {
    const { origin } = await serve(answer("200 OK\nLink: <a>\nLINK: <b>\nContent-Length: 2", "ok"));
    expect((await get(origin)).headers).toEqual({ link: "<a>, <b>", "content-length": "2" });
  });
});

describe.concurrent("HEAD", () => {
  const headers = answer("200 OK\ncontent-length: 99999\ncontent-type: a/b\nx-digest: d");

  it("brings the headers alone, whatever length they announce, and stays HEAD after a redirect", async () => {
    const { origin, requests } = await serve((victim) =>
      victim.nth === 0 ? redirectTo(() => "/next", 302)(victim) : headers(victim),
    );
    const result = await get(`${origin}/tag`, { request: { method: "HEAD", maxRedirects: 1, maxBytes: 10 } });
    expect(result).toMatchObject({ status: 200, length: 0 });
    expect(result.headers).toMatchObject({ "content-length": "99999", "content-type": "a/b", "x-digest": "d" });
    expect(requests).toEqual(["HEAD /tag", "HEAD /next"]);
  });

  it("is bound by the same addresses", async () => {
    const { origin, requests } = await serve(headers);
    expect((await get(origin, { cidrs: [], request: { method: "HEAD" } })).kind).toBe("forbidden_address");
    expect(requests).toEqual([]);
  });
});

describe.concurrent("redirects", () => {
  const follow = { maxRedirects: 3 };

  it.each([300, 301, 302, 303, 304, 307, 308])("are a bad response where none is allowed: %i", async (status) => {
    const { origin, requests } = await serve(redirectTo(() => "/next", status));
    expect((await get(origin)).kind).toBe("bad_response");
    expect(requests).toEqual(["GET /"]);
  });

  it.each([307, 308])("never take along what is to be stored, even at the same origin: %i", async (status) => {
    const { origin, requests } = await serve(redirectTo(() => "/next", status));
    // The job is JSON; a list of numbers stands for bytes.
    const request = { ...follow, staysAtOrigin: true, upload: { method: "PUT", bytes: [1], type: "text/plain" } };
    const { kind, message } = await get(origin, { request });
    expect([kind, message]).toEqual(["bad_response", expect.stringContaining("no redirect is followed here")]);
    expect(requests).toEqual(["PUT /"]);
  });

  it("are followed as often as allowed", async () => {
    const upTo =
      (hops: number): Behaviour =>
      (victim) =>
        victim.nth < hops ? redirectTo(() => `/hop/${victim.nth + 1}`)(victim) : OK(victim);
    const three = await serve(upTo(3));
    const { status, url } = await get(three.origin, { request: follow });
    expect([status, url]).toEqual([200, `${three.origin}/hop/3`]);
    const four = await serve(upTo(4));
    expect((await get(four.origin, { request: follow })).kind).toBe("bad_response");
    expect(four.requests.length).toBe(4);
  });

  it.each([300, 304, 305, 306])("are followed for the statuses that mean it, not for %i", async (status) => {
    const { origin, requests } = await serve(redirectTo(() => "/next", status));
    expect((await get(origin, { request: follow })).kind).toBe("bad_response");
    expect(requests).toEqual(["GET /"]);
  });

  it("are followed without waiting for their bodies, and these are not received", async () => {
    const ended = Promise.withResolvers<string>();
    const { origin } = await serve(async ({ socket, url, every }) => {
      if (url === "/") {
        socket.once("close", () => ended.resolve("hung up"));
        socket.write("HTTP/1.1 302 Found\r\nlocation: /end\r\ntransfer-encoding: chunked\r\n\r\n");
        every(1, () => socket.write("400\r\n".concat("x".repeat(1024), "\r\n")) || true);
        return;
      }
      setTimeout(() => ended.resolve("still on"), 1_000).unref();
      const text = await ended.promise;
      socket.end(`HTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\n\r\n${text}`);
    });
    expect((await get(origin, { request: follow })).text).toBe("hung up");
  });

  it.each(["a redirect loop", "redirects without end", "a redirect without a place"] as const)(
    "%s: bad response",
    async (behaviour) => {
      const { origin, requests } = await serve(behaviour);
      expect((await get(origin, { request: follow })).kind).toBe("bad_response");
      expect(requests.length).toBeLessThan(5);
    },
  );

  it.each([
    "a redirect to a link-local address",
    "a redirect to a private address",
    "a redirect to another loopback address",
    "a redirect to a mapped address",
    "a redirect to a file",
    "a redirect to plain http",
    "a redirect with credentials",
  ] as const)("%s is refused, though the registry itself may be private", async (behaviour) => {
    const { origin } = await serve(behaviour);
    const request = { ...follow, originMayBePrivate: true };
    expect((await get(origin, { cidrs: [], request })).kind).toBe("forbidden_address");
  });

  it("keep what the registry may only on its own host and port, and do not get it back", async () => {
    const both = authority.issue({ names: ["good.example", "other.example"] });
    const table = { "good.example": [["127.0.0.1"]], "other.example": [["127.0.0.1"]] };
    const request = { ...follow, originMayBePrivate: true };
    const job = { table, cidrs: [], request };
    const start = (to: (at: string) => string) =>
      serve((victim) => (victim.url === "/" ? redirectTo(to)(victim) : OK(victim)), { tls: both });

    const own = await start((at) => `https://${at}/end`);
    expect((await get(own.origin, job)).status).toBe(200);
    const name = await start((at) => `https://${at.replace("good", "other")}/end`);
    expect((await get(name.origin, job)).kind).toBe("forbidden_address");
    expect((await get(name.origin, { ...job, hosts: ["other.example"] })).status).toBe(200);
    const port = await start(() => `https://good.example:${own.port}/end`);
    expect((await get(port.origin, job)).kind).toBe("forbidden_address");

    const back = await serve(
      (victim) =>
        redirectTo(
          (at) => `https://${at.startsWith("good") ? at.replace("good", "other") : at.replace("other", "good")}/`,
        )(victim),
      { tls: both },
    );
    expect((await get(back.origin, { ...job, hosts: ["other.example"] })).kind).toBe("forbidden_address");
    expect(back.requests.length).toBe(2);
  });

  it("look the host up again, and check that answer", async () => {
    const { origin } = await serve(redirectTo(() => "/next"));
    const table = { "good.example": [["127.0.0.1"], ["169.254.169.254"]] };
    expect((await get(origin, { table, request: follow })).kind).toBe("forbidden_address");
  });

  it("go from https to http only where that is listed", async () => {
    const { origin: target, plain } = await servePlain(OK);
    const { origin } = await serve(redirectTo(() => target));
    expect((await get(origin, { request: follow })).kind).toBe("forbidden_address");
    expect((await get(origin, { ...plain, request: follow })).status).toBe(200);
  });
});

describe("every hostile answer", () => {
  it("is an answer or a failure within the time, in bounded memory", async () => {
    for (const behaviour of HOSTILE_NAMES) {
      const { origin, plain } = await servePlain(behaviour);
      const result = await get(origin, { ...plain, request: { timeout: 300, maxBytes: 512 * 1024, maxRedirects: 3 } });
      expect(result.kind ?? "answered", behaviour).not.toContain("NOT A FAILURE");
      expect(result.took, behaviour).toBeLessThan(2_000);
      expect(result.peak, behaviour).toBeLessThan(PEAK);
    }
  }, 60_000);
});
