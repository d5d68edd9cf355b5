import { once } from "node:events";
import { writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { connect as connectPlain } from "node:net";
import { join } from "node:path";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { BINARY } from "../support/binary.ts";
import { CertificateAuthority, type TlsIdentity } from "../support/certificates.ts";
import { freePort } from "../support/free-port.ts";
import { makeTemporaryDirectory, type ServerProcess, startServer } from "../support/process.ts";
import { requestOf } from "../support/started-listener.ts";

// What the listener promises, under Bun: the unit tests run it under Node.

const HOST = "127.0.0.1";
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
const authority = new CertificateAuthority("Cluster CA");
const first = authority.issue({ names: [HOST, "first.svc"] });
const second = authority.issue({ names: [HOST, "second.svc"] });
const client = authority.issue({ names: ["gatekeeper"], purposes: [CLIENT_AUTH] });
const foreign = new CertificateAuthority("Another").issue({ names: ["gatekeeper"], purposes: [CLIENT_AUTH] });
const DELETION = JSON.stringify({
  apiVersion: "admission.k8s.io/v1",
  kind: "AdmissionReview",
  request: {
    uid: "1",
    kind: { group: "", version: "v1", kind: "Pod" },
    resource: { group: "", version: "v1", resource: "pods" },
    operation: "DELETE",
    userInfo: { username: "kubernetes-admin" },
    object: null,
    oldObject: null,
  },
});

const folder = makeTemporaryDirectory("serve");
const ports = { admit: 0, gatekeeper: 0, plain: 0 };
let server: ServerProcess;

beforeAll(async () => {
  for (const name of ["admit", "gatekeeper", "plain"] as const) ports[name] = await freePort();
  server = await start("serve", ports);
});
afterAll(() => server.stop());

/** Writes it beside the others. @returns its path */
function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

function show({ cert, key }: TlsIdentity): void {
  write("tls.key", key);
  write("tls.crt", cert);
}

function start(name: string, at: typeof ports): Promise<ServerProcess> {
  show(first);
  const tls = { certFile: join(folder, "tls.crt"), keyFile: join(folder, "tls.key") };
  const config = {
    trustPolicyPath: write("policy.yaml", "version: 1\ndefault: deny\n"),
    stateDir: join(folder, "missing", "state"),
    decisionLog: "none",
    server: {
      listeners: [
        { listen: `${HOST}:${at.admit}`, gates: ["admit"], tls },
        {
          listen: `${HOST}:${at.gatekeeper}`,
          gates: ["gatekeeper"],
          tls: { ...tls, clientCaFile: write("ca.crt", authority.cert) },
        },
        { listen: `${HOST}:${at.plain}`, gates: ["health", "metrics"] },
      ],
    },
  };
  return startServer({
    name,
    command: BINARY,
    args: ["serve", "--config", write(`${name}.yaml`, JSON.stringify(config))],
    env: {},
    logFile: join(folder, `${name}.log`),
    ready: (log) => log.includes("answers on"),
  });
}

/** Sends these bytes over TLS. @returns what comes back until the server closes the connection */
async function send(port: number, bytes: string, options: ConnectionOptions = {}): Promise<string> {
  const socket = dial(port, options);
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
  });
  socket.on("error", (error: NodeJS.ErrnoException) => {
    text += `[${error.code}]`;
  });
  socket.write(bytes, "latin1");
  await new Promise((resolve) => socket.once("close", resolve));
  return text;
}

function dial(port: number, options: ConnectionOptions = {}): TLSSocket {
  return connect({ host: HOST, port, ca: authority.cert, ...options });
}

function postOf(body: string, ...fields: readonly string[]): string {
  return ["POST /admit HTTP/1.1", "Host: atcr-verify.atcr-verify.svc:443", ...fields, "", body].join("\r\n");
}

