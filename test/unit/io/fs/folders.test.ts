import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import type * as promises from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { makeOwnFolder, whyUnusable } from "../../../../src/io/fs/folders.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";

const root = makeTemporaryDirectory("folders");
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Somebody else, who makes each folder a moment before us and lets everybody write there. */
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof promises>();
  return {
    ...real,
    mkdir: async (path: string, options: object) => {
      mkdirSync(path);
      chmodSync(path, 0o777);
      await real.mkdir(path, options);
    },
  };
});

describe("makeOwnFolder", () => {
  it("does not use a folder that somebody else has made a moment before", async () => {
    await expect(makeOwnFolder(join(root, "state"), "signers")).rejects.toThrow(/state can be written by others/);
  });
});

describe("whyUnusable", () => {
  it("names what keeps files from being kept in a folder", async () => {
    const [own, file] = [join(root, "own"), join(root, "file")];
    mkdirSync(own, { mode: 0o755 });
    writeFileSync(file, "");
    expect(await whyUnusable(own)).toBeUndefined();
    expect(await whyUnusable(join(root, "missing", "state"))).toContain("ENOENT");
    expect(await whyUnusable(join(file, "state"))).toContain("ENOTDIR");
    chmodSync(own, 0o777);
    expect(await whyUnusable(own)).toContain("own can be written by others");
  });
});
