import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { appendLine, checkLog } from "../../../../src/io/log/decision-log.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";

const root = makeTemporaryDirectory("decision-log");
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

function bed() {
  const folder = join(root, String(++count));
  mkdirSync(folder);
  return { folder, path: join(folder, "decisions.log") };
}

describe("the decision log", () => {
  it("begins a line of its own behind one that a full disk has cut off", () => {
    const { path } = bed();
    appendLine(path, "first\n");
    writeFileSync(path, "sec", { flag: "a" });
    appendLine(path, "third\n");
    appendLine(path, "fourth\n");
    expect(readFileSync(path, "utf8")).toBe("first\nsec\nthird\nfourth\n");
  });

  it.each([0o777, 0o1777, 0o775])("is not in a folder that others can write to, sticky or not: %o", (mode) => {
    const { folder, path } = bed();
    chmodSync(folder, mode);
    expect(() => appendLine(path, "line\n")).toThrow("can be written by others");
    expect(() => checkLog(path)).toThrow("can be written by others");
  });

  it("can be looked at without being written", () => {
    const { folder, path } = bed();
    expect(() => checkLog(path)).toThrow("ENOENT");
    writeFileSync(path, "", { mode: 0o640 });
    checkLog(path);
    expect(readFileSync(path, "utf8")).toBe("");
    chmodSync(path, 0o660);
    expect(() => checkLog(path)).toThrow("can be written by others");
    rmSync(path);
    symlinkSync(join(folder, "else"), path);
    expect(() => checkLog(path)).toThrow("ELOOP");
    rmSync(path);
    mkdirSync(path);
    expect(() => checkLog(path)).toThrow();
  });
});
