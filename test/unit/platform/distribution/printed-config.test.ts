import { parse } from "smol-toml";
import { describe, expect, it } from "vitest";
import { parse as parseYaml } from "yaml";
import { ASKING, criBypasses } from "../../../../src/platform/containerd/cri-bypasses.ts";
import { type Containerd, CRI_IMAGES_PLUGIN } from "../../../../src/platform/containerd/inspect.ts";
import { type PrintedConfig, printedConfig } from "../../../../src/platform/distribution/printed-config.ts";
import { DISTRIBUTIONS } from "../../../../src/platform/distribution/recognise.ts";
import { PLAIN } from "../../../../src/platform/distribution/systems.ts";
import { RECORDED_NODES } from "../../../support/recorded-nodes/all.ts";
import { titleOf } from "../../../support/recorded-nodes/recorded-node.ts";

const named = (name: string) => DISTRIBUTIONS.find((one) => one.name === name) ?? PLAIN;

function containerd(images: object, values: Partial<Containerd> = {}, imports: readonly string[] = []): Containerd {
  return {
    address: "/run/containerd/containerd.sock",
    configPath: "/etc/containerd/config.toml",
    version: "2.1.9",
    config: { imports, plugins: { [CRI_IMAGES_PLUGIN]: images } },
    isListening: true,
    denied: [],
    unknown: [],
    ...values,
  };
}
const code = ({ lines }: PrintedConfig) => lines.filter((line) => !line.startsWith("#"));
const images = (printed: PrintedConfig) =>
  (parse(code(printed).join("\n")) as { plugins: Record<string, object> }).plugins[CRI_IMAGES_PLUGIN];

describe("of recorded nodes", () => {
  it.each(RECORDED_NODES.map((node) => [titleOf(node), node] as const))("%s", (_, node) => {
    const printed = printedConfig(named(node.name), containerd(node.images, { version: node.version }));
    expect(printed.isOpen).toBe(node.isOpen);
    const found = criBypasses(node.images as never);
    const missing = found.filter(
      ({ key, wanted }) => !code(printed).some((line) => line.trim() === `${key} = ${wanted}`),
    );
    expect(missing.length).toBe(node.isOpen ? 0 : found.length);
    // The least: no key that is right already.
    const keys = [...ASKING.keys()].filter((key) => code(printed).some((line) => line.trim().startsWith(`${key} =`)));
    expect(keys.length).toBe(node.isOpen ? found.length : 0);
  });
});

describe("a drop-in", () => {
  it("has what the effective configuration sets, and nothing else", () => {
    const printed = printedConfig(PLAIN, containerd({ discard_unpacked_layers: true, max_concurrent_downloads: 3 }));
    expect(code(printed)).toEqual([
      "version = 3",
      "",
      `[plugins."${CRI_IMAGES_PLUGIN}"]`,
      "  discard_unpacked_layers = false",
    ]);
  });

  it("has everything where the configuration is not known", () => {
    const { config: _, ...unknown } = containerd({});
    expect(images(printedConfig(PLAIN, unknown))).toEqual({
      use_local_image_pull: false,
      discard_unpacked_layers: false,
      disable_snapshot_annotations: true,
      max_concurrent_downloads: 3,
      image_pull_with_sync_fs: false,
    });
  });

  it("names one folder where config_path has several", () => {
    const printed = printedConfig(
      PLAIN,
      containerd({ registry: { config_path: "/etc/containerd/certs.d:/etc/docker/certs.d" } }),
    );
    expect(images(printed)).toEqual({ registry: { config_path: "/etc/containerd/certs.d" } });
    expect(printed.lines.join("\n")).toContain("/etc/docker/certs.d");
  });

  it("says of a table that no file removes it", () => {
    const printed = printedConfig(PLAIN, containerd({ registry: { configs: { "a.example": {} } } }));
    expect(printed.lines.some((line) => line.startsWith("#") && line.includes("registry.configs"))).toBe(true);
    expect(printed.isOpen).toBe(true);
  });

  it("is left out where nothing has to change", () => {
    const printed = printedConfig(named("kubeadm"), containerd({}));
    expect([printed.isOpen, printed.file, code(printed)]).toEqual([true, undefined, []]);
  });

  it.each([
    ["none", [], "/etc/containerd/conf.d/99-atcr-verify.toml", true],
    ["its folder", ["/etc/containerd/conf.d/*.toml"], "/etc/containerd/conf.d/99-atcr-verify.toml", false],
    ["others", ["/a/*.toml", "/b/*.toml", "/b/c.toml"], "/b/99-atcr-verify.toml", false],
    ["a relative one", ["more.d/*.toml"], "/etc/containerd/more.d/99-atcr-verify.toml", false],
  ])("goes where the configuration imports: %s", (_, imports, file, isNeeded) => {
    const printed = printedConfig(PLAIN, containerd({ use_local_image_pull: true }, {}, imports));
    expect([printed.file, printed.toImport !== undefined]).toEqual([file, isNeeded]);
  });
});

