import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Did } from "../../src/core/atproto/syntax.ts";
import { toUtf8 } from "../../src/core/encoding/bytes.ts";
import type { SignatureEvidence } from "../../src/core/evidence/evidence.ts";
import { REJECTIONS } from "../../src/core/rejection.ts";
import { judge } from "../../src/core/verify/judge.ts";
import { attempt } from "../../src/core/verify/prove.ts";
import type { Attempt } from "../../src/core/verify/verdict.ts";
import { caseOf, DIGEST, digestOf, rule, signer, subject, TAG, trusted } from "../support/evidence.ts";

const alice = await signer({ name: "alice", tag: {} });
const rotated = await signer({ name: "rotated", curve: "p256", method: "plc-legacy" });
await rotated.log.update({ handle: "renamed.test" }, { at: Date.UTC(2025, 0, 1) });
const web = await signer({ name: "web", method: "web", tag: {} });
// A did:web, as where every bit of a proof is tried: an operation log would be replayed each time.
const unsigned = await signer({ name: "unsigned", method: "web", record: null });
const ACCEPTED = await Promise.all([alice, rotated, web].map((who) => who.evidence()));
const ABSENT = await unsigned.evidence();

const SOUGHT = { digest: DIGEST };
const TAGGED = { digest: DIGEST, tag: TAG };

type Complete = Required<SignatureEvidence>;
type Part = "identity" | "record" | "tag";

function bytesOf(evidence: SignatureEvidence, part: Part): Uint8Array {
  const { bytes } = (evidence as Complete)[part];
  return bytes;
}

function withBytes(evidence: SignatureEvidence, part: Part, bytes: Uint8Array): SignatureEvidence {
  return { ...evidence, [part]: { ...(evidence as Complete)[part], bytes } };
}

function flip(bytes: Uint8Array, bit: number): Uint8Array {
  return Uint8Array.from(bytes, (byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
}

/** One bit of an accepted part, other than of a did:web document: nothing but TLS vouches for that. */
const flipped = fc
  .constantFrom(
    ...ACCEPTED.flatMap((evidence) => (["identity", "record"] as const).map((part) => ({ evidence, part }))).filter(
      ({ evidence, part }) => part === "record" || evidence.signer !== web.did,
    ),
  )
  .chain(({ evidence, part }) => {
    const bytes = bytesOf(evidence, part);
    return fc
      .nat(bytes.length * 8 - 1)
      .map((bit) => ({ evidence, changed: withBytes(evidence, part, flip(bytes, bit)) }));
  });

const allows = (did: Did, attempts: readonly Attempt[]) =>
  judge(caseOf(rule([trusted(did)]), { attempts })).outcome === "allow";

/** Without what is the directory's word. */
function undated(result: Attempt): unknown {
  if (!("facts" in result)) return result;
  const { keySince: _, ...facts } = result.facts;
  return { ...result, facts };
}

describe("accepted evidence", () => {
  it("proves nothing else when any bit of it is another", () => {
    expect(ACCEPTED.every((evidence) => allows(evidence.signer, [attempt(SOUGHT, evidence)]))).toBe(true);
    fc.assert(
      fc.property(flipped, ({ evidence, changed }) => {
        const result = attempt(SOUGHT, changed);
        // Bits that nobody vouches for and nobody believes, as the directory's dates, change nothing.
        if ("facts" in result) expect(undated(result)).toEqual(undated(attempt(SOUGHT, evidence)));
        else expect(allows(evidence.signer, [result])).toBe(false);
      }),
      { numRuns: 600 },
    );
  });

  it("has no bit in its proof that could be another", () => {
    const bytes = bytesOf(ofWeb(), "record");
    fc.assert(
      fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
        const result = attempt(SOUGHT, withBytes(ofWeb(), "record", flip(bytes, bit)));
        expect("facts" in result).toBe(false);
      }),
      { numRuns: 600 },
    );
  });

  it("has no bit in its proof of the tag that could be another, and a bad one that spoils nothing else", async () => {
    const tag = await web.tag();
    const whole = { ...ofWeb(), tag };
    const judged = (result: Attempt) => {
      const requirement = { tag: "match" } as const;
      const given = { subject: subject({ tag: TAG }), attempts: [result] };
      return judge(caseOf(rule([trusted(web.did)], requirement), given)).outcome;
    };
    expect(judged(attempt(TAGGED, whole))).toBe("allow");
    fc.assert(
      fc.property(fc.nat(tag.bytes.length * 8 - 1), (bit) => {
        const result = attempt(TAGGED, withBytes(whole, "tag", flip(tag.bytes, bit)));
        expect(judged(result)).not.toBe("allow");
        expect(allows(web.did, [result])).toBe(true);
      }),
      { numRuns: 600 },
    );
  });

  it("proves nothing for another digest or another signer", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...ACCEPTED),
        fc.string(),
        fc.constantFrom(alice, rotated, web),
        (evidence, text, who) => {
          expect("facts" in attempt({ digest: digestOf(`not the image ${text}`) }, evidence)).toBe(false);
          if (who.did !== evidence.signer)
            expect("facts" in attempt(SOUGHT, { ...evidence, signer: who.did })).toBe(false);
        },
      ),
      { numRuns: 50 },
    );
  });
});

