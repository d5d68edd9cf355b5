import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ImportedPiece } from "../../../../src/core/evidence/imported-piece.ts";
import { BundleDir, identityName, pieceName } from "../../../../src/io/store/bundle-dir.ts";
import { listBundleDir } from "../../../../src/io/store/bundle-dir-listing.ts";
import { writeIdentity, writePiece } from "../../../../src/io/store/bundle-dir-writer.ts";
import { readEnds, writeEnds } from "../../../../src/io/store/bundle-ends.ts";
import { DIGEST, digestOf, NOW, signer } from "../../../support/evidence.ts";

const DAY = 86_400_000;
const alice = await signer({ name: "alice", tag: {} });
const bob = await signer({ name: "bob" });
const signature = await alice.evidence();
const tagged = { ...signature, tag: await alice.tag() };
const names = ["registry.example/team/app"];
const TAG_PATH = "io.atcr.tag/app_v1";
const KEY = "did:key:zA";
const PIECE: ImportedPiece = {
  digest: DIGEST,
  signer: alice.did,
  entries: [
    { importedAt: NOW - DAY, names, signature },
    { importedAt: NOW + DAY, sealedBy: KEY, tag: TAG_PATH, names, signature: tagged },
  ],
};

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bundle-dir-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const place = () => join(folder, "bundles");
const path = () => join(place(), pieceName(DIGEST, alice.did));

function opened(keys: readonly string[] = []) {
  const warnings: string[] = [];
  const directory = new BundleDir(
    place(),
    () => keys,
    ({ code, message }) => warnings.push(`${code}: ${message}`),
  );
  return { directory, warnings };
}

describe("BundleDir", () => {
  it("finds what was written, by digest, signer and tag, with its witness", async () => {
    await writePiece(place(), PIECE);
    await writeIdentity(place(), { signer: alice.did, importedAt: NOW - DAY, identity: signature.identity });
    const { directory, warnings } = opened([KEY]);
    expect(directory.piece(DIGEST, alice.did)).toEqual(PIECE);
    expect(directory.find(DIGEST, alice.did)).toEqual({
      signature,
      witness: { kind: "import", at: NOW - DAY },
      gatheredAt: NOW,
    });
    expect(directory.find(DIGEST, alice.did, TAG_PATH)).toEqual({
      signature: tagged,
      tag: TAG_PATH,
      witness: { kind: "seal", key: KEY, at: NOW },
      gatheredAt: NOW,
    });
    expect(directory.find(DIGEST, alice.did, "io.atcr.tag/other")?.signature).toEqual(signature);
    expect(directory.newestLog(alice.did)).toEqual({
      identity: signature.identity,
      witness: { kind: "import", at: NOW - DAY },
    });
    expect(warnings).toEqual([]);
    // A key that no longer counts leaves the import as the witness, which is not before the gathering.
    expect(opened().directory.find(DIGEST, alice.did, TAG_PATH)?.witness).toEqual({ kind: "import", at: NOW });
  });

  it("finds nothing where nothing was imported, without a warning", async () => {
    const { directory, warnings } = opened();
    const look = () => [directory.find(DIGEST, alice.did), directory.newestLog(alice.did)];
    expect(look()).toEqual([undefined, undefined]);
    await writePiece(place(), PIECE);
    expect([directory.find(digestOf("b"), alice.did), directory.find(DIGEST, bob.did)]).toEqual([undefined, undefined]);
    expect(directory.newestLog(alice.did)).toBeUndefined();
    expect(warnings).toEqual([]);
  });

  it.each<[string, () => unknown]>([
    ["others may write the file", () => chmodSync(path(), 0o646)],
    ["others may write its folder", () => chmodSync(join(path(), ".."), 0o757)],
    ["others may add to its folder, which is sticky", () => chmodSync(join(path(), ".."), 0o1757)],
    ["others may write bundleDir", () => chmodSync(place(), 0o1777)],
    ["it is cut off", () => truncateSync(path(), statSync(path()).size - 10)],
    ["it is empty", () => truncateSync(path(), 0)],
    ["it is something else", () => writeFileSync(path(), "{}")],
    [
      "a field is unknown",
      () => writeFileSync(path(), readFileSync(path(), "utf8").replace('"names"', '"x":1,"names"')),
    ],
    ["it is a folder", () => replaced(() => mkdirSync(path()))],
    ["it is a dangling link", () => replaced(() => symlinkSync("nowhere", path()))],
    ["it is about another image", () => moved(pieceName(digestOf("b"), alice.did))],
    ["it is about another signer", () => moved(pieceName(DIGEST, bob.did))],
  ])("does not count what is not as it was written: %s", async (_, spoil) => {
    await writePiece(place(), PIECE);
    await writePiece(place(), { ...PIECE, digest: digestOf("b") });
    await writePiece(place(), {
      ...PIECE,
      signer: bob.did,
      entries: [{ importedAt: 1, names, signature: await bob.evidence() }],
    });
    spoil();
    const { directory, warnings } = opened();
    expect(directory.find(DIGEST, alice.did)).toBeUndefined();
    expect(warnings).toEqual([expect.stringMatching(/^bundles\.unusable: .*does not count: /)]);
    expect(listBundleDir(place())?.unusable).not.toEqual([]);
  });

  it("is checked for the identity as well", async () => {
    await writeIdentity(place(), { signer: alice.did, importedAt: NOW, identity: signature.identity });
    writeFileSync(join(place(), identityName(alice.did)), "{}");
    const { directory, warnings } = opened();
    expect([directory.newestLog(alice.did), warnings]).toEqual([
      { unusable: expect.stringContaining(identityName(alice.did)) },
      [expect.stringContaining("bundles.unusable")],
    ]);
    expect(listBundleDir(place())?.unusable).toEqual([expect.stringContaining(identityName(alice.did))]);
  });

  /** Puts another piece in the place of the one that is looked for. */
  function moved(name: string): void {
    replaced(() => linkSync(join(place(), name), path()));
  }

  function replaced(put: () => void): void {
    rmSync(path());
    put();
  }
});

