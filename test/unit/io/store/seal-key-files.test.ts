import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parseSealKey } from "../../../../src/core/evidence/seal-key.ts";
import type { Warning } from "../../../../src/core/warning.ts";
import { makeSealKey, readBundleKeys, readSealKey, usableBundleKeys } from "../../../../src/io/store/seal-key-files.ts";
import { codeOf, rejectionOf } from "../../../support/rejection.ts";

const FOLDER = mkdtempSync(join(tmpdir(), "seal-keys-"));
afterAll(() => rmSync(FOLDER, { recursive: true }));

const at = (name: string) => join(FOLDER, name);
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

describe("makeSealKey", () => {
  it("makes a secret file that only its owner can read, and a public one beside it", () => {
    const didKey = makeSealKey(at("made"));
    expect(didKey).toMatch(/^did:key:zDn/);
    expect([modeOf(at("made")), modeOf(at("made.pub"))]).toEqual(["600", "644"]);
    expect(readFileSync(at("made.pub"), "utf8")).toBe(`${didKey}\n`);
    expect(readSealKey(at("made")).key.didKey).toBe(didKey);
    expect(readBundleKeys([at("made.pub")])).toEqual([didKey]);
  });

  it("makes another key each time", () => {
    expect(makeSealKey(at("one"))).not.toBe(makeSealKey(at("two")));
  });

  it("overwrites neither file, nor what a link there leads to, and leaves nothing behind", () => {
    for (const name of ["taken", "taken-pub"]) {
      const there = name === "taken" ? at(name) : at(`${name}.pub`);
      writeFileSync(there, "theirs");
      expect(codeOf(() => makeSealKey(at(name)))).toBe("input.malformed");
      expect(readFileSync(there, "utf8")).toBe("theirs");
    }
    expect([existsSync(at("taken.pub")), existsSync(at("taken-pub"))]).toEqual([false, false]);
    symlinkSync(at("elsewhere"), at("link"));
    expect(codeOf(() => makeSealKey(at("link")))).toBe("input.malformed");
    expect(existsSync(at("elsewhere"))).toBe(false);
    expect(codeOf(() => makeSealKey(at("no/such/folder/key")))).toBe("input.malformed");
  });
});

describe("readSealKey", () => {
  it("refuses a key that others can read", () => {
    makeSealKey(at("shared"));
    for (const mode of [0o640, 0o604, 0o620]) {
      chmodSync(at("shared"), mode);
      expect(rejectionOf(() => readSealKey(at("shared"))).message).toContain("chmod 600");
    }
  });

  it("refuses everything else", () => {
    makeSealKey(at("whole"));
    const secret = readFileSync(at("whole"), "utf8");
    mkdirSync(at("folder"));
    for (const text of [
      "",
      secret.slice(0, -5),
      `${secret}${secret}`,
      `# key\n${secret}`,
      secret.toUpperCase(),
      "x".repeat(5000),
    ]) {
      writeFileSync(at("broken"), text, { mode: 0o600 });
      expect(codeOf(() => readSealKey(at("broken")))).toBe("input.malformed");
    }
    writeFileSync(at("public"), readFileSync(at("whole.pub")), { mode: 0o600 });
    expect(rejectionOf(() => readSealKey(at("public"))).message).toContain("without .pub");
    for (const name of ["folder", "missing"]) expect(codeOf(() => readSealKey(at(name)))).toBe("input.malformed");
    expect(parseSealKey(`atcr-verify-seal-key-p256:z${"1".repeat(32)}\n`)).toBeUndefined();
  });
});

describe("readBundleKeys", () => {
  it("refuses a file that others can change, that is missing, or that holds a secret", () => {
    makeSealKey(at("node"));
    const whyNot = (path: string) => {
      const { code, message } = rejectionOf(() => readBundleKeys([path]));
      expect(code).toBe("config.invalid");
      return message;
    };
    expect(whyNot(at("node"))).toContain("it is a secret key");
    expect(whyNot(at("none.pub"))).toContain("does not exist");
    writeFileSync(at("words.pub"), "did:key:z6Mk\n");
    expect(whyNot(at("words.pub"))).toContain("did:key");
    chmodSync(at("node.pub"), 0o666);
    expect(whyNot(at("node.pub"))).toContain("can be written by others");
  });
});

describe("usableBundleKeys", () => {
  it("leaves out a key that cannot be used, and says so", () => {
    const didKey = makeSealKey(at("used"));
    const warnings: string[] = [];
    const warn = ({ code, message }: Warning) => warnings.push(`${code}: ${message}`);
    expect(usableBundleKeys([at("gone.pub"), at("used.pub")], warn)).toEqual([didKey]);
    expect(warnings).toEqual([
      `bundles.unusable: the key of bundleKeys ${at("gone.pub")} does not exist: its seals do not count`,
    ]);
  });
});
