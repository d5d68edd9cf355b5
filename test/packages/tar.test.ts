import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readTar, type TarEntry, writeTar } from "../../packaging/image/tar.ts";
import { makeTemporaryDirectory } from "../support/process.ts";

const text = (path: string, content: string): TarEntry => ({ path, type: "file", bytes: Buffer.from(content) });
const LONG = `${"folder/".repeat(20)}${"n".repeat(90)}`;

describe("a tar archive", () => {
  let folder: string;
  beforeAll(() => {
    folder = makeTemporaryDirectory("tar");
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it("is unpacked by GNU tar to what was written", () => {
    const entries: readonly TarEntry[] = [
      { ...text("usr/bin/program", "#!/bin/sh\n"), mode: 0o755 } as TarEntry,
      text("etc/empty", ""),
      text("etc/block", "x".repeat(512)),
      text(LONG, "deep"),
      { path: "bin", type: "link", target: "usr/bin" },
      { path: "tmp", type: "folder", mode: 0o1777 },
    ];
    const archive = writeTar(entries, 1_000_000);
    // The order in which entries are given does not matter.
    expect(writeTar(entries.toReversed(), 1_000_000).equals(archive)).toBe(true);
    const out = join(folder, "out");
    mkdirSync(out);
    execFileSync("tar", ["-x", "-p", "-C", out, "-f", "-"], { input: archive });
    expect(readFileSync(join(out, "bin/program"), "utf8")).toBe("#!/bin/sh\n");
    expect(
      [statSync(join(out, "usr/bin/program")).mode, statSync(join(out, "tmp")).mode].map((mode) => mode & 0o7777),
    ).toEqual([0o755, 0o1777]);
    expect([readFileSync(join(out, LONG), "utf8"), readFileSync(join(out, "etc/block"), "utf8").length]).toEqual([
      "deep",
      512,
    ]);
    expect([readlinkSync(join(out, "bin")), statSync(join(out, "etc/empty")).mtimeMs]).toEqual([
      "usr/bin",
      1_000_000_000,
    ]);
    expect(readdirSync(out).toSorted()).toEqual(["bin", "etc", "folder", "tmp", "usr"]);
  });

  it("is read as it was written, and as GNU tar and its long names have it", () => {
    const entries = [text("a/b", "1"), { path: "a/c", type: "link", target: "b" } as const, text(LONG, "2")];
    const ours = readTar(writeTar(entries, 0)).filter(({ type }) => type !== "folder");
    expect(ours.map(({ path }) => path)).toEqual(["a/b", "a/c", LONG]);
    const long = "n".repeat(150);
    const source = join(folder, "source");
    mkdirSync(source);
    writeFileSync(join(source, long), "long");
    const archive = execFileSync("tar", ["-c", "--format=gnu", "-C", source, "-f", "-", "."]);
    expect(readTar(archive)).toEqual([expect.objectContaining({ path: long, bytes: Buffer.from("long") })]);
  });

  it.each([
    ["two entries with one path", () => writeTar([text("a", "1"), text("a", "2")], 0)],
    ["a file in a file", () => writeTar([text("a", "1"), text("a/b", "2")], 0)],
    ["a file in a link", () => writeTar([{ path: "a", type: "link", target: "c" }, text("a/b", "2")], 0)],
    ["a name without a place to cut it", () => writeTar([text("n".repeat(101), "")], 0)],
    ["a damaged header", () => readTar(writeTar([text("a", "1")], 0).fill(0x31, 0, 1))],
    ["a member that is cut off", () => readTar(writeTar([text("a", "1".repeat(600))], 0).subarray(0, 1024))],
    ["a path that leads out", () => readTar(writeTar([text("../a", "1")], 0))],
  ])("is refused for %s", (_, call) => {
    expect(call).toThrow();
  });
});
