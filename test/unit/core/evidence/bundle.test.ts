import { describe, expect, it } from "vitest";
import { toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { type Bundle, bundleSince, readBundle, writeBundle } from "../../../../src/core/evidence/bundle.ts";
import { type BundledImage, gatheredAtOf, imageIn } from "../../../../src/core/evidence/bundled-image.ts";
import type { SignatureEvidence } from "../../../../src/core/evidence/evidence.ts";
import { REJECTION_CODES, REJECTIONS } from "../../../../src/core/rejection.ts";
import { DIGEST, didNamed, digestOf, gap, imageOf, pointer } from "../../../support/evidence.ts";
import { codeOf } from "../../../support/rejection.ts";

const A = didNamed("a");
const SINCE = Date.UTC(2025, 0, 1);
const LATE = { ...gap("net.deadline", A), answered: true } as const;
const OF_HANDLE = { service: "handle", code: "handle.unreachable", detail: "" } as const;
const part = (url: string, ...bytes: number[]) => ({ url, bytes: Uint8Array.from(bytes), fetchedAt: SINCE });
const WEB: SignatureEvidence = { signer: "did:web:b.example", identity: part("https://b.example", 0) };
const IMAGE: BundledImage = {
  digest: DIGEST,
  names: ["atcr.io/alice.test/app", "atcr.io/alice.test/app:v1"],
  evidence: {
    pointers: [pointer(A), { ...pointer("did:web:b.example"), note: "another record" }],
    signatures: [
      {
        signer: A,
        identity: { ...part("https://plc.example/a", 1, 2, 255), fetchedAt: SINCE - 5 },
        record: part(""),
        tag: part("https://pds.example/tag", 7),
      },
      WEB,
    ],
    gaps: [OF_HANDLE, gap("net.deadline", A, "identity"), LATE, gap("pds.unreachable", A), gap("registry.unreachable")],
    owner: { handle: "alice.test", did: A, source: "dns:_atproto.alice.test", fetchedAt: 5 },
  },
};
/** In the order of their digests. */
const IMAGES = [IMAGE, imageOf({}, digestOf("another image"))].toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
const BUNDLE: Bundle = { gatheredAt: SINCE, images: IMAGES };
const AT = IMAGES.indexOf(IMAGE);

type Json = Record<string, unknown>;
interface PlainImage extends Json {
  names: unknown;
  evidence: Json & {
    pointers: Json[];
    signatures: (Json & { identity: Json; record: Json; tag: Json })[];
    gaps: Json[];
    owner: Json;
  };
}

function textOf(bundle: Bundle = BUNDLE): string {
  return new TextDecoder().decode(writeBundle(bundle));
}

function linesOf(): Json[] {
  return textOf()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

function codeOfText(text: string): string {
  return codeOf(() => readBundle(toUtf8(text)));
}

function codeOfLines(lines: readonly unknown[]): string {
  return codeOfText(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
}

/** The code for the bundle with its image changed. */
function edited(edit: (image: PlainImage) => unknown): string {
  const lines = linesOf();
  edit(lines[2 + AT] as PlainImage);
  return codeOfLines(lines);
}

describe("writeBundle", () => {
  it("writes a header, the time and a line for each image, in the order of the digests", () => {
    const lines = linesOf();
    expect(lines.slice(0, 2)).toEqual([
      { format: "atcr-verify evidence bundle", version: 2 },
      { gatheredAt: "2025-01-01T00:00:00Z" },
    ]);
    expect(lines.slice(2).map(({ digest }) => digest)).toEqual(IMAGES.map(({ digest }) => digest));
    expect(textOf({ ...BUNDLE, images: IMAGES.toReversed() })).toBe(textOf());
    expect(textOf().at(-1)).toBe("\n");
  });

  it("writes the same bytes whatever order answers came in", () => {
    const { names, evidence } = IMAGE;
    const { pointers, signatures, gaps } = evidence;
    const turned = { pointers: pointers.toReversed(), signatures: signatures.toReversed(), gaps: gaps.toReversed() };
    const image = { ...IMAGE, names: [...names.toReversed(), ...names], evidence: { ...evidence, ...turned } };
    expect(textOf({ ...BUNDLE, images: IMAGES.with(AT, image) })).toBe(textOf());
  });

  it("writes what readBundle reads the same", () => {
    expect(readBundle(writeBundle(BUNDLE))).toEqual({ bundle: BUNDLE });
    const empty = { gatheredAt: SINCE, images: [] };
    expect(readBundle(writeBundle(empty))).toEqual({ bundle: empty });
    const { did: _, ...nobody } = IMAGE.evidence.owner ?? { handle: "", source: "", fetchedAt: 0 };
    const unowned = { ...BUNDLE, images: [{ ...IMAGE, evidence: { ...IMAGE.evidence, owner: nobody } }] };
    expect(readBundle(writeBundle(unowned))).toEqual({ bundle: unowned });
  });
});

describe("bundleSince", () => {
  it("dates younger answers by the start, and keeps the time of older ones", () => {
    const { gatheredAt, images } = bundleSince(SINCE + 1999, [IMAGE]);
    expect(gatheredAt).toBe(SINCE + 1000);
    expect(images).toEqual([IMAGE]);
    const earlier = bundleSince(SINCE - 1, [IMAGE]);
    const signature = earlier.images[0]?.evidence.signatures[0];
    expect([signature?.identity, signature?.record, signature?.tag].map((one) => one?.fetchedAt)).toEqual(
      Array(3).fill(SINCE - 1000),
    );
    expect(earlier.images[0]?.evidence.owner?.fetchedAt).toBe(5);
  });

  it("makes the same lines of the same answers, but for the time", () => {
    const young = { ...IMAGE, evidence: { ...IMAGE.evidence, signatures: [WEB] } };
    const aged = (by: number) => ({ ...WEB, identity: { ...WEB.identity, fetchedAt: SINCE + by } });
    const later = { ...young, evidence: { ...young.evidence, signatures: [aged(9000)] } };
    const [a, b] = [textOf(bundleSince(SINCE, [young])), textOf(bundleSince(SINCE + 5000, [later]))];
    expect(a.split("\n").toSpliced(1, 1)).toEqual(b.split("\n").toSpliced(1, 1));
    expect(a).not.toBe(b);
  });
});

describe("a bundle's image", () => {
  it("is found by its digest", () => {
    expect(imageIn(IMAGES, DIGEST)).toBe(IMAGE);
    expect(imageIn(IMAGES, digestOf("a third"))).toBeUndefined();
  });
});

describe("gatheredAtOf", () => {
  it("is the time of the oldest part of a signature", () => {
    const [first] = IMAGE.evidence.signatures as [SignatureEvidence];
    expect([gatheredAtOf(first), gatheredAtOf(WEB)]).toEqual([SINCE - 5, SINCE]);
  });
});

describe("readBundle", () => {
  it("wants JSON lines in UTF-8, each with a line break", () => {
    for (const bytes of [new Uint8Array(), toUtf8("{"), toUtf8("\n\n"), Uint8Array.of(0x22, 0xff, 0x22, 0x0a)]) {
      expect(codeOf(() => readBundle(bytes))).toBe("bundle.malformed");
    }
    expect(codeOfText(textOf())).toBe("none");
    expect(codeOfText(textOf().slice(0, -1))).toBe("bundle.malformed");
    expect(codeOfText(textOf().split("\n").slice(0, -2).join("\n"))).toBe("bundle.malformed");
    expect(codeOfText(`${textOf().split("\n")[0]}\n`)).toBe("bundle.malformed");
    expect(codeOfText(`${textOf()}\n`)).toBe("bundle.malformed");
    for (const value of [null, [], "text", 7]) {
      for (const at of [0, 1, 2]) expect(codeOfLines(linesOf().with(at, value as never))).toBe("bundle.malformed");
    }
  });

  it("says of another file that it is not a bundle, rather than that it is cut off", () => {
    expect(() => readBundle(toUtf8('{"auths": {}}'))).toThrow(/not an evidence bundle/);
    expect(() => readBundle(toUtf8(textOf().slice(0, -1)))).toThrow(/cut off/);
  });

  it("reads its own format and version only", () => {
    const withHeader = (changes: Json) => codeOfLines(linesOf().with(0, { ...linesOf()[0], ...changes }));
    for (const format of [undefined, "", "atcr-verify-evidence"])
      expect(withHeader({ format })).toBe("bundle.malformed");
    for (const version of [undefined, 1, 3, "2"]) expect(withHeader({ version })).toBe("bundle.malformed");
  });

  it("wants a time in whole seconds, in one spelling", () => {
    for (const gatheredAt of [undefined, 7, "", "2025-01-01", "2025-01-01T00:00:00.5Z", "2025-01-01T01:00:00+01:00"]) {
      expect(codeOfLines(linesOf().with(1, { gatheredAt }))).toBe("bundle.malformed");
    }
  });

  it("wants one spelling of everything, so that no byte can be changed without being noticed", () => {
    for (const [written, other] of [
      ['"digest":', '"digest": '],
      ['"digest":', '"\\u0064igest":'],
      [`"gatheredAt":`, `"gatheredAt":"2024-01-01T00:00:00Z","gatheredAt":`],
      ['"fetchedAt":5', '"fetchedAt":5.0'],
      [`"fetchedAt":${SINCE - 5}`, `"fetchedAt":${SINCE}`],
      ['"version":2', '"version":2.0'],
    ] as const) {
      expect(textOf()).toContain(written);
      expect(codeOfText(textOf().replace(written, other))).toBe("bundle.malformed");
    }
    expect(edited(({ evidence }) => evidence.gaps.reverse())).toBe("bundle.malformed");
    expect(edited(({ names }) => (names as unknown[]).reverse())).toBe("bundle.malformed");
  });

  it("wants each digest once, in order", () => {
    const [header, time, first, second] = linesOf();
    expect(codeOfLines([header, time, first, second])).toBe("none");
    expect(codeOfLines([header, time, second, first])).toBe("bundle.malformed");
    expect(codeOfLines([header, time, first, first, second])).toBe("bundle.malformed");
  });

  it("reads at most 10,000 images", () => {
    const many = (count: number) => {
      const images = Array.from({ length: count }, (_, i) => imageOf({}, digestOf(String(i))));
      return codeOf(() => readBundle(writeBundle({ gatheredAt: SINCE, images })));
    };
    expect(many(10_000)).toBe("none");
    expect(many(10_001)).toBe("bundle.malformed");
  });

  it("wants sha256 digests and full names without a digest", () => {
    for (const digest of [undefined, 7, "", DIGEST.toUpperCase(), "sha512:00"]) {
      expect(edited((image) => Object.assign(image, { digest }))).toBe("bundle.malformed");
    }
    const app = "atcr.io/alice.test/app";
    for (const names of [
      undefined,
      {},
      [7],
      ["app"],
      [`${app}@${DIGEST}`],
      ["docker.io/nginx"],
      Array(1001).fill(app),
    ]) {
      expect(edited((image) => Object.assign(image, { names }))).toBe("bundle.malformed");
    }
    expect(edited((image) => Object.assign(image, { names: [app] }))).toBe("none");
  });

  it("refuses unknown fields at every level, so that none is ignored", () => {
    expect(edited(() => {})).toBe("none");
    for (const at of [
      (image: PlainImage) => image,
      ({ evidence }: PlainImage) => evidence,
      ({ evidence }: PlainImage) => evidence.pointers[0],
      ({ evidence }: PlainImage) => evidence.signatures[0],
      ({ evidence }: PlainImage) => evidence.signatures[0]?.identity,
      ({ evidence }: PlainImage) => evidence.signatures[0]?.record,
      ({ evidence }: PlainImage) => evidence.signatures[0]?.tag,
      ({ evidence }: PlainImage) => evidence.gaps[0],
      ({ evidence }: PlainImage) => evidence.owner,
    ]) {
      expect(edited((image) => Object.assign(at(image) ?? {}, { unknown: 1 }))).toBe("bundle.malformed");
    }
    for (const at of [0, 1]) {
      expect(codeOfLines(linesOf().with(at, { ...linesOf()[at], unknown: 1 }))).toBe("bundle.malformed");
    }
  });

  it.each(["pointers", "signatures", "gaps"])("wants %s, as a list of objects", (name) => {
    for (const value of [undefined, null, {}, "text", [null], [7], [[]]]) {
      expect(edited(({ evidence }) => Object.assign(evidence, { [name]: value }))).toBe("bundle.malformed");
    }
    expect(edited(({ evidence }) => Object.assign(evidence, { [name]: [] }))).toBe("none");
  });

  it.each(["pointers", "signatures", "gaps"] as const)("reads %s to a number that a rule may need", (name) => {
    const many = (count: number) =>
      edited(({ evidence }) => Object.assign(evidence, { [name]: Array(count).fill(evidence[name][0]) }));
    expect(many(10_000)).toBe("none");
    expect(many(10_001)).toBe("bundle.malformed");
  });

  it("wants signers to be DIDs", () => {
    for (const signer of [null, 7, "", "alice.test", "did:key:z6Mk", A.toUpperCase()]) {
      for (const name of ["pointers", "signatures"] as const) {
        expect(edited(({ evidence }) => Object.assign(evidence[name][0] ?? {}, { signer }))).toBe("bundle.malformed");
      }
      expect(edited(({ evidence }) => Object.assign(evidence.gaps[1] ?? {}, { signer }))).toBe("bundle.malformed");
    }
    expect(edited(({ evidence }) => delete evidence.pointers[0]?.["signer"])).toBe("bundle.malformed");
    expect(edited(({ evidence }) => delete evidence.signatures[0]?.["signer"])).toBe("bundle.malformed");
  });

  it("wants a signature's identity, and its proof where it has one", () => {
    for (const value of [null, 7, "text", {}]) {
      for (const name of ["identity", "record", "tag"]) {
        const changes = { [name]: value };
        expect(edited(({ evidence }) => Object.assign(evidence.signatures[0] ?? {}, changes))).toBe("bundle.malformed");
      }
    }
    const [identity, first] = ["identity", (image: PlainImage) => image.evidence.signatures[0] ?? {}] as const;
    expect(edited((image) => Reflect.deleteProperty(first(image), identity))).toBe("bundle.malformed");
  });

  it("wants texts to be texts, dates numbers that are not too late, and bytes strict base64", () => {
    const identity = (changes: Json) =>
      edited(({ evidence }) => Object.assign(evidence.signatures[0]?.identity ?? {}, changes));
    for (const bytes of [undefined, null, 7, "AQL", "AQL_", "AQI", "AQ==\n", " AQL/", "AR=="]) {
      expect(identity({ bytes })).toBe("bundle.malformed");
    }
    for (const fetchedAt of [null, "2025-01-01", true, SINCE + 1])
      expect(identity({ fetchedAt })).toBe("bundle.malformed");
    expect(codeOfText(textOf().replace(/"fetchedAt":\d+/, '"fetchedAt":1e999'))).toBe("bundle.malformed");
    for (const value of [undefined, null, 7, []]) {
      expect(identity({ url: value })).toBe("bundle.malformed");
      expect(edited(({ evidence }) => Object.assign(evidence.pointers[0] ?? {}, { url: value }))).toBe(
        "bundle.malformed",
      );
      expect(edited(({ evidence }) => Object.assign(evidence.gaps[0] ?? {}, { detail: value }))).toBe(
        "bundle.malformed",
      );
    }
    expect(edited(({ evidence }) => Object.assign(evidence.pointers[0] ?? {}, { note: 7 }))).toBe("bundle.malformed");
  });

  it("wants the owner of a handle, where there is one, to be whole", () => {
    const owner = (changes: Json) => edited(({ evidence }) => Object.assign(evidence.owner, changes));
    for (const value of [null, 7, "text", [], {}]) {
      expect(edited(({ evidence }) => Object.assign(evidence, { owner: value }))).toBe("bundle.malformed");
    }
    for (const name of ["handle", "source"]) {
      for (const value of [undefined, null, 7]) expect(owner({ [name]: value })).toBe("bundle.malformed");
    }
    for (const did of [null, 7, "", "alice.test", A.toUpperCase()]) expect(owner({ did })).toBe("bundle.malformed");
    for (const fetchedAt of [null, "0"]) expect(owner({ fetchedAt })).toBe("bundle.malformed");
    expect(edited(({ evidence }) => Reflect.deleteProperty(evidence.owner, "did"))).toBe("none");
    expect(edited(({ evidence }) => Reflect.deleteProperty(evidence, "owner"))).toBe("none");
  });

  it("wants a gap to name its service", () => {
    for (const service of [undefined, null, "", "directory"]) {
      expect(edited(({ evidence }) => Object.assign(evidence.gaps[0] ?? {}, { service }))).toBe("bundle.malformed");
    }
  });

  it("takes nobody's word but that an answer is missing", () => {
    for (const code of REJECTION_CODES) {
      const isAnswer = REJECTIONS[code].kind === "inconclusive" && !code.startsWith("policy.");
      const expected = isAnswer ? "none" : "bundle.malformed";
      expect(edited(({ evidence }) => Object.assign(evidence, { gaps: [{ ...evidence.gaps[0], code }] }))).toBe(
        expected,
      );
    }
    for (const code of [undefined, null, "pds.unknown", "toString"]) {
      expect(edited(({ evidence }) => Object.assign(evidence.gaps[0] ?? {}, { code }))).toBe("bundle.malformed");
    }
  });

  it("takes no inherited name for a field", () => {
    const written = '"format":"atcr-verify evidence bundle"';
    expect(codeOfText(textOf().replace(written, `"__proto__":{${written}}`))).toBe("bundle.malformed");
  });
});
