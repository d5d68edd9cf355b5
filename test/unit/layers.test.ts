import { describe, expect, it } from "vitest";
import { DECIDING, LAYERS, layerOf, MUTATED_LAYERS } from "../../packaging/layers.ts";

describe("the layers", () => {
  it("that are pure import no other", () => {
    const pure = new Set(LAYERS.filter((layer) => layer.pure).map(({ path }) => path));
    expect(pure.size).toBeGreaterThan(5);
    for (const { path, below } of LAYERS.filter((layer) => layer.pure)) {
      expect([path, below.filter((name) => !pure.has(name))]).toEqual([path, []]);
    }
  });

  it("import none that imports them", () => {
    for (const { path, below } of LAYERS) {
      expect(below.flatMap((name) => layerOf(name)?.below ?? [])).not.toContain(path);
    }
  });

  it("that are mutated decide, and are pure", () => {
    expect(MUTATED_LAYERS.length).toBeGreaterThan(2);
    expect(DECIDING).toEqual(expect.arrayContaining([...MUTATED_LAYERS]));
    expect(DECIDING.every(({ pure }) => pure)).toBe(true);
  });
});
