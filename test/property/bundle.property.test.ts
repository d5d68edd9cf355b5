import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { privateKey } from "../../src/core/atproto/key.ts";
import type { Did } from "../../src/core/atproto/syntax.ts";
import { toUtf8 } from "../../src/core/encoding/bytes.ts";
import { type Bundle, bundleSince, readBundle, writeBundle } from "../../src/core/evidence/bundle.ts";
import { checkSeal } from "../../src/core/evidence/bundle-seal.ts";
import { REJECTION_CODES, REJECTIONS, Rejection } from "../../src/core/rejection.ts";
import { attempt } from "../../src/core/verify/prove.ts";
import { bundleOf, DIGEST, didNamed, digestOf, fetched, signer, TAG } from "../support/evidence.ts";

const KEY = privateKey(new Uint8Array(32).fill(7)) as NonNullable<ReturnType<typeof privateKey>>;
const dids = fc.constantFrom<Did>(didNamed("a"), didNamed("b"), "did:web:c.example");
const sources = fc
  .record({ url: fc.string({ unit: "binary" }), bytes: fc.uint8Array({ maxLength: 40 }), fetchedAt: fc.nat() })
  .map(({ url, bytes, fetchedAt }) => ({ ...fetched(url, bytes), fetchedAt }));
const missing = fc.constantFrom(
  ...REJECTION_CODES.filter((code) => REJECTIONS[code].kind === "inconclusive" && !code.startsWith("policy.")),
);
const names = fc.constantFrom("atcr.io/a.test/app", "atcr.io/a.test/app:v1", "registry.example:5000/app:latest");

const images = fc.record({
  digest: fc.constantFrom("a", "b", "c", "d").map(digestOf),
  names: fc.array(names),
  evidence: fc.record(
    {
      pointers: fc.array(
        fc.record({ signer: dids, url: fc.string(), note: fc.string() }, { requiredKeys: ["signer", "url"] }),
      ),
      signatures: fc.array(
        fc.record(
          { signer: dids, identity: sources, record: sources, tag: sources },
          { requiredKeys: ["signer", "identity"] },
        ),
      ),
      gaps: fc.array(
        fc.record(
          {
            service: fc.constantFrom("registry", "identity", "pds", "handle"),
            signer: dids,
            code: missing,
            detail: fc.string(),
          },
          { requiredKeys: ["service", "code", "detail"] },
        ),
      ),
      owner: fc.record(
        { handle: fc.string(), did: dids, source: fc.string(), fetchedAt: fc.nat() },
        { requiredKeys: ["handle", "source", "fetchedAt"] },
      ),
    },
    { requiredKeys: ["pointers", "signatures", "gaps"] },
  ),
});
const bundles = fc
  .record({ at: fc.nat(), images: fc.uniqueArray(images, { selector: ({ digest }) => digest }) })
  .map(({ at, images: all }) => bundleSince(at, all as unknown as Bundle["images"]));
const deep = toUtf8(`{"seal":${"[".repeat(100_000)}`);

const who = await signer({ name: "alice", tag: {} });
const whole = await who.evidence();
const GENUINE = bundleOf({ signatures: [whole] });
const SOUGHT = { digest: DIGEST, tag: TAG };

describe("a bundle", () => {
  it("is read as it was written, with a seal that holds", () => {
    fc.assert(
      fc.property(bundles, (bundle) => {
        const bytes = writeBundle(bundle, KEY);
        const read = readBundle(bytes);
        expect(writeBundle(read.bundle, KEY)).toEqual(bytes);
        expect(read.seal && checkSeal(read.seal, [KEY.key.didKey])).toBe(KEY.key.didKey);
        expect(readBundle(writeBundle(bundle))).toEqual({ bundle: read.bundle });
        expect(read.bundle.images.toSorted(byDigest).map(sizes)).toEqual(bundle.images.toSorted(byDigest).map(sizes));
      }),
      { numRuns: 300 },
    );
  });

  it("is read or refused, whatever the bytes are", () => {
    const bytes = bundles
      .map((bundle) => writeBundle(bundle))
      .chain((written) =>
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.array(fc.json({ maxDepth: 5 })).map((lines) => toUtf8(lines.map((line) => `${line}\n`).join(""))),
          changed(written),
          fc.constant(deep),
        ),
      );
    fc.assert(
      fc.property(bytes, (given) => {
        const read = readOrRefused(given);
        // What is read can be written in one way only.
        if (read !== undefined) expect(writeBundle(read.bundle)).toEqual(given);
      }),
      { numRuns: 1000 },
    );
  });

  it("with any byte changed is refused, or proves nothing else", () => {
    const proven = JSON.stringify(attempt(SOUGHT, whole));
    fc.assert(
      fc.property(changed(writeBundle(GENUINE)), (given) => {
        const [image] = readOrRefused(given)?.bundle.images ?? [];
        for (const signature of image?.evidence.signatures ?? []) {
          const found = attempt({ ...SOUGHT, digest: image?.digest ?? DIGEST }, signature);
          if ("facts" in found && JSON.stringify(found) !== proven) {
            // The key's date is the directory's word. A changed tag takes a fact away, and adds none.
            const unproven = { keySince: undefined, tag: undefined };
            expect({ ...found.facts, ...unproven }).toEqual({ ...factsOf(proven), ...unproven });
            const { tag } = found.facts;
            if (tag && "claim" in tag) expect(tag).toEqual(factsOf(proven).tag);
          }
        }
      }),
      { numRuns: 1500 },
    );
  });

  it("with any byte changed is refused if it is sealed", () => {
    fc.assert(
      fc.property(changed(writeBundle(GENUINE, KEY)), (given) => {
        const seal = readOrRefused(given)?.seal;
        if (seal === undefined) return;
        expect(() => checkSeal(seal, [KEY.key.didKey])).toThrow(Rejection);
      }),
      { numRuns: 1500 },
    );
  });
});

function factsOf(text: string) {
  return JSON.parse(text).facts;
}

/** One byte is another one. */
function changed(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }))
    .map(([at, by]) => bytes.with(at, (bytes[at] ?? 0) ^ by));
}

function readOrRefused(bytes: Uint8Array) {
  try {
    return readBundle(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(Rejection);
    expect(error).toMatchObject({ code: "bundle.malformed" });
    return undefined;
  }
}

function byDigest(a: { digest: string }, b: { digest: string }): number {
  return a.digest < b.digest ? -1 : 1;
}

function sizes({ digest, names: all, evidence: { pointers, signatures, gaps } }: Bundle["images"][number]) {
  return [digest, new Set(all).size, pointers.length, signatures.length, gaps.length];
}
