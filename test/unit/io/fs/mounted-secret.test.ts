import { chmodSync, chownSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readMountedSecret } from "../../../../src/io/fs/mounted-secret.ts";
import { parseMounts } from "../../../../src/io/fs/mounts.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";
import { codeOf } from "../../../support/rejection.ts";
import { missingRoot, requirement } from "../../../support/requirement.ts";

let folder: string;
beforeEach(() => {
  folder = makeTemporaryDirectory("secret");
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(mode: number, text = "s3cret"): string {
  const path = join(folder, "tokens");
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

/** As if the folder were mounted so. */
function read(path: string, type: string, options: string): string {
  const mounts = parseMounts(`1 0 0:1 / / rw - ext4 /dev/vda rw\n2 1 0:2 / ${folder} ${options} - ${type} none rw\n`);
  return readMountedSecret({ path, code: "config.invalid", what: "the file", max: 10 }, () => mounts);
}

describe("readMountedSecret", () => {
  it.each([0o600, 0o400])("reads a file of mode %o anywhere", (mode) => {
    expect(read(write(mode), "ext4", "rw")).toBe("s3cret");
  });

  it.each([0o644, 0o444, 0o440, 0o640])("reads one of mode %o from the volume of a Secret alone", (mode) => {
    const path = write(mode);
    expect(read(path, "tmpfs", "ro,relatime")).toBe("s3cret");
    for (const [type, options] of [
      ["tmpfs", "rw"],
      ["ext4", "ro"],
      ["ext4", "rw"],
    ] as const)
      expect(codeOf(() => read(path, type, options))).toBe("config.invalid");
  });

  it("follows the links of a volume", () => {
    mkdirSync(join(folder, "..1"));
    writeFileSync(join(folder, "..1/tokens"), "linked", { mode: 0o644 });
    symlinkSync("..1", join(folder, "..data"));
    symlinkSync("..data/tokens", join(folder, "tokens"));
    expect(read(join(folder, "tokens"), "tmpfs", "ro")).toBe("linked");
  });

  it.each([0o666, 0o620, 0o602])("refuses mode %o, as others can change it", (mode) => {
    const path = write(mode);
    expect(() => read(path, "tmpfs", "ro")).toThrow(`its mode is 0${mode.toString(8)}`);
  });

  it("refuses what is no such file, without repeating it", () => {
    expect(() => read(write(0o600, "s3cret and more"), "ext4", "rw")).toThrow("it has 15 bytes, expected at most 10");
    expect(() => read(folder, "ext4", "rw")).toThrow("it is not a regular file");
    expect(() => read(join(folder, "none"), "ext4", "rw")).toThrow("ENOENT");
    writeFileSync(write(0o600), Buffer.from([0xff]));
    expect(() => read(join(folder, "tokens"), "ext4", "rw")).toThrow("it is not UTF-8 text");
  });

  it("refuses a file in a folder that others can write to", () => {
    chmodSync(folder, 0o777);
    expect(codeOf(() => read(write(0o600), "ext4", "rw"))).toBe("config.invalid");
  });

  it.runIf(requirement("a secret of another user", missingRoot("gives a file away")))("refuses another user's", () => {
    const path = write(0o600);
    chownSync(path, 4711, 4711);
    expect(() => read(path, "ext4", "rw")).toThrow("it belongs to user 4711, expected root or the running user");
  });
});
