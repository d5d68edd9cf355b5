import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Did } from "../../../../src/core/atproto/syntax.ts";
import { imageToBytes } from "../../../../src/core/evidence/bundled-image.ts";
import type { Evidence, SignatureEvidence } from "../../../../src/core/evidence/evidence.ts";
import type { Digest } from "../../../../src/core/oci/digest.ts";
import type { Proven } from "../../../../src/core/verify/proof-memo.ts";
import { attempt } from "../../../../src/core/verify/prove.ts";
import { CacheKey } from "../../../../src/io/store/cache-key.ts";
import { EvidenceCache } from "../../../../src/io/store/evidence-cache.ts";
import { Marks } from "../../../../src/io/store/invalidation-marks.ts";
import { changePiece, keyEnvironment, putPiece } from "../../../support/cache-key.ts";
import { DIGEST, digestOf, imageOf, NOW, signer, TAG, type TestSigner } from "../../../support/evidence.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";
import { warned } from "../../../support/warned.ts";

const PROGRAM = "1.0 abc";
const OTHER = digestOf("another image");
const ADDRESS = "io.atcr.tag/app_v1";
const FOREIGN = /^cache\.unusable: .*not written there with this node's key/;
/** Before all that is asked for here. */
const ENDING = { now: NOW - 1 };

let alice: TestSigner;
let bob: TestSigner;
/** Alice's evidence of DIGEST, with her tag, and what it proves; and Bob's. */
let hers: SignatureEvidence;
let proven: Proven;
let his: SignatureEvidence;
let provenOfHis: Proven;
beforeAll(async () => {
  alice = await signer({ name: "alice", tag: {} });
  bob = await signer({ name: "bob" });
  hers = { ...(await alice.evidence()), tag: await alice.tag() };
  his = await bob.evidence();
  proven = prove(hers);
  provenOfHis = prove(his);
});

function prove(signature: SignatureEvidence): Proven {
  const found = attempt({ digest: DIGEST, tag: TAG, repository: "app" }, signature);
  if (!("facts" in found)) throw new Error(found.finding.detail);
  return found;
}

const root = makeTemporaryDirectory("cache");
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

class Bed {
  readonly directory = join(root, String(++count), "cache");
  readonly warnings: string[] = [];
  readonly cache = this.program(PROGRAM);

  constructor() {
    mkdirSync(dirname(this.directory), { recursive: true });
  }

  program(name: string): EvidenceCache {
    return new EvidenceCache(this.directory, name, this.key(), warned(this.warnings));
  }

  key(): CacheKey {
    return new CacheKey(keyEnvironment(dirname(this.directory)), warned(this.warnings));
  }

  /** Alice's evidence is kept. */
  static async withEvidence(): Promise<Bed> {
    const bed = new Bed();
    await bed.cache.keep(DIGEST, hers, proven);
    expect(bed.warnings).toEqual([]);
    return bed;
  }

  names(folder: string): readonly string[] {
    return readdirSync(join(this.directory, folder)).toSorted();
  }

  /** The one file there, of this ending. */
  path(folder: string, ending = ".bundle"): string {
    const [name = ""] = this.names(folder).filter((one) => one.endsWith(ending));
    return join(this.directory, folder, name);
  }

  write(folder: string, digest: Digest, evidence: Partial<Evidence>): void {
    putPiece(this.path(folder), imageToBytes(imageOf(evidence, digest)), this.key());
  }
}

/** The evidence that is kept of a signature: without the tag. */
function recordOf({ signer, identity, record }: SignatureEvidence): SignatureEvidence {
  if (record === undefined) throw new Error("there is no record");
  return { signer, identity, record };
}

