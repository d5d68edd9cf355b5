import { describe, expect, it } from "vitest";
import { mistakesInConfig, parseConfig } from "../../../../src/core/config/parse-config.ts";
import { GATES, type ServerSettings } from "../../../../src/core/config/server-settings.ts";
import { Rejection } from "../../../../src/core/rejection.ts";

const TLS = "tls: { certFile: /tls/tls.crt, keyFile: /tls/tls.key }";
const MUTUAL = "tls: { certFile: /tls/tls.crt, keyFile: /tls/tls.key, clientCaFile: /tls/ca.crt }";
const FILES = { certFile: "/tls/tls.crt", keyFile: "/tls/tls.key" };
const WITHOUT_VERIFY = GATES.filter((gate) => gate !== "verify");

function serverOf(text: string): ServerSettings | undefined {
  return parseConfig(`server: { ${text} }`, "c.yaml").server;
}

/** The first mistake, which the command that reports all of them finds as well. */
function mistakeIn(text: string): string {
  const whole = `server: { ${text} }`;
  try {
    parseConfig(whole, "c.yaml");
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    expect(error.code).toBe("config.invalid");
    const { line, column } = error.place ?? {};
    const { mistakes } = mistakesInConfig(whole, "c.yaml");
    expect(mistakes.map(({ sentence }) => `c.yaml:${line}:${column}: ${sentence}`)).toContain(error.message);
    return error.message;
  }
  throw new Error(`accepted: ${text}`);
}

