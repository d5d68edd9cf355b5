import { describe, expect, it } from "vitest";
import { hostFolders, type RegistryHost, readHostsToml } from "../../../../src/core/oci/hosts-toml.ts";

const read = (text: string) => readHostsToml(text, "/certs.d/a.example");
const hosts = (text: string): readonly RegistryHost[] => {
  const found = read(text);
  if ("problem" in found) throw new Error(found.problem);
  return found.hosts;
};
const unused = (text: string): readonly string[] => {
  const found = read(text);
  return "problem" in found ? ["a problem"] : found.unused;
};
const PLAIN = { pulls: true, resolves: true, ca: [], client: [], headers: {} };

describe("readHostsToml", () => {
  it("reads mirrors in the order of the file, and the server last", () => {
    const text = `
server = "https://registry.example.com"
[host."https://second.example"]
[host."https://first.example:8443"]
  capabilities = ["pull", "resolve"]
[host."http://third.example:5000/"]
`;
    expect(hosts(text)).toEqual([
      { ...PLAIN, origin: "https://second.example", authority: "second.example", path: "/v2" },
      { ...PLAIN, origin: "https://first.example:8443", authority: "first.example:8443", path: "/v2" },
      { ...PLAIN, origin: "http://third.example:5000", authority: "third.example:5000", path: "/v2" },
      { ...PLAIN, origin: "https://registry.example.com", authority: "registry.example.com", path: "/v2" },
    ]);
  });

  it("means the registry itself where no server is named", () => {
    expect(hosts("")).toEqual([{ ...PLAIN, path: "/v2" }]);
    expect(hosts('[host."https://a.example"]').map(({ origin }) => origin)).toEqual(["https://a.example", undefined]);
  });

  it("leaves a port in the host as it is written", () => {
    const [host] = hosts('[host."https://a.example:443/cache"]');
    expect(host).toMatchObject({ origin: "https://a.example", authority: "a.example:443" });
  });

  it.each([
    ["https://a.example", "", "/v2"],
    ["https://a.example/v2", "", "/v2"],
    ["https://a.example/harbor/v2/", "", "/harbor/v2"],
    ["https://a.example/mirror", "", "/mirror/v2"],
    ["https://a.example/mirror", "override_path = true", "/mirror"],
    ["https://a.example//v2//proxy-hub/", "override_path = true", "/v2/proxy-hub"],
    ["https://a.example", "override_path = true", ""],
    ["a.example:5000", "", "/v2"],
  ])("finds the root of the API in %s %s: %s", (url, more, path) => {
    expect(hosts(`[host."${url}"]\n${more}`)[0]?.path).toBe(path);
  });

  it("reads certificates, headers and skip_verify, paths from its folder on", () => {
    const text = `
skip_verify = true
ca = "/etc/ca.pem"
[host."https://a.example"]
  ca = ["own.pem", "/etc/other.pem"]
  client = [["client.cert", "client.key"], ["x", "y"]]
  [host."https://a.example".header]
    X-One = "1"
    X-Two = ["a", "b"]
[host."https://b.example"]
  client = "both.pem"
[host."https://c.example"]
  client = ["one.pem", "two.pem"]
`;
    const [a, b, c, server] = hosts(text);
    expect(a).toMatchObject({
      ca: ["/certs.d/a.example/own.pem", "/etc/other.pem"],
      client: [
        { cert: "/certs.d/a.example/client.cert", key: "/certs.d/a.example/client.key" },
        { cert: "/certs.d/a.example/x", key: "/certs.d/a.example/y" },
      ],
      headers: { "X-One": "1", "X-Two": "a, b" },
    });
    expect(a).not.toHaveProperty("skipVerify");
    expect(b?.client).toEqual([{ cert: "/certs.d/a.example/both.pem", key: "/certs.d/a.example/both.pem" }]);
    expect(c?.client.map(({ cert }) => cert)).toEqual(["/certs.d/a.example/one.pem", "/certs.d/a.example/two.pem"]);
    expect(server).toMatchObject({ ca: ["/etc/ca.pem"], skipVerify: true });
  });

  it("knows who may be asked for content", () => {
    const resolves = (capabilities: string) => hosts(`[host."https://a.example"]\n${capabilities}`)[0]?.resolves;
    expect(resolves("capabilities = []")).toBe(true);
    expect(resolves('capabilities = ["pull", "resolve"]')).toBe(true);
    expect(resolves('capabilities = ["pull"]')).toBe(false);
    expect(resolves('capabilities = ["resolve"]')).toBe(false);
    expect(hosts('server = "https://a.example"\ncapabilities = ["pull"]')[0]?.resolves).toBe(false);
    expect(hosts('capabilities = ["pull"]')[0]?.resolves).toBe(true);
    const pulls = (capabilities: string) => hosts(`[host."https://a.example"]\n${capabilities}`)[0]?.pulls;
    expect(pulls("")).toBe(true);
    expect(pulls("capabilities = []")).toBe(true);
    expect(pulls('capabilities = ["resolve", "pull", "referrers"]')).toBe(true);
    expect(pulls('capabilities = ["push"]')).toBe(false);
    expect(pulls('capabilities = ["resolve"]')).toBe(false);
    expect(pulls('capabilities = ["Pull"]')).toBe(true);
    // What stands at the top is of the server that is named, and of no other.
    expect(hosts('server = "https://a.example"\ncapabilities = ["push"]')[0]?.pulls).toBe(false);
    expect(hosts('capabilities = ["push"]')[0]?.pulls).toBe(true);
  });

  it.each([
    ["", undefined],
    ['dial_timeout = ""', undefined],
    ['dial_timeout = "0"', undefined],
    ['dial_timeout = "200ms"', 200],
    ['dial_timeout = "1.5s"', 1500],
  ])("reads how long a connection may take: %s", (line, expected) => {
    expect(hosts(line)[0]?.dialTimeout).toBe(expected);
    expect(hosts(`[host."https://a.example"]\n${line}`)[0]?.dialTimeout).toBe(expected);
  });

  it.each(["rewrite", "proxy", "dial_addr"])(
    "knows a host that is asked otherwise by %s, which is not done here",
    (key) => {
      const value = key === "rewrite" ? '{"^alice/(.*)" = "images/$1"}' : '"http://proxy.example"';
      const text = `[host."https://a.example"]\n${key} = ${value}\n[host."https://b.example"]`;
      expect(hosts(text).map(({ unsupported }) => unsupported)).toEqual([key, undefined, undefined]);
      expect(unused(text)).toEqual([]);
    },
  );

  it("names what is not used", () => {
    const text = `
Server = "https://a.example"
[host."https://a.example"]
  dial-timeout = "1s"
  client = ["a.pem", "b.pem"]
  header = {x = "1"}
`;
    expect(hosts(text)).toHaveLength(2);
    expect(unused(text)).toEqual([
      'dial-timeout of host."https://a.example"',
      'client after the first of 2 of host."https://a.example"',
      "Server",
    ]);
  });

  it.each([
    ["no TOML", "server = ", 1],
    ["a line later", "\n\nserver = [", 3],
    ["a URL with a user", '\n[host."https://u:secret@a.example"]', 2],
    ["another scheme", '[host."httpx://a.example"]', 1],
    ["a server that is no URL", 'server = "https://"', 1],
    ["a host that is no table", '[host]\n"https://a.example" = 1', 2],
    ["ca that is a number", '[host."https://a.example"]\nca = 1', 1],
    ["client that is a number", '[host."https://a.example"]\nclient = 1', 1],
    ["a pair of one", '[host."https://a.example"]\nclient = [["a"]]', 1],
    ["header that is a text", '[host."https://a.example"]\nheader = "secret"', 1],
    ["a header's value with a line break", '[host."https://a.example".header]\nX = "secret\\nY: 1"', 1],
    ["a header's name with a space", '[host."https://a.example".header]\n"X Y" = "secret"', 1],
    ["a triple", '[host."https://a.example"]\nclient = [["a", "b", "c"]]', 1],
    ["capabilities that are a text", '[host."https://a.example"]\ncapabilities = "pull"', 1],
    ["a capability that there is not", '[host."https://a.example"]\ncapabilities = ["pull", "fetch"]', 1],
    ["skip_verify that is a text", '[host."https://a.example"]\nskip_verify = "true"', 1],
    ["override_path that is a text", '[host."https://a.example"]\noverride_path = "true"', 1],
    ["dial_timeout that is a number", '[host."https://a.example"]\ndial_timeout = 5', 1],
    ["dial_timeout in days", '[host."https://a.example"]\ndial_timeout = "1d"', 1],
    ["a negative dial_timeout", '[host."https://a.example"]\ndial_timeout = "-1s"', 1],
    ["a server that is a number", "server = 1", 1],
    ["host that is a text", 'host = "https://a.example"', 1],
    ["too many hosts", Array.from({ length: 17 }, (_, i) => `[host."https://h${i}.example"]`).join("\n"), 1],
  ])("refuses %s, and says where", (_, text, line) => {
    const found = read(text);
    expect(found).toMatchObject({ line, problem: expect.any(String) });
    expect(JSON.stringify(found)).not.toContain("secret\\");
  });

  it("does not repeat what a header says", () => {
    expect(JSON.stringify(read('[host."https://a.example".header]\nAuthorization = "secret\\u0007"'))).not.toContain(
      "secret",
    );
  });
});

describe("hostFolders", () => {
  it.each([
    ["a.example", ["a.example", "_default"]],
    ["a.example:5000", ["a.example_5000_", "a.example:5000", "_default"]],
    ["a.example:443", ["a.example_443_", "a.example:443", "_default"]],
    ["[::1]:5000", ["[::1]_5000_", "[::1]:5000", "_default"]],
    ["docker.io", ["docker.io", "_default"]],
  ])("%s", (host, folders) => {
    expect(hostFolders(host)).toEqual(folders);
  });
});
