import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { REJECTION_CODES, REJECTIONS, Rejection, type RejectionCode, reject } from "../../src/core/rejection.ts";
import { COVERAGE } from "../rejection-coverage.ts";
import { loadVectors } from "../vectors/load.ts";

const vectors = new Map(loadVectors().map((vector) => [vector.file.replace(/\.json$/, ""), vector]));
const refusals = [...vectors].filter(([, { expected }]) => expected.outcome !== "allow");

describe("the table of what yields each code", () => {
  it("names every code, and at least a vector or a test for each", () => {
    expect(Object.keys(COVERAGE)).toEqual(REJECTION_CODES);
    for (const code of REJECTION_CODES) {
      const { vectors: named = [], test } = COVERAGE[code];
      expect(named.length > 0 || test !== undefined, code).toBe(true);
    }
  });

  it("names every vector that refuses, under the code that it expects", () => {
    const named = REJECTION_CODES.flatMap((code) => (COVERAGE[code].vectors ?? []).map((file) => `${code}: ${file}`));
    expect(named.toSorted()).toEqual(refusals.map(([file, { expected }]) => `${expected.code}: ${file}`).toSorted());
  });

  it("names tests that exist and speak of the code", () => {
    for (const code of REJECTION_CODES) {
      const { test } = COVERAGE[code];
      if (test === undefined) continue;
      const [file = "", title = ""] = test.split(" :: ");
      const text = readFileSync(new URL(`../${file}`, import.meta.url), "utf8");
      // As what `it` or `it.each(…)` is called with, or as the first cell of a row of its table.
      const call = new RegExp(`(?:\\bit\\(|\\)\\(|^ *\\[)\\s*${RegExp.escape(JSON.stringify(title))},`, "m");
      expect(title !== "" && call.test(text), `${file} has a test "${title}"`).toBe(true);
      expect(text.includes(code), `${file} speaks of ${code}`).toBe(true);
    }
  });

  it("has a vector for every code that evidence can yield: all but those of memory, input, files and bugs", () => {
    const remembered: RejectionCode[] = ["identity.log_rolled_back", "commit.rolled_back"];
    const local = (code: RejectionCode) => ["misconfigured", "internal"].includes(REJECTIONS[code].kind);
    // The doctor's own, by the name; and what is audited alone, where nobody is trusted: no evidence is looked at.
    const probed: RejectionCode[] = ["policy.probe", "policy.no_signers"];
    // Of the command line, before there is a digest.
    const unresolved: RejectionCode[] = ["registry.unknown_tag"];
    // Of a gate that is not told the tag, or the digest, before evidence is looked at.
    const untold: RejectionCode[] = ["tag.unsupported_here", "image.not_pinned"];
    // Of a server, before the image is looked at.
    const busy: RejectionCode[] = ["server.overloaded"];
    const others = [...remembered, ...probed, ...unresolved, ...untold, ...busy];
    for (const code of REJECTION_CODES.filter((one) => !local(one) && !others.includes(one))) {
      expect(COVERAGE[code].vectors?.length ?? 0, code).toBeGreaterThan(0);
    }
  });
});

describe("a rejection", () => {
  it("is an error with a code, whose kind follows from it, and a cause", () => {
    const cause = new Error("why");
    let caught: unknown;
    try {
      reject("record.absent", "a sentence", cause);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(Rejection);
    expect(caught).toMatchObject({
      code: "record.absent",
      kind: "deny",
      message: "a sentence",
      cause,
      name: "Rejection",
    });
    expect(new Rejection("internal.error", "")).not.toHaveProperty("cause");
  });

  it.each(Object.entries(REJECTIONS))("%s has a summary that fits on a line", (code, { summary }) => {
    expect(code).toMatch(/^[a-z]+\.[a-z_]+$/);
    expect(summary).toMatch(/^[a-z][ -~]{10,90}[^.]$/);
  });
});
