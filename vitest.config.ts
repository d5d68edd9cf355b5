import { resolve } from "node:path";
import { defineConfig } from "vitest/config";

/** A suite is a folder of test/; `slow` ones start servers of their own and run one file at a time. */
function suite(name: string, timeout: number, options: { include?: string[]; slow?: boolean } = {}) {
  return {
    // As packaging/build.ts has it.
    resolve: { alias: { yaml: resolve("node_modules/yaml/browser/index.js") } },
    test: {
      name,
      // Not threads: they share their descriptors, and a worker that ends closes every one that it opened and
      // something else closed, whoever has got the number since.
      pool: "forks" as const,
      expect: { requireAssertions: true },
      include: options.include ?? [`test/${name}/**/*.test.ts`],
      testTimeout: timeout,
      hookTimeout: Math.max(timeout, 30_000),
      fileParallelism: options.slow !== true,
    },
  };
}

export default defineConfig({
  test: {
    // Two cores: more workers than that only take each other's time.
    maxWorkers: 2,
    allowOnly: false,
    passWithNoTests: false,
    projects: [
      suite("unit", 10_000, { include: ["test/{unit,support,bench}/**/*.test.ts"] }),
      suite("property", 30_000),
      suite("vectors", 10_000),
      suite("checks", 60_000),
      suite("binary", 20_000),
      suite("containerd", 60_000, { slow: true }),
      suite("e2e", 120_000, { slow: true }),
      suite("packages", 120_000, { slow: true }),
    ],
  },
});