describe("the gate", () => {
  const bypassed = (version: string) => containerd({ use_local_image_pull: true }, { version });

  it.each([
    ["containerd", "2.0.7", false],
    ["containerd", "2.1.0", true],
    ["k3s", "1.7.27-k3s1", false],
    ["gke-cos", "2.0.7", false],
    ["gke-cos", "2.1.5", true],
    ["talos", "2.3.4", false],
  ])("of %s with containerd %s is open: %s", (name, version, isOpen) => {
    const printed = printedConfig(named(name), bypassed(version));
    expect(printed.isOpen).toBe(isOpen);
    expect(code(printed).includes("version = 3")).toBe(isOpen);
  });

  it("that is closed is said to be, with what is open", () => {
    expect(printedConfig(named("talos")).lines.join("\n")).toMatch(/cannot .*admission.*atcr-verify verify/s);
  });
});

describe("another machine of", () => {
  it.each(RECORDED_NODES.filter(({ variant }) => variant === undefined).map((node) => [node.name, node] as const))(
    "%s: what the distribution itself sets is named, and where verifiers are",
    (name, { images: set, isOpen }) => {
      const { ships, binDir } = named(name);
      expect([...ships.bypasses].toSorted()).toEqual(Object.keys(set).toSorted());
      const comments = printedConfig(named(name)).lines.filter((line) => line.startsWith("#"));
      const missing = [...ships.bypasses, binDir].filter(
        (word) => word && !comments.some((line) => line.includes(word)),
      );
      expect(missing).toEqual(isOpen ? [] : [...ships.bypasses]);
    },
  );

  it("kind: a cluster with a patch of version 2", () => {
    const cluster = parseYaml(printedConfig(named("kind")).lines.join("\n"));
    const [patch] = cluster.containerdConfigPatches;
    expect([cluster.kind, parse(patch)["version"]]).toEqual(["Cluster", 2]);
    expect(parse(patch)).toMatchObject({
      plugins: { "io.containerd.grpc.v1.cri": { containerd: { discard_unpacked_layers: false } } },
    });
  });

  it("EKS: a NodeConfig named as in version 3, or nodeadm takes the other template", () => {
    const { kind, spec } = parseYaml(printedConfig(named("eks-al2023")).lines.join("\n"));
    expect(kind).toBe("NodeConfig");
    expect(spec.containerd.config).not.toContain("grpc.v1.cri");
    expect(parse(spec.containerd.config)).toMatchObject({
      plugins: {
        [CRI_IMAGES_PLUGIN]: { discard_unpacked_layers: false, registry: { config_path: "/etc/containerd/certs.d" } },
      },
    });
  });

  it("Bottlerocket: its settings", () => {
    expect(parse(code(printedConfig(named("bottlerocket"))).join("\n"))).toEqual({
      settings: { "image-verifier-plugins": { enabled: true } },
    });
  });
});
