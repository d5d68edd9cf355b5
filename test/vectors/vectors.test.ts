import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { toUtf8 } from "../../src/encoding/bytes.ts";
import { parseDateTime } from "../../src/encoding/time.ts";
import { parseDigest } from "../../src/oci/digest.ts";
import { parseReference } from "../../src/oci/reference.ts";
import { parsePolicy } from "../../src/policy/parse.ts";
import { Rejection } from "../../src/rejection.ts";
import { readBundle } from "../../src/verify/bundle.ts";
import { judgeBundle } from "../../src/verify/offline.ts";
import { type Expected, loadVectors, readVector, type Vector, vectorFiles } from "./load.ts";
import { makeVectors } from "./make-vectors.ts";

/** What the core makes of a vector, in the vector's own terms. */
function judged(vector: Vector): Expected {
  const now = parseDateTime(vector.now);
  if (now === undefined) throw new Error(`${vector.file}: now is no date and time`);
  try {
    const name = parseReference(vector.name);
    const verdict = judgeBundle({
      policy: parsePolicy(vector.policy, "trust-policy.yaml"),
      name,
      ...(name.tag === undefined ? {} : { tag: name.tag }),
      digest: parseDigest(vector.digest, "the vector's digest"),
      ...(vector.mediaType === undefined ? {} : { mediaType: vector.mediaType }),
      bundle: readBundle(toUtf8(JSON.stringify(vector.bundle))),
      atcrHosts: ["atcr.io"],
      now,
    });
    if (verdict.outcome !== "allow") return { outcome: verdict.outcome, code: verdict.code };
    const { because } = verdict;
    return {
      outcome: "allow",
      because: because.kind,
      ...(because.kind === "audited" ? { code: because.would.code } : {}),
    };
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    return { outcome: error.kind, code: error.code };
  }
}

describe("the core, judging", () => {
  it.each(loadVectors().map((vector) => [vector.file, vector] as const))("%s", (_, vector) => {
    expect(judged(vector), vector.description).toEqual(vector.expected);
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
    expect(() => read({ bundle: "text" })).toThrow('"bundle"');
    expect(() => read({ expected: { outcome: "perhaps" } })).toThrow('"outcome"');
    expect(() => read({ expected: { outcome: "deny", code: "record.unknown" } })).toThrow('"code"');
    expect(() => readVector("a.json", "[]")).toThrow("not an object");
  });
});
