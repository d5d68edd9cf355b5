import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { NODE_COMMANDS } from "../../../../src/frontends/cli/command-table/node-commands.ts";
import { nodeView, thisNode } from "../../../../src/platform/distribution/node-view.ts";
import { concerned, DISTRIBUTIONS, recognise } from "../../../../src/platform/distribution/recognise.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";
import { RECORDED_NODES } from "../../../support/recorded-nodes/all.ts";
import { titleOf, writeNode } from "../../../support/recorded-nodes/recorded-node.ts";

const folder = makeTemporaryDirectory("recognise");
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const namesOf = (root: string, processes: readonly string[]) =>
  recognise(nodeView(root, new Set(processes))).map(({ distribution }) => distribution.name);

describe("recorded nodes", () => {
  it.each(RECORDED_NODES.map((node) => [titleOf(node), node] as const))("%s", (title, node) => {
    const root = join(folder, title);
    writeNode(node, root);
    expect(namesOf(root, node.processes)).toEqual(node.recognised);
  });

  it("include each distribution", () => {
    const recorded = new Set(RECORDED_NODES.map(({ name }) => name));
    expect(DISTRIBUTIONS.map(({ name }) => name).filter((name) => !recorded.has(name))).toEqual([]);
  });
});

describe("a node", () => {
  const view = (files: readonly string[], processes: readonly string[] = [], system: Record<string, string> = {}) => ({
    has: (path: string) => files.includes(path),
    system: new Map(Object.entries(system)),
    processes: new Set(processes),
  });
  const first = (...args: Parameters<typeof view>) => recognise(view(...args))[0]?.distribution.name;

  it("of nothing known is no distribution", () => {
    expect(recognise(view(["/etc/containerd/config.toml"], ["containerd", "kubelet"], { ID: "debian" }))).toEqual([]);
  });

  it("on which one distribution runs and of another only files are left is what runs", () => {
    const left = ["/var/lib/rancher/rke2/agent", "/etc/rancher/k3s"];
    expect(first(left)).toBe("rke2");
    expect(first(left, ["k3s"])).toBe("k3s");
  });

  it("of EKS needs both its system and its files", () => {
    const system = { ID: "amzn", VERSION_ID: "2023" };
    expect(first(["/etc/eks"], [], system)).toBe("eks-al2023");
    expect(first([], [], system)).toBeUndefined();
    expect(first(["/etc/eks"], [], { ...system, VERSION_ID: "2" })).toBeUndefined();
  });

  it("of kind is none of kubeadm, whose files it has", () => {
    expect(recognise(view(["/var/lib/kubelet/kubeadm-flags.env", "/kind", "/kind/version"])).length).toBe(1);
  });

  it("that runs these tests is looked at without an error", () => {
    expect(thisNode().processes.size).toBeGreaterThan(0);
  });
});

describe("the containerd that was inspected", () => {
  const k3s = recognise({ has: () => false, system: new Map(), processes: new Set(["k3s"]) });
  const at = (address: string, isListening: boolean) => ({
    address,
    configPath: "/etc/containerd/config.toml",
    isListening,
    denied: [],
    unknown: [],
  });

  it.each([
    ["/run/k3s/containerd/containerd.sock", true, "k3s", true],
    ["/var/run/k3s/containerd/containerd.sock", true, "k3s", true],
    // An administrator's own, beside k3s.
    ["/run/containerd/containerd.sock", true, "containerd", true],
    // What a program in PATH says of its configuration is not k3s'.
    ["/run/containerd/containerd.sock", false, "k3s", false],
    ["/run/k3s/containerd/containerd.sock", false, "k3s", false],
  ])("at %s, listening %s, is of %s", (address, isListening, name, isUsed) => {
    const { distribution, containerd } = concerned(k3s, at(address, isListening));
    expect([distribution.name, containerd !== undefined]).toEqual([name, isUsed]);
  });

  it("that does not run is believed of the distribution's own file, or of one that was named", () => {
    const kubeadm = recognise({ has: (path) => path.includes("kubeadm"), system: new Map(), processes: new Set() });
    const [own, other] = [kubeadm, k3s].map((node) =>
      concerned(node, at(kubeadm[0]?.distribution.socket ?? "", false)),
    );
    expect([own?.containerd !== undefined, other?.containerd !== undefined]).toEqual([true, false]);
    const named = { ...at("/run/k3s/containerd/containerd.sock", false), isConfigNamed: true as const };
    expect(concerned(k3s, named).containerd).toBe(named);
  });

  it("is this node's own on a node of no distribution", () => {
    const containerd = at("/run/containerd/containerd.sock", false);
    expect(concerned([], containerd)).toMatchObject({ distribution: { name: "containerd" }, containerd });
  });
});

it("the command line names each distribution", () => {
  const { kind, summary } = NODE_COMMANDS.enable.options.distribution;
  const names = DISTRIBUTIONS.map(({ name }) => name);
  expect([...kind].toSorted()).toEqual(names.toSorted());
  expect(names.filter((name) => !summary.includes(name))).toEqual([]);
});
