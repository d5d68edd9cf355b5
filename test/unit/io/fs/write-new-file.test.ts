import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { writeNewFile } from "../../../../src/io/fs/write-new-file.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";

describe("writeNewFile", () => {
  it("writes a file with this mode, whatever the umask, and leaves nothing beside it", () => {
    const folder = makeTemporaryDirectory("new");
    const before = process.umask(0o077);
    writeNewFile(join(folder, "a"), "text", 0o644, false);
    process.umask(before);
    expect(statSync(join(folder, "a")).mode & 0o7777).toBe(0o644);
    expect(readFileSync(join(folder, "a"), "utf8")).toBe("text");
    expect(readdirSync(folder)).toEqual(["a"]);
  });

  it.each([
    ["a file", (path: string) => writeFileSync(path, "old")],
    ["a folder", (path: string) => mkdirSync(path)],
    ["a dangling link", (path: string) => symlinkSync("/nonexistent/x", path)],
  ])("does not overwrite %s", (_, make) => {
    const folder = makeTemporaryDirectory("new");
    make(join(folder, "a"));
    expect(() => writeNewFile(join(folder, "a"), "text", 0o644, false)).toThrow(/EEXIST/);
    expect(readdirSync(folder)).toEqual(["a"]);
  });

  it("replaces a link and not its target where that is wanted", () => {
    const folder = makeTemporaryDirectory("new");
    writeFileSync(join(folder, "target"), "old");
    symlinkSync("target", join(folder, "a"));
    writeNewFile(join(folder, "a"), "text", 0o644, true);
    expect(readFileSync(join(folder, "target"), "utf8")).toBe("old");
    expect(readFileSync(join(folder, "a"), "utf8")).toBe("text");
  });

  it("leaves nothing where it fails", () => {
    const folder = makeTemporaryDirectory("new");
    mkdirSync(join(folder, "a"));
    expect(() => writeNewFile(join(folder, "a"), "text", 0o644, true)).toThrow(/EISDIR|EEXIST|ENOTEMPTY/);
    expect(readdirSync(folder)).toEqual(["a"]);
  });
});
