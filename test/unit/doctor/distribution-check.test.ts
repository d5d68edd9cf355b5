import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { checkCri } from "../../../src/doctor/cri-checks.ts";
import { checkDistribution, withFiles } from "../../../src/doctor/distribution-check.ts";
import { type Containerd, CRI_IMAGES_PLUGIN } from "../../../src/platform/containerd/inspect.ts";
import { recognise } from "../../../src/platform/distribution/recognise.ts";
import { makeTemporaryDirectory } from "../../support/process.ts";

const folder = makeTemporaryDirectory("distribution-check");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const K3S = "/run/k3s/containerd/containerd.sock";
const nodeOf = (processes: readonly string[], system: Record<string, string> = {}) =>
  recognise({ has: () => false, system: new Map(Object.entries(system)), processes: new Set(processes) });

function containerd(images: object, values: Partial<Containerd> = {}, imports: readonly string[] = []): Containerd {
  return {
    address: K3S,
    configPath: "/nowhere/config.toml",
    version: "2.1.9",
    config: { imports, plugins: { [CRI_IMAGES_PLUGIN]: images } },
    isListening: true,
    denied: [],
    unknown: [],
    ...values,
  };
}

describe("the distribution", () => {
  it("is named in a note, with how it was recognised and the file that counts", () => {
    const [finding, ...more] = checkDistribution(nodeOf(["k3s"]), containerd({ use_local_image_pull: true }));
    expect([finding?.level, finding?.name, more]).toEqual(["note", "distribution", []]);
    expect(finding?.found).toMatch(/k3s \(the process k3s\).*config-v3\.toml\.d\/99-atcr-verify\.toml.*never run/);
  });

  it("with a closed gate is said to be closed, with what is open", () => {
    const found = checkDistribution(
      nodeOf([], { ID: "talos" }),
      containerd({}, { address: "/run/containerd/containerd.sock" }),
    );
    expect(found[0]?.found).toMatch(/Talos.*cannot.*admission control/);
  });

  it("that is not known is no finding", () => {
    expect(checkDistribution([], containerd({}))).toEqual([]);
  });
});

describe("advice for a setting of CRI", () => {
  const advise = (one: Containerd, processes = ["k3s"]) => withFiles(checkCri(one), nodeOf(processes), one)[0]?.advice;

  it("names the file to change, and the command that restarts", () => {
    expect(advise(containerd({ use_local_image_pull: true }))).toMatch(
      /^set it to false; for k3s: in \/var\/lib\/rancher\/.*99-atcr-verify\.toml, then systemctl restart k3s/,
    );
  });

  it.each([
    ["of version 3", `[plugins."${CRI_IMAGES_PLUGIN}"]\ndiscard_unpacked_layers = true`],
    ["of version 2", '[plugins."io.containerd.grpc.v1.cri".containerd]\ndiscard_unpacked_layers = true'],
  ])("names the file %s that sets it: the last one that is read", (name, text) => {
    const home = join(folder, name);
    mkdirSync(join(home, "conf.d"), { recursive: true });
    writeFileSync(join(home, "config.toml"), text);
    const configPath = join(home, "config.toml");
    const one = containerd({ discard_unpacked_layers: true }, { configPath }, ["conf.d/*.toml"]);
    expect(advise(one)).toContain(`(set in ${configPath})`);
    writeFileSync(join(home, "conf.d/a.toml"), text);
    writeFileSync(join(home, "conf.d/b.toml"), "version = 3\n");
    expect(advise(one)).toContain(`(set in ${home}/conf.d/a.toml)`);
  });

  it("names a drop-in of containerd where no distribution is known", () => {
    const one = containerd({ use_local_image_pull: true }, { address: "/run/containerd/containerd.sock" });
    expect(advise(one, [])).toMatch(/^set it to false; for this node's containerd: in \/etc\/containerd\/conf\.d\//);
  });

  it("leaves other findings alone", () => {
    const findings = checkCri(containerd({}));
    expect(withFiles(findings, nodeOf(["k3s"]), containerd({}))).toEqual(findings);
  });
});
