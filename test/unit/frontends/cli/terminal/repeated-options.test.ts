import { expect, it } from "vitest";
import { repeated } from "../../../../../src/frontends/cli/terminal/repeated-options.ts";

const GIVEN = { address: "/run/c.sock", config: "/a b.yaml" };

it.each([
  ["run: atcr-verify enable", "run: atcr-verify enable --address /run/c.sock --config '/a b.yaml'"],
  [
    "run: atcr-verify enable, or the doctor of that program",
    "run: atcr-verify enable --address /run/c.sock --config '/a b.yaml', or the doctor of that program",
  ],
  [
    "a pull will tell: atcr-verify doctor --probe",
    "a pull will tell: atcr-verify doctor --probe --address /run/c.sock --config '/a b.yaml'",
  ],
  ["run: atcr-verify enable --containers", "run: atcr-verify enable --containers"],
  ["run: atcr-verify doctor --containers --probe", "run: atcr-verify doctor --containers --probe"],
  ["run: atcr-verify policy check /p.yaml", "run: atcr-verify policy check /p.yaml"],
])("repeats what was given in: %s", (advice, expected) => {
  expect(repeated(advice, GIVEN)).toBe(expected);
  expect(repeated(advice, {})).toBe(advice);
});