describe("evidence that is kept", () => {
  it("says nothing of the tag, in what it is and in what it proves", async () => {
    const bed = await Bed.withEvidence();
    const found = bed.cache.find(alice.did, DIGEST);
    expect(found?.signature().tag).toBeUndefined();
    expect(proven.facts.tag).toBeDefined();
    const { tag: __, ...facts } = proven.facts;
    expect(found?.proven).toEqual({ facts, observation: { ...proven.observation, revs: [facts.rev] } });
    // As if it were proven now.
    expect(found?.proven).toEqual(attempt({ digest: DIGEST }, recordOf(hers)));
  });

  it("is known by whose it is, of those who may be asked", async () => {
    const bed = await Bed.withEvidence();
    const carol = "did:web:carol.example" as Did;
    // Of a few each is looked for, which takes less than to list all that there is.
    expect(bed.cache.holders(DIGEST, [carol, bob.did, alice.did])).toEqual([carol, bob.did, alice.did]);
    const crowd = Array.from({ length: 20 }, (_, i) => `did:web:stranger-${i}.example` as Did);
    expect(bed.cache.holders(DIGEST, [...crowd, carol, bob.did, alice.did])).toEqual([alice.did]);
    expect(bed.cache.holders(DIGEST, [...crowd, bob.did])).toEqual([]);
    expect(bed.cache.holders(OTHER, [...crowd, alice.did])).toEqual([]);
    expect(new Bed().cache.holders(DIGEST, [...crowd, alice.did])).toEqual([]);
  });

  it("is replaced by newer, with what that proves", async () => {
    const bed = await Bed.withEvidence();
    const newer = { ...hers, record: { ...(hers.record ?? hers.identity), url: "https://new.example" } };
    await bed.cache.keep(DIGEST, newer, { ...proven, facts: { ...proven.facts, pds: "https://new.example" } });
    const found = bed.cache.find(alice.did, DIGEST);
    expect(found?.signature().record?.url).toBe("https://new.example");
    expect(found?.proven?.facts.pds).toBe("https://new.example");
    expect(bed.names("evidence")).toHaveLength(2);
  });

  it("is forgotten of a digest, or all of a signer", async () => {
    const bed = await Bed.withEvidence();
    const about = { ...proven, facts: { ...proven.facts, digest: OTHER } };
    await bed.cache.keep(OTHER, hers, about);
    await bed.cache.keep(DIGEST, his, provenOfHis);
    for (const who of [hers, his]) {
      await bed.cache.keepIdentity(DIGEST, who.signer, who.identity);
      await bed.cache.keepTag(DIGEST, ADDRESS, { ...who, tag: hers.identity }, proven.facts.rev);
    }
    await bed.cache.drop(alice.did, ENDING, DIGEST);
    expect(bed.cache.find(alice.did, DIGEST)).toBeUndefined();
    expect(bed.cache.find(alice.did, OTHER)).toBeDefined();
    expect(bed.cache.findIdentity(alice.did)).toBeDefined();
    expect(bed.names("evidence")).toHaveLength(4);

    await bed.cache.drop(alice.did, ENDING);
    expect(bed.cache.find(alice.did, OTHER)).toBeUndefined();
    expect(bed.cache.findIdentity(alice.did)).toBeUndefined();
    expect(bed.cache.findTag(alice.did, ADDRESS)).toBeUndefined();
    expect(bed.cache.find(bob.did, DIGEST)).toBeDefined();
    expect(bed.cache.findIdentity(bob.did)).toBeDefined();
    expect(bed.cache.findTag(bob.did, ADDRESS)).toBeDefined();
    expect(["evidence", "identities", "tags"].map((folder) => bed.names(folder).length)).toEqual([2, 1, 1]);
    expect(bed.warnings).toEqual([]);
  });
});

