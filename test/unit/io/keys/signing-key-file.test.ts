import { createPublicKey, generateKeyPairSync, scryptSync, verify } from "node:crypto";
import { chmodSync, chownSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { xsalsa20poly1305 } from "@noble/ciphers/salsa.js";
import { afterAll, describe, expect, it } from "vitest";
import { Rejection } from "../../../../src/core/rejection.ts";
import { readSigningKey } from "../../../../src/io/keys/signing-key-file.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";

const folder = makeTemporaryDirectory("keys");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ec = (namedCurve = "P-256") => generateKeyPairSync("ec", { namedCurve }).privateKey;
const KEY = ec();
const PEM = KEY.export({ type: "pkcs8", format: "pem" }).toString();
const BYTES = Buffer.from("what is signed");

function file(content: string | Uint8Array, mode = 0o600, name = "key"): string {
  const path = join(folder, name);
  rmSync(path, { recursive: true, force: true });
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

/** The message of the rejection, or undefined. */
async function refusal(path: string, passphrase = {}): Promise<string | undefined> {
  try {
    await readSigningKey(path, passphrase);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(Rejection);
    expect((error as Rejection).code).toBe("input.malformed");
    return (error as Rejection).message;
  }
}

/** A key as cosign writes it, with cheap parameters. */
function sigstoreKey(passphrase: string, changes: { params?: object; cipher?: object; label?: string } = {}): string {
  const salt = Buffer.alloc(32, 1);
  const nonce = Buffer.alloc(24, 2);
  const params = { N: 1024, r: 8, p: 1 };
  const box = xsalsa20poly1305(scryptSync(passphrase, salt, 32, params), nonce).encrypt(
    KEY.export({ type: "pkcs8", format: "der" }),
  );
  const content = {
    kdf: { name: "scrypt", params: changes.params ?? params, salt: salt.toString("base64") },
    cipher: changes.cipher ?? { name: "nacl/secretbox", nonce: nonce.toString("base64") },
    ciphertext: Buffer.from(box).toString("base64"),
  };
  const lines = Buffer.from(JSON.stringify(content))
    .toString("base64")
    .replace(/(.{64})/g, "$1\n");
  const label = changes.label ?? "ENCRYPTED SIGSTORE PRIVATE KEY";
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}

describe("a key's file", () => {
  it.each([0o600, 0o400])("may have mode %o", async (mode) => {
    expect(await refusal(file(PEM, mode))).toBeUndefined();
  });

  it.each([0o640, 0o604, 0o644, 0o700, 0o660, 0o4600])("may not have mode %o", async (mode) => {
    expect(await refusal(file(PEM, mode))).toContain("expected 0600 or 0400");
  });

  it.runIf(process.getuid?.() === 0)("must be the running user's", async () => {
    const path = file(PEM);
    chownSync(path, 65534, 65534);
    expect(await refusal(path)).toContain("it belongs to user 65534");
  });

  it("must be a regular file of a key's size", async () => {
    const path = join(folder, "a-folder");
    mkdirSync(path, { recursive: true });
    expect(await refusal(path)).toContain("not a regular file");
    expect(await refusal("/dev/null")).toContain("not a regular file");
    expect(await refusal(join(folder, "absent"))).toContain("ENOENT");
    expect(await refusal(file(new Uint8Array(70_000)))).toContain("at most 65536");
    symlinkSync(file(PEM, 0o644, "target"), join(folder, "link"));
    expect(await refusal(join(folder, "link"))).toContain("0644");
  });

  it("holds one PEM block of a private key", async () => {
    const twice = `${PEM}${PEM}`;
    const publicKey = createPublicKey(KEY).export({ type: "spki", format: "pem" }).toString();
    for (const text of ["", "secret words", twice, publicKey, PEM.slice(0, 60)]) {
      expect(await refusal(file(text))).toContain("it is not one PEM block of a private key");
    }
    const damaged = await refusal(file(PEM.replace(/\n[^-].{20}/, (found) => found.toLowerCase())));
    expect(damaged).toMatch(/not a private key that can be read$/);
    const old = KEY.export({ type: "sec1", format: "pem", cipher: "aes-128-cbc", passphrase: "p" }).toString();
    expect(await refusal(file(old), { variable: "p" })).toContain("OpenSSL's old form");
  });
});

describe("a key", () => {
  it.each([
    ["P-256", ec(), { curve: "P-256" }],
    ["P-384", ec("P-384"), { curve: "P-384" }],
    ["P-521", ec("P-521"), { curve: "P-521" }],
    ["RSA", generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey, { rsaBits: 2048 }],
  ])("of %s signs in both forms, and verifies what it made", async (_, privateKey, kind) => {
    const key = await readSigningKey(file(privateKey.export({ type: "pkcs8", format: "pem" }).toString()), {});
    expect(key.kind).toEqual(kind);
    const publicKey = createPublicKey({ key: Buffer.from(key.publicKey), format: "der", type: "spki" });
    expect(publicKey.equals(createPublicKey(privateKey))).toBe(true);
    expect(verify("sha256", BYTES, publicKey, key.sign(BYTES, "sha256", "cosign"))).toBe(true);
    const jws = "curve" in kind ? ({ dsaEncoding: "ieee-p1363" } as const) : { padding: 6, saltLength: 48 };
    expect(verify("sha384", BYTES, { key: publicKey, ...jws }, key.sign(BYTES, "sha384", "jws"))).toBe(true);
  });

  it.each([
    ["Ed25519", generateKeyPairSync("ed25519").privateKey, "ed25519"],
    ["secp256k1", ec("secp256k1"), "ec secp256k1"],
    ["a short RSA key", generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey, "RSA with 1024 bits"],
  ])("of another kind is refused: %s", async (_, privateKey, found) => {
    const path = file(privateKey.export({ type: "pkcs8", format: "pem" }).toString());
    expect(await refusal(path)).toContain(`it is ${found}, expected ECDSA`);
  });

  it("may be written as SEC1 and PKCS#1", async () => {
    expect(await refusal(file(KEY.export({ type: "sec1", format: "pem" }).toString()))).toBeUndefined();
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    expect(await refusal(file(privateKey.export({ type: "pkcs1", format: "pem" }).toString()))).toBeUndefined();
  });
});

describe("an encrypted key", () => {
  const pkcs8 = KEY.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "right" }).toString();

  it.each([
    ["PKCS#8", pkcs8],
    ["cosign's", sigstoreKey("right")],
    ["cosign's older", sigstoreKey("right", { label: "ENCRYPTED COSIGN PRIVATE KEY" })],
  ])("is read with its pass phrase: %s", async (_, text) => {
    const path = file(text);
    expect(await refusal(path, { variable: "right" })).toBeUndefined();
    const phrase = file("right\n", 0o400, "phrase");
    expect(await refusal(path, { file: phrase, variable: "wrong" })).toBeUndefined();
    expect(await refusal(path, { variable: "wrong" })).toContain("the pass phrase is wrong");
    expect(await refusal(path)).toContain("--passphrase-file, or set the variable COSIGN_PASSWORD");
    expect(await refusal(path, { file: file("right", 0o644, "phrase") })).toContain("expected 0600 or 0400");
  });

  it.each([
    ["memory", { params: { N: 2 ** 30, r: 8, p: 1 } }, "scrypt parameters"],
    ["time", { params: { N: 1024, r: 8, p: 9 } }, "scrypt parameters"],
    ["no number", { params: { N: "1024", r: 8, p: 1 } }, "scrypt parameters"],
    ["another cipher", { cipher: { name: "aes", nonce: "" } }, 'its cipher is "aes"'],
    ["a short nonce", { cipher: { name: "nacl/secretbox", nonce: "AAAA" } }, "nonce"],
  ])("of cosign with parameters that are not taken is refused: %s", async (_, changes, why) => {
    expect(await refusal(file(sigstoreKey("right", changes)), { variable: "right" })).toContain(why);
  });
});
