import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseDidKey, parseLegacyKey, parseMultikey, verifySignature } from "../../src/core/atproto/key.ts";
import { didWebHost, isDid, isPlc, isTid, tidTime } from "../../src/core/atproto/syntax.ts";
import { toBase58btc, toUtf8 } from "../../src/core/encoding/bytes.ts";
import { type Curve, signingKey } from "../support/signing-key.ts";

const CURVES: readonly Curve[] = ["k256", "p256"];
const PREFIXES = [[0xe7, 0x01], [0x80, 0x24], [0xed, 0x01], []];
const message = toUtf8("message");

describe("a key", () => {
  it("has one text as did:key", () => {
    const points = fc.tuple(
      fc.constantFrom(...PREFIXES),
      fc.constantFrom([2], [3], [4], []),
      fc.uint8Array({ maxLength: 66 }),
    );
    const fixed = fc.tuple(
      fc.constantFrom(...PREFIXES),
      fc.constantFrom([2], [3]),
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
    );
    fc.assert(
      fc.property(fc.oneof(fixed, points), ([prefix, sign, rest]) => {
        const multibase = toBase58btc(Uint8Array.of(...prefix, ...sign, ...rest));
        const key = parseMultikey(multibase);
        expect(parseDidKey(`did:key:${multibase}`)).toEqual(key);
        if (key === undefined) return;
        expect(key.didKey).toBe(`did:key:${multibase}`);
        expect(parseDidKey(key.didKey)).toEqual(key);
      }),
      { numRuns: 500 },
    );
  });

  it("is no other text, and no text at all breaks the reading", () => {
    const good = signingKey("k256", "texts").did();
    const near = fc
      .tuple(fc.nat(good.length), fc.string({ maxLength: 2 }))
      .map(([at, put]) => good.slice(0, at) + put + good.slice(at + 1));
    fc.assert(
      fc.property(
        fc.oneof(
          near,
          fc.string(),
          fc.string().map((text) => `did:key:z${text}`),
        ),
        (text) => {
          expect([text, undefined]).toContain(parseDidKey(text)?.didKey);
          for (const type of ["EcdsaSecp256k1VerificationKey2019", "EcdsaSecp256r1VerificationKey2019", text]) {
            parseLegacyKey(type, text);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe.each(CURVES)("a signature of a %s key", (curve) => {
  const signer = signingKey(curve, "property");
  const key = parseDidKey(signer.did()) ?? expect.fail("no key");

  it("is one for a message: no bytes but those of the signer verify", async () => {
    const signature = await signer.sign(message);
    expect(verifySignature(key, message, signature)).toBe(true);
    const flipped = fc
      .nat(511)
      .map((bit) => signature.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte)));
    const any = fc.uint8Array({ maxLength: 80 });
    const long = fc.uint8Array({ minLength: 64, maxLength: 64 });
    fc.assert(
      fc.property(fc.oneof(flipped, any, long), (bytes) => !verifySignature(key, message, bytes)),
      { numRuns: 300 },
    );
  });

  it("verifies for every message, and not for another", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array(), fc.uint8Array(), async (one, other) => {
        const signature = await signer.sign(one);
        expect(verifySignature(key, one, signature)).toBe(true);
        expect(verifySignature(key, other, signature)).toBe(Buffer.compare(one, other) === 0);
      }),
      { numRuns: 40 },
    );
  });
});

describe("syntax", () => {
  it("of a did:web names the host that a URL parser finds", () => {
    const label = fc.stringMatching(/^[a-z0-9x-]{1,6}$/);
    const host = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join("."));
    const port = fc.oneof(
      fc.constant(""),
      fc.nat(70_000).map((number) => `%3A${number}`),
    );
    fc.assert(
      fc.property(fc.oneof(fc.tuple(host, port), fc.tuple(fc.string(), port)), ([name, suffix]) => {
        const text = `did:web:${name}${suffix}`;
        if (!isDid(text)) return;
        expect(isPlc(text)).toBe(false);
        const url = new URL(`http://${didWebHost(text)}/`);
        expect(url.hostname).toBe(name);
        if (suffix !== "" && suffix !== "%3A80") expect(url.port).toBe(suffix.slice(3));
      }),
      { numRuns: 2000 },
    );
  });

  it("of a TID keeps the order of time", () => {
    const tid = fc.stringMatching(/^[2-7a-j][2-7a-z]{12}$/);
    fc.assert(
      fc.property(tid, tid, (a, b) => {
        if (!isTid(a) || !isTid(b)) throw new Error("no TID");
        expect(Math.sign(tidTime(a) - tidTime(b)) * (a < b ? -1 : 1)).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});
