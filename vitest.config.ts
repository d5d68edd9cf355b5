import { resolve } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { isMemoryUsable, MEMORY } from "./packaging/memory-folder.ts";
import { projectsOf, SUITES, type SuiteName, suiteOf } from "./packaging/suites.ts";

const names = Object.keys(SUITES) as SuiteName[];
const projects = names.flatMap(projectsOf).map(({ name }) => name);

/** The suites one after the other, as they are listed; the long files of each first, so that none runs alone at the end. */
class InOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ project }: TestSpecification) => projects.indexOf(project.name);
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b));
  }
}

export default defineConfig({
  test: {
    // One more than the cores, because many tests wait. With yet more, tests of time limits fail on a slow machine.
    maxWorkers: 3,
    sequence: { sequencer: InOrder },
    allowOnly: false,
    passWithNoTests: false,
    projects: names.flatMap((name) => {
      const { timeout, serial = false, inMemory = false } = suiteOf(name);
      return projectsOf(name).map((project) => ({
        // As packaging/build.ts has it.
        resolve: { alias: { yaml: resolve("node_modules/yaml/browser/index.js") } },
        test: {
          name: project.name,
          // Not threads: they share their descriptors, and a worker that ends closes every one that it opened and
          // something else closed, whoever has got the number since.
          pool: "forks" as const,
          isolate: project.isolate,
          env: inMemory && isMemoryUsable() ? { TMPDIR: MEMORY } : {},
          setupFiles: project.isolate ? [] : ["test/support/shared-process.ts"],
          expect: { requireAssertions: true },
          include: [...project.files],
          testTimeout: timeout,
          hookTimeout: Math.max(timeout, 30_000),
          fileParallelism: !serial,
        },
      }));
    }),
  },
});