describe("what was proven", () => {
  it.each<[string, (bed: Bed) => unknown]>([
    ["is not there", (bed) => rmSync(bed.path("evidence", ".proven"))],
    ["is empty", (bed) => truncateSync(bed.path("evidence", ".proven"))],
    [
      "was changed",
      (bed) => {
        const path = bed.path("evidence", ".proven");
        const text = readFileSync(path, "latin1");
        expect(text).toContain(alice.pds);
        writeFileSync(path, text.replace(alice.pds, alice.pds.replace("alice", "mallo")), "latin1");
      },
    ],
    ["is of other bytes", (bed) => bed.write("evidence", DIGEST, { signatures: [{ ...recordOf(hers), ...later() }] })],
  ])("is proven anew by the evidence where it %s", async (_, change) => {
    const bed = await Bed.withEvidence();
    change(bed);
    const found = bed.cache.find(alice.did, DIGEST);
    expect(found?.proven).toBeUndefined();
    expect(found?.signature().record?.bytes).toEqual(hers.record?.bytes);
    for (const warning of bed.warnings) expect(warning).toMatch(FOREIGN);
  });

  const later = () => ({ identity: { ...hers.identity, fetchedAt: NOW + 1 } });

  it("is not taken from another program, and replaced", async () => {
    const bed = await Bed.withEvidence();
    const next = bed.program("1.1 abc");
    expect(next.find(alice.did, DIGEST)).toMatchObject({ times: [NOW, NOW] });
    expect(next.find(alice.did, DIGEST)?.proven).toBeUndefined();
    await next.keep(DIGEST, hers, proven);
    expect(next.find(alice.did, DIGEST)?.proven).toBeDefined();
    expect(bed.cache.find(alice.did, DIGEST)?.proven).toBeUndefined();
  });

  it("tells when evidence was had by the evidence, not by the file", async () => {
    const bed = await Bed.withEvidence();
    const older = { ...hers, identity: { ...hers.identity, fetchedAt: NOW - 5000 } };
    bed.write("evidence", DIGEST, { signatures: [recordOf(older)] });
    expect(bed.cache.find(alice.did, DIGEST)?.times).toEqual([NOW - 5000, NOW]);
  });
});

/** Puts what is kept of one question in the place of what is kept of another. */
function put(bed: Bed, from: [Did, Digest], to: [Did, Digest], endings: readonly string[]): void {
  const digests: Readonly<Record<string, string>> = Object.fromEntries(
    [DIGEST, OTHER].map((digest) => [digest, digest.slice("sha256:".length)]),
  );
  const [one = "", another = ""] = [from, to].map(([did, digest]) => `${digests[digest]}-${hashes.get(did)}`);
  for (const ending of endings) {
    renameSync(
      join(bed.directory, "evidence", `${one}${ending}`),
      join(bed.directory, "evidence", `${another}${ending}`),
    );
  }
}
const hashes = new Map<Did, string>();
beforeAll(async () => {
  for (const who of [hers, his]) {
    const bed = new Bed();
    await bed.cache.keepIdentity(DIGEST, who.signer, who.identity);
    hashes.set(who.signer, (bed.names("identities")[0] ?? "").replace(".bundle", ""));
  }
});

describe("evidence in another's place", () => {
  const both = [".bundle", ".proven"];
  it.each<[string, () => [Did, Digest], readonly string[]]>([
    ["of another digest, with what it proves", () => [alice.did, OTHER], both],
    ["of another signer, with what it proves", () => [bob.did, DIGEST], both],
    ["of another digest", () => [alice.did, OTHER], [".bundle"]],
    ["of another signer", () => [bob.did, DIGEST], [".bundle"]],
  ])("is not used: %s", async (_, to, endings) => {
    const bed = await Bed.withEvidence();
    const [who, digest] = to();
    put(bed, [alice.did, DIGEST], [who, digest], endings);
    expect(bed.cache.find(who, digest)).toBeUndefined();
    expect(bed.warnings).toEqual([expect.stringMatching(FOREIGN)]);
  });

  it("gives nobody's facts to somebody else", async () => {
    const bed = await Bed.withEvidence();
    await bed.cache.keep(DIGEST, his, provenOfHis);
    put(bed, [alice.did, DIGEST], [bob.did, DIGEST], [".proven"]);
    const found = bed.cache.find(bob.did, DIGEST);
    expect(found?.proven).toBeUndefined();
    expect(found?.signature()).toEqual(recordOf(his));
  });
});

