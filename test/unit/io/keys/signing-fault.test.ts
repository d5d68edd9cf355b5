import type * as Crypto from "node:crypto";
import { generateKeyPairSync } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { readSigningKey } from "../../../../src/io/keys/signing-key-file.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";

vi.mock("node:crypto", async (original) => {
  const crypto = await original<typeof Crypto>();
  const sign = (hash: string, bytes: Uint8Array, key: Parameters<typeof crypto.sign>[2]): Buffer => {
    const made = crypto.sign(hash, bytes, key);
    made[made.length - 1] = (made.at(-1) ?? 0) ^ 1;
    return made;
  };
  return { ...crypto, sign };
});

it("a signature that does not verify is not given out", async () => {
  const folder = makeTemporaryDirectory("fault");
  try {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const path = join(folder, "key");
    writeFileSync(path, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    const key = await readSigningKey(path, {});
    expect(() => key.sign(Uint8Array.of(1), "sha256", "cosign")).toThrow("does not verify");
    expect(() => key.sign(Uint8Array.of(1), "sha256", "jws")).toThrow("does not verify");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
