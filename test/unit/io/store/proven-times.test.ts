import { chmodSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { ProvenTimes } from "../../../../src/io/store/proven-times.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";
import { warned } from "../../../support/warned.ts";

const NOW = Date.now();
const root = makeTemporaryDirectory("times");
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

function bed() {
  const directory = join(root, String(++count));
  const folder = join(directory, "times");
  const warnings: string[] = [];
  return { folder, warnings, times: new ProvenTimes(directory, warned(warnings)) };
}

describe("the newest proven time", () => {
  it("is none where nothing was imported, and only grows", async () => {
    const { times, folder, warnings } = bed();
    expect(times.newest()).toEqual({});
    await times.record(NOW);
    await times.record(NOW - 1);
    expect(times.newest()).toEqual({ newest: NOW });
    await times.record(NOW + 1.5);
    expect(times.newest()).toEqual({ newest: NOW + 1 });
    expect(readdirSync(folder)).toHaveLength(2);
    expect(warnings).toEqual([]);
  });

  it("has older ones swept away once it has been there for a while", async () => {
    const { times, folder } = bed();
    await times.record(NOW);
    await times.record(NOW + 1);
    for (const name of readdirSync(folder)) utimesSync(join(folder, name), 0, 0);
    await times.record(NOW + 2);
    expect(readdirSync(folder).toSorted()).toEqual([`time-${NOW + 1}`, `time-${NOW + 2}`]);
    expect(times.newest()).toEqual({ newest: NOW + 2 });
  });

  it.each<[string, (folder: string) => void]>([
    ["something else is there", (folder) => writeFileSync(join(folder, "time-0"), "")],
    ["others can write to it", (folder) => chmodSync(folder, 0o777)],
    [
      "it is a file",
      (folder) => {
        rmSync(folder, { recursive: true });
        writeFileSync(folder, "");
      },
    ],
    [
      "it has more entries than are read",
      (folder) => {
        for (let i = 1; i <= 1000; i++) writeFileSync(join(folder, `time-${i}`), "");
      },
    ],
  ])("is unusable, and never none, where %s", async (_, spoil) => {
    const { times, folder, warnings } = bed();
    await times.record(NOW);
    spoil(folder);
    expect(times.newest()).toEqual({ unusable: expect.any(String) });
    expect(warnings).toEqual([expect.stringMatching(/^history\.unusable: the times in /)]);
    await expect(times.record(NOW + 1)).rejects.toThrow();
  });
});