describe("what is written to bundleDir", () => {
  it("takes the place of the old piece whole, mode 0644 whatever the umask, and leaves nothing else", async () => {
    const before = process.umask(0o077);
    try {
      await writePiece(place(), PIECE);
      await writePiece(place(), { ...PIECE, entries: PIECE.entries.slice(1) });
    } finally {
      process.umask(before);
    }
    expect(opened().directory.piece(DIGEST, alice.did)?.entries).toHaveLength(1);
    expect(readdirSync(join(path(), ".."))).toHaveLength(1);
    expect(statSync(path()).mode & 0o777).toBe(0o644);
  });

  it("is not written where others could change it, or where it is too large to be read", async () => {
    mkdirSync(place());
    chmodSync(place(), 0o777);
    await expect(writePiece(place(), PIECE)).rejects.toThrow("written by others");
    chmodSync(place(), 0o755);
    const bytes = new Uint8Array(13 * 1024 * 1024);
    const large = { ...signature, record: { ...signature.identity, bytes } };
    const piece = { ...PIECE, entries: [{ importedAt: NOW, names, signature: large }] };
    await expect(writePiece(place(), piece)).rejects.toThrow("at most");
    expect(readdirSync(join(path(), ".."))).toEqual([]);
  });

  it("is listed by digest", async () => {
    expect(listBundleDir(place())).toBeUndefined();
    await writePiece(place(), PIECE);
    await writeIdentity(place(), { signer: alice.did, importedAt: NOW, identity: signature.identity });
    writeFileSync(join(place(), "README"), "");
    expect(listBundleDir(place())).toEqual({ pieces: [PIECE], unusable: [] });
  });

  it("has a summary for metrics, which is not used where it is damaged or others can change it", () => {
    mkdirSync(place());
    expect(readEnds(place())).toBeUndefined();
    writeEnds(place(), { pieces: 3, nextEnd: NOW });
    expect(readEnds(place())).toEqual({ pieces: 3, nextEnd: NOW });
    chmodSync(join(place(), "ends.json"), 0o666);
    expect(readEnds(place())).toBeUndefined();
    for (const text of ["", "[]", '{"pieces":"3","nextEnd":0}', "x".repeat(5000)]) {
      rmSync(join(place(), "ends.json"));
      writeFileSync(join(place(), "ends.json"), text);
      expect(readEnds(place())).toBeUndefined();
    }
  });
});
