import { describe, expect, it } from "vitest";
import { DEFAULT_CONFIG } from "../../../../src/core/config/config.ts";
import { mistakesInConfig, parseConfig } from "../../../../src/core/config/parse-config.ts";
import { Rejection } from "../../../../src/core/rejection.ts";

function rejectionOf(text: string): Rejection {
  try {
    parseConfig(text, "config.yaml");
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    const { line, column } = error.place ?? {};
    const { mistakes } = mistakesInConfig(text, "config.yaml");
    expect(mistakes.map(({ sentence }) => `config.yaml:${line}:${column}: ${sentence}`)).toContain(error.message);
    return error;
  }
  throw new Error(`accepted:\n${text}`);
}

describe("parseConfig", () => {
  it.each(["", "# nothing is set\n", "---\n# nothing\n", "{}"])("takes %j for the defaults", (text) => {
    expect(parseConfig(text, "config.yaml")).toEqual(DEFAULT_CONFIG);
  });

  it("has the defaults of the specification", () => {
    expect(DEFAULT_CONFIG).toEqual({
      trustPolicyPath: "/etc/atcr-verify/trust-policy.yaml",
      stateDir: "/var/lib/atcr-verify",
      cacheDir: "/var/cache/atcr-verify",
      deadline: 8000,
      didResolverTimeout: 5000,
      pdsTimeout: 5000,
      registryTimeout: 5000,
      plcDirectories: ["https://plc.directory"],
      atcrHosts: ["atcr.io"],
      network: { cidrs: [], hosts: [], plainHttp: [] },
      cacheEnabled: true,
      cacheTTL: 300_000,
      offline: false,
      bundleDir: "/var/lib/atcr-verify-bundles",
      bundleKeys: [],
      skipVerify: [],
      caFiles: [],
      registryConfigPath: ["/etc/containerd/certs.d"],
      registryCredentials: { realms: new Map([["docker.io", ["auth.docker.io"]]]) },
      decisionLog: { kind: "file", path: "/var/log/atcr-verify/decisions.log", isNeeded: false },
      lookaside: { address: "127.0.0.1", port: 947, keyFile: "/var/lib/atcr-verify-lookaside/node.key" },
    });
  });

  it("reads everything", () => {
    const config = parseConfig(
      `
trustPolicyPath: /etc/other/policy.yaml
stateDir: /srv/state
cacheDir: /srv/cache
cacheEnabled: false
cacheTTL: 1h
offline: true
bundleDir: /srv/bundles
bundleKeys: [/etc/atcr-verify/bundle.pub]
registryConfigPath: /etc/containerd/certs.d:/etc/docker/certs.d
registryCredentials:
  files: [/etc/a.json, /var/b.json]
  realms: {"registry.example.com:5000": [auth.example.com, "auth.example.com:8443"], other.example.com: []}
decisionLog: /srv/log
metricsFile: /srv/m.prom
lookaside: {listen: "[::1]:8947", keyFile: /srv/node.key}
server: {listen: "127.0.0.1:8443", gates: [admit]}
deadline: 1m
didResolverTimeout: 100ms
pdsTimeout: 1.5s
registryTimeout: 2s
plcDirectories: ["https://plc.example.com", "http://localhost:2582", "http://plc"]
atcrHosts: [atcr.io, "atcr.example.com:443", "localhost:5000"]
network:
  allow: [10.0.0.0/8, "registry.local:5000", "http://localhost:2582", "http://plc:80", "::1"]
  skipVerify: ["registry.local:5000"]
  caFiles: [/etc/ssl/own.pem]
  proxy: {https: "http://user:secret@proxy.example.com:3128", http: "http://proxy.example.com", noProxy: [.local]}
`,
      "config.yaml",
    );
    expect(config).toEqual({
      trustPolicyPath: "/etc/other/policy.yaml",
      stateDir: "/srv/state",
      cacheDir: "/srv/cache",
      decisionLog: { kind: "file", path: "/srv/log", isNeeded: true },
      metricsFile: "/srv/m.prom",
      lookaside: { address: "::1", port: 8947, keyFile: "/srv/node.key" },
      server: {
        listeners: [{ key: "server", address: "127.0.0.1", port: 8443, gates: ["admit"] }],
        tokenFiles: [],
        policies: new Map(),
        tags: "refuse",
      },
      deadline: 60_000,
      didResolverTimeout: 100,
      pdsTimeout: 1500,
      registryTimeout: 2000,
      plcDirectories: ["https://plc.example.com", "http://localhost:2582", "http://plc"],
      atcrHosts: ["atcr.io", "atcr.example.com", "localhost:5000"],
      network: {
        cidrs: [
          { network: Uint8Array.from([10, 0, 0, 0]), prefix: 8 },
          { network: Uint8Array.from([...Array<number>(15).fill(0), 1]), prefix: 128 },
        ],
        hosts: ["registry.local:5000", "localhost:2582", "plc:80"],
        plainHttp: ["localhost:2582", "plc:80"],
      },
      cacheEnabled: false,
      cacheTTL: 3_600_000,
      offline: true,
      bundleDir: "/srv/bundles",
      bundleKeys: ["/etc/atcr-verify/bundle.pub"],
      skipVerify: ["registry.local:5000"],
      caFiles: ["/etc/ssl/own.pem"],
      proxy: {
        https: "http://user:secret@proxy.example.com:3128",
        http: "http://proxy.example.com",
        noProxy: [".local"],
      },
      registryConfigPath: ["/etc/containerd/certs.d", "/etc/docker/certs.d"],
      registryCredentials: {
        files: ["/etc/a.json", "/var/b.json"],
        realms: new Map([
          ["registry.example.com:5000", ["auth.example.com", "auth.example.com:8443"]],
          ["other.example.com", []],
        ]),
      },
    });
  });

  it("takes an empty list of what is allowed", () => {
    expect(parseConfig("network: { allow: [] }", "config.yaml")).toEqual(DEFAULT_CONFIG);
    expect(parseConfig("network: {}", "config.yaml")).toEqual(DEFAULT_CONFIG);
  });

  it.each([
    ["a list", "[]", "1:1"],
    ["text", "deadline", "1:1"],
    ["an unknown key", "deadLine: 8s", "1:1"],
    ["an unknown key under network", "network: { deny: [] }", "1:12"],
    ["a list under network", "network: [10.0.0.0/8]", "1:10"],
    ["a flat key", "network.allow: [10.0.0.0/8]", "1:1"],
    ["a duplicate key", "deadline: 8s\ndeadline: 9s", "2:1"],
    ["a relative path", "trustPolicyPath: policy.yaml", "1:18"],
    ["an empty path", 'trustPolicyPath: ""', "1:18"],
    ["a path with a zero byte", 'trustPolicyPath: "/etc/a\\0b"', "1:18"],
    ["a relative folder for state", "stateDir: state", "1:11"],
    ["a folder for state with a zero byte", 'stateDir: "/a\\0b"', "1:11"],
    ["null for the folder of the state", "stateDir:", "1:10"],
    ["a relative folder for the cache", "cacheDir: ./cache", "1:11"],
    ["an empty folder for the cache", 'cacheDir: ""', "1:11"],
    ["a number for the folder of the cache", "cacheDir: 1", "1:11"],
    ["a number as deadline", "deadline: 8", "1:11"],
    ["a deadline too short", "deadline: 999ms", "1:11"],
    ["a deadline too long", "deadline: 60001ms", "1:11"],
    ["a deadline that is none", "deadline: soon", "1:11"],
    ["a timeout too short", "pdsTimeout: 99ms", "1:13"],
    ["a timeout of nothing", "registryTimeout: 0", "1:18"],
    ["a timeout too long", "didResolverTimeout: 61s", "1:21"],
    ["no directories", "plcDirectories: []", "1:17"],
    ["text for directories", "plcDirectories: https://plc.directory", "1:17"],
    ["a directory without a scheme", "plcDirectories: [plc.directory]", "1:18"],
    ["a directory by another scheme", 'plcDirectories: ["ftp://plc.directory"]', "1:18"],
    ["a directory with a path", 'plcDirectories: ["https://plc.directory/"]', "1:18"],
    ["a directory with a user", 'plcDirectories: ["https://u@plc.directory"]', "1:18"],
    ["a directory in upper case", 'plcDirectories: ["https://PLC.directory"]', "1:18"],
    ["a directory twice", 'plcDirectories: ["https://a.b", "https://a.b"]', "1:33"],
    ["a directory by plain http, unlisted", 'plcDirectories: ["http://plc.local"]', "1:18"],
    [
      "a directory by plain http, listed for https",
      'plcDirectories: ["http://plc.local:80"]\nnetwork: { allow: [plc.local] }',
      "1:18",
    ],
    [
      "a directory by plain http, listed on another port",
      'plcDirectories: ["http://plc.local:2582"]\nnetwork: { allow: ["http://plc.local"] }',
      "1:18",
    ],
    [
      "a directory by another scheme, listed for plain http",
      'plcDirectories: ["ftp://plc.local:2582"]\nnetwork: { allow: ["http://plc.local:2582"] }',
      "1:18",
    ],
    ["no ATCR hosts", "atcrHosts: []", "1:12"],
    ["a bad ATCR host", "atcrHosts: [https://atcr.io]", "1:13"],
    ["an ATCR host without a dot", "atcrHosts: [atcr]", "1:13"],
    ["an ATCR host twice", 'atcrHosts: [atcr.io, "atcr.io:443"]', "1:22"],
    ["a bad entry of network.allow", "network: { allow: [10.0.0.0/8, 10.0.0.1/8] }", "1:32"],
    ["a number in network.allow", "network: { allow: [10.1] }", "1:20"],
    ["null for network", "network:", "1:9"],
    ["text for cacheEnabled", 'cacheEnabled: "yes"', "1:15"],
    ["text for offline", 'offline: "yes"', "1:10"],
    ["a relative bundleDir", "bundleDir: bundles", "1:12"],
    ["a relative file of a seal's key", "bundleKeys: [seal.pub]", "1:14"],
    ["a seal's key twice", "bundleKeys: [/a, /a]", "1:18"],
    ["a cacheTTL too short", "cacheTTL: 999ms", "1:11"],
    ["a cacheTTL too long", "cacheTTL: 24h1ms", "1:11"],
    ["a relative registryConfigPath", "registryConfigPath: certs.d", "1:21"],
    ["a relative second registryConfigPath", "registryConfigPath: /a:b", "1:21"],
    ["a registryConfigPath that ends with a colon", 'registryConfigPath: "/a:"', "1:21"],
    ["a registryConfigPath twice", "registryConfigPath: /a:/a", "1:21"],
    ["a relative file of credentials", "registryCredentials: { files: [auth.json] }", "1:32"],
    ["a file of credentials twice", "registryCredentials: { files: [/a, /a] }", "1:36"],
    ["an address of the network to listen on", 'lookaside: { listen: "10.0.0.1:947" }', "1:22"],
    ["every address to listen on", 'lookaside: { listen: "0.0.0.0:947" }', "1:22"],
    ["every IPv6 address to listen on", 'lookaside: { listen: "[::]:947" }', "1:22"],
    ["a loopback address inside an IPv6 one", 'lookaside: { listen: "[::ffff:127.0.0.1]:947" }', "1:22"],
    ["a name to listen on", 'lookaside: { listen: "localhost:947" }', "1:22"],
    ["no port to listen on", "lookaside: { listen: 127.0.0.1 }", "1:22"],
    ["port 0 to listen on", 'lookaside: { listen: "127.0.0.1:0" }', "1:22"],
    ["a relative keyFile", "lookaside: { keyFile: node.key }", "1:23"],
    ["an unknown key of lookaside", "lookaside: { port: 1 }", "1:14"],
    ["no realms", "registryCredentials: { realms: {} }", "1:32"],
    ["realms of a host that is none", "registryCredentials: { realms: { a b: [] } }", "1:34"],
    ["realms of a host with port 443", 'registryCredentials: { realms: { "a.b:443": [] } }', "1:34"],
    ["a realm that is no host", 'registryCredentials: { realms: { a.b: ["https://c.d"] } }', "1:40"],
    ["a realm twice", "registryCredentials: { realms: { a.b: [c.d, c.d] } }", "1:45"],
    ["an unknown key of registryCredentials", "registryCredentials: { file: [/a] }", "1:24"],
    ["a URL in skipVerify", 'network: { skipVerify: ["https://a.b"] }', "1:25"],
    ["a host twice in skipVerify", "network: { skipVerify: [a.b, a.b] }", "1:30"],
    ["a relative caFile", "network: { caFiles: [own.pem] }", "1:22"],
    ["a proxy that is no URL", "network: { proxy: { https: proxy.example.com } }", "1:28"],
    ["a proxy by another scheme", "network: { proxy: { http: socks5://a.b:1080 } }", "1:27"],
    ["a proxy by https", "network: { proxy: { https: https://a.b:3128 } }", "1:28"],
    ["a proxy with a path", "network: { proxy: { https: http://a.b/c } }", "1:28"],
    ["text for a proxy", "network: { proxy: direct }", "1:19"],
  ])("refuses %s", (_, text, position) => {
    const { code, message } = rejectionOf(text);
    expect(code).toBe("config.invalid");
    expect(message.slice(0, `config.yaml:${position}:`.length)).toBe(`config.yaml:${position}:`);
    expect(message).toMatch(/: found .+, expected .+/);
  });

  it("repeats no password of a proxy", () => {
    const { message } = rejectionOf("network: { proxy: { https: socks5://user:secret@a.b } }");
    expect(message).not.toContain("secret");
  });

  it("takes the word none for no proxy at all", () => {
    expect(parseConfig("network: { proxy: none }", "config.yaml").proxy).toEqual({ noProxy: [] });
  });

  const FILE = "/var/log/other/decisions.log";
  it.each([
    ["none", { kind: "none" }],
    ["journald", { kind: "journald", socket: "/run/systemd/journal/stdout" }],
    ["journald:/run/systemd/journal.node/stdout", { kind: "journald", socket: "/run/systemd/journal.node/stdout" }],
    [FILE, { kind: "file", path: FILE, isNeeded: true }],
  ])("takes decisionLog: %s", (text, expected) => {
    expect(parseConfig(`decisionLog: "${text}"`, "config.yaml").decisionLog).toEqual(expected);
  });

  it("logs to the usual place, where there is one, unless told otherwise", () => {
    const path = "/var/log/atcr-verify/decisions.log";
    expect(parseConfig("", "config.yaml").decisionLog).toEqual({ kind: "file", path, isNeeded: false });
  });

  it.each(["decisions.log", "journald:socket", "journald:", "syslog"])("refuses decisionLog: %s", (text) => {
    expect(rejectionOf(`decisionLog: "${text}"`).code).toBe("config.invalid");
  });

  it.each(["journal", "off", ""])("names what decisionLog may be, of %j", (text) => {
    const { message } = rejectionOf(`decisionLog: "${text}"`);
    for (const value of ["absolute path", "journald", "none"]) expect(message).toContain(value);
  });

  it("takes a metricsFile by its whole name", () => {
    expect(parseConfig("metricsFile: /a/b.prom", "config.yaml").metricsFile).toBe("/a/b.prom");
    expect(parseConfig("", "config.yaml")).not.toHaveProperty("metricsFile");
    for (const text of ["b.prom", "/a/b.txt"]) expect(rejectionOf(`metricsFile: ${text}`).code).toBe("config.invalid");
  });
});
