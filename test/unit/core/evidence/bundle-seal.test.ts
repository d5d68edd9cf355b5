import { describe, expect, it } from "vitest";
import { privateKey, verifySignature } from "../../../../src/core/atproto/key.ts";
import { sha256 } from "../../../../src/core/encoding/sha256.ts";
import { readBundle, writeBundle } from "../../../../src/core/evidence/bundle.ts";
import { checkSeal } from "../../../../src/core/evidence/bundle-seal.ts";
import { bundleOf } from "../../../support/evidence.ts";
import { codeOf } from "../../../support/rejection.ts";

const KEY = keyNamed(7);
const { didKey } = KEY.key;
const SEALED = writeBundle(bundleOf({}), KEY);

function keyNamed(byte: number) {
  const key = privateKey(new Uint8Array(32).fill(byte));
  if (key === undefined) throw new Error("no scalar");
  return key;
}

function check(bytes: Uint8Array, keys: readonly string[] = [didKey]): string | undefined {
  const { seal } = readBundle(bytes);
  if (seal === undefined) throw new Error("there is no seal");
  return checkSeal(seal, keys);
}

function withHeader(change: (seal: { key: string; signature: string }) => unknown): Uint8Array {
  const [header = "", ...body] = new TextDecoder().decode(SEALED).split("\n");
  const { seal, ...rest } = JSON.parse(header);
  return new TextEncoder().encode([JSON.stringify({ ...rest, seal: change(seal) }), ...body].join("\n"));
}

describe("a seal", () => {
  it("is the key's signature over everything after the first line, and names the key", () => {
    expect(check(SEALED)).toBe(didKey);
    const body = SEALED.subarray(SEALED.indexOf(0x0a) + 1);
    expect(body).toEqual(writeBundle(bundleOf({})).subarray(writeBundle(bundleOf({})).indexOf(0x0a) + 1));
    const { seal } = readBundle(SEALED);
    const message = Buffer.concat([Buffer.from("atcr-verify evidence bundle seal 2\0"), sha256(body)]);
    expect(verifySignature(KEY.key, message, seal?.signature ?? new Uint8Array())).toBe(true);
  });

  it("is the same each time for the same bundle and key", () => {
    expect(writeBundle(bundleOf({}), KEY)).toEqual(SEALED);
    expect(writeBundle(bundleOf({}), keyNamed(8))).not.toEqual(SEALED);
  });

  it("does not count where the key is not listed, but is still checked", () => {
    expect(check(SEALED, [])).toBeUndefined();
    expect(check(SEALED, [keyNamed(8).key.didKey])).toBeUndefined();
    const { seal } = readBundle(SEALED);
    const forged = { ...(seal as Required<typeof seal>), signature: new Uint8Array(64) };
    expect(codeOf(() => checkSeal(forged as never, []))).toBe("bundle.bad_seal");
  });

  it("is refused where any byte was changed", () => {
    const codes = new Set<string>();
    for (let at = 0; at < SEALED.length; at++) {
      for (const bit of [1, 0x20, 0x80]) {
        const changed = SEALED.with(at, (SEALED[at] as number) ^ bit);
        const code = codeOf(() => check(changed));
        expect([at, bit, code]).not.toContain("none");
        codes.add(code);
      }
    }
    expect([...codes].toSorted()).toEqual(["bundle.bad_seal", "bundle.malformed"]);
  });

  it("is refused where it is another key's, of another bundle, or of the plain hash", () => {
    const other = JSON.parse(new TextDecoder().decode(writeBundle(bundleOf({}), keyNamed(8))).split("\n")[0] ?? "");
    expect(codeOf(() => check(withHeader((seal) => ({ ...seal, key: other.seal.key }))))).toBe("bundle.bad_seal");
    expect(codeOf(() => check(withHeader((seal) => ({ ...seal, signature: other.seal.signature }))))).toBe(
      "bundle.bad_seal",
    );
    const body = SEALED.subarray(SEALED.indexOf(0x0a) + 1);
    const plain = Buffer.from(KEY.sign(body)).toString("base64");
    expect(codeOf(() => check(withHeader((seal) => ({ ...seal, signature: plain }))))).toBe("bundle.bad_seal");
  });

  it("is malformed where it is not a key and a signature", () => {
    for (const change of [
      () => null,
      () => ({}),
      (seal: object) => ({ ...seal, more: 1 }),
      (seal: object) => ({ ...seal, key: "did:key:z6Mk" }),
      (seal: object) => ({ ...seal, key: "did:web:example.com" }),
      (seal: object) => ({ ...seal, signature: "?" }),
    ]) {
      expect(codeOf(() => readBundle(withHeader(change)))).toBe("bundle.malformed");
    }
  });
});

describe("privateKey", () => {
  it("wants a scalar of p256", () => {
    expect(privateKey(new Uint8Array(32))).toBeUndefined();
    expect(privateKey(new Uint8Array(32).fill(0xff))).toBeUndefined();
    expect(privateKey(new Uint8Array(31).fill(1))).toBeUndefined();
    expect(didKey).toMatch(/^did:key:zDn/);
  });
});
