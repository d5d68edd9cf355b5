import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { DEFAULT_CONFIG } from "../../../src/config/config.ts";
import { endpointsOf } from "../../../src/registry/endpoints.ts";
import { makeTemporaryDirectory } from "../../support/process.ts";

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

function endpoints(host: string, folders: readonly string[], network = DEFAULT_CONFIG.network) {
  const warnings: string[] = [];
  const config = { ...DEFAULT_CONFIG, registryConfigPath: folders, network };
  const found = endpointsOf(host, config, (warning) => warnings.push(warning));
  return { ...found, warnings, roots: found.all.map((endpoint) => endpoint.root) };
}

describe("endpointsOf", () => {
  it.each([
    ["registry.example", "https://registry.example/v2"],
    ["registry.example:5000", "https://registry.example:5000/v2"],
    ["docker.io", "https://registry-1.docker.io/v2"],
  ])("is the registry itself where no file says more: %s", (host, expected) => {
    const { all, warnings } = endpoints(host, ["/nowhere", certsD({ "other.example/hosts.toml": "" })]);
    expect(all).toEqual([{ root: expected, host }]);
    expect(warnings).toEqual([]);
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
    expect(a?.tls).toEqual({ ca: ["CA"], client: { cert: "BOTH", key: "BOTH" } });
    expect(b?.unusable).toMatch(/gone\.pem, which hosts\.toml names, cannot be read/);
    expect(c?.unusable).toMatch(/gone\.key/);
    expect(server?.tls).toEqual({ skipVerify: true });
  });

  it("are as docker has it where there is no hosts.toml", () => {
    const files = {
      "r.example/ca.crt": "CA",
      "r.example/node.cert": "C",
      "r.example/node.key": "K",
      "r.example/lone.cert": "L",
    };
    const { all, warnings } = endpoints("r.example", [certsD(files)]);
    expect(all).toEqual([
      { root: "https://r.example/v2", host: "r.example", tls: { ca: ["CA"], client: { cert: "C", key: "K" } } },
    ]);
    expect(warnings).toEqual([]);
  });

  it("are the registry itself where the file cannot be read, which is said", () => {
    const { roots, problem, warnings } = endpoints("r.example", [certsD({ "r.example/hosts.toml": '\nserver = "' })]);
    expect(roots).toEqual(["https://r.example/v2"]);
    expect(problem).toMatch(/r\.example\/hosts\.toml:2: /);
    expect(warnings).toHaveLength(1);
  });

  it.each(["r.example/hosts.toml", "r.example"])(
    "are the registry itself where somebody else can change %s",
    (name) => {
      const folder = certsD({ "r.example/hosts.toml": '[host."https://evil.example"]' });
      chmodSync(join(folder, name), 0o777);
      const { roots, warnings } = endpoints("r.example", [folder]);
      expect(roots).toEqual(["https://r.example/v2"]);
      expect(warnings.join()).toMatch(/can be written by others/);
    },
  );
});
