import { expect, it } from "vitest";
import { closest } from "../../../../src/core/encoding/closest.ts";

const KNOWN = ["verify", "images", "log", "plcDirectories"];

it.each([
  ["verfy", "verify"],
  ["evrify", "verify"],
  ["VERIFY", "verify"],
  ["imagess", "images"],
  ["lg", "log"],
  ["image", "images"],
  ["plcDirectory", "plcDirectories"],
])("%s was most likely meant for %s", (word, meant) => {
  expect(closest(word, KNOWN)).toBe(meant);
});

it.each([["vrfy2x"], ["verif2345"], ["plcDirects12"], ["x"], ["l"], [""], ["policy"], ["foo"]])(
  "%j is like none of them",
  (word) => {
    expect(closest(word, KNOWN)).toBeUndefined();
  },
);