function ofAlice(): SignatureEvidence {
  return ACCEPTED[0] as SignatureEvidence;
}

function ofWeb(): SignatureEvidence {
  return ACCEPTED[2] as SignatureEvidence;
}

describe("a proof of absence", () => {
  it("is never one of presence, whichever bit is another", () => {
    const bytes = bytesOf(ABSENT, "record");
    fc.assert(
      fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
        const result = attempt(SOUGHT, withBytes(ABSENT, "record", flip(bytes, bit)));
        expect(result).toHaveProperty("finding");
        expect(result).not.toMatchObject({ finding: { code: "record.absent" } });
      }),
      { numRuns: 300 },
    );
  });
});

// --- totality -------------------------------------------------------------------------------------

/** Parts cut out, doubled and overwritten, of bytes that are all right. */
const mangled = (bytes: Uint8Array) =>
  fc
    .record({
      at: fc.nat(bytes.length),
      cut: fc.nat(64),
      insert: fc.uint8Array({ maxLength: 16 }),
      repeat: fc.boolean(),
    })
    .map(({ at, cut, insert, repeat }) =>
      Uint8Array.from([
        ...bytes.subarray(0, at),
        ...insert,
        ...bytes.subarray(repeat ? Math.max(0, at - cut) : at + cut),
      ]),
    );

/** JSON whose every value, at whatever depth, may be anything, its own toString among it. */
const hostile = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constant({ toString: 1, valueOf: 1, toJSON: 1 }),
  fc.constant({ constructor: null, hasOwnProperty: 1 }),
  fc.constant("\ud800"),
  fc.constant(1e300),
);

/** The bytes as JSON in which one value somewhere is replaced. */
function replaced(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  const text = new TextDecoder().decode(bytes);
  let count = 0;
  JSON.parse(text, (_, value) => {
    count++;
    return value;
  });
  return fc.tuple(fc.nat(count - 1), hostile).map(([place, other]) => {
    let at = 0;
    return toUtf8(JSON.stringify(JSON.parse(text, (_, value) => (at++ === place ? other : value))));
  });
}

const deep = toUtf8("[".repeat(100_000) + "]".repeat(100_000));

/** What a hostile directory, host or PDS may answer in place of this. */
const hostileBytes = (evidence: SignatureEvidence, part: Part) =>
  fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.json({ maxDepth: 5 }).map(toUtf8),
    mangled(bytesOf(evidence, part)),
    part === "identity" ? replaced(bytesOf(evidence, part)) : fc.constant(new Uint8Array()),
  );

describe("attempt", () => {
  it("answers whatever it is given, and never by throwing", () => {
    const given = fc
      .constantFrom(...ACCEPTED)
      .chain((evidence) =>
        fc
          .constantFrom("identity" as const, "record" as const)
          .chain((part) => hostileBytes(evidence, part).map((bytes) => withBytes(evidence, part, bytes))),
      );
    fc.assert(
      fc.property(given, (evidence) => {
        const result = attempt(SOUGHT, evidence);
        if ("facts" in result) expect(result.facts.signer).toBe(evidence.signer);
        else expect(REJECTIONS[result.finding.code].kind).toMatch(/^(?:deny|inconclusive)$/);
      }),
      { numRuns: 1500 },
    );
  });

  it("answers to values that nobody can print", () => {
    const unprintable = [`{"toString":1,"valueOf":1}`, new TextDecoder().decode(deep)];
    for (const value of unprintable) {
      const document = attempt(SOUGHT, withBytes(ofWeb(), "identity", toUtf8(`{"id":${value}}`)));
      expect(document).toMatchObject({ finding: { code: "identity.invalid" } });
      const log = toUtf8(`[{"createdAt":"2025-01-01T00:00:00Z","operation":{"type":${value}}}]`);
      expect(attempt(SOUGHT, withBytes(ofAlice(), "identity", log))).toMatchObject({
        finding: { code: "identity.log_invalid" },
      });
    }
  });
});
