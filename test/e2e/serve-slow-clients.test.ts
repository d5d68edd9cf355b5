import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { connect as connectPlain, type Socket } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestNode } from "../support/binary.ts";
import { ServeDaemon } from "../support/serve-daemon.ts";

// Clients that hold what they can of the server, with its limits as they are.

const HOST = "127.0.0.1";
const MIB = 1024 * 1024;
let node: TestNode;
let daemon: ServeDaemon;

beforeAll(async () => {
  node = await TestNode.start();
  daemon = await ServeDaemon.start(node);
});
afterAll(async () => {
  await daemon.stop();
  await node.stop();
});

/** A review of a deletion, with a field of that many bytes that nobody reads. */
function deletion(extra = 0): string {
  return JSON.stringify({
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: {
      uid: "1",
      kind: { group: "", version: "v1", kind: "Pod" },
      resource: { group: "", version: "v1", resource: "pods" },
      operation: "DELETE",
      userInfo: { username: "kubernetes-admin" },
      object: null,
      oldObject: { kind: "Pod", metadata: { annotations: { large: "x".repeat(extra) } } },
    },
  });
}

/** @returns status, Connection, and whether it is allowed; the code of an error where there is no answer */
async function review(to: ServeDaemon, body = deletion(), agent: Agent | false = false): Promise<string> {
  const options = { host: HOST, port: to.port, path: "/admit?timeout=10s", method: "POST", ca: to.ca, agent };
  const asking = request(options);
  // Also after an answer, where the server takes no more of the body.
  asking.on("error", () => {}).end(body);
  try {
    const [answer] = (await once(asking, "response")) as [IncomingMessage];
    let text = "";
    for await (const chunk of answer) text += String(chunk);
    return `${answer.statusCode} ${answer.headers.connection} ${text.includes('"allowed":true')}`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "failed";
  }
}

async function dial(): Promise<TLSSocket> {
  const socket = connect({ host: HOST, port: daemon.port, ca: daemon.ca });
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  return socket;
}

async function dialPlain(): Promise<Socket> {
  const socket = connectPlain({ host: HOST, port: daemon.port, allowHalfOpen: true });
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

async function metric(name: string): Promise<number> {
  const response = await fetch(`http://${HOST}:${daemon.plainPort}/metrics`, { headers: { connection: "close" } });
  const line = (await response.text()).split("\n").find((text) => text.startsWith(`${name} `));
  return Number(line?.slice(name.length));
}

const ended = (event: string) => metric(`atcr_verify_server_connection_events_total{event="${event}"}`);

/** Milliseconds until the server closes the connection, where one byte follows another every half second. */
async function held(socket: Socket, begin: string): Promise<number> {
  const began = performance.now();
  socket.write(begin, "latin1");
  const timer = setInterval(() => socket.writable && socket.write("x"), 500);
  socket.resume();
  // Not by `once` of node:events, which fails where the server resets the connection.
  await new Promise((resolve) => socket.once("close", resolve));
  clearInterval(timer);
  return performance.now() - began;
}

describe("clients that are slow", () => {
  it("are disconnected within seconds, and keep nobody from being answered", async () => {
    const chunked = "POST /admit HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n";
    const all = Promise.all([
      ...Array.from({ length: 50 }, async () => held(await dialPlain(), "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03")),
      ...Array.from({ length: 50 }, async () => held(await dial(), "GET / HTTP/1.1\r\nX: ")),
      ...Array.from({ length: 50 }, async () => held(await dial(), chunked)),
    ]);
    const began = performance.now();
    expect(await review(daemon)).toBe("200 close true");
    expect(performance.now() - began).toBeLessThan(4000);
    const times = await all;
    expect(Math.min(...times)).toBeGreaterThan(4000);
    expect(Math.max(...times)).toBeLessThan(12_000);
    expect([await ended("handshake_timeout"), await ended("header_timeout")]).toEqual([50, 50]);
    expect(daemon.output).toMatch(/^connections that were closed, as their TLS handshake did not end in time: \d+$/m);
  });

  it("give their places away where more come than there are", async () => {
    const sockets: TLSSocket[] = [];
    while (sockets.length < 1100) sockets.push(...(await Promise.all(Array.from({ length: 50 }, dial))));
    expect(await review(daemon)).toBe("200 close true");
    // Where the machine is slow, the first ones have been silent for too long by then.
    expect((await ended("evicted")) + (await ended("idle_timeout"))).toBeGreaterThanOrEqual(76);
    expect(await ended("refused")).toBe(0);
    expect(await metric("process_resident_memory_bytes")).toBeLessThan(256 * MIB);
    for (const socket of sockets) socket.destroy();
  });

  it("have bodies that fill a bounded memory", async () => {
    const large = deletion(8 * MIB - 1000);
    // What the server refuses at once, or gives up, is a reset to a client that still sends.
    const refused = /^(?:(?:408|413|503) close false|ECONNRESET|EPIPE)$/;
    const answers = await Promise.all(Array.from({ length: 24 }, () => review(daemon, large)));
    expect(answers.filter((answer) => answer !== "200 close true" && !refused.test(answer))).toEqual([]);
    expect(await review(daemon, large)).toBe("200 close true");
    expect(await review(daemon, deletion(8 * MIB))).toMatch(refused);
    expect(await metric("process_resident_memory_bytes")).toBeLessThan(256 * MIB);
    expect(await review(daemon)).toBe("200 close true");
  });
});

describe("the end of the server", () => {
  it("is announced by readiness and on each answer, and loses none", async () => {
    const ending = await ServeDaemon.start(node);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    expect(await review(ending, deletion(), agent)).toBe("200 keep-alive true");
    const stopped = ending.stop();
    const ready = async () => (await fetch(`http://${HOST}:${ending.plainPort}/readyz`)).status;
    while ((await ready()) === 200);
    expect(await review(ending, deletion(), agent)).toBe("200 close true");
    expect(await review(ending)).toBe("200 close true");
    agent.destroy();
    await stopped;
    expect(await review(ending)).toBe("ECONNREFUSED");
  });
});
