import { describe, expect, it } from "vitest";
import type { Identity } from "../../../../src/core/atproto/identity.ts";
import { readIdentity } from "../../../../src/core/atproto/identity.ts";
import { proofPicture } from "../../../../src/core/evidence/proof-picture.ts";
import { type ShownTag, showRecord, showTag, type UnprovenRecord } from "../../../../src/core/evidence/shown-record.ts";
import { DIGEST, digestOf, recordOf, type SignerOptions, signer, TAG } from "../../../support/evidence.ts";
import type { RecordValue } from "../../../support/signed-repo.ts";

let count = 0;
async function shown(record: RecordValue | null, options: Partial<SignerOptions> = {}) {
  const one = await signer({ name: `shown${count++}`, record, ...options });
  const identity = readIdentity(one.did, one.identity().bytes).current as Identity;
  return { one, identity, ...proven(showRecord(identity, (await one.record()).bytes, DIGEST)) };
}
function proven(found: ShownTag | UnprovenRecord): ShownTag {
  return "commit" in found ? found : expect.fail(found.code);
}
const fieldOf = async (name: string, value: unknown) => {
  const { fields } = await shown(recordOf(DIGEST, { [name]: value }));
  return fields.find((field) => field.name.startsWith(name.slice(0, 10)));
};

describe("a record that is shown", () => {
  it("has its place in the repo, and its content", async () => {
    const { one, cid, commit, rev, key, nodes, path, fields, more, claim } = await shown(recordOf());
    expect({ commit, rev, key, more }).toEqual({
      commit: one.repo.head,
      rev: one.repo.rev,
      key: one.key.did(),
      more: 0,
    });
    expect(path).toBe(`io.atcr.manifest/${DIGEST.slice(7)}`);
    expect(cid).toMatch(/^bafyrei/);
    expect(nodes.length).toBeGreaterThan(0);
    expect(fields).toContainEqual({ name: "repository", value: '"app"' });
    expect(claim).toMatchObject({ repository: "app" });
  });

  it("is proven absent without a CID", async () => {
    const found = await shown(null);
    expect(found).toMatchObject({ fields: [], more: 0 });
    for (const name of ["cid", "claim", "objection"]) expect(found).not.toHaveProperty(name);
  });

  it("has no claim where a pull would reject it, but all of its fields", async () => {
    const found = await shown(recordOf(DIGEST, { digest: digestOf("another") }));
    expect(found).toMatchObject({ objection: { code: "record.digest_mismatch" }, commit: found.one.repo.head });
    expect(found).not.toHaveProperty("claim");
    expect(found.fields).toContainEqual({ name: "digest", value: `"${digestOf("another")}"` });
  });

  it("is not proven by another's proof", async () => {
    const [{ identity }, other] = [await shown(recordOf()), await shown(recordOf())];
    expect(showRecord(identity, (await other.one.record()).bytes, DIGEST)).toMatchObject({ code: "commit.wrong_did" });
  });

  it("has at most 32 fields, each of bounded text", async () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`field${i}`, i]));
    const { fields, more } = await shown(recordOf(DIGEST, many));
    expect([fields.length, more]).toEqual([32, 100 + Object.keys(recordOf()).length - 32]);
    expect((await fieldOf("n".repeat(300), 1))?.name).toBe(`${"n".repeat(61)}...`);
    expect((await fieldOf("text", "t".repeat(300)))?.value).toHaveLength(200);
  });

  it.each<[unknown, string]>([
    [null, "null"],
    [true, "true"],
    [-5, "-5"],
    ["a\u001b", '"a\\u001b"'],
    [new Uint8Array(3), "(3 bytes)"],
    [[1, [2], { a: "b" }], '[1, [2], {a: "b"}]'],
    [[], "[]"],
    [Array.from({ length: 10 }, (_, i) => i), "[0, 1, 2, 3, 4, 5, 6, 7, ... 2 more]"],
    [{ a: { b: { c: { d: 1 } } } }, "{a: {b: {c: {...}}}}"],
  ])("shows %j as text", async (value, text) => {
    expect((await fieldOf("value", value))?.value).toBe(text);
  });
});

describe("the record of a tag that is shown", () => {
  const tagOf = async (changes: RecordValue, repository = "app", tag = TAG) => {
    const one = await signer({ name: `tagged${count++}`, tag: changes });
    const identity = readIdentity(one.did, one.identity().bytes).current as Identity;
    return showTag(identity, (await one.tag()).bytes, repository, tag);
  };

  it("names a digest, whichever", async () => {
    expect(await tagOf({})).toMatchObject({ names: DIGEST });
    const other = digestOf("another");
    expect(await tagOf({ manifest: null, manifestDigest: other })).toMatchObject({ names: other });
  });

  it.each<[string, RecordValue]>([
    ["is about another tag", { tag: "v2" }],
    ["is about another repository", { repository: "other" }],
    ["names two digests", { manifestDigest: digestOf("another") }],
    ["names none", { manifest: null }],
    [
      "names a record of somebody else",
      { manifest: `at://did:plc:${"b".repeat(24)}/io.atcr.manifest/${DIGEST.slice(7)}` },
    ],
    ["is no such record", { $type: "io.atcr.other" }],
  ])("names none where it %s", async (_, changes) => {
    const found = await tagOf(changes);
    expect(found).toMatchObject({ objection: { code: "tag.mismatch" }, commit: expect.any(String) });
    expect(found).not.toHaveProperty("names");
  });
});

describe("the picture of a proof", () => {
  it("goes from the commit to the record, one block below the other", async () => {
    const record = await shown(recordOf());
    const lines = proofPicture(record);
    expect(lines.map((line) => line.slice(0, 8).trim())).toEqual([
      "commit",
      "|",
      "|",
      ...record.nodes.flatMap((_, i) => [i === 0 ? "root" : "node", "|"]),
      "record",
    ]);
    expect(lines.at(-1)).toBe(`record  ${record.cid}`);
    for (const { cid } of record.nodes) expect(lines.join("\n")).toContain(`  ${cid}\n`);
  });

  it("ends where the absence is proven", async () => {
    expect(proofPicture(await shown(null)).at(-1)).toBe("(none)  there is no such record");
  });

  it("does not draw more than 24 nodes", async () => {
    const record = await shown(recordOf());
    const node = { cid: "bafy", height: 1, entries: 1 };
    const drawn = (nodes: number) => proofPicture({ ...record, nodes: Array.from({ length: nodes }, () => node) });
    expect(drawn(24).filter((line) => line.includes("bafy "))).toEqual([]);
    expect(drawn(24)).toHaveLength(3 + 48 + 1);
    expect(drawn(100)).toHaveLength(3 + 46 + 2);
    expect(drawn(100)).toContain("  |     (77 more nodes)");
  });
});
