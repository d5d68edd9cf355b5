import { expect, it } from "vitest";
import { adviceFor } from "../../../../../src/frontends/cli/verify/advice.ts";
import type { ImageResult } from "../../../../../src/frontends/cli/verify/image-result.ts";
import { resultOf } from "../../../../support/image-results.ts";

const adviceOn = (answer: object) => adviceFor(resultOf(answer as ImageResult["answer"]));
const missing = (detail: string) =>
  adviceOn({ outcome: "inconclusive", code: "identity.unreachable", detail, findings: [] });
const rolledBack = (detail: string) =>
  adviceOn({ outcome: "deny", code: "commit.rolled_back", detail, findings: [] }).join("\n");

it("does not say to try again later where the configuration is offline", () => {
  expect(missing("plc.example did not answer")).toEqual(["run this again later"]);
  expect(missing('this node asks no service (offline: true), and rule "a" has no offlineFor')).toEqual([]);
});

it("does not say to forget a history that an old bundle contradicts", () => {
  expect(rolledBack("the repo went back to revision 3l")).toContain("state forget");
  const ofBundle = rolledBack("the bundle has revision 3l of the repo");
  expect(ofBundle).toContain("after the bundle was gathered");
  expect(ofBundle).not.toContain("forget");
});

it("leads from the first mistake of a policy to all of them", () => {
  const place = { file: "/p/policy.yaml", line: 9, column: 15, text: "maxAge: 30" };
  const mistake = { outcome: "misconfigured", code: "policy.invalid", detail: "found the number 30" };
  expect(adviceOn({ ...mistake, place })).toEqual(["see all mistakes: atcr-verify policy check /p/policy.yaml"]);
  expect(adviceOn(mistake)).toEqual([]);
});
