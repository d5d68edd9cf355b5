import {
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readContainersFiles, writeContainersFile } from "../../../../src/platform/containers/containers-files.ts";
import type { ContainersGate } from "../../../../src/platform/containers/containers-gate.ts";
import { HalfWritten, writeGate } from "../../../../src/platform/containers/write-gate.ts";
import { rejectionOf } from "../../../support/rejection.ts";
import { missingRoot, requirement } from "../../../support/requirement.ts";

const isRoot = requirement("a folder of another user", missingRoot("files get another owner"));
const GATE: ContainersGate = { hosts: ["atcr.io"], base: "http://127.0.0.1:947", keyPath: "/srv/node.key.pub" };
const STOCK = '{"default": [{"type": "insecureAcceptAnything"}]}\n';
const OTHER_USER = 65_534;

function folderWithPolicy(text = STOCK) {
  const folder = mkdtempSync(join(tmpdir(), "write-gate-"));
  writeFileSync(join(folder, "policy.json"), text);
  return {
    folder,
    policy: join(folder, "policy.json"),
    registries: join(folder, "registries.d"),
    own: join(folder, "registries.d/atcr-verify.yaml"),
    /** Has each replacement of policy.json fail. */
    block: () => {
      const temporary = join(folder, `policy.json.${process.pid}.tmp`);
      mkdirSync(temporary);
      return () => rmdirSync(temporary);
    },
  };
}

describe("writeGate", () => {
  it("leaves nothing where the second file cannot be written", () => {
    const { folder, policy, own, block } = folderWithPolicy();
    block();
    expect(() => writeGate(GATE, readContainersFiles(folder))).toThrow(/EEXIST/);
    expect([existsSync(own), readFileSync(policy, "utf8")]).toEqual([false, STOCK]);
  });

  it("puts back the file of before where the second file cannot be written", () => {
    const { folder, own, block } = folderWithPolicy();
    writeGate(GATE, readContainersFiles(folder));
    const before = readFileSync(own, "utf8");
    block();
    const more = { ...GATE, hosts: ["atcr.io", "quay.io"] };
    expect(() => writeGate(more, readContainersFiles(folder))).toThrow(/EEXIST/);
    expect(readFileSync(own, "utf8")).toBe(before);
  });

  it("changes nothing where the first file cannot be written", () => {
    const { folder, policy, own, registries } = folderWithPolicy();
    writeGate(GATE, readContainersFiles(folder));
    const before = [own, policy].map((path) => readFileSync(path, "utf8"));
    mkdirSync(join(registries, `atcr-verify.yaml.${process.pid}.tmp`));
    const files = readContainersFiles(folder);
    expect(() => writeGate({ ...GATE, hosts: ["quay.io"] }, files)).toThrow(
      expect.not.toSatisfy((error: unknown) => error instanceof HalfWritten),
    );
    expect([own, policy].map((path) => readFileSync(path, "utf8"))).toEqual(before);
  });

  it("keeps a copy of what --force replaces, unless it fails, and never through a link that lies there", () => {
    const taken = STOCK.replace("}]}", '}], "transports": {"docker": {"atcr.io": [{"type": "reject"}]}}}');
    const { folder, policy, own, block } = folderWithPolicy(taken);
    const copy = `${policy}.before-atcr-verify`;
    const target = join(folder, "target");
    symlinkSync(target, copy);
    expect(() => writeGate(GATE, readContainersFiles(folder))).toThrow(/EEXIST/);
    expect([existsSync(target), existsSync(own), readFileSync(policy, "utf8")]).toEqual([false, false, taken]);
    rmSync(copy);
    const unblock = block();
    expect(() => writeGate(GATE, readContainersFiles(folder))).toThrow(/EEXIST/);
    expect(existsSync(copy)).toBe(false);
    unblock();
    expect(writeGate(GATE, readContainersFiles(folder))).toEqual({ changed: true, isSaved: true });
    expect(readFileSync(copy, "utf8")).toBe(taken);
  });
});

describe.runIf(isRoot)("a folder that another user can change", () => {
  it("is not written through a link of that user", () => {
    const { folder, registries } = folderWithPolicy();
    const elsewhere = mkdtempSync(join(tmpdir(), "elsewhere-"));
    symlinkSync(elsewhere, registries);
    // The link itself is that user's.
    lchownSync(registries, OTHER_USER, OTHER_USER);
    expect(rejectionOf(() => readContainersFiles(folder)).code).toBe("config.invalid");
    expect(rejectionOf(() => writeContainersFile(join(registries, "a"), "")).code).toBe("config.invalid");
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  it("is not written, also where the folder itself is that user's, or is still missing in it", () => {
    const { folder } = folderWithPolicy();
    chownSync(folder, OTHER_USER, OTHER_USER);
    expect(rejectionOf(() => readContainersFiles(folder)).code).toBe("config.invalid");
    const missing = join(folder, "containers");
    expect(rejectionOf(() => writeGate(GATE, readContainersFiles(missing))).code).toBe("config.invalid");
    expect(existsSync(join(missing, "registries.d/atcr-verify.yaml"))).toBe(false);
  });
});