describe("readServer", () => {
  it("has nothing without the key", () => {
    expect(parseConfig("deadline: 2s", "c.yaml")).not.toHaveProperty("server");
  });

  it("reads everything of one listener", () => {
    const text = `listen: "0.0.0.0:8443", gates: [verify, admit], ${MUTUAL}, tokenFiles: [/t/a, /t/b],
      policies: { staging: /p/staging.yaml, 0-b: /p/b.yaml }, tags: resolve-unpinned, breakGlassFile: /b/break-glass.yaml`;
    expect(serverOf(text)).toEqual({
      listeners: [
        {
          key: "server",
          address: "0.0.0.0",
          port: 8443,
          gates: ["verify", "admit"],
          tls: { ...FILES, clientCaFile: "/tls/ca.crt" },
        },
      ],
      tokenFiles: ["/t/a", "/t/b"],
      policies: new Map([
        ["staging", "/p/staging.yaml"],
        ["0-b", "/p/b.yaml"],
      ]),
      tags: "resolve-unpinned",
      breakGlassFile: "/b/break-glass.yaml",
    });
  });

  it("reads several listeners, of which only those that show nothing may do without TLS", () => {
    const text = `listeners: [ { listen: "[::]:8443", gates: [admit, mutate, imagereview], ${TLS} },
      { listen: "[::]:8444", gates: [gatekeeper, verify], ${MUTUAL} },
      { listen: "10.0.0.1:8080", gates: [metrics, health] }, { listen: "127.0.0.1:8443x", gates: [verify] } ]`;
    expect(serverOf(text.replace("8443x", "8445"))).toEqual({
      listeners: [
        { address: "::", port: 8443, gates: ["admit", "mutate", "imagereview"], tls: FILES },
        { address: "::", port: 8444, gates: ["gatekeeper", "verify"], tls: { ...FILES, clientCaFile: "/tls/ca.crt" } },
        { address: "10.0.0.1", port: 8080, gates: ["metrics", "health"] },
        { address: "127.0.0.1", port: 8445, gates: ["verify"] },
      ].map((one, i) => ({ key: `server.listeners[${i}]`, ...one })),
      tokenFiles: [],
      policies: new Map(),
      tags: "refuse",
    });
  });

  it.each([
    ["without tokens and clients' certificates", `listen: "0.0.0.0:8443", ${TLS}`, WITHOUT_VERIFY],
    ["with tokens", `listen: "0.0.0.0:8443", ${TLS}, tokenFiles: [/t]`, GATES],
    ["with clients' certificates", `listen: "0.0.0.0:8443", ${MUTUAL}`, GATES],
    ["on an IPv4 loopback address", 'listen: "127.0.0.9:1"', GATES],
    ["on the IPv6 loopback address", 'listen: "[::1]:65535"', GATES],
  ])("serves every gate that may be served there, %s", (_, text, gates) => {
    expect(serverOf(text)?.listeners[0]?.gates).toEqual(gates);
  });

  it.each([
    ["the same gate at two addresses", '{ listen: "[::1]:1", gates: [admit] }, { listen: "[::1]:2", gates: [admit] }'],
    ["a port at two addresses", '{ listen: "127.0.0.1:1", gates: [admit] }, { listen: "[::1]:1", gates: [admit] }'],
    ["every IPv4 address", `{ listen: "0.0.0.0:1", gates: [admit], ${TLS} }, { listen: "[::1]:1", gates: [admit] }`],
  ])("accepts %s", (_, listeners) => {
    expect(serverOf(`listeners: [${listeners}]`)?.listeners).toHaveLength(2);
  });

  const one = (text: string): string => `listeners: [{ ${text} }]`;
  const two = (first: string, second: string): string =>
    `listeners: [{ listen: "${first}", gates: [health] }, { listen: "${second}", gates: [health] }]`;
  it.each([
    ["an unknown key", 'listen: "[::1]:1", port: 1', 'server.port: found the unknown key "port"'],
    ["no listener", "tags: refuse", "server: found neither listen nor listeners, expected one of them"],
    ["an empty list of listeners", "listeners: []", "server.listeners: found an empty list, expected"],
    [
      "listen beside listeners",
      `listen: "[::1]:1", ${one('listen: "[::1]:2", gates: [admit]')}`,
      "listen beside listeners",
    ],
    ["gates beside listeners", `gates: [admit], ${one('listen: "[::1]:2", gates: [admit]')}`, "gates beside listeners"],
    ["tls beside listeners", `${TLS}, ${one('listen: "[::1]:2", gates: [admit]')}`, "found tls beside listeners"],
    ["a listener without gates", one('listen: "[::1]:1"'), "listeners[0].gates: found nothing, expected the key"],
    ["a listener without an address", one("gates: [admit]"), "listeners[0].listen: found nothing, expected the key"],
    [
      "an unknown key of a listener",
      one('listen: "[::1]:1", gates: [admit], tokenFiles: []'),
      "listeners[0].tokenFiles",
    ],
    ["no gates", 'listen: "[::1]:1", gates: []', "server.gates: found an empty list, expected"],
    [
      "an unknown gate",
      'listen: "[::1]:1", gates: [validate]',
      'server.gates[0]: found "validate", expected one of admit',
    ],
    [
      "a gate twice",
      'listen: "[::1]:1", gates: [admit, health, admit]',
      'server.gates[2]: found "admit", expected each',
    ],
    ["a gate twice at a listener", one('listen: "[::1]:1", gates: [health, health]'), "listeners[0].gates[1]"],
    [
      "a name to listen on",
      'listen: "localhost:8443"',
      'server.listen: found "localhost:8443", expected an IP address',
    ],
    ["no port", 'listen: "127.0.0.1"', "server.listen: found"],
    ["a port alone", 'listen: ":8443"', "server.listen: found"],
    ["port 0", 'listen: "127.0.0.1:0"', "server.listen: found"],
    ["a port above 65535", 'listen: "127.0.0.1:65536"', "server.listen: found"],
    ["an IPv6 address without brackets", 'listen: "::1:8443"', "server.listen: found"],
    ["an IPv6 address in a longer form", 'listen: "[0::1]:8443"', "server.listen: found"],
    ["an address twice", two("127.0.0.1:1", "127.0.0.1:1"), "server.listeners[1].listen: found"],
    ["an address of all IPv4 addresses", two("0.0.0.0:1", "127.0.0.1:1"), "an address other than 0.0.0.0:1"],
    ["all IPv4 addresses after one of them", two("10.0.0.1:1", "0.0.0.0:1"), "an address other than 10.0.0.1:1"],
    ["all addresses after an IPv4 one", two("10.0.0.1:1", "[::]:1"), "an address other than 10.0.0.1:1"],
    ["an IPv6 address of all addresses", two("[::]:1", "[::1]:1"), "an address other than [::]:1"],
    ["no tls on every address", 'listen: "0.0.0.0:1", gates: [admit]', "no tls for 0.0.0.0:1, expected tls, except"],
    ["no tls on an address of the network", 'listen: "10.0.0.1:1", gates: [health, imagereview]', "found no tls"],
    [
      "no tls at a listener",
      one('listen: "[::]:1", gates: [metrics, verify]'),
      "server.listeners[0].listen: found no tls",
    ],
    ["no tls with no gates named", 'listen: "0.0.0.0:1", tokenFiles: [/t]', "found no tls for 0.0.0.0:1"],
    [
      "verify for everybody",
      `listen: "0.0.0.0:1", gates: [admit, verify], ${TLS}`,
      "server.gates[1]: found the gate verify",
    ],
    ["tls without a key", 'listen: "[::1]:1", tls: { certFile: /c }', "server.tls.keyFile: found nothing"],
    ["tls without a certificate", 'listen: "[::1]:1", tls: { keyFile: /c }', "server.tls.certFile: found nothing"],
    ["a relative certFile", 'listen: "[::1]:1", tls: { certFile: c, keyFile: /k }', 'server.tls.certFile: found "c"'],
    ["a relative keyFile", 'listen: "[::1]:1", tls: { certFile: /c, keyFile: k }', 'server.tls.keyFile: found "k"'],
    [
      "a relative clientCaFile",
      'listen: "[::1]:1", tls: { certFile: /c, keyFile: /k, clientCaFile: ca }',
      'server.tls.clientCaFile: found "ca", expected an absolute path',
    ],
    [
      "a relative token file",
      'listen: "[::1]:1", tokenFiles: [t]',
      'server.tokenFiles[0]: found "t", expected an absolute',
    ],
    ["a token file twice", 'listen: "[::1]:1", tokenFiles: [/t, /t]', "server.tokenFiles[1]: found"],
    ["a list of policies", 'listen: "[::1]:1", policies: [/p]', "server.policies: found a list, expected a map"],
    [
      "a relative policy",
      'listen: "[::1]:1", policies: { a: p }',
      'server.policies.a: found "p", expected an absolute',
    ],
    ["a policy's path with a zero byte", 'listen: "[::1]:1", policies: { a: "/p\\0" }', "server.policies.a: found"],
    ["a relative breakGlassFile", 'listen: "[::1]:1", breakGlassFile: b', "server.breakGlassFile: found"],
    [
      "other tags",
      'listen: "[::1]:1", tags: resolve',
      'server.tags: found "resolve", expected refuse or resolve-unpinned',
    ],
  ])("refuses %s", (_, text, sentence) => {
    expect(mistakeIn(text)).toContain(sentence);
  });

  it.each(["A", "a_b", "-a", "a-", "a.b", "a/b", "a".repeat(64), '""'])("refuses the name %s of a policy", (name) => {
    expect(mistakeIn(`listen: "[::1]:1", policies: { ${name}: /p }`)).toContain("found the name");
  });

  it.each(["a", "7", "a-b", "a".repeat(63)])("accepts the name %s of a policy", (name) => {
    expect(serverOf(`listen: "[::1]:1", policies: { "${name}": /p }`)?.policies.get(name)).toBe("/p");
  });

  it("finds several mistakes at once", () => {
    const text = 'server: { listen: "0.0.0.0:1", gates: [admit, verify], policies: { A: p }, tokenFiles: [] }';
    expect(mistakesInConfig(text, "c.yaml").mistakes).toHaveLength(4);
    const listeners = "server: { listeners: [{ listen: a, gates: [admit] }, { listen: b, gates: [admit] }] }";
    expect(mistakesInConfig(listeners, "c.yaml").mistakes).toHaveLength(2);
  });
});
