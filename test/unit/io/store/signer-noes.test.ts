import { mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { tidAt as lastTidAt, type Tid } from "../../../../src/core/atproto/syntax.ts";
import { addressOfPath, type ProvenNo } from "../../../../src/core/verify/remembered-noes.ts";
import { SignerStore } from "../../../../src/io/store/signer-store.ts";
import { digestOf } from "../../../support/evidence.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";
import { ALICE, tidAt } from "../../../support/traces.ts";
import { warned } from "../../../support/warned.ts";

const NOW = Date.now();
const MINUTE = 60_000;
const [IMAGE, OTHER] = [digestOf("image"), digestOf("other")];
const root = makeTemporaryDirectory("noes");
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

/** A node's folder, and stores of several processes. */
function bed() {
  const directory = join(root, String(++count));
  const folder = join(directory, "signers", ALICE);
  const warnings: string[] = [];
  const store = () => new SignerStore(directory, warned(warnings));
  return {
    folder,
    warnings,
    store,
    names: () => readdirSync(folder).filter((name) => /^(?:no|floor)-/.test(name)),
    record: async (noes: readonly ProvenNo[], now = NOW) =>
      store().recordObservation({ signer: ALICE, revs: [], noes }, now),
    load: async (now = NOW) => store().loadHistory(ALICE, now),
    age: () => {
      for (const name of readdirSync(folder)) utimesSync(join(folder, name), 0, 0);
    },
  };
}

const revAt = (minutesAgo: number): Tid => tidAt(NOW - minutesAgo * MINUTE);
const no = (path: string, minutesAgo: number, except?: ProvenNo["except"]): ProvenNo => ({
  path,
  rev: revAt(minutesAgo),
  ...(except && { except }),
});

describe("a no", () => {
  it("is remembered by the hash of its path, in another process too", async () => {
    const { record, load, names } = bed();
    await record([no("io.atcr.manifest/a", 3), no("io.atcr.tag/app_v1", 2, OTHER)]);
    const { noes, floor, unusable } = await load();
    expect([floor, unusable]).toEqual([undefined, undefined]);
    expect(noes.get(addressOfPath("io.atcr.manifest/a"))).toEqual({ rev: revAt(3) });
    expect(noes.get(addressOfPath("io.atcr.tag/app_v1"))).toEqual({ rev: revAt(2), except: OTHER });
    expect(names()).toHaveLength(2);
  });

  it("gives way to a newer one alone, and at one revision to one that names an image", async () => {
    const { record, load } = bed();
    const path = "io.atcr.tag/app_v1";
    const newest = async () => (await load()).noes.get(addressOfPath(path));
    await record([no(path, 5, IMAGE)]);
    await record([no(path, 9)]);
    expect(await newest()).toEqual({ rev: revAt(5), except: IMAGE });
    await record([no(path, 4)]);
    expect(await newest()).toEqual({ rev: revAt(4) });
    await record([no(path, 4, OTHER)]);
    expect(await newest()).toEqual({ rev: revAt(4), except: OTHER });
    await record([no(path, 4)]);
    expect(await newest()).toEqual({ rev: revAt(4), except: OTHER });
  });

  it("writes nothing that is known, and nothing that is ahead of the clock", async () => {
    const { record, names } = bed();
    await record([no("a", 5)]);
    await record([no("a", 5), no("a", 6), no("b", -6)]);
    expect(names()).toEqual([expect.stringContaining(addressOfPath("a"))]);
    await record([no("b", -4)]);
    expect(names()).toHaveLength(2);
  });

  it("counts also where the clock was set back behind it", async () => {
    const { record, load, warnings } = bed();
    await record([no("a", 5)]);
    expect((await load(NOW - 24 * 60 * MINUTE)).noes.get(addressOfPath("a"))).toEqual({ rev: revAt(5) });
    expect(warnings).toEqual([]);
  });

  it("is swept away by a newer one about its path, once that one has been there for a while", async () => {
    const { record, load, names, age } = bed();
    await record([no("a", 5), no("b", 5)]);
    await record([no("a", 4)]);
    await record([no("c", 4)]);
    expect(names()).toHaveLength(4);
    age();
    await record([no("d", 4)]);
    expect(names()).toHaveLength(4);
    expect([...(await load()).noes.values()].map(({ rev }) => rev).toSorted()).toEqual(
      [revAt(4), revAt(4), revAt(4), revAt(5)].toSorted(),
    );
  });
});

describe("more noes than are remembered", () => {
  const many = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => ({ path: `p${from + i}`, rev: tidAt(NOW - (5000 - from - i) * 1000) }));

  it("drop the oldest, and raise the floor to the newest of those", async () => {
    const { record, load, names, age } = bed();
    await record(many(0, 1000));
    expect((await load()).floor).toBeUndefined();
    await record(many(1000, 1001));
    const { floor, noes } = await load();
    expect(floor).toBe(many(250, 251)[0]?.rev);
    expect(noes.has(addressOfPath("p1000"))).toBe(true);
    expect(names()).toHaveLength(1002);
    age();
    await record(many(1001, 1002));
    expect(names()).toHaveLength(752);
    const after = await load();
    expect([after.noes.size, after.floor]).toEqual([751, floor]);
    // What the floor covers needs no file.
    await record(many(0, 250));
    expect(names()).toHaveLength(752);
  });

  it("in a burst raise it to the newest, so that their files stay few", async () => {
    const { record, load, names } = bed();
    for (let i = 0; i < 30; i++) await record(many(i * 100, i * 100 + 100));
    expect(names().length).toBeLessThan(2200);
    expect((await load()).floor).toBeDefined();
    const { noes, floor = "" } = await load();
    for (const { path, rev } of many(0, 3000)) {
      expect(rev <= floor || noes.get(addressOfPath(path))?.rev === rev, path).toBe(true);
    }
  });
});

describe("noes that may be lost", () => {
  it("leave a floor of now, before what is damaged is set aside", async () => {
    const { record, load, folder, names, store } = bed();
    await record([no("a", 5)]);
    writeFileSync(join(folder, "no-damaged"), "");
    expect((await load()).unusable).toMatch(/says nothing$/);
    await record([no("b", 4)]);
    expect(names()).toContain(`floor-${lastTidAt(NOW)}`);
    expect(await store().loadHistory(ALICE, NOW)).toMatchObject({ floor: lastTidAt(NOW) });
  });

  it("make the history unusable where a name only looks like one", async () => {
    const { load, folder, record } = bed();
    await record([no("a", 5)]);
    for (const name of ["no-0-3lllllllllll2", `no-${"0".repeat(64)}-zzzzzzzzzzzzz`, "floor-zzzzzzzzzzzzz", "floor-"]) {
      writeFileSync(join(folder, name), "");
      expect((await load()).unusable, name).toMatch(/says nothing$/);
      rmSync(join(folder, name));
    }
    mkdirSync(join(folder, `no-${"0".repeat(64)}-${revAt(1)}`));
    expect((await load()).unusable).toMatch(/is no file$/);
  });
});
