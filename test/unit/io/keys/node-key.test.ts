import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Rejection } from "../../../../src/core/rejection.ts";
import { openNodeKey, whyForeign } from "../../../../src/io/keys/node-key.ts";
import { requirement } from "../../../support/requirement.ts";

const folder = mkdtempSync(join(tmpdir(), "node-key-"));
afterAll(() => rmSync(folder, { recursive: true }));
let count = 0;

/** What the owner of the folder can put in place of a file while another user reads it. */
const REPLACEMENTS: readonly (readonly [string, (path: string) => void])[] = [
  ["a pipe", (path) => expect(spawnSync("mkfifo", [path]).status).toBe(0)],
  ["a link to an endless file", (path) => symlinkSync("/dev/zero", path)],
  ["a link to another file", (path) => symlinkSync("/etc/passwd", path)],
  ["a file that is too large", (path) => sparse(path)],
];

function sparse(path: string): void {
  writeFileSync(path, "");
  truncateSync(path, 2 ** 40);
}

function newKey(): string {
  const keyFile = join(folder, `${++count}.key`);
  openNodeKey(keyFile);
  return keyFile;
}

function codeOf(action: () => unknown): string {
  try {
    action();
    return "accepted";
  } catch (error) {
    return error instanceof Rejection ? error.code : String(error);
  }
}

const hasId = existsSync("/etc/machine-id") ? undefined : "/etc/machine-id is missing; run: systemd-machine-id-setup";

describe.runIf(requirement("the key of a node", hasId))("the files of a node's key", () => {
  it.each(REPLACEMENTS)("are not waited for and not read whole: %s", (_, replace) => {
    for (const ending of ["", ".pub", ".machine"]) {
      const keyFile = newKey();
      expect(codeOf(() => openNodeKey(keyFile))).toBe("accepted");
      rmSync(`${keyFile}${ending}`);
      replace(`${keyFile}${ending}`);
      expect(codeOf(() => openNodeKey(keyFile))).toBe("config.invalid");
      expect(whyForeign(keyFile) === undefined).toBe(ending !== ".machine");
    }
  });
});
