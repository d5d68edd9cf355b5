import { appendFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readLog } from "../../../../src/io/log/read-log.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";

const root = makeTemporaryDirectory("log");
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;
const fresh = () => join(root, `${++count}.log`);
const line = (code: string) => `${JSON.stringify({ outcome: "deny", code })}\n`;
const codes = (read: ReturnType<typeof readLog>) => read?.decisions.map(({ code }) => code);

describe("readLog", () => {
  it("reads whole lines, and counts what is none", () => {
    const path = fresh();
    writeFileSync(path, `${line("a")}no json\n[]\n{"outcome":1}\n${line("b")}{"outcome":"de`);
    const read = readLog(path);
    expect([codes(read), read?.unreadable]).toEqual([["a", "b"], 3]);
  });

  it("goes on after a place, with a line that was half written then", () => {
    const path = fresh();
    const [begin, end] = [line("b").slice(0, 5), line("b").slice(5)];
    writeFileSync(path, line("a") + begin);
    const first = readLog(path);
    appendFileSync(path, end + line("c"));
    expect([codes(first), codes(readLog(path, first?.place))]).toEqual([["a"], ["b", "c"]]);
  });

  it("begins anew where the file is another one, or shorter than it was", () => {
    const path = fresh();
    writeFileSync(path, line("a") + line("b"));
    const place = readLog(path)?.place;
    writeFileSync(path, line("c"));
    expect(codes(readLog(path, place))).toEqual(["c"]);
    renameSync(path, `${path}.1`);
    writeFileSync(path, line("d") + line("e") + line("f"));
    expect(codes(readLog(path, place))).toEqual(["d", "e", "f"]);
    expect(codes(readLog(`${path}.1`, place))).toEqual(["c"]);
  });

  it("reads the end of a long one, from a whole line on", () => {
    const path = fresh();
    const filler = line("x".repeat(1000));
    writeFileSync(path, line("first") + filler.repeat(17_000) + line("last"));
    const read = readLog(path);
    expect([read?.unreadable, codes(read)?.includes("first"), codes(read)?.at(-1)]).toEqual([0, false, "last"]);
    expect(read?.decisions.length).toBeGreaterThan(16_000);
  });

  it("is nothing where there is no file, and an error where it is none", () => {
    expect(readLog(fresh())).toBeUndefined();
    const folder = fresh();
    mkdirSync(folder);
    expect(() => readLog(folder)).toThrow("no regular file".replace("no", "not a"));
  });
});