describe("an identity, a tag's answer and an owner", () => {
  const owner = () => ({ handle: "alice.test", did: alice.did, source: "dns:_atproto.alice.test", fetchedAt: NOW });

  const kept = async (): Promise<Bed> => {
    const bed = new Bed();
    await bed.cache.keepIdentity(DIGEST, alice.did, hers.identity);
    await bed.cache.keepTag(DIGEST, ADDRESS, hers, proven.facts.rev);
    await bed.cache.keepOwner(DIGEST, owner());
    return bed;
  };
  const looks: Readonly<Record<string, (cache: EvidenceCache) => unknown>> = {
    identities: (cache) => cache.findIdentity(alice.did),
    tags: (cache) => cache.findTag(alice.did, ADDRESS),
    owners: (cache) => cache.findOwner("alice.test"),
  };

  describe.each(Object.entries(looks))("in %s", (folder, look) => {
    it.each<[string, (bed: Bed) => void]>([
      [
        "of somebody else",
        (bed) => bed.write(folder, DIGEST, { signatures: [his], owner: { ...owner(), handle: "b.test" } }),
      ],
      ["of nobody", (bed) => bed.write(folder, DIGEST, {})],
      ["empty", (bed) => truncateSync(bed.path(folder))],
      ["no bundle", (bed) => writeFileSync(bed.path(folder), "[]")],
    ])("what is %s is not used, and said", async (_, change) => {
      const bed = await kept();
      expect(await look(bed.cache)).toBeDefined();
      change(bed);
      expect(await look(bed.cache)).toBeUndefined();
      expect(bed.warnings).toEqual([expect.stringMatching(/^cache\.unusable: /)]);
    });
  });
});

describe("what is damaged", () => {
  const content = (change: (text: string) => string) => (bed: Bed) =>
    changePiece(bed.path("evidence"), bed.key(), change);

  it.each<[string, RegExp, (bed: Bed) => unknown]>([
    ["an empty file", /^cache\.unusable: /, (bed) => truncateSync(bed.path("evidence"))],
    ["half a file", /^cache\.unusable: /, content((text) => text.slice(0, text.length / 2))],
    [
      "another format",
      /^cache\.unusable: .*unknown field "version"/,
      content((text) => text.replace('"digest":', '"version":99,"digest":')),
    ],
    ["an unknown field", /^cache\.unusable: /, content((text) => text.replace('"gaps"', '"verdict":"allow","gaps"'))],
    ["no signature", /^cache\.unusable: .*something else/, (bed) => bed.write("evidence", DIGEST, {})],
    [
      "no record",
      /^cache\.unusable: .*something else/,
      (bed) => bed.write("evidence", DIGEST, { signatures: [{ signer: alice.did, identity: hers.identity }] }),
    ],
    [
      "another digest",
      /^cache\.unusable: .*something else/,
      (bed) => bed.write("evidence", OTHER, { signatures: [hers] }),
    ],
    [
      "another signer",
      /^cache\.unusable: .*something else/,
      (bed) => bed.write("evidence", DIGEST, { signatures: [his] }),
    ],
  ])("is not used, said, and replaced: %s", async (_, because, damage) => {
    const bed = await Bed.withEvidence();
    damage(bed);
    expect(bed.cache.find(alice.did, DIGEST)).toBeUndefined();
    expect(bed.warnings).toEqual([expect.stringMatching(because)]);
    await bed.cache.keep(DIGEST, hers, proven);
    expect(bed.cache.find(alice.did, DIGEST)?.proven).toBeDefined();
    expect(bed.warnings).toHaveLength(1);
  });
});

