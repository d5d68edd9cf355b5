import type { PrivateKey } from "../atproto/key.ts";
import { concatBytes, fromUtf8, toUtf8 } from "../encoding/bytes.ts";
import { field, parseJson } from "../encoding/json.ts";
import { formatDateTime, parseDateTime } from "../encoding/time.ts";
import { type BundleSeal, sealFromJson, sealOf, sealToJson, signedHash } from "./bundle-seal.ts";
import { type BundledImage, imageFromLine, imageToLine } from "./bundled-image.ts";
import { malformed, object, text } from "./evidence-json.ts";

/** What the network said about the signatures of some images (docs/reference/bundles.md). */
export interface Bundle {
  /** When gathering it began; milliseconds since 1970, whole seconds. No part of the evidence is younger. */
  readonly gatheredAt: number;
  /** Sorted by digest, each digest once. */
  readonly images: readonly BundledImage[];
}

/** A bundle as read. */
export interface ReadBundle {
  readonly bundle: Bundle;
  /** Not checked: checkSeal does that. */
  readonly seal?: BundleSeal;
}

/** More than the evidence of 10,000 images takes. Stops a file from taking all memory. */
export const MAX_BUNDLE = 256 * 1024 * 1024;
/** More images than a cluster runs. Stops a bundle of millions of short lines. */
const MAX_IMAGES = 10_000;
/** Bytes of one image's line: identity, record and tag of 16 signers at their largest. Bounds what is parsed at once. */
const MAX_LINE = 128 * 1024 * 1024;
const FORMAT = "atcr-verify evidence bundle";
const VERSION = 2;
const SECOND = 1000;
const NEWLINE = 0x0a;
const BEGINNING = toUtf8(`{"format":"${FORMAT}"`);

/**
 * The bundle as JSON lines: a header, the time, and a line for each image. The same bundle always makes the same bytes.
 *
 * @param key seals the bundle; absent: it is not sealed
 */
export function writeBundle({ gatheredAt, images }: Bundle, key?: PrivateKey): Uint8Array {
  const lines = images
    .toSorted((a, b) => (a.digest < b.digest ? -1 : 1))
    .map((image) => imageToLine(image, gatheredAt));
  const body = toUtf8([timeLine(gatheredAt), ...lines].map((line) => `${line}\n`).join(""));
  return concatBytes(toUtf8(`${headerLine(key && sealOf(key, body))}\n`), body);
}

/**
 * Reads a bundle strictly. There is one way to write a bundle: a file that says the same in other bytes is rejected.
 *
 * @param bytes as untrusted as the network they came from
 * @throws Rejection bundle.malformed
 */
export function readBundle(bytes: Uint8Array): ReadBundle {
  if (bytes.length > MAX_BUNDLE) malformed(`the bundle has ${bytes.length} bytes, at most ${MAX_BUNDLE} are read`);
  const [header, time, ...rest] = linesOf(bytes);
  if (header === undefined || time === undefined) malformed("the bundle is empty, or ends before its second line");
  const sealed = readHeader(header);
  const gatheredAt = readTime(time);
  const images = rest.map((line, i) => readImage(line, gatheredAt, `line ${i + 3}`));
  const unsorted = images.findIndex(({ digest }, i) => i > 0 && (images[i - 1]?.digest ?? "") >= digest);
  if (unsorted !== -1)
    malformed(`line ${unsorted + 3} of the bundle is not sorted by digest, or is the same digest again`);
  const body = bytes.subarray(header.length + 1);
  return { bundle: { gatheredAt, images }, ...(sealed && { seal: { ...sealed, signedHash: signedHash(body) } }) };
}

/**
 * A bundle of what was gathered since a time. That time is the date of every answer that is not older: a later one is no
 * witness, and so the same answers make the same bundle.
 *
 * @param startedAt milliseconds since 1970
 */
export function bundleSince(startedAt: number, images: readonly BundledImage[]): Bundle {
  const gatheredAt = Math.floor(startedAt / SECOND) * SECOND;
  const dated = <T extends { readonly fetchedAt: number }>(part: T): T => ({
    ...part,
    fetchedAt: Math.min(part.fetchedAt, gatheredAt),
  });
  return {
    gatheredAt,
    images: images.map(({ evidence, ...image }) => ({
      ...image,
      evidence: {
        ...evidence,
        signatures: evidence.signatures.map(({ signer, identity, record, tag }) => ({
          signer,
          identity: dated(identity),
          ...(record && { record: dated(record) }),
          ...(tag && { tag: dated(tag) }),
        })),
        ...(evidence.owner && { owner: dated(evidence.owner) }),
      },
    })),
  };
}

function headerLine(seal: Parameters<typeof sealToJson>[0] | undefined): string {
  return JSON.stringify({ format: FORMAT, version: VERSION, ...(seal && { seal: sealToJson(seal) }) });
}

function timeLine(gatheredAt: number): string {
  return JSON.stringify({ gatheredAt: formatDateTime(gatheredAt) });
}

function readHeader(line: Uint8Array): Omit<BundleSeal, "signedHash"> | undefined {
  const header = object(parseJson(line, "bundle.malformed", "the bundle's first line"), "the bundle's first line", [
    "format",
    "version",
    "seal",
  ]);
  if (field(header, "format") !== FORMAT || field(header, "version") !== VERSION) {
    malformed(`the bundle's format is not "${FORMAT}" version ${VERSION}`);
  }
  const seal = field(header, "seal") === undefined ? undefined : sealFromJson(field(header, "seal"));
  mustBe(line, headerLine(seal), "line 1");
  return seal;
}

function readTime(line: Uint8Array): number {
  const what = "the bundle's second line";
  const time = text(object(parseJson(line, "bundle.malformed", what), what, ["gatheredAt"]), "gatheredAt", what);
  const gatheredAt = parseDateTime(time);
  if (gatheredAt === undefined) malformed(`gatheredAt is "${time}", expected a time such as 2026-11-30T00:00:00Z`);
  mustBe(line, timeLine(gatheredAt), "line 2");
  return gatheredAt;
}

function readImage(line: Uint8Array, gatheredAt: number, where: string): BundledImage {
  const image = imageFromLine(line, gatheredAt);
  mustBe(line, imageToLine(image, gatheredAt), where);
  return image;
}

/** Otherwise bytes could change without changing what is read, and a seal's owner would sign what no one sees. */
function mustBe(line: Uint8Array, expected: string, where: string): void {
  if (fromUtf8(line) !== expected) malformed(`${where} of the bundle is not written as this program writes it`);
}

/** Without their line breaks; the last line has one too. */
function linesOf(bytes: Uint8Array): readonly Uint8Array[] {
  const lines: Uint8Array[] = [];
  if (!BEGINNING.every((byte, i) => bytes[i] === byte)) {
    malformed(`the file is not an evidence bundle, which begins with ${fromUtf8(BEGINNING)}`);
  }
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(NEWLINE, at);
    if (end === -1) malformed("the bundle does not end with a line break; it seems to be cut off");
    if (end - at > MAX_LINE) malformed(`line ${lines.length + 1} of the bundle has more than ${MAX_LINE} bytes`);
    if (lines.length >= MAX_IMAGES + 2) malformed(`the bundle has more than ${MAX_IMAGES} images`);
    lines.push(bytes.subarray(at, end));
    at = end + 1;
  }
  return lines;
}
