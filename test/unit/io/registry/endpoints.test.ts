import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { DEFAULT_CONFIG } from "../../../../src/core/config/config.ts";
import { parseReference } from "../../../../src/core/oci/reference.ts";
import { endpointsOf, type PrivateAccess, type PrivateRegistry } from "../../../../src/io/registry/endpoints.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";
import { warned } from "../../../support/warned.ts";

const root = makeTemporaryDirectory("certs");
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

/** A certs.d with these files, by `HOST/NAME`. */
function certsD(files: Readonly<Record<string, string>>): string {
  const folder = join(root, String(++count));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), text);
    chmodSync(join(folder, name), 0o644);
  }
  return folder;
}

function endpoints(
  host: string,
  folders: readonly string[],
  network = DEFAULT_CONFIG.network,
  access: PrivateAccess = { privateRegistry: "any", hasCredentials: () => false },
) {
  const warnings: string[] = [];
  const name = parseReference(`${host}/team/app`);
  const config = { ...DEFAULT_CONFIG, registryConfigPath: folders, network };
  const found = endpointsOf(name, config, warned(warnings), access);
  return { ...found, warnings, roots: found.all.map((endpoint) => endpoint.root) };
}

/** As {@link certsD} of now has it, for the host r.example. */
const caFile = (name: string, nth = count) => ({ path: join(root, String(nth), "r.example", name), text: "CA" });

