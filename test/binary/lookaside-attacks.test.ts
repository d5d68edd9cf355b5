import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestNode } from "../support/binary.ts";
import { demand } from "../support/caching-world.ts";
import { LookasideDaemon } from "../support/lookaside-daemon.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

// Who may reach the responder besides the programs of containers/image: web pages, other users, anything on this machine.

let node: TestNode;
let daemon: LookasideDaemon;
let image: Descriptor;
let target: string;

beforeAll(async () => {
  node = await TestNode.start();
  image = await node.image("signed");
  demand(node, { rule: { scope: `${node.registry.authority}/**` } });
  daemon = await LookasideDaemon.start(node, { settings: { deadline: "3s" } });
  target = `/${node.registry.authority}/alice/app@${image.digest.replace(":", "=")}/signature-1`;
});
afterAll(async () => {
  await daemon.stop();
  await node.stop();
});

const host = () => `127.0.0.1:${daemon.port}`;
const asked = () => node.plc.count() + node.pds.count() + node.registry.count();

describe("the target of a request", () => {
  it("is answered as containers/image writes it", async () => {
    expect((await daemon.get(target)).status).toBe(200);
  });

  it.each<[string, (target: string) => string]>([
    ["has a query", (at) => `${at}?x=1`],
    ["has a fragment", (at) => `${at}#x`],
    ["is in absolute form", (at) => `http://${host()}${at}`],
    ["has a slash too many", (at) => `/${at}`],
    ["has dot segments", (at) => at.replace("/alice/", "/alice/../alice/")],
    ["has encoded dot segments", (at) => at.replace("/alice/", "/alice/%2e%2e/alice/")],
    ["is percent-encoded", (at) => at.replace("alice", "%61lice")],
    ["has an encoded slash", (at) => at.replace("alice/app", "alice%2fapp")],
    ["has an encoded @", (at) => at.replace("@", "%40")],
    ["has an upper-case repository", (at) => at.replace("alice", "Alice")],
    ["has a backslash", (at) => at.replace("alice/app", "alice\\app")],
    ["has a tag", (at) => at.replace("@", ":v1@")],
    ["has a user", (at) => at.replace("/127", "/user@127")],
    ["has a second digest", (at) => at.replace("@", `@sha256=${"0".repeat(64)}@`)],
    ["has a digest with a colon", (at) => at.replace("sha256=", "sha256:")],
    [
      "has an upper-case digest",
      (at) => at.replace(/sha256=[0-9a-f]{64}/, (digest) => `sha256=${digest.slice(7).toUpperCase()}`),
    ],
    ["has a short digest", (at) => at.replace(/([0-9a-f]{64})/, (hex) => hex.slice(1))],
    ["has a sha512 digest", (at) => at.replace("sha256=", "sha512=")],
    ["has signature-0", (at) => at.replace("signature-1", "signature-0")],
    ["has signature-01", (at) => at.replace("signature-1", "signature-01")],
    ["has signature-129", (at) => at.replace("signature-1", "signature-129")],
    ["has signature--1", (at) => at.replace("signature-1", "signature--1")],
    ["has something behind", (at) => `${at}/`],
    ["has another host's spelling", (at) => at.replace("/127.0.0.1:", "/127.1:")],
    ["has a port of :443", (at) => at.replace(/:\d+\//, ":443/").replace("127.0.0.1", "registry.example")],
    ["names no host", (at) => at.replace(/^\/[^/]+/, "")],
    ["is an alias of Docker Hub", (at) => at.replace(/^\/[^/]+/, "/index.docker.io")],
    ["is long", (at) => at.replace("alice", "a".repeat(900))],
    ["is *", () => "*"],
    ["is empty", () => "/"],
    ["has a NUL", (at) => at.replace("alice", "ali\0ce")],
    ["has other bytes", (at) => at.replace("alice", "\u00e4lice")],
    ["has a tab", (at) => at.replace("alice", "ali\tce")],
  ])("gets no signature where it %s, and nobody is asked", async (_, change) => {
    for (const service of [node.plc, node.pds, node.registry]) service.forget();
    const { status, body } = await daemon.get(change(target));
    // 0: the parser closes the connection; 403: another name, which no rule covers.
    expect([0, 400, 403]).toContain(status);
    expect([status, body.length]).toEqual([status, 0]);
    expect(asked()).toBe(0);
  });
});

describe("a request that no program of containers/image sends", () => {
  const other = (headers: readonly string[]) => daemon.get(target, headers);

  it.each<[string, number, (host: string) => readonly string[]]>([
    ["no Host", 400, () => []],
    ["two Hosts", 400, (own) => [`Host: ${own}`, `Host: ${own}`]],
    ["two Hosts that differ", 400, (own) => ["Host: evil.example", `Host: ${own}`]],
    ["the Host of a page whose name resolves to loopback", 400, (own) => [`Host: evil.example:${own.split(":")[1]}`]],
    ["localhost as Host", 400, (own) => [`Host: localhost:${own.split(":")[1]}`]],
    ["a Host without the port", 400, () => ["Host: 127.0.0.1"]],
    ["a Host with a dot behind", 400, (own) => [`Host: ${own}.`]],
    ["an Origin", 403, (own) => [`Host: ${own}`, "Origin: https://evil.example"]],
    ["an Origin of its own", 403, (own) => [`Host: ${own}`, `origin: http://${own}`]],
    ["an Origin of null", 403, (own) => [`Host: ${own}`, "ORIGIN: null"]],
    ["Sec-Fetch-Site", 403, (own) => [`Host: ${own}`, "Sec-Fetch-Site: none"]],
    ["sec-fetch-mode", 403, (own) => [`Host: ${own}`, "sec-fetch-mode: no-cors"]],
    ["a body", 400, (own) => [`Host: ${own}`, "Content-Length: 1"]],
    ["a chunked body", 400, (own) => [`Host: ${own}`, "Transfer-Encoding: chunked"]],
  ])("is refused: %s", async (_, status, headers) => {
    for (const service of [node.plc, node.pds, node.registry]) service.forget();
    const reply = await other(headers(host()));
    expect([0, status]).toContain(reply.status);
    expect(reply.body.length).toBe(0);
    expect(asked()).toBe(0);
  });

  it.each(["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])("is refused: %s", async (method) => {
    const { status, body } = await daemon.send(`${method} ${target} HTTP/1.1\r\nHost: ${host()}\r\n\r\n`);
    expect([status, body.length]).toEqual([405, 0]);
  });

  it("is refused: CONNECT, an upgrade, another version, no HTTP", async () => {
    const own = `Host: ${host()}\r\n`;
    for (const text of [
      `CONNECT ${host()} HTTP/1.1\r\n${own}\r\n`,
      `GET ${target} HTTP/1.1\r\n${own}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
      `GET ${target} HTTP/2.0\r\n${own}\r\n`,
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n",
    ]) {
      const { status, body } = await daemon.send(text);
      expect([0, 400, 405, 505], text).toContain(status);
      expect(body.length).toBe(0);
    }
  });

  it("gets headers that let no page read or keep the answer", async () => {
    const { headers } = await daemon.get(target);
    expect(headers.toLowerCase()).not.toContain("access-control");
    for (const one of ["cache-control: no-store", "x-content-type-options: nosniff", "connection: close"])
      expect(headers.toLowerCase()).toContain(one);
  });
});

describe("one connection", () => {
  it("gets one answer at most, and none with too many headers", async () => {
    const large = await daemon.get(target, [`Host: ${host()}`, `X: ${"x".repeat(64 * 1024)}`]);
    expect([0, 400, 431]).toContain(large.status);
    const many = await daemon.get(target, [`Host: ${host()}`, ...Array.from({ length: 3000 }, (_, i) => `X${i}: x`)]);
    expect(many.status).not.toBe(200);
    const one = `GET ${target} HTTP/1.1\r\nHost: ${host()}\r\n\r\n`;
    const { headers, body } = await daemon.send(one + one);
    const answers = `${headers}${body.toString("latin1")}`.match(/HTTP\/1\.1 \d{3}/g) ?? [];
    expect(answers.length).toBeLessThanOrEqual(1);
  });
});
