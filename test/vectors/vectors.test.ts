import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { judgeVector } from "../../src/verifier/selftest/judge-vector.ts";
import { loadVectors, readVector, vectorFiles } from "./load.ts";
import { makeVectors } from "./make-vectors.ts";

describe("the core, judging", () => {
  it.each(loadVectors().map((vector) => [vector.file, vector] as const))("%s", async (_, vector) => {
    expect(await judgeVector(vector), vector.description).toEqual(vector.expected);
  });
});

describe("the vectors", () => {
  it("are what make-vectors.ts makes, and no others", async () => {
    const made = await makeVectors();
    expect(vectorFiles()).toEqual([...made.keys()].toSorted());
    for (const [file, text] of made) {
      expect(readFileSync(new URL(file, import.meta.url), "utf8") === text, `${file} is out of date`).toBe(true);
    }
  });

  it("are named after what they expect", () => {
    for (const { file, expected } of loadVectors()) {
      expect(file.startsWith(`${expected.outcome === "allow" ? "allow" : expected.code}.`), file).toBe(true);
    }
  });

  it("name no host that could exist", () => {
    for (const { file, ...vector } of loadVectors()) {
      const hosts = JSON.stringify(vector).match(/(?<=https?:\/\/)[^/"\\]+/g) ?? [];
      expect(
        hosts.filter((host) => !/\.(?:example|test)$/.test(host)),
        file,
      ).toEqual([]);
    }
  });
});

describe("readVector", () => {
  const [text = ""] = loadVectors().map(({ file }) => readFileSync(new URL(file, import.meta.url), "utf8"));
  const read = (changes: object) => readVector("a.json", JSON.stringify({ ...JSON.parse(text), ...changes }));

  it("refuses keys that nobody looks at", () => {
    expect(() => read({ mediatype: "text/plain" })).toThrow('unknown key "mediatype"');
    expect(() => read({ file: "b.json" })).toThrow('unknown key "file"');
    expect(() => read({ expected: { outcome: "deny", codes: [] } })).toThrow('unknown key "codes"');
  });

  it("wants every key, of its type", () => {
    expect(() => read({ now: undefined })).toThrow('"now"');
    for (const bundle of ["text", {}, ["text"]]) expect(() => read({ bundle })).toThrow('"bundle"');
    expect(() => read({ expected: { outcome: "perhaps" } })).toThrow('"outcome"');
    expect(() => read({ expected: { outcome: "deny", code: "record.unknown" } })).toThrow('"code"');
    expect(() => readVector("a.json", "[]")).toThrow("not an object");
  });
});
