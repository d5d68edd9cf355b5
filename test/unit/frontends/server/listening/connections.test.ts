import { Agent } from "node:https";
import { connect, Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { Connections } from "../../../../../src/frontends/server/listening/connections.ts";
import { limitsFor } from "../../../../../src/frontends/server/listening/listen-limits.ts";
import type { Handler } from "../../../../../src/frontends/server/listening/listener.ts";
import {
  ask,
  authority,
  dial,
  echo,
  requestOf,
  sendPlain,
  sendTls,
  startListener,
  stopListeners,
  until,
} from "../../../../support/started-listener.ts";

afterEach(stopListeners);

/** As the defaults relate to each other. */
const QUICK = { handshake: 100, header: 100, first: 200, idle: 300, answer: 400, taken: 200, sweep: 10 };
const never: Handler = () => new Promise(() => {});

function plain(handler: Handler = echo, limits = {}) {
  return startListener({ isPlain: true, handler, limits: { ...QUICK, ...limits } });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Sends these one after the other, 30 ms apart. @returns what ends that */
function trickle(parts: readonly string[]) {
  return (socket: ReturnType<typeof connect>) => {
    const left = [...parts];
    const timer = setInterval(() => {
      const part = left.shift();
      if (part === undefined || socket.destroyed) clearInterval(timer);
      else socket.write(part);
    }, 30);
  };
}

describe("requests that a server must not misread", () => {
  const post = (...fields: readonly string[]) => ["POST /a HTTP/1.1", "Host: x", ...fields, "", ""].join("\r\n");
  it.each([
    ["two lengths", `${post("Content-Length: 3", "Content-Length: 4")}abcd`],
    ["two equal lengths", `${post("Content-Length: 3", "Content-Length: 3")}abc`],
    ["a length and chunks", `${post("Content-Length: 3", "Transfer-Encoding: chunked")}0\r\n\r\n`],
    ["an encoding that is not the last", `${post("Transfer-Encoding: chunked, identity")}0\r\n\r\n`],
    ["a negative length", `${post("Content-Length: -1")}abc`],
    ["a length with a sign", `${post("Content-Length: +3")}abc`],
    ["a space before the colon", `${post("Content-Length : 3")}abc`],
    ["a folded field", post("X: a\r\n b")],
    ["bare line feeds", "GET /a HTTP/1.1\nHost: x\n\n"],
    ["HTTP/0.9", "GET /a\r\n\r\n"],
    ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["an unknown version", "GET /a HTTP/3.7\r\nHost: x\r\n\r\n"],
    ["no host", "GET /a HTTP/1.1\r\n\r\n"],
    ["two hosts", "GET /a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"],
    ["a host in the target", "GET http://other/a HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["no target", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["a null byte", "GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
  ])("are refused: %s", async (_, bytes) => {
    const asked: string[] = [];
    const { port } = await plain((request, response) => {
      asked.push(request.url ?? "");
      response.end();
    });
    expect(await sendPlain(port, bytes)).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n(?:.*\r\n)*connection: close\r\n/i);
    expect(asked).toEqual([]);
  });

  it("are refused with more than 8 KiB of header fields", async () => {
    const { port, counted } = await plain();
    expect(await sendPlain(port, requestOf("/", `X: ${"x".repeat(10_000)}`))).toMatch(/^HTTP\/1\.1 431 /);
    expect(counted).toEqual(["accepted", "bad_request"]);
  });

  it("are cut off in a body that is not well-formed, without an answer", async () => {
    const { port } = await plain((request) => void request.resume());
    const bytes = `${post("Transfer-Encoding: chunked")}3\r\nabc\r\nzz\r\n`;
    expect(await sendPlain(port, bytes)).toBe("");
  });

  it("open no tunnel, and switch to no other protocol", async () => {
    const { port } = await plain();
    expect(await sendPlain(port, "CONNECT internal:443 HTTP/1.1\r\nHost: internal:443\r\n\r\n")).toBe("");
    const upgrade = requestOf("/a", "Connection: Upgrade, close", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk");
    expect(await sendPlain(port, upgrade)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("are answered with any host, in HTTP/1.0, and after 100 Continue", async () => {
    const { port } = await plain();
    const closing = requestOf("/a", "Connection: close");
    expect(await sendPlain(port, closing.replace("Host: x", "Host: a b/\\"))).toMatch(/^HTTP\/1\.1 200 /);
    expect(await sendPlain(port, "GET /a HTTP/1.0\r\n\r\n")).toContain("/a 0");
    const expecting = post("Content-Length: 3", "Expect: 100-continue", "Connection: close");
    const answer = await sendPlain(port, expecting, trickle(["abc"]));
    expect(answer).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
    expect(answer).toContain("/a 3");
  });

  it("are one at a time on a connection", async () => {
    const asked: string[] = [];
    const { port, counted } = await plain((request) => {
      asked.push(request.url ?? "");
      return new Promise(() => {});
    });
    expect(await sendPlain(port, `${requestOf("/a")}${requestOf("/b")}${requestOf("/c")}`)).toBe("");
    expect(asked).toEqual(["/a"]);
    expect(counted).toEqual(["accepted", "pipelined"]);
  });

  it("follow one another on a connection", async () => {
    const { port } = await plain();
    const answer = await sendPlain(
      port,
      requestOf("/a"),
      trickle([requestOf("/b"), requestOf("/c", "Connection: close")]),
    );
    expect(answer.match(/\/[abc] 0/g)).toEqual(["/a 0", "/b 0", "/c 0"]);
  });
});

describe("clients that hold a connection", () => {
  it.each([
    ["shake no hands", false, "", [], "handshake_timeout"],
    ["shake hands slowly", false, "\x16", ["\x03", "\x01", "\x02", "\0", "\x01", "\0"], "handshake_timeout"],
    ["send nothing", true, "", [], "idle_timeout"],
    ["send a header slowly", true, "G", "ET / HTTP/1.1\r\nX: slow".split(""), "header_timeout"],
    ["send a second header slowly", true, requestOf("/"), "GET / HTTP/1.1".split(""), "header_timeout"],
    ["send no second request", true, requestOf("/"), [], "idle_timeout"],
  ] as const)("are disconnected where they %s", async (_, isPlain, bytes, later, event) => {
    const { port, counted } = await startListener({ ...(isPlain && { isPlain }), limits: QUICK });
    const began = performance.now();
    await sendPlain(port, bytes, trickle(later));
    expect(performance.now() - began).toBeLessThan(1000);
    expect(counted).toEqual(["accepted", event]);
  });

  it("are disconnected where they do not read their answer", async () => {
    const { port, counted } = await plain((_, response) => void response.end("x".repeat(32 * 1024 * 1024)), {
      answer: 5000,
    });
    const socket = connect({ port, host: "127.0.0.1" });
    socket.on("error", () => {}).pause();
    socket.write(requestOf("/"));
    await until(() => counted.length === 2);
    expect(counted).toEqual(["accepted", "answer_timeout"]);
    socket.destroy();
  });

  it("are disconnected where no answer comes", async () => {
    const { port, counted } = await plain(never);
    expect(await sendPlain(port, requestOf("/"))).toBe("");
    expect(counted).toEqual(["accepted", "answer_timeout"]);
  });

  it("get no answer once they have closed their half", async () => {
    const { port, open } = await plain(never);
    expect(await sendPlain(port, requestOf("/"), (socket) => socket.end())).toBe("");
    await until(() => open() === 0);
  });

  it("give their place to a new one where they only wait", async () => {
    const { port, counted, open } = await startListener({ limits: { connections: 20 } });
    const idle = Array.from({ length: 20 }, () => dial(port).on("error", () => {}));
    await Promise.all(idle.map((socket) => new Promise((resolve) => socket.once("secureConnect", resolve))));
    await until(() => open() === 20);
    expect(await ask(port)).toContain("200");
    expect(counted.filter((event) => event === "evicted")).toHaveLength(1);
    for (const socket of idle) socket.destroy();
  });

  it("are turned away where all places are taken by requests", async () => {
    const { port, counted, failed } = await startListener({ handler: never, limits: { connections: 2 } });
    const busy = [sendTls(port, requestOf("/")), sendTls(port, requestOf("/"))];
    await until(() => counted.length === 2);
    await pause(50);
    expect(await sendTls(port, requestOf("/"))).not.toContain("HTTP");
    expect(counted).toEqual(["accepted", "accepted", "refused"]);
    expect(failed).toEqual([]);
    await stopListeners();
    await Promise.all(busy);
  });

  it("are turned away after a handshake for which they lost their place", () => {
    const connections = new Connections({ connections: 1, ...QUICK }, () => {});
    const socket = new Socket();
    expect(connections.secured(socket)).toBe(false);
    expect([socket.destroyed, connections.size]).toEqual([true, 0]);
    connections.close();
  });

  it("have fewer places where no gate of theirs is the API server's", () => {
    const places = [["admit"], ["imagereview", "health"], ["mutate"], ["verify", "gatekeeper"], ["health"]] as const;
    expect(places.map((gates) => limitsFor(gates).connections)).toEqual([1024, 1024, 1024, 128, 128]);
  });
});

describe("a listener that fails", () => {
  it("answers 500 where the handler throws, and reports it", async () => {
    const { port, failed } = await plain(() => Promise.reject(new Error("a bug")));
    expect(await sendPlain(port, requestOf("/"))).toMatch(/^HTTP\/1\.1 500 /);
    expect(failed).toEqual([new Error("a bug")]);
    const late = await plain((_, response) => {
      response.write("half");
      throw new Error("a bug");
    });
    expect(await sendPlain(late.port, requestOf("/"))).not.toContain("\r\n0\r\n");
  });

  it("says who has its port", async () => {
    const { port } = await plain();
    const { listen } = await import("../../../../../src/frontends/server/listening/listener.ts");
    const hooks = { count: () => {}, warn: () => {}, reloaded: () => {}, failed: () => {} };
    const taken = { key: "server.listeners[1]", address: "127.0.0.1", port, gates: ["health"] } as const;
    await expect(listen(taken, echo, hooks)).rejects.toMatchObject({
      code: "config.invalid",
      message: expect.stringMatching(
        `^cannot listen on 127.0.0.1:${port} \\(server\\.listeners\\[1\\]\\.listen\\): .*ss -ltnp 'sport = :${port}'$`,
      ),
    });
  });
});

describe("the end of a listener", () => {
  const slow: Handler = async (request, response) => {
    await pause(request.url === "/slow" ? 150 : 0);
    response.end("done");
  };

  it("tells clients to go elsewhere, those that wait for an answer too, and still takes requests", async () => {
    const { port, drain, open } = await startListener({ handler: slow });
    const underWay = ask(port, { path: "/slow" });
    const agent = new Agent({ keepAlive: true, ca: authority.cert });
    expect(await ask(port, { agent })).toBe("200 keep-alive done");
    await until(() => open() === 2);
    drain();
    expect(await ask(port, { agent })).toBe("200 close done");
    expect(await ask(port)).toBe("200 close done");
    expect(await underWay).toBe("200 close done");
    agent.destroy();
  });

  it("answers what it has read, closes what only waits, and accepts nothing", async () => {
    const { port, stop, open } = await startListener({ handler: slow });
    const agent = new Agent({ keepAlive: true, ca: authority.cert });
    await ask(port, { agent });
    const underWay = ask(port, { path: "/slow" });
    await until(() => open() === 2);
    await pause(50);
    const began = performance.now();
    await stop(2000);
    expect(performance.now() - began).toBeLessThan(1000);
    expect(await underWay).toBe("200 close done");
    await expect(ask(port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    expect(Object.keys(agent.freeSockets)).toEqual([]);
  });

  it("gives one that has just connected the time to ask", async () => {
    const { port, stop, open } = await plain(slow);
    const answer = sendPlain(port, "", (socket) => setTimeout(() => socket.write(requestOf("/a")), 100));
    await until(() => open() === 1);
    await stop(2000);
    expect(await answer).toContain("done");
  });

  it("waits no longer than it may", async () => {
    const { port, stop } = await plain(never, { answer: 60_000 });
    const answer = sendPlain(port, requestOf("/"));
    await pause(50);
    const began = performance.now();
    await stop(100);
    expect(performance.now() - began).toBeLessThan(1000);
    expect(await answer).toBe("");
  });
});
