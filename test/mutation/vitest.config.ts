import { statSync } from "node:fs";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { DECIDING } from "../../packaging/layers.ts";

/** Short files first: a mutant is done with as soon as one test fails. */
class ShortestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const size = ({ moduleId }: TestSpecification) => statSync(moduleId).size;
    return files.toSorted((a, b) => size(a) - size(b));
  }
}

/**
 * Tests that say the same in every run, and of the code that decides: what only a property with its
 * random values or a whole pull would notice is not counted on.
 */
export default defineConfig({
  test: {
    include: [...DECIDING.map(({ path }) => `test/unit/${path}/**/*.test.ts`), "test/vectors/*.test.ts"],
    // Seconds for each mutant, and they notice none but those of the bounds themselves (docs/assurance.md).
    exclude: ["test/unit/core/policy/bounds.test.ts"],
    expect: { requireAssertions: true },
    sequence: { sequencer: ShortestFirst },
    // With all mutants in it the code takes several times as long.
    testTimeout: 60_000,
  },
});