/** Asks about a deletion. @returns status and Connection */
async function review(port: number, agent: Agent | false): Promise<string> {
  const options = { host: HOST, port, path: "/admit?timeout=10s", method: "POST", ca: authority.cert, agent };
  const asking = request(options).end(DELETION);
  const [answer] = (await once(asking, "response")) as [IncomingMessage];
  let body = "";
  for await (const chunk of answer) body += String(chunk);
  return `${answer.statusCode} ${answer.headers.connection} ${body.includes('"allowed":true')}`;
}

async function plain(path: string): Promise<string> {
  const response = await fetch(`http://${HOST}:${ports.plain}${path}`, { headers: { connection: "close" } });
  return response.text();
}

describe("the start", () => {
  it("says where it answers, and that the history cannot be kept", () => {
    expect(server.log()).toMatch(/^warning history\.not_written: .*missing\/state \(stateDir\): ENOENT/m);
    const where = `https://${HOST}:${ports.admit} (admit); https://${HOST}:${ports.gatekeeper} (gatekeeper); `;
    expect(server.log()).toContain(` answers on ${where}http://${HOST}:${ports.plain} (health, metrics)\n`);
  });
});

describe("TLS", () => {
  it("is 1.3, or 1.2 with authenticated encryption; 1.3 alone for Gatekeeper", async () => {
    const closing = postOf("{}", "Content-Length: 2", "Connection: close");
    for (const version of ["TLSv1.3", "TLSv1.2"] as const)
      expect(await send(ports.admit, closing, { maxVersion: version })).toMatch(/^HTTP\/1\.1 400 /);
    const refused = { maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-SHA256:AES128-GCM-SHA256" } as const;
    expect(await send(ports.admit, closing, refused)).toMatch(/^\[E(?:RR_SSL|PROTO)/);
    const old = { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
    expect(await send(ports.admit, closing, old)).toMatch(/^\[E(?:RR_SSL|PROTO)/);
    expect(await send(ports.gatekeeper, closing, { ...client, maxVersion: "TLSv1.2" })).toMatch(/^\[E(?:RR_SSL|PROTO)/);
  });

  it("demands a client certificate of the authority that is named", async () => {
    const asking = requestOf("/gatekeeper/verify", "Connection: close");
    expect(await send(ports.gatekeeper, asking, client)).toMatch(/^HTTP\/1\.1 405 /);
    for (const shown of [{}, foreign, authority.issue({ names: ["server"] })])
      expect(await send(ports.gatekeeper, asking, shown)).not.toContain("HTTP");
  });

  it("loses no request and refuses no connection while its certificate changes", async () => {
    const answers = new Set<string>();
    const names = new Set<string>();
    let isOver = false;
    const kept = Array.from({ length: 8 }, async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      while (!isOver) answers.add(await review(ports.admit, agent));
      agent.destroy();
    });
    const fresh = Array.from({ length: 2 }, async () => {
      while (!isOver) answers.add(await review(ports.admit, false));
    });
    const shown = async (name: string): Promise<void> => {
      while (!names.has(name)) {
        const socket = dial(ports.admit);
        await once(socket, "secureConnect");
        names.add(/first|second/.exec(socket.getPeerCertificate().subjectaltname ?? "")?.[0] ?? "");
        socket.end();
        await once(socket, "close");
      }
    };
    await shown("first");
    show(second);
    await shown("second");
    isOver = true;
    await Promise.all([...kept, ...fresh]);
    expect(answers).toEqual(new Set(["200 keep-alive true", "200 close true"]));
    const metrics = await plain("/metrics");
    expect(metrics).toContain('reloads_total{what="certificate",result="ok"} 2');
    expect(metrics).toContain('connection_events_total{event="refused"} 0');
    expect(metrics).toContain('requests_total{gate="gatekeeper",status="405"} 1');
    expect(server.log().match(/^TLS handshakes that failed: .*: \d+$/gm)).toHaveLength(1);
    // Two listeners have it.
    expect(server.log().match(/^certificate: .*tls\.crt was read again: .*, valid until /gm)).toHaveLength(1);
  });

  it("keeps its certificate where the new one has expired, and says so", async () => {
    const isReloaded = async (): Promise<string | undefined> =>
      /last_reload_successful\{what="certificate"\} (\d)/.exec(await plain("/metrics"))?.[1];
    show(authority.issue({ names: ["127.0.0.1"], notAfter: Date.now() - 1000 }));
    await vi.waitFor(async () => expect(await isReloaded()).toBe("0"), 10_000);
    expect(await review(ports.admit, false)).toContain("200");
    const line = /^certificate: .*tls\.crt has expired: .*; the certificate that was read last remains in use$/gm;
    expect(server.log().match(line)).toHaveLength(1);
    show(second);
    await vi.waitFor(async () => expect(await isReloaded()).toBe("1"), 10_000);
    expect(server.log()).toMatch(/^certificate: .*tls\.crt is valid again, as before$/m);
  });
});

describe("HTTP", () => {
  it.each<readonly [string, string, RegExp]>([
    ["two lengths", `${postOf("{}", "Content-Length: 2", "Content-Length: 3")}}`, /^HTTP\/1\.1 400 /],
    ["a length and chunks", postOf("0\r\n\r\n", "Content-Length: 2", "Transfer-Encoding: chunked"), /^HTTP\/1\.1 400 /],
    ["two requests at once", requestOf("/a").repeat(3), /^$/],
    ["no host", "GET /admit HTTP/1.1\r\n\r\n", /^HTTP\/1\.1 400 /],
    ["a host in the target", requestOf("http://other/admit"), /^HTTP\/1\.1 400 /],
    ["a tunnel", "CONNECT internal:443 HTTP/1.1\r\nHost: internal:443\r\n\r\n", /^$/],
    ["another protocol", requestOf("/healthz", "Connection: Upgrade, close", "Upgrade: h2c"), /^HTTP\/1\.1 404 /],
    ["many header fields", requestOf("/admit", `X: ${"x".repeat(10_000)}`), /^HTTP\/1\.1 431 /],
    [
      "a long body",
      postOf("", `Content-Length: ${8 * 1024 * 1024 + 1}`),
      /^HTTP\/1\.1 413 (?:.|\s)*connection: close/i,
    ],
    [
      "a form",
      postOf("a=1", "Content-Length: 3", "Content-Type: application/x-www-form-urlencoded"),
      /^HTTP\/1\.1 415 /,
    ],
    [
      "HTTP/1.0",
      `POST /admit HTTP/1.0\r\nHost: x\r\nContent-Length: ${DELETION.length}\r\n\r\n${DELETION}`,
      /"allowed":true/,
    ],
    [
      "a body after 100 Continue",
      postOf(DELETION, `Content-Length: ${DELETION.length}`, "Expect: 100-continue", "Connection: close"),
      /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 (?:.|\s)*"allowed":true/,
    ],
  ])("with %s", async (_, bytes, expected) => {
    expect(await send(ports.admit, bytes)).toMatch(expected);
  });

  it("refuses chunks without an end where they get too many", async () => {
    const chunk = `100000\r\n${"x".repeat(1024 * 1024)}\r\n`;
    const answer = await send(ports.admit, `${postOf("", "Transfer-Encoding: chunked")}${chunk.repeat(9)}`);
    expect(answer).toMatch(/^HTTP\/1\.1 413 |^\[E(?:CONNRESET|PIPE)\]$/);
  });
});

describe("connections", () => {
  it("that wait, or are half closed, keep nobody from being answered", async () => {
    const idle = await Promise.all(
      Array.from({ length: 300 }, async () => {
        const socket = connectPlain({ host: HOST, port: ports.admit, allowHalfOpen: true });
        await once(socket, "connect");
        return socket;
      }),
    );
    for (const socket of idle.slice(0, 100)) socket.end();
    expect(await review(ports.admit, false)).toBe("200 close true");
    for (const socket of idle) socket.destroy();
  });
});
