import { expect, it } from "vitest";
import { percentDecoded } from "../../../../src/core/encoding/percent.ts";

it.each([
  ["nothing", "nothing"],
  ["a%20b%2Fc", "a b/c"],
  ["p%C3%A4ss", "p\u00e4ss"],
  ["50%off%zz%", "50%off%zz%"],
  ["%4", "%4"],
])("%s is decoded as %s", (text, expected) => {
  expect(percentDecoded(text)).toBe(expected);
});
