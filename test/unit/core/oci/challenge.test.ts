import { describe, expect, it } from "vitest";
import { readChallenges } from "../../../../src/core/oci/challenge.ts";

const read = (header: string | undefined) =>
  readChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

describe("readChallenges", () => {
  it.each<[string | undefined, unknown]>([
    [undefined, []],
    ["", []],
    ["Basic", [["basic", {}]]],
    ['Basic realm="x"', [["basic", { realm: "x" }]]],
    [
      'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push"',
      [
        [
          "bearer",
          { realm: "https://auth.example/token", service: "registry.example", scope: "repository:a/b:pull,push" },
        ],
      ],
    ],
    ['bearer  REALM = "a" , Service=b', [["bearer", { realm: "a", service: "b" }]]],
    [
      'Basic realm="a", Bearer realm="b",service="c"',
      [
        ["basic", { realm: "a" }],
        ["bearer", { realm: "b", service: "c" }],
      ],
    ],
    [
      "Negotiate, Bearer realm=b",
      [
        ["negotiate", {}],
        ["bearer", { realm: "b" }],
      ],
    ],
    ['Bearer realm="a\\"b\\\\c"', [["bearer", { realm: 'a"b\\c' }]]],
    ['Bearer realm="unterminated', [["bearer", {}]]],
    ['="x"', []],
  ])("%j", (header, expected) => {
    expect(read(header)).toEqual(expected);
  });

  it("takes no time for what is hostile", () => {
    for (const text of [
      "a".repeat(100_000),
      ",".repeat(100_000),
      'a="'.repeat(30_000),
      `Bearer ${"a=b,".repeat(30_000)}`,
      '\\"'.repeat(50_000),
    ]) {
      expect(readChallenges(text).length).toBeLessThan(5000);
    }
  });
});
