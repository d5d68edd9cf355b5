import { describe, expect, it } from "vitest";
import { TokenNames } from "../../../../../src/frontends/server/settings/token-names.ts";

const [FIRST, SECOND] = ["0123456789abcdef", "fedcba9876543210=="];
const names = new TokenNames([
  { name: "first", secret: FIRST },
  { name: "second", secret: SECOND },
  // Of another file.
  { name: "again", secret: FIRST },
]);

describe("TokenNames", () => {
  it.each([
    [`Bearer ${FIRST}`, "first"],
    [`bearer ${SECOND}`, "second"],
    [`BEARER  ${SECOND}`, "second"],
  ])("knows %s as %s", (header, name) => {
    expect(names.nameOf(header)).toBe(name);
  });

  it.each([
    undefined,
    "",
    "Bearer",
    "Bearer ",
    FIRST,
    `Basic ${FIRST}`,
    `Bearer ${FIRST}x`,
    `Bearer ${FIRST.slice(1)}`,
    `Bearer ${FIRST} `,
    ` Bearer ${FIRST}`,
    `Bearer ${FIRST}, Bearer ${FIRST}`,
    `Bearer first:${FIRST}`,
    `Bearer ${FIRST.toUpperCase()}`,
    `Bearer ${"a".repeat(100_000)}`,
  ])("does not know %s", (header) => {
    expect(names.nameOf(header)).toBeUndefined();
  });

  it("knows none without tokens", () => {
    expect(new TokenNames([]).nameOf(`Bearer ${FIRST}`)).toBeUndefined();
  });
});
