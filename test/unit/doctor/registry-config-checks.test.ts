import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { checkRegistryConfig } from "../../../src/doctor/registry-config-checks.ts";
import { type Containerd, CRI_IMAGES_PLUGIN } from "../../../src/platform/containerd/inspect.ts";
import { makeTemporaryDirectory } from "../../support/process.ts";

const root = makeTemporaryDirectory("registry-config");
afterAll(() => rmSync(root, { recursive: true, force: true }));
const [first, second, empty] = ["first", "second", "empty"].map((name) => join(root, name)) as [string, string, string];
for (const folder of ["first/a.example", "second/b.example", "second/_default", "empty"])
  mkdirSync(join(root, folder), { recursive: true });
const many = join(root, "many");
for (let i = 0; i < 7; i++) mkdirSync(join(many, `r${i}.example`), { recursive: true });

const OWN = "/etc/containerd/certs.d";

function containerd(registry: unknown, version = "2.1.9", images: object = {}): Containerd {
  return {
    address: "/run/c.sock",
    version,
    plugins: new Map([[CRI_IMAGES_PLUGIN, "ok"]]),
    configPath: "/nowhere/config.toml",
    config: { plugins: { [CRI_IMAGES_PLUGIN]: { registry, ...images } } },
    isListening: true,
    denied: [],
    unknown: [],
  } as Containerd;
}

const at = (path: string) => ({ config_path: path });
const levels = (given: Containerd, own: string) =>
  checkRegistryConfig(given, own.split(":")).map(({ level, name }) => `${level} ${name}`);

describe("config_path of one folder", () => {
  it.each<[string, unknown, string, string]>([
    ["the same as ours", at(OWN), OWN, "ok"],
    ["the same, otherwise written", at(OWN), `${OWN}/`, "ok"],
    ["another", at(OWN), "/srv/certs.d", "warning"],
    ["one of ours", at(first), `${first}:${second}`, "warning"],
    ["none", at(""), "/srv/certs.d", "ok"],
    ["no registry table", 1, "/srv/certs.d", "ok"],
  ])("%s", (_, registry, own, level) => {
    expect(levels(containerd(registry), own)).toEqual([`${level} registry-config`]);
  });

  it("is not looked at where the configuration was not read, and means nothing without CRI", () => {
    const { config: _, ...unread } = containerd(at("/a:/b"));
    expect(checkRegistryConfig(unread, [OWN])).toEqual([]);
    expect(levels({ ...containerd(at(`${first}:${second}`)), plugins: new Map() }, OWN)).toEqual([
      "ok registry-config",
    ]);
  });

  it("is only that of CRI: nothing of containerd reads the one of the transfer service", () => {
    const config = { plugins: { "io.containerd.transfer.v1.local": at("/srv/certs.d") } };
    expect(levels({ ...containerd({}), config }, OWN)).toEqual(["ok registry-config"]);
  });
});

describe("config_path of several folders", () => {
  const only = (given: Containerd, own = OWN) => {
    const findings = checkRegistryConfig(given, own.split(":"));
    expect(findings).toHaveLength(1);
    return findings[0]!;
  };

  it("is a problem that names what a verified pull does not see, also where ours is the same", () => {
    for (const own of [OWN, `${first}:${second}`]) {
      const { level, name, found, advice } = only(containerd(at(`${first}:${second}`)), own);
      expect([level, name]).toEqual(["problem", "registry-config"]);
      for (const path of [`${first}/a.example`, `${second}/_default`, `${second}/b.example`])
        expect(found).toContain(path);
      expect(advice).toContain(`to the one folder ${first} after moving`);
      expect(advice).toContain(`registryConfigPath: ${first} `);
    }
  });

  it("advises the folder that this program reads, and leaves its configuration alone", () => {
    const { advice } = only(containerd(at(`${first}:${second}`)), second);
    expect(advice).toContain(`the one folder ${second} after moving`);
    expect(advice).not.toContain("registryConfigPath");
    expect(only(containerd(at(`${empty}:${second}`)), second).advice).not.toContain("moving");
  });

  it("names five folders and counts the rest", () => {
    const { found } = only(containerd(at(`${many}:${empty}`)), many);
    expect([found.includes("r4.example and 2 more"), found.includes("r5")]).toEqual([true, false]);
  });

  it("takes a list of one folder and a colon for a list: containerd does", () => {
    expect(only(containerd(at(`${first}:`)), first).level).toBe("problem");
  });

  it("loses nothing yet where pulls bypass verifiers, or no registry has a folder", () => {
    const local = containerd(at(`${first}:${second}`), "2.1.9", { discard_unpacked_layers: true });
    expect(only(local)).toMatchObject({ level: "warning", found: expect.stringContaining("once pulls are verified") });
    expect(only(containerd(at(`${empty}:${root}/none`))).level).toBe("ok");
  });

  it.each<[string, unknown, boolean]>([
    ["2.1.9", {}, false],
    ["2.2.0", {}, true],
    ["2.3.4", at(""), true],
    ["3.0.0", {}, true],
    ["2.2.7", { mirrors: { "a.example": {} } }, false],
  ])("is what CRI of %s takes for %j: %s", (version, registry, isTaken) => {
    // Another registryConfigPath differs from what is taken, wherever nobody has made these folders.
    const { found } = only(containerd(registry, version), "/srv/certs.d");
    expect(found.includes("is not set, and containerd takes /etc/containerd/certs.d:/etc/docker/certs.d")).toBe(
      isTaken,
    );
  });
});
