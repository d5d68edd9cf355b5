import { createServer, type IncomingHttpHeaders, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ask, headline, TestNode } from "../support/binary.ts";
import { CertificateAuthority } from "../support/certificates.ts";
import type { Behaviour } from "../support/hostile-behaviours.ts";
import { HostileServer } from "../support/hostile-server.ts";
import { run } from "../support/process.ts";
import { StandInPlc } from "../support/stand-in-plc.ts";
import { StandInProxy } from "../support/stand-in-proxy.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";
import type { ProbeJob, ProbeReport } from "./http-probe.ts";

const NAME = "registry.example/alice/app:v1";
const PLC = "https://plc.example";

/** Its servers have names that no name server knows: only the proxy knows where they are. */
let world: TestNode;
let image: Descriptor;
let unsigned: Descriptor;

beforeAll(async () => {
  world = await TestNode.start({ pds: "https://pds.example" });
  image = await world.image("signed");
  unsigned = await world.image("unsigned", { signed: false });
});
afterAll(() => world.stop());

const everywhere = (): Record<string, number> => ({
  "plc.example:443": world.plc.port,
  "pds.example:443": world.pds.port,
  "registry.example:443": world.registry.port,
});

let files = 0;

function under(settings: object, env: Record<string, string> = {}): Ask {
  const network = { allow: ["127.0.0.0/8"], ...(settings as { network?: object }).network };
  const all = { ...world.settings, plcDirectories: [PLC], ...settings, network };
  const config = world.configure(all, `proxy${++files}.yaml`);
  return { env: { ...world.env, ATCR_VERIFY_CONFIG: config, ...env } };
}

describe.concurrent("through a proxy", () => {
  it.each(["HTTPS_PROXY", "https_proxy"])("all services are asked by their names: %s", async (variable) => {
    await using proxy = await StandInProxy.start({ ports: everywhere() });
    const env = { [variable]: proxy.origin };
    expect(headline(await world.pull(NAME, image, under({}, env)))).toBe("0 allow signed");
    const refused = await world.pull(NAME, unsigned, under({}, env));
    expect(headline(refused)).toBe("1 deny signature.none");
    expect([...new Set(proxy.targets)].toSorted()).toEqual(Object.keys(everywhere()).toSorted());
    for (const head of proxy.asked)
      expect(head).toMatch(/^CONNECT [^ ]+ HTTP\/1\.1\r\nHost: [^\r]+\r\nProxy-Connection: [^\r]+\r\n\r\n$/i);
  });

  it("that the configuration names, whatever the environment says", async () => {
    await using proxy = await StandInProxy.start({ ports: everywhere(), credentials: "user:p@ss" });
    await using other = await StandInProxy.start();
    const https = proxy.origin.replace("//", "//user:p%40ss@");
    const env = { HTTPS_PROXY: other.origin, NO_PROXY: "*", no_proxy: "plc.example,pds.example" };
    const options = under({ network: { proxy: { https } } }, env);
    expect(headline(await world.pull(NAME, image, options))).toBe("0 allow signed");
    expect(other.asked).toEqual([]);
    expect(proxy.targets).toContain("pds.example:443");
  });

  it("but none where the configuration says none, or excepts the host", async () => {
    await using proxy = await StandInProxy.start({ ports: everywhere() });
    for (const settings of [{ proxy: "none" }, { proxy: { https: proxy.origin, noProxy: [".example"] } }]) {
      const answered = await world.pull(NAME, image, under({ network: settings }, { HTTPS_PROXY: proxy.origin }));
      expect(headline(answered)).toBe("2 inconclusive identity.unreachable");
    }
    expect(proxy.asked.filter((head) => !head.includes("pds.example")).length).toBe(0);
  });

  it("a host must prove its name to us, whoever the proxy connects us to", async () => {
    const tls = new CertificateAuthority().issue({ names: ["plc.example"] });
    await using plc = await StandInPlc.start({ tls });
    plc.add(world.signer.log);
    for (const port of [plc.port, world.pds.port]) {
      const isTrusted = port === world.pds.port;
      await using proxy = await StandInProxy.start({ ports: { ...everywhere(), "plc.example:443": port } });
      const answered = await world.pull(
        NAME,
        image,
        under({}, { HTTPS_PROXY: proxy.origin, NODE_TLS_REJECT_UNAUTHORIZED: "0" }),
      );
      expect(headline(answered)).toBe(isTrusted ? "2 inconclusive identity.bad_response" : "2 inconclusive net.tls");
    }
    expect(plc.requests).toEqual([]);
  });

  it("an address in a URL is checked all the same", async () => {
    for (const pds of ["https://10.0.0.1", "https://169.254.169.254", "https://[::ffff:10.0.0.1]"]) {
      const own = await TestNode.start({ pds });
      const ports = { "plc.example:443": own.plc.port, "registry.example:443": own.registry.port };
      await using proxy = await StandInProxy.start({ ports });
      own.configure({ ...own.settings, plcDirectories: [PLC], network: { allow: ["127.0.0.0/8"] } });
      const answered = await own.pull(NAME, await own.image("own"), { env: { ...own.env, HTTPS_PROXY: proxy.origin } });
      expect(headline(answered)).toBe("2 inconclusive net.forbidden_address");
      expect(proxy.targets.filter((target) => !target.includes("example"))).toEqual([]);
      await own.stop();
    }
  });

  it("the proxy may be private, and lies at no address that must never be contacted", async () => {
    const answered = await world.pull(NAME, image, under({}, { HTTPS_PROXY: "http://169.254.169.254:80" }));
    expect(headline(answered)).toBe("2 inconclusive net.forbidden_address");
  });
});

