import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openKeyWarning } from "../../../../../src/frontends/server/listening/open-key.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "open-key-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("openKeyWarning", () => {
  const warningAt = (mode: number, isExempt?: (path: string) => boolean) => {
    const real = join(folder, "real.key");
    writeFileSync(real, "");
    chmodSync(real, mode);
    const keyFile = join(folder, "tls.key");
    rmSync(keyFile, { force: true });
    symlinkSync(real, keyFile);
    return openKeyWarning({ certFile: "/c", keyFile }, isExempt);
  };

  it("warns where every user can read the key, also through a link", () => {
    expect(warningAt(0o644)).toMatch(/^every user can read the private key .*tls\.key; run: chmod/);
    expect(warningAt(0o604)).toBeDefined();
  });

  it("does not warn of a group, of a read-only mount, or of a file that is gone", () => {
    expect(warningAt(0o640)).toBeUndefined();
    expect(warningAt(0o644, (path) => path.endsWith("real.key"))).toBeUndefined();
    expect(openKeyWarning({ certFile: "/c", keyFile: join(folder, "none") })).toBeUndefined();
  });
});
