import { beforeAll, describe, expect, it } from "vitest";
import { toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { type Proven, readProven, withoutTag, writeProven } from "../../../../src/core/verify/proof-memo.ts";
import { attempt } from "../../../../src/core/verify/prove.ts";
import { DIGEST, NOW, signer, TAG } from "../../../support/evidence.ts";

const EVIDENCE = toUtf8("a bundle");
const PROGRAM = "1.0 abc";
const TIMES = [NOW, NOW + 1];

let proven: Proven;
beforeAll(async () => {
  proven = await provenBy({ name: "alice", tag: {} });
});

async function provenBy(options: Parameters<typeof signer>[0]): Promise<Proven> {
  const made = await signer(options);
  const evidence = { ...(await made.evidence()), ...(options.tag && { tag: await made.tag() }) };
  const found = attempt({ digest: DIGEST, tag: TAG, repository: "app" }, evidence);
  if (!("facts" in found)) throw new Error(found.finding.detail);
  return found;
}

const written = (known = proven) => writeProven(EVIDENCE, PROGRAM, { proven: known, times: TIMES });
const read = (bytes: Uint8Array, evidence = EVIDENCE, program = PROGRAM) => readProven(bytes, evidence, program);

describe("what was proven", () => {
  it.each<[string, Parameters<typeof signer>[0]]>([
    ["by a log", { name: "alice" }],
    ["by a log that begins as they did once", { name: "old", method: "plc-legacy" }],
    ["by a document", { name: "web", method: "web" }],
    ["by the other curve", { name: "other", curve: "p256" }],
    ["with a tag", { name: "tagged", tag: {} }],
  ])("is the same as when it is proven now: %s", async (_, options) => {
    const known = await provenBy(options);
    const again = read(written(known));
    expect(again).toStrictEqual({ proven: known, times: TIMES });
    expect(again?.proven.observation?.key).toBeDefined();
  });

  it("is of these bytes and this program alone", () => {
    expect(read(written())).toBeDefined();
    expect(read(written(), toUtf8("a bundlf"))).toBeUndefined();
    expect(read(written(), EVIDENCE, "1.0 abd")).toBeUndefined();
  });

  it.each(["", "null", "[]", "{}", "not JSON", '{"program":"1.0 abc"}', `{"a":${"[".repeat(200)}`])(
    "is nothing where the file says something else: %s",
    (text) => {
      expect(read(toUtf8(text))).toBeUndefined();
    },
  );
});

describe("withoutTag", () => {
  it("leaves what is proven of the digest, and the commit of its record", async () => {
    const made = await signer({ name: "moving", tag: {} });
    const { record, identity } = await made.evidence();
    await made.repo.resign(NOW - 1000);
    const evidence = { signer: made.did, identity, ...(record && { record }), tag: await made.tag() };
    const found = attempt({ digest: DIGEST, tag: TAG, repository: "app" }, evidence) as Proven;
    expect([found.facts.tag, found.observation?.revs.length]).toEqual([expect.anything(), 2]);
    const { tag: _, ...untagged } = evidence;
    expect(withoutTag(found)).toStrictEqual(attempt({ digest: DIGEST }, untagged));
  });
});