const say =
  (text: string): Behaviour =>
  ({ socket }) =>
    void socket.end(text);

describe.concurrent("a proxy that does not do its work", () => {
  it.each<[string, Behaviour | "refuse" | "no answer" | "headers without end" | "reset", string]>([
    ["refuses connections", "refuse", "identity.unreachable"],
    ["never answers", "no answer", "identity.unreachable"],
    ["resets", "reset", "identity.unreachable"],
    [
      "requires credentials",
      say("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"),
      "identity.unreachable",
    ],
    ["cannot connect", say("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n"), "identity.unreachable"],
    [
      "redirects",
      say("HTTP/1.1 302 Found\r\nlocation: https://evil.example/\r\ncontent-length: 0\r\n\r\n"),
      "identity.unreachable",
    ],
    ["speaks something else", say("SSH-2.0-OpenSSH_9.6\r\n"), "identity.(unreachable|bad_response)"],
    ["sends headers without end", "headers without end", "identity.bad_response"],
  ])("%s", async (_, behaviour, code) => {
    await using server = await HostileServer.start(behaviour);
    const env = { HTTPS_PROXY: `http://user:secret@${server.authority}` };
    const answered = await world.pull(NAME, image, under({ didResolverTimeout: "1s" }, env));
    expect(headline(answered)).toMatch(new RegExp(`^2 inconclusive ${code}$`));
    expect(answered.stdout).toContain(`proxy ${server.authority} at `);
    expect(answered.stdout + answered.stderr).not.toContain("secret");
  });

  it("is of a kind that is not known: nobody is asked, and its password is not told", async () => {
    const env = { HTTPS_PROXY: "socks5://user:secret@127.0.0.1:1" };
    const answered = await world.pull(world.name, image, under({ plcDirectories: [PLC] }, env));
    expect(headline(answered)).toBe("2 inconclusive identity.unreachable");
    expect(answered.stdout).toContain("the https proxy set by the environment cannot be used");
    expect(answered.stdout + answered.stderr).not.toContain("secret");
  });
});

const ROOT = join(import.meta.dirname, "../..");
const PROBE = join(ROOT, "build/http-probe-proxy");
const BUILD = "build --compile --minify --bytecode --format=esm --outfile";

