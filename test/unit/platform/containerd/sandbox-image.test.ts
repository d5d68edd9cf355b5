import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { formatReference } from "../../../../src/core/oci/reference.ts";
import { sandboxImageIn, sandboxImageOf } from "../../../../src/platform/containerd/sandbox-image.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";

const V2 = (image: string) => `version = 2\n[plugins."io.containerd.grpc.v1.cri"]\n  sandbox_image = ${image}\n`;
const V3 = (image: string) =>
  `version = 3\n[plugins.'io.containerd.cri.v1.images'.pinned_images]\n  sandbox = ${image}\n`;

describe("sandboxImageIn", () => {
  it.each([
    ["version 2", V2('"a.example/pause:1"'), "a.example/pause:1"],
    ["version 3", V3("'a.example/pause:1'"), "a.example/pause:1"],
    [
      "both, of which the newer counts",
      `${V3('"b.example/p"')}${V2('"a.example/p"').replace("version = 2", "")}`,
      "b.example/p",
    ],
    ["none", "version = 3\n", undefined],
    ["plugins that are no table", "plugins = 3\n", undefined],
    ["a number", V3("3"), undefined],
    ["an empty name", V2('""'), undefined],
    ["no TOML", "version = = 3", undefined],
    ["nothing", "", undefined],
  ])("reads %s", (_, text, expected) => {
    expect(sandboxImageIn(text)).toBe(expected);
  });
});

describe("sandboxImageOf", () => {
  const folder = makeTemporaryDirectory("containerd-config");
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "config.toml");
  const found = (text: string) => {
    writeFileSync(path, text);
    const { name, from } = sandboxImageOf(path);
    return [formatReference(name), from];
  };
  const DEFAULT = "registry.k8s.io/pause:3.10";

  it("is the one that the file names", () => {
    expect(found(V3('"a.example/pause:1"'))).toEqual(["a.example/pause:1", `named by ${path}`]);
    expect(found(V2('"rancher/pause:3.6"'))).toEqual(["docker.io/rancher/pause:3.6", `named by ${path}`]);
  });

  it("is containerd's default where the file names none that can be used", () => {
    expect(found("")).toEqual([DEFAULT, `containerd's default, as ${path} names none`]);
    expect(found(V3('"NO IMAGE"'))).toEqual([DEFAULT, `containerd's default, as ${path} names "NO IMAGE"`]);
  });

  it("is containerd's default where the file is missing or is none", () => {
    mkdirSync(join(folder, "folder"));
    for (const other of [join(folder, "missing"), join(folder, "folder")]) {
      const { name, from } = sandboxImageOf(other);
      expect([formatReference(name), from]).toEqual([DEFAULT, `containerd's default, as ${other} cannot be read`]);
    }
  });
});