describe("a bound", () => {
  it("is the size of a piece, of whatever kind", async () => {
    const bed = new Bed();
    const bytes = new Uint8Array(384 * 1024);
    await bed.cache.keep(DIGEST, { ...hers, record: { url: "", bytes, fetchedAt: NOW } }, proven);
    await bed.cache.keepIdentity(DIGEST, alice.did, { url: "", bytes, fetchedAt: NOW });
    await bed.cache.keepTag(DIGEST, ADDRESS, { ...hers, tag: { url: "", bytes, fetchedAt: NOW } }, proven.facts.rev);
    await bed.cache.keepOwner(DIGEST, { handle: "x".repeat(384 * 1024), source: "", fetchedAt: NOW });
    expect(bed.warnings).toHaveLength(4);
    for (const warning of bed.warnings) expect(warning).toMatch(/^cache\.not_written: /);
    expect(bed.cache.find(alice.did, DIGEST)).toBeUndefined();
  });
});

describe("marks that cannot be read", () => {
  it("end all that is cached of that signer, and keep nothing from being said", async () => {
    const bed = await Bed.withEvidence();
    await bed.cache.keep(DIGEST, his, provenOfHis);
    await bed.cache.keepIdentity(DIGEST, alice.did, hers.identity);
    await bed.cache.keepTag(DIGEST, ADDRESS, hers, proven.facts.rev);
    const folder = join(bed.directory, "marks", hashes.get(alice.did) ?? "");
    rmSync(folder, { recursive: true, force: true });
    writeFileSync(folder, "");
    const { cache } = bed;
    expect(cache.find(alice.did, DIGEST)).toBeUndefined();
    expect(cache.findIdentity(alice.did)).toBeUndefined();
    expect(cache.findTag(alice.did, ADDRESS)).toBeUndefined();
    expect(cache.isInvalidated(proven.facts)).toBe(true);
    expect(cache.find(bob.did, DIGEST)).toBeDefined();
    expect(bed.warnings).toEqual([expect.stringMatching(/^cache\.unusable: .*did:plc:\w+ .*ENOTDIR/)]);
    await cache.drop(alice.did, ENDING);
    expect(bed.warnings[1]).toMatch(/^cache\.not_invalidated: .*ENOTDIR/);
    expect(bed.names("evidence")).toHaveLength(2);
  });
});

describe("evidence at or behind a mark", () => {
  const at = (fetchedAt: number): SignatureEvidence => ({
    ...hers,
    identity: { ...hers.identity, fetchedAt },
    record: { ...(hers.record ?? hers.identity), fetchedAt },
  });

  it("is neither kept nor used: by the time when it was asked for", async () => {
    for (const [now, isCached] of [
      [NOW, false],
      [NOW - 1, true],
    ] as const) {
      const bed = new Bed();
      await bed.cache.drop(alice.did, { now }, DIGEST);
      await bed.cache.keep(DIGEST, at(NOW), proven);
      expect(bed.cache.find(alice.did, DIGEST) !== undefined).toBe(isCached);
      expect(existsSync(join(bed.directory, "evidence"))).toBe(isCached);
    }
  });

  it("is neither kept nor used: by the revision, whenever it was asked for", async () => {
    const bed = await Bed.withEvidence();
    const { rev } = proven.facts;
    await new Marks(bed.directory, () => {}).add(hashes.get(alice.did) ?? "", {
      address: DIGEST.slice("sha256:".length),
      time: NOW,
      rev,
      isInclusive: true,
    });
    expect(bed.cache.find(alice.did, DIGEST)).toBeUndefined();
    // Without what it proves beside it the revision is known once it has been proven.
    rmSync(bed.path("evidence", ".proven"));
    expect(bed.cache.find(alice.did, DIGEST)).toBeDefined();
    expect(bed.cache.isInvalidated(proven.facts)).toBe(true);
    rmSync(bed.path("evidence", ".bundle"));
    await bed.cache.keep(DIGEST, at(NOW + 5), proven);
    expect(bed.cache.find(alice.did, DIGEST)).toBeUndefined();
  });
});
