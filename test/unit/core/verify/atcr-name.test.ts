import { describe, expect, it } from "vitest";
import { atcrName } from "../../../../src/core/verify/atcr-name.ts";

const HOSTS = ["atcr.io", "localhost:5000"];

describe("atcrName", () => {
  it.each([
    ["atcr.io", "alice.test/app", { handle: "alice.test", repository: "app" }],
    ["localhost:5000", "alice.test/team/app", { handle: "alice.test", repository: "team/app" }],
    ["atcr.io", "app", undefined],
    ["registry.example", "alice.test/app", undefined],
    ["atcr.io:444", "alice.test/app", undefined],
    ["x.atcr.io", "alice.test/app", undefined],
  ])("of %s/%s", (host, path, expected) => {
    expect(atcrName({ host, path }, HOSTS)).toEqual(expected);
  });
});
