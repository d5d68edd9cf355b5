import { mkdirSync, readdirSync, rmSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { REFUSAL_TTL, Refusals } from "../../../src/state/refusals.ts";
import type { Bundle } from "../../../src/verify/bundle.ts";
import { DIGEST, didNamed, fetched, gap, pointer } from "../../support/evidence.ts";
import { makeTemporaryDirectory } from "../../support/process.ts";

const [QUESTION, OTHER] = ["ab".repeat(32), "cd".repeat(32)];
const ALICE = didNamed("a");
const BUNDLE: Bundle = {
  digest: DIGEST,
  evidence: {
    pointers: [pointer(ALICE)],
    signatures: [{ signer: ALICE, identity: fetched("https://plc.example", new Uint8Array([1, 2, 3])) }],
    gaps: [gap("pds.unreachable", ALICE), gap("registry.unreachable")],
    owner: { handle: "alice.test", source: "dns:_atproto.alice.test", fetchedAt: 5 },
  },
};

const root = makeTemporaryDirectory("refusals");
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

class Bed {
  readonly directory = join(root, String(++count), "cache");
  readonly path = join(this.directory, "refusals", `${QUESTION}.json`);
  readonly warnings: string[] = [];
  readonly refusals = new Refusals(this.directory, (warning) => this.warnings.push(warning));

  /** One, written at this time: milliseconds since 1970. */
  static async withOne(writtenAt = 1_000_000_000): Promise<Bed> {
    const bed = new Bed();
    mkdirSync(dirname(bed.directory), { recursive: true });
    await bed.refusals.keep(QUESTION, BUNDLE);
    utimesSync(bed.path, writtenAt / 1000, writtenAt / 1000);
    return bed;
  }
}

describe("what did not allow an image", () => {
  const WRITTEN = 1_000_000_000;

  it("is found by the question, whole", async () => {
    const { refusals, warnings } = await Bed.withOne();
    expect(refusals.find(QUESTION, WRITTEN)).toEqual(BUNDLE);
    expect(refusals.find(OTHER, WRITTEN)).toBeUndefined();
    expect(warnings).toEqual([]);
  });

  it("is remembered for seconds", () => {
    expect(REFUSAL_TTL).toBe(5000);
  });

  it.each([
    ["written at this moment", 0, true],
    ["just young enough", 5000, true],
    ["too old by a millisecond", 5001, false],
    ["ahead of the clock", -1, false],
  ])("counts by its age: %s", async (_, age, isFound) => {
    const { refusals, warnings } = await Bed.withOne();
    expect(refusals.find(QUESTION, WRITTEN + age)).toEqual(isFound ? BUNDLE : undefined);
    expect(warnings).toEqual([]);
  });

  it.each<[string, (path: string) => void]>([
    ["an empty file", (path) => truncateSync(path)],
    ["half a file", (path) => truncateSync(path, 100)],
    ["a verdict", (path) => writeFileSync(path, '{"outcome": "allow"}')],
    ["a file that is too large", (path) => truncateSync(path, 1024 * 1024 + 1)],
  ])("is not used where it is damaged: %s", async (_, damage) => {
    const { refusals, warnings, path } = await Bed.withOne();
    damage(path);
    expect(refusals.find(QUESTION, Date.now() + 1000)).toBeUndefined();
    expect(warnings).toEqual([expect.stringContaining(`${path} is not used: `)]);
    await refusals.keep(QUESTION, BUNDLE);
    expect(refusals.find(QUESTION, Date.now() + 1000)).toEqual(BUNDLE);
  });

  it("is replaced by what was gathered since", async () => {
    const { refusals, directory } = await Bed.withOne();
    const newer = { ...BUNDLE, evidence: { ...BUNDLE.evidence, gaps: [] } };
    await refusals.keep(QUESTION, newer);
    expect(refusals.find(QUESTION, Date.now() + 1000)).toEqual(newer);
    expect(readdirSync(join(directory, "refusals"))).toHaveLength(1);
  });

  it("is never too much: the oldest make room", async () => {
    const { refusals, directory } = await Bed.withOne();
    for (let n = 0; n < 256; n++) {
      const path = join(directory, "refusals", `${n}.json`);
      writeFileSync(path, "");
      utimesSync(path, n, n);
    }
    await refusals.keep(OTHER, BUNDLE);
    const left = readdirSync(join(directory, "refusals"));
    expect(left.length).toBeLessThanOrEqual(256);
    expect([left.includes("0.json"), left.includes("255.json"), left.includes(`${QUESTION}.json`)]).toEqual([
      false,
      true,
      true,
    ]);
  });
});