describe("endpointsOf", () => {
  it.each([
    ["registry.example", "https://registry.example/v2"],
    ["registry.example:5000", "https://registry.example:5000/v2"],
    ["docker.io", "https://registry-1.docker.io/v2"],
  ])("is the registry itself where no file says more: %s", (host, expected) => {
    const { all, warnings } = endpoints(host, ["/nowhere", certsD({ "other.example/hosts.toml": "" })]);
    expect(all).toMatchObject([{ root: expected, host }]);
    expect(warnings).toEqual([]);
  });

  it.each([
    ["registry.example", "http://registry.example"],
    ["registry.example:5000", "http://registry.example:5000"],
    ["docker.io", undefined],
  ])("say which entry of network.allow would let it be asked by http: %s", (host, entry) => {
    expect(endpoints(host, []).all.map(({ httpEntry }) => httpEntry)).toEqual([entry]);
  });

  it("is asked by plain http where that is listed", () => {
    const network = { ...DEFAULT_CONFIG.network, plainHttp: ["registry.example:5000"] };
    expect(endpoints("registry.example:5000", [], network).roots).toEqual(["http://registry.example:5000/v2"]);
  });

  it("are the mirrors that pull, in their order, and the server at last; whoever is not it is told whose images are meant", () => {
    const toml = `
server = "https://registry.example"
[host."https://push.example"]
  capabilities = ["push"]
[host."https://b.example/cache"]
[host."https://a.example"]
  header = {Authorization = "x"}
`;
    const { all, warnings } = endpoints("registry.example", [certsD({ "registry.example/hosts.toml": toml })]);
    expect(all).toEqual([
      { root: "https://b.example/cache/v2", host: "b.example", namespace: "registry.example" },
      {
        root: "https://a.example/v2",
        host: "a.example",
        namespace: "registry.example",
        headers: { Authorization: "x" },
      },
      { root: "https://registry.example/v2", host: "registry.example" },
    ]);
    expect(warnings).toEqual([]);
  });

  it("are of the first folder that knows the host, its own before the general one", () => {
    const toml = (name: string) => `[host."https://${name}.example"]`;
    const [first, second] = [
      certsD({ "_default/hosts.toml": toml("default") }),
      certsD({ "registry.example/hosts.toml": toml("named"), "registry.example_5000_/hosts.toml": toml("port") }),
    ];
    expect(endpoints("registry.example", [second, first]).roots[0]).toBe("https://named.example/v2");
    expect(endpoints("registry.example", [first, second]).roots[0]).toBe("https://default.example/v2");
    expect(endpoints("registry.example:5000", [second]).roots[0]).toBe("https://port.example/v2");
    expect(endpoints("other.example", [second, first]).roots).toEqual([
      "https://default.example/v2",
      "https://other.example/v2",
    ]);
  });

  it("of Docker Hub keep its one name for credentials", () => {
    const toml = 'server = "https://registry-1.docker.io"\n[host."https://mirror.example"]';
    const { all } = endpoints("docker.io", [certsD({ "docker.io/hosts.toml": toml })]);
    expect(all).toEqual([
      { root: "https://mirror.example/v2", host: "mirror.example", namespace: "docker.io" },
      { root: "https://registry-1.docker.io/v2", host: "docker.io" },
    ]);
  });

  it("have the certificates that they name, and are not asked where one cannot be read", () => {
    const toml = `
skip_verify = true
[host."https://a.example"]
  ca = "ca.pem"
  client = ["both.pem"]
[host."https://b.example"]
  ca = ["ca.pem", "gone.pem"]
[host."https://c.example"]
  client = [["both.pem", "gone.key"]]
`;
    const files = { "r.example/hosts.toml": toml, "r.example/ca.pem": "CA", "r.example/both.pem": "BOTH" };
    const [a, b, c, server] = endpoints("r.example", [certsD(files)]).all;
    expect(a?.tls).toEqual({ ca: [caFile("ca.pem")], client: { cert: "BOTH", key: "BOTH" } });
    expect(b?.unusable).toMatch(/gone\.pem, which hosts\.toml names, cannot be read/);
    expect(c?.unusable).toMatch(/gone\.key/);
    expect(server?.tls).toEqual({ skipVerify: true });
  });

  it("are as docker has it where there is no hosts.toml, or none that can be read", () => {
    const files = {
      "r.example/ca.crt": "CA",
      "r.example/folder.crt/x": "",
      "r.example/node.cert": "C",
      "r.example/node.key": "K",
      "r.example/other.cert": "O",
    };
    const tls = { ca: [caFile("ca.crt", count + 1)], client: { cert: "C", key: "K" } };
    const { all, warnings } = endpoints("r.example", [certsD(files)]);
    expect(all).toMatchObject([{ root: "https://r.example/v2", host: "r.example", tls }]);
    expect(warnings.join()).toMatch(/^hosts_toml\.unused: /);
    const damaged = endpoints("r.example", [certsD({ ...files, "r.example/hosts.toml": "server = [" })]);
    expect(damaged.all).toEqual([{ ...all[0], tls: { ...tls, ca: [caFile("ca.crt")] } }]);
    expect(damaged.problems.join()).toMatch(/hosts\.toml:1: /);
  });

  it("take a certificate and its key from one file where no key lies beside it", () => {
    const { all } = endpoints("r.example", [certsD({ "r.example/both.cert": "BOTH" })]);
    expect(all[0].tls).toEqual({ client: { cert: "BOTH", key: "BOTH" } });
  });

  it("are found by the host as the name has it, and mirrors get it as ns", () => {
    const mirror = '[host."https://mirror.example"]';
    for (const folder of ["r.example_443_", "r.example:443"]) {
      const found = endpoints("r.example:443", [
        certsD({ [`${folder}/hosts.toml`]: mirror, "r.example/hosts.toml": "" }),
      ]);
      expect(found.all).toMatchObject([
        { root: "https://mirror.example/v2", host: "mirror.example", namespace: "r.example:443" },
        { root: "https://r.example/v2", host: "r.example" },
      ]);
    }
    const other = certsD({
      "r.example/hosts.toml": mirror,
      "r.example_443_/hosts.toml": 'server = "https://r.example"',
    });
    expect(endpoints("r.example", [other]).roots).toHaveLength(2);
    // containerd compares the texts.
    expect(endpoints("r.example:443", [other]).all).toEqual([
      { root: "https://r.example/v2", host: "r.example", namespace: "r.example:443" },
    ]);
  });

  it("carry how long a connection may take", () => {
    const toml = 'dial_timeout = "3s"\n[host."https://a.example"]\ndial_timeout = "200ms"';
    const { all } = endpoints("r.example", [certsD({ "r.example/hosts.toml": toml })]);
    expect(all.map(({ dialTimeout }) => dialTimeout)).toEqual([200, 3000]);
  });

  it("are not asked where hosts.toml has them asked in a way that is not done here, or not at all", () => {
    const toml = `
server = "https://push.example"
capabilities = ["push"]
[host."https://a.example"]
  rewrite = {"^a/(.*)" = "b/$1"}
`;
    const { all, warnings, problems } = endpoints("r.example", [certsD({ "r.example/hosts.toml": toml })]);
    const [a, server] = all;
    expect(warnings.join("\n")).toMatch(/^hosts_toml\.host_not_asked: https:\/\/a\.example .*rewrite/m);
    expect(problems).toEqual([]);
    expect(a?.unusable).toMatch(/rewrite/);
    expect(server?.unusable).toMatch(/capability pull/);
  });

  it("are warned of where a key is not used", () => {
    const { warnings } = endpoints("r.example", [certsD({ "r.example/hosts.toml": 'sever = "https://a.example"' })]);
    expect(warnings.join()).toMatch(/^hosts_toml\.unused: .*r\.example\/hosts\.toml: .*sever/);
  });

  it("are asked once where they stand twice, and the Hub by what serves its images", () => {
    const toml = 'server = "https://docker.io"\n[host."https://registry-1.docker.io"]';
    expect(endpoints("docker.io", [certsD({ "docker.io/hosts.toml": toml })]).all).toEqual([
      { root: "https://registry-1.docker.io/v2", host: "docker.io" },
    ]);
  });

  it("of http with settings of TLS are asked by https first at another port than http's own", () => {
    const toml = `
[host."http://a.example:5000"]
  skip_verify = true
[host."http://b.example:5000"]
  ca = "ca.pem"
[host."http://c.example"]
  skip_verify = false
[host."http://d.example:5000"]
`;
    const folder = certsD({ "r.example/hosts.toml": toml, "r.example/ca.pem": "CA" });
    const network = { ...DEFAULT_CONFIG.network, plainHttp: ["a.example:5000"] };
    const { all, roots, warnings } = endpoints("r.example", [folder], network);
    expect(roots).toEqual([
      "https://a.example:5000/v2",
      "https://b.example:5000/v2",
      "http://c.example/v2",
      "http://d.example:5000/v2",
      "https://r.example/v2",
    ]);
    expect(all.map(({ plain, httpEntry }) => plain?.root ?? httpEntry)).toEqual([
      "http://a.example:5000/v2",
      "http://b.example:5000",
      undefined,
      undefined,
      "http://r.example",
    ]);
    expect(warnings.join()).toMatch(/hosts_toml\.unused: http:\/\/c\.example /);
  });

  it("are the registry itself where the file cannot be read, which is said", () => {
    const { roots, problems, warnings } = endpoints("r.example", [certsD({ "r.example/hosts.toml": '\nserver = "' })]);
    expect(roots).toEqual(["https://r.example/v2"]);
    expect(problems.join()).toMatch(/r\.example\/hosts\.toml:2: /);
    expect(warnings).toEqual([`hosts_toml.unusable: ${problems[0]}`]);
  });

  it.each(["r.example/hosts.toml", "r.example"])(
    "are the registry itself where somebody else can change %s",
    (name) => {
      const folder = certsD({ "r.example/hosts.toml": '[host."https://evil.example"]' });
      chmodSync(join(folder, name), 0o777);
      const { roots, warnings } = endpoints("r.example", [folder]);
      expect(roots).toEqual(["https://r.example/v2"]);
      expect(warnings.join()).toMatch(/^hosts_toml\.unusable: .*can be written/);
    },
  );

  it("are the registry itself, with a warning, where a folder is none or leads nowhere", () => {
    const folder = certsD({ "registry.example": "", _default: "" });
    for (const roots of [[folder], [join(folder, "registry.example")]]) {
      const { roots: asked, warnings } = endpoints("registry.example", roots);
      expect([asked, warnings.length > 0]).toEqual([["https://registry.example/v2"], true]);
    }
    symlinkSync(join(folder, "nowhere"), join(folder, "other.example"));
    const { roots: asked, warnings } = endpoints("other.example", [folder]);
    expect([asked, warnings.length]).toEqual([["https://other.example/v2"], 1]);
  });
});

