import { describe, expect, it } from "vitest";
import { note, ok, warning } from "../../../src/doctor/check.ts";
import { listed, ofEach } from "../../../src/doctor/cluster-each-webhook.ts";
import { webhooksOf } from "../../../src/platform/kubernetes/webhook.ts";
import { configuration, webhook } from "../../support/stand-in-cluster.ts";

const NAMED = ["a", "b", "c"].map((name) => webhook({ name }));
const OWN = webhooksOf(configuration(...NAMED), "validating");

describe("findings about webhooks", () => {
  it("that say the same are one, in the order in which they are found", () => {
    const found = ofEach(OWN, ({ name }) => [
      name === "b" ? note("x", "another") : note("x", "the same"),
      ok("y", "all"),
    ]);
    expect(found).toEqual([note("x", "a, c: the same"), ok("y", "a, b, c: all"), note("x", "b: another")]);
  });

  it.each([
    ["level", warning("x", "found", "advice")],
    ["name", { ...note("y", "found"), advice: "advice" }],
    ["text", { ...note("x", "other"), advice: "advice" }],
    ["advice", note("x", "found")],
  ])("are two where their %s differs", (_, other) => {
    expect(
      ofEach(OWN, ({ name }) => [name === "a" ? { ...note("x", "found"), advice: "advice" } : other]),
    ).toHaveLength(2);
  });

  it("name the configuration where there are several, whose webhooks may have the same names", () => {
    const other = webhooksOf({ ...configuration(...NAMED), metadata: { name: "other" } }, "validating");
    const found = ofEach([...OWN.slice(0, 1), ...other.slice(0, 1)], () => [ok("x", "all")]);
    expect(found).toEqual([ok("x", "a (of atcr-verify), a (of other): all")]);
  });

  it("list ten names, and say how many more there are", () => {
    expect(listed(["a", "b"])).toBe("a, b");
    expect(listed(Array.from({ length: 12 }, (_, i) => `${i}`))).toBe("0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more");
  });
});
