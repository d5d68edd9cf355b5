import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Did } from "../../../../src/core/atproto/syntax.ts";
import { parsePolicy } from "../../../../src/core/policy/parse-policy.ts";
import { decidedBy, failuresOf, readPolicyTest } from "../../../../src/core/policy-tools/expectations.ts";
import { explain } from "../../../../src/core/policy-tools/explain.ts";
import { codeOf } from "../../../support/rejection.ts";

const ALICE = "did:plc:ewvi7nxzyoun6zhxrhs64oiz" as Did;
const BOB = "did:plc:z72i7hdynmk6r22z27h6tvur" as Did;
const read = (text: string) => readPolicyTest(text, "test.yaml");

describe("readPolicyTest", () => {
  it("reads everything, and normalises names as people write them", () => {
    const text = `version: 1.0\npolicy: ../policy.yaml\ncases:\n  - { image: nginx, expect: deny }\n  - { image: a.example/b, expect: enforce, rule: r, signers: [${ALICE}] }\n`;
    const { policy, cases } = read(text);
    expect(policy).toBe("../policy.yaml");
    expect(cases).toMatchObject([
      { image: "nginx", name: { host: "docker.io", path: "library/nginx" }, expect: "deny", place: { line: 4 } },
      { image: "a.example/b", expect: "enforce", rule: "r", signers: [ALICE], place: { line: 5 } },
    ]);
    expect(read("version: 1\ncases: [{ image: nginx, expect: deny }]")).not.toHaveProperty("policy");
    expect(read('version: "1.0"\ncases: [{ image: nginx, expect: deny }]').cases).toHaveLength(1);
  });

  it.each([
    ["nothing", ""],
    ["no version", "cases: [{ image: nginx, expect: deny }]"],
    ["no cases", "version: 1"],
    ["zero cases", "version: 1\ncases: []"],
    ["an unknown key", "version: 1\ncases: [{ image: nginx, expect: deny, tag: x }]"],
    ["no image", "version: 1\ncases: [{ expect: deny }]"],
    ["no expectation", "version: 1\ncases: [{ image: nginx }]"],
    ["an unknown expectation", "version: 1\ncases: [{ image: nginx, expect: inconclusive }]"],
    ["a name that is none", "version: 1\ncases: [{ image: NGINX, expect: deny }]"],
    ["a DID that is none", "version: 1\ncases: [{ image: nginx, expect: deny, signers: [did:example:x] }]"],
    ["an empty path", 'version: 1\npolicy: ""\ncases: [{ image: nginx, expect: deny }]'],
  ])("refuses %s", (_, text) => {
    expect(codeOf(() => read(text))).toBe("input.malformed");
  });
});

describe("failuresOf", () => {
  const policy = parsePolicy(
    `version: 1\ntrustedDIDs: { "${ALICE}": {}, "${BOB}": {} }\npolicies: [{ name: r, scope: r.example/**, action: enforce }]\ndefault: deny\ndigests: { deny: ["sha256:${"d".repeat(64)}"] }\n`,
    "policy.yaml",
  );
  const failures = (rest: string, image = "r.example/app") => {
    const [one] = read(`version: 1\ncases: [{ image: ${image}, ${rest} }]`).cases;
    if (one === undefined) throw new Error("no case");
    return failuresOf(one, explain({ policy, atcrHosts: [], now: 0 }, one.name, one.name.digest));
  };

  it.each([
    ["the action", "expect: enforce"],
    ["the rule", "expect: enforce, rule: r"],
    ["the signers in any order", `expect: enforce, signers: [${BOB}, ${ALICE}]`],
  ])("is none where %s is as expected", (_, rest) => {
    expect(failures(rest)).toEqual([]);
  });

  it("knows the default and the lists of digests by their names", () => {
    expect(failures("expect: deny, rule: default", "nginx")).toEqual([]);
    const listed = `nginx@sha256:${"d".repeat(64)}`;
    expect(failures("expect: deny, rule: digests.deny", listed)).toEqual([]);
    expect(failures("expect: deny, rule: default", listed)).toEqual([
      'found the list digests.deny, expected rule "default"',
    ]);
    expect(failures("expect: deny, rule: r", "nginx")).toEqual(['found the default, expected rule "r"']);
  });

  it("names all that is otherwise", () => {
    expect(failures("expect: audit")).toEqual(["found enforce, expected audit"]);
    expect(failures("expect: enforce, rule: x")).toEqual(['found rule "r", expected rule "x"']);
    expect(failures(`expect: enforce, signers: [${ALICE}]`)).toEqual([`trusted, but not expected: ${BOB}`]);
    expect(failures(`expect: enforce, signers: [${ALICE}, ${BOB}, did:web:c.example]`)).toEqual([
      "expected, but not trusted: did:web:c.example",
    ]);
    expect(failures("expect: deny, rule: x, signers: []")).toHaveLength(3);
  });
});

describe("config-examples/policy-test.yaml", () => {
  const folder = new URL("../../../../config-examples/", import.meta.url);
  const test = read(readFileSync(new URL("policy-test.yaml", folder), "utf8"));
  const policy = parsePolicy(readFileSync(new URL(test.policy ?? "", folder), "utf8"), "policy.yaml");

  it("is about production.yaml", () => {
    expect(test.policy).toBe("production.yaml");
    expect(new Set(test.cases.map(({ expect }) => expect))).toEqual(new Set(["enforce", "audit", "allow", "deny"]));
  });

  it.each(test.cases)("expects of $image what happens: $expect", (one) => {
    const found = explain({ policy, atcrHosts: ["atcr.io"], now: 0 }, one.name, one.name.digest);
    expect([decidedBy(found), failuresOf(one, found)]).toEqual([expect.any(String), []]);
  });
});
