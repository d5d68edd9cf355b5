import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parse, stringify } from "smol-toml";
import { afterAll, describe, expect, it } from "vitest";
import { parse as parseYaml } from "yaml";
import type { JsonObject } from "../../src/core/encoding/json.ts";
import { criBypasses } from "../../src/platform/containerd/cri-bypasses.ts";
import { type Containerd, CRI_IMAGES_PLUGIN, settingsOf } from "../../src/platform/containerd/inspect.ts";
import { fileThatSets } from "../../src/platform/containerd/setting-file.ts";
import { type PrintedConfig, printedConfig } from "../../src/platform/distribution/printed-config.ts";
import { DISTRIBUTIONS } from "../../src/platform/distribution/recognise.ts";
import { debianTool } from "../support/debian-tools.ts";
import { makeTemporaryDirectory, run } from "../support/process.ts";
import { RECORDED_NODES } from "../support/recorded-nodes/all.ts";
import { moved, type RecordedNode, titleOf, writeNode } from "../support/recorded-nodes/recorded-node.ts";

const folder = makeTemporaryDirectory("distributions");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What containerd makes of a recorded configuration; undefined if it cannot read it. */
async function effective(path: string): Promise<JsonObject | undefined> {
  const { code, stdout } = await run(debianTool("containerd"), ["--config", path, "config", "dump"]);
  return code === 0 ? (parse(stdout) as JsonObject) : undefined;
}

function asInspected({ configPath, version }: RecordedNode, config: JsonObject | undefined): Containerd {
  const rest = { address: "/run/containerd/containerd.sock", isListening: true, denied: [], unknown: [] };
  return { ...rest, configPath, version, ...(config && { config }) };
}

/** Does below `root` what the printed lines say. */
function apply(node: RecordedNode, { file, toImport, lines }: PrintedConfig, root: string): void {
  const main = join(root, node.configPath);
  const patch = patchIn(node, lines);
  if (patch !== undefined) {
    writeFileSync(main, stringify(merged(parse(readFileSync(main, "utf8")), parse(patch)) as object));
    return;
  }
  if (file === undefined) throw new Error(`nothing is printed for ${titleOf(node)}`);
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), lines.join("\n"));
  if (toImport !== undefined && !readFileSync(main, "utf8").includes(dirname(file))) {
    // k3s puts its own template where the second line is.
    const above = moved(toImport.lines.filter((line) => !line.includes("{{")).join("\n"), root);
    writeFileSync(main, `${above}\n${readFileSync(main, "utf8")}`);
  }
}

/** What the distribution itself merges into its configuration, where the printed lines are its own format. */
function patchIn({ name }: RecordedNode, lines: readonly string[]): string | undefined {
  if (name === "kind") return parseYaml(lines.join("\n")).containerdConfigPatches[0];
  return name === "eks-al2023" ? parseYaml(lines.join("\n")).spec.containerd.config : undefined;
}

/** As kind and nodeadm merge a patch (RFC 7396, but nothing is removed here). */
function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || typeof target !== "object" || target === null) return patch;
  const entries = Object.entries(patch).map(([key, value]) => [key, merged((target as JsonObject)[key], value)]);
  return { ...target, ...Object.fromEntries(entries) };
}

const distributionOf = ({ name }: RecordedNode) =>
  DISTRIBUTIONS.find((one) => one.name === name) ?? expect.unreachable(name);
const READ = RECORDED_NODES.filter(({ isTooNew }) => isTooNew !== true);

describe("a real containerd reads the recorded configuration of", () => {
  it.each(READ.map((node) => [titleOf(node), node] as const))("%s", async (title, node) => {
    const root = join(folder, "as it is", title);
    writeNode(node, root);
    const main = join(root, node.configPath);
    const config = await effective(main);
    const settings = settingsOf(asInspected(node, config), CRI_IMAGES_PLUGIN);
    expect(settings).toMatchObject(node.images);
    const expected = criBypasses(node.images as JsonObject).map(({ key }) => key);
    expect(criBypasses(settings).map(({ key }) => key)).toEqual(expected);
    // The doctor names the file that sets each.
    const inspected = { ...asInspected(node, config), configPath: main };
    for (const key of expected) expect(fileThatSets(inspected, key)).toMatch(`${root}/`);
  });
});

describe("a real containerd finds no bypass with what is printed for", () => {
  const open = READ.filter(({ isOpen, images }) => isOpen && Object.keys(images).length > 0);

  it.each(open.map((node) => [titleOf(node), node] as const))("%s", async (title, node) => {
    const root = join(folder, "changed", title);
    writeNode(node, root);
    const main = join(root, node.configPath);
    const before = asInspected(node, await effective(main));
    apply(node, printedConfig(distributionOf(node), unmoved(before, root)), root);
    const after = settingsOf(asInspected(node, await effective(main)), CRI_IMAGES_PLUGIN);
    expect(Object.keys(after)).not.toEqual([]);
    expect(criBypasses(after)).toEqual([]);
    expect(JSON.stringify(after["registry"])).not.toMatch(/certs\.d:/);
  });

  it.each(open.map((node) => [titleOf(node), node] as const))(
    "%s, of which only the name is known",
    async (title, node) => {
      const root = join(folder, "named", title);
      writeNode(node, root);
      apply(node, printedConfig(distributionOf(node)), root);
      const after = settingsOf(asInspected(node, await effective(join(root, node.configPath))), CRI_IMAGES_PLUGIN);
      expect(Object.keys(after)).not.toEqual([]);
      expect(criBypasses(after)).toEqual([]);
    },
  );
});

describe("NOT READ by the containerd of this suite, which is too old, so the printed lines are not tried:", () => {
  const tooNew = RECORDED_NODES.filter(({ isTooNew }) => isTooNew === true);

  it.each(tooNew.map((node) => [titleOf(node), node] as const))("%s", async (title, node) => {
    const root = join(folder, "too new", title);
    writeNode(node, root);
    // If this fails, containerd has become new enough: remove `isTooNew`.
    expect(await effective(join(root, node.configPath))).toBeUndefined();
  });
});

/** Its imports as on the node, and not below `root`. */
function unmoved(containerd: Containerd, root: string): Containerd {
  return JSON.parse(JSON.stringify(containerd).replaceAll(root, "")) as Containerd;
}
