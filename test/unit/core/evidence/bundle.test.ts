import { describe, expect, it } from "vitest";
import { toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { type Bundle, readBundle, writeBundle } from "../../../../src/core/evidence/bundle.ts";
import { REJECTION_CODES, REJECTIONS } from "../../../../src/core/rejection.ts";
import { DIGEST, didNamed, fetched, gap, json, pointer } from "../../../support/evidence.ts";
import { codeOf } from "../../../support/rejection.ts";

const A = didNamed("a");
const LATE = { ...gap("net.deadline", A), answered: true } as const;
const OF_HANDLE = { service: "handle", code: "handle.unreachable", detail: "" } as const;
const BUNDLE: Bundle = {
  digest: DIGEST,
  evidence: {
    pointers: [pointer(A), { ...pointer("did:web:b.example"), note: "another record" }],
    signatures: [
      {
        signer: A,
        identity: fetched("https://plc.example/a", Uint8Array.of(1, 2, 255)),
        record: fetched("", Uint8Array.of()),
        tag: fetched("https://pds.example/tag", Uint8Array.of(7)),
      },
      { signer: "did:web:b.example", identity: fetched("https://b.example", Uint8Array.of(0)) },
    ],
    gaps: [gap("registry.unreachable"), gap("pds.unreachable", A), gap("net.deadline", A, "identity"), LATE, OF_HANDLE],
    owner: { handle: "alice.test", did: A, source: "dns:_atproto.alice.test", fetchedAt: 5 },
  },
};

type Json = Record<string, unknown>;

/** The bundle as plain JSON, to be changed and read. */
function plain(): Json & {
  pointers: Json[];
  signatures: (Json & { identity: Json; record: Json; tag: Json })[];
  gaps: Json[];
  owner: Json;
} {
  return JSON.parse(new TextDecoder().decode(writeBundle(BUNDLE)));
}

function edited(edit: (bundle: ReturnType<typeof plain>) => void) {
  const bundle = plain();
  edit(bundle);
  return codeOf(() => readBundle(json(bundle)));
}

describe("writeBundle", () => {
  it("writes JSON that says what it is, ending in a newline", () => {
    expect(plain()).toMatchObject({ format: "atcr-verify-evidence", version: 1, digest: DIGEST });
    expect(writeBundle(BUNDLE).at(-1)).toBe(0x0a);
  });

  it("writes what readBundle reads the same", () => {
    expect(readBundle(writeBundle(BUNDLE))).toEqual(BUNDLE);
    const empty = { digest: DIGEST, evidence: { pointers: [], signatures: [], gaps: [] } };
    expect(readBundle(writeBundle(empty))).toEqual(empty);
    const { did: _, ...nobody } = BUNDLE.evidence.owner ?? { handle: "", source: "", fetchedAt: 0 };
    const unowned = { ...BUNDLE, evidence: { ...BUNDLE.evidence, owner: nobody } };
    expect(readBundle(writeBundle(unowned))).toEqual(unowned);
  });
});

describe("readBundle", () => {
  it("wants JSON in UTF-8", () => {
    for (const bytes of [new Uint8Array(), toUtf8("{"), toUtf8("{}x"), Uint8Array.of(0x22, 0xff, 0x22)]) {
      expect(codeOf(() => readBundle(bytes))).toBe("bundle.malformed");
    }
    for (const value of [null, [], "text", 7]) expect(codeOf(() => readBundle(json(value)))).toBe("bundle.malformed");
  });

  it("reads its own format and version only", () => {
    for (const format of [undefined, "", "atcr-verify"]) {
      expect(edited((bundle) => Object.assign(bundle, { format }))).toBe("bundle.malformed");
    }
    for (const version of [undefined, 0, 2, "1"]) {
      expect(edited((bundle) => Object.assign(bundle, { version }))).toBe("bundle.malformed");
    }
  });

  it("wants a sha256 digest", () => {
    for (const digest of [undefined, 7, "", DIGEST.toUpperCase(), "sha512:00"]) {
      expect(edited((bundle) => Object.assign(bundle, { digest }))).toBe("bundle.malformed");
    }
  });

  it("refuses unknown fields at every level, so that none is ignored", () => {
    expect(edited(() => {})).toBe("none");
    for (const at of [
      (bundle: ReturnType<typeof plain>) => bundle,
      ({ pointers }: ReturnType<typeof plain>) => pointers[0],
      ({ signatures }: ReturnType<typeof plain>) => signatures[0],
      ({ signatures }: ReturnType<typeof plain>) => signatures[0]?.identity,
      ({ signatures }: ReturnType<typeof plain>) => signatures[0]?.record,
      ({ signatures }: ReturnType<typeof plain>) => signatures[0]?.tag,
      ({ gaps }: ReturnType<typeof plain>) => gaps[0],
      ({ owner }: ReturnType<typeof plain>) => owner,
    ]) {
      expect(edited((bundle) => Object.assign(at(bundle) ?? {}, { unknown: 1 }))).toBe("bundle.malformed");
    }
  });

  it.each(["pointers", "signatures", "gaps"])("wants %s, as a list of objects", (name) => {
    for (const value of [undefined, null, {}, "text", [null], [7], [[]]]) {
      expect(edited((bundle) => Object.assign(bundle, { [name]: value }))).toBe("bundle.malformed");
    }
    expect(edited((bundle) => Object.assign(bundle, { [name]: [] }))).toBe("none");
  });

  it.each(["pointers", "signatures", "gaps"] as const)("reads %s to a number that a rule may need", (name) => {
    const many = (count: number) =>
      edited((bundle) => Object.assign(bundle, { [name]: Array(count).fill(bundle[name][0]) }));
    expect(many(10_000)).toBe("none");
    expect(many(10_001)).toBe("bundle.malformed");
  });

  it("wants signers to be DIDs", () => {
    for (const signer of [null, 7, "", "alice.test", "did:key:z6Mk", A.toUpperCase()]) {
      expect(edited(({ pointers }) => Object.assign(pointers[0] ?? {}, { signer }))).toBe("bundle.malformed");
      expect(edited(({ signatures }) => Object.assign(signatures[0] ?? {}, { signer }))).toBe("bundle.malformed");
      expect(edited(({ gaps }) => Object.assign(gaps[1] ?? {}, { signer }))).toBe("bundle.malformed");
    }
    expect(edited(({ pointers }) => delete pointers[0]?.["signer"])).toBe("bundle.malformed");
    expect(edited(({ signatures }) => delete signatures[0]?.["signer"])).toBe("bundle.malformed");
  });

  it("wants a signature's identity, and its proof where it has one", () => {
    for (const value of [null, 7, "text", {}]) {
      expect(edited(({ signatures }) => Object.assign(signatures[0] ?? {}, { identity: value }))).toBe(
        "bundle.malformed",
      );
      for (const name of ["record", "tag"]) {
        expect(edited(({ signatures }) => Object.assign(signatures[0] ?? {}, { [name]: value }))).toBe(
          "bundle.malformed",
        );
      }
    }
    expect(edited(({ signatures }) => Reflect.deleteProperty(signatures[0] ?? {}, "identity"))).toBe(
      "bundle.malformed",
    );
  });

  it("wants texts to be texts, dates numbers and bytes strict base64", () => {
    const identity = (changes: Json) =>
      edited(({ signatures }) => Object.assign(signatures[0]?.identity ?? {}, changes));
    for (const bytes of [undefined, null, 7, "AQL", "AQL_", "AQI", "AQ==\n", " AQL/", "AR=="]) {
      expect(identity({ bytes })).toBe("bundle.malformed");
    }
    for (const fetchedAt of [undefined, null, "2025-01-01", true])
      expect(identity({ fetchedAt })).toBe("bundle.malformed");
    const overflow = new TextDecoder().decode(writeBundle(BUNDLE)).replace(/"fetchedAt": \d+/, '"fetchedAt": 1e999');
    expect(codeOf(() => readBundle(toUtf8(overflow)))).toBe("bundle.malformed");
    for (const value of [undefined, null, 7, []]) {
      expect(identity({ url: value })).toBe("bundle.malformed");
      expect(edited(({ pointers }) => Object.assign(pointers[0] ?? {}, { url: value }))).toBe("bundle.malformed");
      expect(edited(({ gaps }) => Object.assign(gaps[0] ?? {}, { detail: value }))).toBe("bundle.malformed");
    }
    expect(edited(({ pointers }) => Object.assign(pointers[0] ?? {}, { note: 7 }))).toBe("bundle.malformed");
  });

  it("wants the owner of a handle, where there is one, to be whole", () => {
    const owner = (changes: Json) => edited((bundle) => Object.assign(bundle.owner, changes));
    for (const value of [null, 7, "text", [], {}]) {
      expect(edited((bundle) => Object.assign(bundle, { owner: value }))).toBe("bundle.malformed");
    }
    for (const name of ["handle", "source"]) {
      for (const value of [undefined, null, 7]) expect(owner({ [name]: value })).toBe("bundle.malformed");
    }
    for (const did of [null, 7, "", "alice.test", A.toUpperCase()]) expect(owner({ did })).toBe("bundle.malformed");
    for (const fetchedAt of [undefined, null, "0"]) expect(owner({ fetchedAt })).toBe("bundle.malformed");
    expect(edited((bundle) => Reflect.deleteProperty(bundle.owner, "did"))).toBe("none");
    expect(edited((bundle) => Reflect.deleteProperty(bundle, "owner"))).toBe("none");
  });

  it("wants a gap to name its service", () => {
    for (const service of [undefined, null, "", "directory"]) {
      expect(edited(({ gaps }) => Object.assign(gaps[0] ?? {}, { service }))).toBe("bundle.malformed");
    }
  });

  it("takes nobody's word but that an answer is missing", () => {
    for (const code of REJECTION_CODES) {
      const isAnswer = REJECTIONS[code].kind === "inconclusive" && !code.startsWith("policy.");
      const expected = isAnswer ? "none" : "bundle.malformed";
      expect(edited(({ gaps }) => Object.assign(gaps[0] ?? {}, { code }))).toBe(expected);
    }
    for (const code of [undefined, null, "pds.unknown", "toString"]) {
      expect(edited(({ gaps }) => Object.assign(gaps[0] ?? {}, { code }))).toBe("bundle.malformed");
    }
  });

  it("takes no inherited name for a field", () => {
    const text = new TextDecoder()
      .decode(writeBundle(BUNDLE))
      .replace('"format": "atcr-verify-evidence"', '"__proto__": {"format": "atcr-verify-evidence"}');
    expect(codeOf(() => readBundle(toUtf8(text)))).toBe("bundle.malformed");
  });
});