describe("endpointsOf, for tags", () => {
  it("marks the hosts that hosts.toml lets serve content but not resolve tags", () => {
    const toml = `
[host."https://both.example"]
  capabilities = ["pull", "resolve"]
[host."https://all.example"]
[host."https://digests.example"]
  capabilities = ["pull"]
`;
    const { all } = endpoints("registry.example", [certsD({ "registry.example/hosts.toml": toml })]);
    expect(all.map(({ host, isForDigestsOnly }) => [host, isForDigestsOnly])).toEqual([
      ["both.example", undefined],
      ["all.example", undefined],
      ["digests.example", true],
      ["registry.example", undefined],
    ]);
  });

  it("marks a server that the file restricts", () => {
    const toml = 'server = "https://registry.example"\ncapabilities = ["pull"]';
    const { all } = endpoints("registry.example", [certsD({ "registry.example/hosts.toml": toml })]);
    expect(all.map(({ isForDigestsOnly }) => isForDigestsOnly)).toEqual([true]);
  });
});

describe("endpointsOf a name that a stranger may have written", () => {
  const TOML = '[host."https://mirror.example"]';
  const isBound = (
    files: Readonly<Record<string, string>>,
    hasCredentials = false,
    privateRegistry: PrivateRegistry = "named by settings",
  ) => {
    const access = { privateRegistry, hasCredentials: () => hasCredentials };
    const { all } = endpoints("registry.example", [certsD(files)], DEFAULT_CONFIG.network, access);
    return all.map(({ mustBePublic }) => mustBePublic === privateRegistry);
  };

  it("bind the registry itself to public addresses and listed ones, where nothing of this node names it", () => {
    expect(isBound({})).toEqual([true]);
    expect(isBound({ "other.example/hosts.toml": TOML })).toEqual([true]);
  });

  it("do not bind it where its own folder in certs.d or credentials name it", () => {
    expect(isBound({ "registry.example/hosts.toml": "" })).toEqual([false]);
    expect(isBound({}, true)).toEqual([false]);
  });

  it("do not bind mirrors, but the registry behind those for all registries", () => {
    expect(isBound({ "registry.example/hosts.toml": TOML })).toEqual([false, false]);
    expect(isBound({ "_default/hosts.toml": TOML })).toEqual([false, true]);
    expect(isBound({ "_default/hosts.toml": `server = "https://server.example"\n${TOML}` })).toEqual([false, false]);
  });

  it("bind all to network.allow where any program may have written it, whatever names them", () => {
    const bound = (files: Readonly<Record<string, string>>) => isBound(files, true, "network.allow");
    expect(bound({})).toEqual([true]);
    expect(bound({ "registry.example/hosts.toml": TOML })).toEqual([true, true]);
    expect(bound({ "_default/hosts.toml": `server = "https://server.example"\n${TOML}` })).toEqual([true, true]);
  });
});
