import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseMounts } from "../../../../src/io/fs/mounts.ts";
import { isPinned } from "../../../../src/io/fs/pinned-file.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";

let folder: string;
beforeAll(() => {
  folder = makeTemporaryDirectory("pinned");
  mkdirSync(join(folder, "a"));
  writeFileSync(join(folder, "a/policy.yaml"), "");
  symlinkSync("a/policy.yaml", join(folder, "link"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const pinned = (path: string, root: string, point: string): boolean =>
  isPinned(
    join(folder, path),
    parseMounts(`1 0 0:1 / / rw - overlay o rw\n2 1 0:2 ${root} ${join(folder, point)} ro - ext4 /dev/vda rw\n`),
  );
const VOLUME = "/pods/u/volumes/kubernetes.io~configmap/c";

describe("isPinned", () => {
  it("is so for a file that is a mount, also by a link to it", () => {
    expect(pinned("a/policy.yaml", `${VOLUME}/policy.yaml`, "a/policy.yaml")).toBe(true);
    expect(pinned("link", `${VOLUME}/policy.yaml`, "a/policy.yaml")).toBe(true);
  });

  it("is so for one version of a volume", () => {
    expect(pinned("a/policy.yaml", `${VOLUME}/..2026_11_30_12_00_00.1/sub`, "a")).toBe(true);
  });

  it("is not so for a whole volume, and beside a mount", () => {
    expect(pinned("a/policy.yaml", VOLUME, "a")).toBe(false);
    expect(pinned("a/policy.yaml", `${VOLUME}/policy.yaml`, "a/policy.yaml2")).toBe(false);
    expect(isPinned(join(folder, "a/policy.yaml"), parseMounts("1 0 0:1 /..odd / rw - overlay o rw\n"))).toBe(false);
  });

  it("is not so for a file that is absent", () => {
    expect(pinned("a/none", VOLUME, "a/none")).toBe(false);
    expect(isPinned(join(folder, "a/policy.yaml"), [])).toBe(false);
  });
});
