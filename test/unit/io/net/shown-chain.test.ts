import { once } from "node:events";
import { type AddressInfo, connect, createServer as createPort } from "node:net";
import { createServer } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Authorities } from "../../../../src/io/net/authorities.ts";
import type { HttpClientOptions } from "../../../../src/io/net/hop.ts";
import { showChain } from "../../../../src/io/net/shown-chain.ts";
import { CertificateAuthority } from "../../../support/certificates.ts";

const root = new CertificateAuthority("Root");
const between = new CertificateAuthority("Between", root);
const leaf = between.issue({ names: ["a.example"] });
const server = createServer({ cert: `${leaf.cert}\n${between.cert}`, key: leaf.key });
let connections = 0;
let url = "";

beforeAll(async () => {
  server.on("connection", () => connections++);
  server.on("secureConnection", (socket) => socket.on("error", () => {}));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `https://a.example:${(server.address() as AddressInfo).port}/path`;
});
afterAll(() => void server.close());

const options = (changes: Partial<HttpClientOptions> = {}): HttpClientOptions => ({
  version: "0",
  allow: { cidrs: [], hosts: [], plainHttp: [] },
  proxies: { noProxy: [], from: "nowhere" },
  authorities: new Authorities(() => ({ files: [], problems: [] }), [{ path: "/ca", text: root.cert }]),
  skipVerify: [],
  warn: () => {},
  resolve: async () => ["127.0.0.1"],
  ...changes,
});
const show = (changes: Partial<HttpClientOptions> = {}, originMayBePrivate = true) =>
  showChain({ url, originMayBePrivate }, options(changes));

describe("the chain that a host shows", () => {
  it("is shown down to the first authority that is listed", async () => {
    const names = async (...listed: readonly CertificateAuthority[]) => {
      const text = listed.map(({ cert }) => cert).join("\n");
      const authorities = new Authorities(() => ({ files: [], problems: [] }), [{ path: "/ca", text }]);
      const shown = await show({ authorities });
      return "chain" in shown ? shown.chain.map(({ name }) => name) : shown.unseen;
    };
    expect(await names(root)).toEqual(['"CN=a.example"', '"CN=Between"']);
    expect(await names(root, between)).toEqual(['"CN=a.example"']);
    expect(await names(new CertificateAuthority())).toContain("handshake");
  });

  it("is that of the first address that answers", async () => {
    expect(await show({ resolve: async () => ["127.0.0.9", "127.0.0.1"] })).toHaveProperty("chain");
  });

  it("is asked for through the proxy, which looks the host up", async () => {
    const proxy = createPort((client) => {
      client.once("data", () => {
        client.write("HTTP/1.1 200 OK\r\n\r\n");
        const port = Number(new URL(url).port);
        client.pipe(connect(port, "127.0.0.1")).pipe(client);
      });
    });
    proxy.listen(0, "127.0.0.1");
    await once(proxy, "listening");
    const { port } = proxy.address() as AddressInfo;
    const proxies = { https: `http://127.0.0.1:${port}`, noProxy: [], from: "here" };
    const nobody = async () => Promise.reject(new Error("no such name"));
    expect(await show({ proxies, resolve: nobody }, false)).toHaveProperty("chain");
    proxy.close();
  });

  it("is not asked for at an address that a request must not go to, nor past a proxy", async () => {
    const before = connections;
    expect(await show({}, false)).toHaveProperty("unseen");
    expect(await show({ resolve: async () => ["169.254.169.254"] })).toHaveProperty("unseen");
    const through = (port: number) => ({ https: `http://127.0.0.1:${port}`, noProxy: [], from: "here" });
    expect(await show({ proxies: through(1) })).toHaveProperty("unseen");
    const refused = async () => Promise.reject(new Error("no such name"));
    expect(await show({ resolve: refused })).toHaveProperty("unseen");
    expect(connections).toBe(before);
  });
});