/** The client alone, for what no question of the program comes to. */
describe("what a proxy and who is behind it hear", () => {
  const names = ["good.example", "other.example"];
  const credentials = "user:p@ss";
  const headers = { Authorization: "Bearer secret" };
  const redirects = { maxRedirects: 1, headers };

  beforeAll(async () => {
    const probe = join(import.meta.dirname, "http-probe.ts");
    const built = await run(join(ROOT, "node_modules/.bin/bun"), [...BUILD.split(" "), PROBE, probe]);
    expect(built.code, built.stderr).toBe(0);
  });

  /** Answers `ok`, and from `/moved` a redirect; the requests it gets are `METHOD URL` and their header fields. */
  async function serve(to = "", scheme: "https" | "http" = "https") {
    const seen: { readonly line: string; readonly headers: IncomingHttpHeaders }[] = [];
    const answer: RequestListener = ({ method, url, headers: fields }, response) => {
      seen.push({ line: `${method} ${url}`, headers: fields });
      if (url === "/moved") response.writeHead(302, { location: to }).end();
      else response.end("ok");
    };
    const tls = world.authority.issue({ names });
    const server = scheme === "https" ? createTlsServer({ ...tls }, answer) : createServer(answer);
    server.on("tlsClientError", () => {});
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return {
      seen,
      port: (server.address() as AddressInfo).port,
      async [Symbol.asyncDispose]() {
        server.closeAllConnections();
        await new Promise<void>((resolve) => server.close(() => resolve()));
      },
    };
  }

  async function get(proxy: StandInProxy, job: Partial<ProbeJob> & Pick<ProbeJob, "requests">): Promise<ProbeReport> {
    const url = proxy.origin.replace("//", "//user:p%40ss@");
    const all = { proxy: { https: url, http: url, noProxy: [] }, cidrs: ["127.0.0.0/8"], table: {}, ...job };
    const { stdout, stderr } = await run(PROBE, [JSON.stringify(all)], { env: { ...world.env } });
    expect(stderr).toBe("");
    return JSON.parse(stdout) as ProbeReport;
  }
  const outcomes = ({ results }: ProbeReport) => results.map(({ status, kind }) => status ?? kind);

  it("under https: the proxy nothing of the request, the host nothing of the proxy", async () => {
    await using server = await serve();
    await using proxy = await StandInProxy.start({ credentials, ports: { "good.example:443": server.port } });
    const report = await get(proxy, { requests: [{ url: "https://good.example/path?query", headers }] });
    expect(outcomes(report)).toEqual([200]);
    expect(report.lookUps).toEqual([]);
    expect(proxy.asked.length).toBe(1);
    expect(proxy.asked[0]).toMatch(/^CONNECT good\.example:443 HTTP\/1\.1\r\n/);
    expect(proxy.asked[0]).not.toMatch(/^Authorization|^User-Agent|secret|path|query/im);
    expect(server.seen.map(({ line }) => line)).toEqual(["GET /path?query"]);
    expect(server.seen[0]?.headers.authorization).toBe("Bearer secret");
    expect(Object.keys(server.seen[0]?.headers ?? {}).filter((name) => name.startsWith("proxy-"))).toEqual([]);
  });

  it("under http: the whole URL, for a host and port that are listed alone", async () => {
    await using server = await serve("", "http");
    const ports = { "good.example:80": server.port, "good.example:5000": server.port };
    await using proxy = await StandInProxy.start({ credentials, ports });
    const form = { grant_type: "refresh_token" };
    const report = await get(proxy, {
      plainHttp: Object.keys(ports),
      requests: [
        { url: "http://good.example/a?b" },
        { url: "http://good.example:5000/", form },
        { url: "http://other.example/" },
      ],
    });
    expect(outcomes(report)).toEqual([200, 200, "forbidden_address"]);
    expect(proxy.asked.map((head) => head.split("\r\n")[0])).toEqual([
      "GET http://good.example/a?b HTTP/1.1",
      "POST http://good.example:5000/ HTTP/1.1",
    ]);
    expect(report.lookUps).toEqual([]);
  });

  it("a redirect goes by its own host's way, without a header", async () => {
    await using target = await serve();
    const direct = `other.example:${target.port}`;
    const ports = { "other.example:443": target.port };
    for (const [to, noProxy, cidrs, expected, through] of [
      ["https://other.example/end", [], ["127.0.0.0/8"], 200, "other.example:443"],
      [`https://${direct}/end`, ["other.example"], ["127.0.0.0/8"], 200, undefined],
      [`https://${direct}/end`, ["other.example"], [], "forbidden_address", undefined],
      ["https://10.0.0.1/end", [], [], "forbidden_address", undefined],
      ["http://other.example/end", [], [], "forbidden_address", undefined],
    ] as const) {
      await using start = await serve(to);
      await using proxy = await StandInProxy.start({
        credentials,
        ports: { ...ports, "good.example:443": start.port },
      });
      target.seen.length = 0;
      const https = proxy.origin.replace("//", "//user:p%40ss@");
      const report = await get(proxy, {
        proxy: { https, noProxy },
        cidrs,
        table: { "other.example": [["127.0.0.1"]] },
        requests: [{ url: "https://good.example/moved", ...redirects }],
      });
      expect(outcomes(report), to).toEqual([expected]);
      expect(proxy.targets, to).toEqual(["good.example:443", ...(through === undefined ? [] : [through])]);
      expect(target.seen.length, to).toBe(expected === 200 ? 1 : 0);
      expect(target.seen.flatMap(({ headers: fields }) => Object.keys(fields)).join(), to).not.toMatch(/authorization/);
    }
  });

  it("nobody anything where the host is not the one that the name stands for", async () => {
    await using server = await serve();
    await using proxy = await StandInProxy.start({ credentials, ports: { "elsewhere.example:443": server.port } });
    const report = await get(proxy, { requests: [{ url: "https://elsewhere.example/", headers }] });
    expect(outcomes(report)).toEqual(["tls"]);
    expect(server.seen).toEqual([]);
  });
});
