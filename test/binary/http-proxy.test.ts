import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ask, headline, World } from "../support/binary.ts";
import { CertificateAuthority } from "../support/certificates.ts";
import type { Behaviour } from "../support/hostile-behaviours.ts";
import { HostileServer } from "../support/hostile-server.ts";
import { StandInPlc } from "../support/stand-in-plc.ts";
import { StandInProxy } from "../support/stand-in-proxy.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

const NAME = "registry.example/alice/app:v1";
const PLC = "https://plc.example";

/** Its servers have names that no name server knows: only the proxy knows where they are. */
let world: World;
let image: Descriptor;
let unsigned: Descriptor;

beforeAll(async () => {
  world = await World.start({ pds: "https://pds.example" });
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
      expect(headline(answered)).toBe(isTrusted ? "2 inconclusive identity.unreachable" : "2 inconclusive net.tls");
    }
    expect(plc.requests).toEqual([]);
  });

  it("an address in a URL is checked all the same", async () => {
    for (const pds of ["https://10.0.0.1", "https://169.254.169.254", "https://[::ffff:10.0.0.1]"]) {
      const own = await World.start({ pds });
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
      "wants credentials",
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
    expect(answered.stdout).toContain(`by the proxy ${server.authority}`);
    expect(answered.stdout + answered.stderr).not.toContain("secret");
  });

  it("is of a kind that is not known: nobody is asked, and its password is not told", async () => {
    const env = { HTTPS_PROXY: "socks5://user:secret@127.0.0.1:1" };
    const answered = await world.pull(world.name, image, under({ plcDirectories: [PLC] }, env));
    expect(headline(answered)).toBe("2 inconclusive identity.unreachable");
    expect(answered.stdout).toContain("the https proxy that the environment names cannot be used");
    expect(answered.stdout + answered.stderr).not.toContain("secret");
  });
});
