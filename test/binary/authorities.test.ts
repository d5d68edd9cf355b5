import { writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CertificateAuthority, type TlsIdentity } from "../support/certificates.ts";
import { makeTemporaryDirectory, run } from "../support/process.ts";
import { StandInProxy } from "../support/stand-in-proxy.ts";
import type { ProbeJob, ProbeReport, ProbeResult } from "./http-probe.ts";

const ROOT = join(import.meta.dirname, "../..");
const PROBE = join(ROOT, "build/http-probe-authorities");
const BUILD = "build --compile --minify --bytecode --format=esm --outfile";
const BROKEN = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

const known = new CertificateAuthority("known to the system");
const own = new CertificateAuthority("a host's own");
const files = makeTemporaryDirectory("authorities");
const closing: (() => void)[] = [];
let written = 0;

function write(text: string): string {
  const path = join(files, `${++written}.pem`);
  writeFileSync(path, text);
  return path;
}

/** A system that trusts what the file says, and nothing else. */
const system = (text: string) => ({ SSL_CERT_FILE: write(text), SSL_CERT_DIR: join(files, "none") });
const pem = (...texts: readonly string[]) => texts.map((text) => ({ path: "own.pem", text }));

beforeAll(async () => {
  const bun = join(ROOT, "node_modules/.bin/bun");
  const built = await run(bun, [...BUILD.split(" "), PROBE, join(import.meta.dirname, "http-probe.ts")]);
  expect(built.code, built.stderr).toBe(0);
});
afterAll(() => {
  for (const close of closing) close();
});

/** Answers each request with the number of the connection that it came by. */
async function serve(identity: TlsIdentity) {
  const connections: Socket[] = [];
  // An authority of its own, for Node.js completes the chain from those that it has built in.
  const server = createServer(
    { ...identity, ca: known.cert, requestCert: true, rejectUnauthorized: false },
    (_, response) => {
      response.end(String(connections.indexOf(response.socket as Socket)));
    },
  );
  let [opened, greeted] = [0, 0];
  server.on("connection", (socket: Socket) => {
    opened++;
    socket.once("data", () => greeted++);
  });
  server.on("secureConnection", (socket: Socket) => connections.push(socket));
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { port, url: `https://good.example:${port}/`, opened: () => opened, greeted: () => greeted };
}

const NAMES = { names: ["good.example", "other.example", "127.0.0.1"] };
const table = { "good.example": [["127.0.0.1"]], "other.example": [["127.0.0.1"]] };

async function ask(env: Record<string, string>, job: Partial<ProbeJob> & { requests: ProbeJob["requests"] }) {
  const all = { cidrs: ["127.0.0.0/8"], table, ...job };
  const { stdout, stderr } = await run(PROBE, [JSON.stringify(all)], { env });
  expect(stderr).toBe("");
  return JSON.parse(stdout) as ProbeReport;
}

const outcome = ({ status, kind }: ProbeResult) => status ?? kind;

describe.concurrent("the authorities that come with the runtime", () => {
  // Named as one of them and signed by another key: the error tells whether a certificate of that name is known.
  const named = new CertificateAuthority({ C: "US", O: "Internet Security Research Group", CN: "ISRG Root X1" });
  const leaf = named.issue({ ...NAMES, withoutKeyIdentifiers: true });

  it("vouch for nobody", async () => {
    const { url, port } = await serve(leaf);
    const plain = `fetch("https://127.0.0.1:${port}/", { tls: { serverName: "good.example" } })
      .catch(({ code }) => console.log(code))`;
    const env = { ...system(known.cert), BUN_BE_BUN: "1" };
    // That the runtime would know it, were it asked without a list.
    expect((await run(PROBE, ["-e", plain], { env })).stdout).toBe("CERT_SIGNATURE_FAILURE\n");
    for (const tls of [{}, { ca: pem(own.cert) }]) {
      const { results } = await ask(system(known.cert), { requests: [{ url, tls }] });
      expect(results).toMatchObject([{ kind: "tls" }]);
      expect(results[0]?.message).toMatch(/UNABLE_TO_(?:GET_ISSUER_CERT_LOCALLY|VERIFY_LEAF_SIGNATURE)/);
    }
  });

  it.each([
    ["there is no other", ""],
    ["no other can be parsed", BROKEN],
  ])("vouch for nobody either where %s, and nothing is said to anybody", async (_, text) => {
    const { url, port, opened, greeted } = await serve(known.issue(NAMES));
    await using proxy = await StandInProxy.start({ ports: { [`good.example:${port}`]: port } });
    const requests = [{ url }, { url, tls: { ca: pem(text) } }];
    for (const more of [{}, { proxy: { https: proxy.origin, noProxy: [] } }]) {
      const { results } = await ask(system(text), { requests, ...more });
      expect(results.map(outcome), JSON.stringify(results)).toEqual(["tls", "tls"]);
      expect(results[0]?.message).toContain("no readable certificate authority");
      if (!("proxy" in more) || text === "") expect([opened(), proxy.asked]).toEqual([0, []]);
    }
    expect(greeted()).toBe(0);
  });
});

