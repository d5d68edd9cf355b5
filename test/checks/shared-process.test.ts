import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { afterAll, expect, it } from "vitest";
import { makeTemporaryDirectory, run } from "../support/process.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const COPIED = [
  "vitest.config.ts",
  "packaging/memory-folder.ts",
  "packaging/suites.ts",
  "test/support/shared-process.ts",
];
/** In one process, in any order. */
const FILES: Readonly<Record<string, string>> = {
  "a-variable": 'process.env["PLANTED"] = "1"',
  "b-nothing": "0",
  "c-variable-removed": 'delete process.env["PATH"]',
  "d-umask": "process.umask(0o077)",
  "e-folder": 'process.chdir("/")',
  "f-restored": 'process.env["RESTORED"] = "1"; afterAll(() => { delete process.env["RESTORED"]; })',
};
/** Runs before these, because it is the longest; vitest takes its spy back. */
const SPYING = `import { expect, it, vi } from "vitest";
vi.spyOn(Math, "random").mockReturnValue(7);
it("is replaced here, and in no file that runs after this one in the same process", () => {
  expect(Math.random()).toBe(7);
});
`;

const root = makeTemporaryDirectory("shared-process");
afterAll(() => rmSync(root, { recursive: true, force: true }));

it("fails each file of a shared process that leaves it changed, and no other", async () => {
  for (const file of COPIED) cpSync(join(ROOT, file), join(root, file));
  symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"));
  for (const [name, text] of Object.entries(FILES)) {
    const path = join(root, "test/unit", `${name}.test.ts`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(
      path,
      `import { afterAll, expect, it } from "vitest";\n${text};\nit("passes", () => expect(afterAll && Math.random()).toBeLessThan(1));\n`,
    );
  }
  writeFileSync(join(root, "test/unit/g-spying.test.ts"), SPYING);
  const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
  const args = [
    vitest,
    "run",
    "--project=unit",
    "--maxWorkers=1",
    "--no-cache",
    "--reporter=json",
    "--outputFile=report.json",
  ];
  const { code } = await run(process.execPath, args, { cwd: root });
  const { testResults } = JSON.parse(readFileSync(join(root, "report.json"), "utf8")) as {
    testResults: { name: string; status: string; message: string }[];
  };
  expect([code, testResults.length]).toEqual([1, Object.keys(FILES).length + 1]);
  const isChanged = ({ message }: { message: string }) => message.includes("this file changed the process");
  const failed = testResults.filter(({ status }) => status === "failed");
  expect(failed.every(isChanged)).toBe(true);
  const names = failed.map(({ name }) => basename(name, ".test.ts"));
  expect(new Set(names)).toEqual(new Set(["a-variable", "c-variable-removed", "d-umask", "e-folder"]));
});