describe.concurrent("a certificate that cannot be read", () => {
  it.each<[string, string]>([
    ["before a good one", `${BROKEN}${known.cert}`],
    ["after a good one", `${known.cert}${BROKEN}`],
    ["without an end, before a good one", `-----BEGIN CERTIFICATE-----\nAAAA\n${known.cert}`],
    ["that is joined with a good one", `${own.cert.trim()}${known.cert.trim()}`],
  ])("%s leaves the good one to count", async (_, text) => {
    const { url } = await serve(known.issue(NAMES));
    const joined = text.includes(own.cert.trim());
    for (const [env, job] of [
      [system(text), { requests: [{ url }, { url }] }],
      [system(own.cert), { ca: [text], requests: [{ url }, { url }] }],
      [system(own.cert), { requests: [{ url, tls: { ca: pem(text) } }] }],
    ] as const) {
      const { results, warnings } = await ask(env, job);
      expect(results.map(outcome)).toEqual(results.map(() => 200));
      expect(warnings.length > 0).toBe(!joined);
    }
  });
});

describe.concurrent("an intermediate authority that is listed without its root", () => {
  const middle = new CertificateAuthority("middle", own);
  const served = () => {
    const leaf = middle.issue({ names: ["good.example"] });
    return serve({ ...leaf, cert: leaf.cert + middle.cert });
  };

  it("vouches, as for containerd", async () => {
    const { url } = await served();
    for (const [env, job] of [
      [system(middle.cert), {}],
      [system(known.cert), { ca: [middle.cert] }],
    ] as const) {
      expect((await ask(env, { ...job, requests: [{ url }] })).results.map(outcome)).toEqual([200]);
    }
    const { results } = await ask(system(known.cert), { requests: [{ url, tls: { ca: pem(middle.cert) } }, { url }] });
    expect(results.map(outcome)).toEqual([200, "tls"]);
  });

  it("vouches for no other name, for no time but its own, and for no other authority's certificates", async () => {
    const wrongName = await serve(middle.issue({ names: ["elsewhere.example"] }));
    const expired = await serve(middle.issue({ names: ["good.example"], notAfter: Date.now() - 1000 }));
    const sibling = await serve(new CertificateAuthority("sibling", own).issue({ names: ["good.example"] }));
    const requests = [wrongName, expired, sibling].map(({ url }) => ({ url, tls: { ca: pem(middle.cert) } }));
    expect((await ask(system(known.cert), { requests })).results.map(outcome)).toEqual(["tls", "tls", "tls"]);
  });
});

describe.concurrent("a connection", () => {
  const other = (url: string) => url.replace("good", "other");
  const client = known.issue({ names: ["node.example"] });

  it("serves requests to one name under the same authorities", async () => {
    const { url } = await serve(known.issue(NAMES));
    const { url: ofOwn } = await serve(own.issue(NAMES));
    const tls = { ca: pem(own.cert) };
    const requests = [{ url }, { url }, { url }, { url: ofOwn, tls }, { url: ofOwn, tls }];
    const { results } = await ask(system(known.cert), { requests });
    expect(results.map(({ text }) => text)).toEqual(["0", "0", "0", "0", "0"]);
  });

  it("serves no other name, no other authorities, no other client and no other way", async () => {
    const { url, port } = await serve(known.issue(NAMES));
    const ports = { [`good.example:${port}`]: port };
    await using proxy = await StandInProxy.start({ ports });
    const usual = { url };
    const others: ProbeJob["requests"] = [
      { url: other(url) },
      { url: `https://127.0.0.1:${port}/` },
      { url, tls: { ca: pem(own.cert) } },
      { url, tls: { client } },
      { url, tls: { skipVerify: true } },
    ];
    for (const one of others) {
      const { results } = await ask(system(known.cert), {
        skipVerify: ["good.example"],
        requests: [usual, one, usual],
      });
      const [first, second, third] = results.map(({ text }) => text);
      expect(results.map(outcome)).toEqual([200, 200, 200]);
      expect(third, JSON.stringify(one)).toBe(first);
      expect(second, JSON.stringify(one)).not.toBe(first);
    }
    const through = await ask(system(known.cert), {
      proxy: { https: proxy.origin, noProxy: [] },
      requests: [usual, usual],
    });
    expect(new Set(through.results.map(({ text }) => text)).size).toBe(2);
  });

  it("shows no certificate that cannot be used, and says which it was", async () => {
    const { url, opened } = await serve(known.issue(NAMES));
    const { results } = await ask(system(known.cert), {
      requests: [{ url, tls: { client: { ...client, key: "none" } } }],
    });
    expect(results).toMatchObject([{ kind: "tls", message: expect.stringContaining("client certificate") }]);
    expect(opened()).toBe(0);
  });

  it("is not taken up again by a session where fewer vouch", async () => {
    const { url } = await serve(own.issue(NAMES));
    const requests = [{ url, tls: { ca: pem(own.cert) } }, { url }, { url, tls: { ca: pem(own.cert) } }];
    const { results } = await ask(system(known.cert), { requests });
    expect(results.map(outcome)).toEqual([200, "tls", 200]);
  });
});
