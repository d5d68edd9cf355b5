import { describe, expect, it } from "vitest";
import { MAX_MISTAKES } from "../../../../src/core/encoding/mistakes.ts";
import { mistakesIn, readPolicy } from "../../../../src/core/policy/parse-policy.ts";
import { rejectionOf } from "../../../support/rejection.ts";

const DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";

/** `LINE:COLUMN KEY` of each mistake; `-` without a key. */
const found = (text: string): readonly string[] =>
  mistakesIn([{ name: "p.yaml", text }]).mistakes.map(({ place, key = "-" }) => `${place.line}:${place.column} ${key}`);

describe("mistakesIn", () => {
  it("reports all mistakes of a file, in order, whatever finds them", () => {
    const text = `version: 1.0
trustedDids:
  alice.example.com:
    expiresAt: 2030-13-01T00:00:00Z
  ${DID}: { keys: [x, y], foo: 1, minRev: 1, pds: [x, "https://a.example/"] }
digests: { deny: [a, sha256:b], allow: 5 }
policies:
  - name: a
    scope: **
    action: enforced
    require:
      minKeyAge: 3 days
      maxAge: 90
      maxStaleness: 31d
      signature: false
      repository: [A]
      trustedDIDs: [bob.example.com]
  - scope: [atcr.io, nginx]
   action: enforce
    minSignatures: 2
    requires: { tag: maybe }
  - name: a
    scope: atcr.io/**:v1
     action: deny
     require: { tag: match }
defaultAction: deny
foo: 1
foo: 2
`;
    expect(found(text)).toEqual([
      "2:1 trustedDids",
      "3:3 trustedDIDs.alice.example.com",
      "4:16 trustedDIDs.alice.example.com.expiresAt",
      `5:46 trustedDIDs.${DID}.keys[0]`,
      `5:49 trustedDIDs.${DID}.keys[1]`,
      `5:53 trustedDIDs.${DID}.foo`,
      `5:69 trustedDIDs.${DID}.minRev`,
      `5:78 trustedDIDs.${DID}.pds[0]`,
      `5:81 trustedDIDs.${DID}.pds[1]`,
      "6:19 digests.deny[0]",
      "6:22 digests.deny[1]",
      "6:40 digests.allow",
      "9:12 policies[0].scope",
      "10:13 policies[0].action",
      "12:18 policies[0].require.minKeyAge",
      "13:15 policies[0].require.maxAge",
      "14:21 policies[0].require.maxStaleness",
      "15:18 policies[0].require.signature",
      "16:20 policies[0].require.repository[0]",
      "17:21 policies[0].require.trustedDIDs[0]",
      "18:5 policies[1].name",
      "18:13 policies[1].scope[0]",
      "18:22 policies[1].scope[1]",
      "19:4 -",
      "20:5 policies[1].minSignatures",
      "21:5 policies[1].requires",
      "21:22 policies[1].require.tag",
      "22:11 policies[2].name",
      "23:12 policies[2].scope",
      "24:6 -",
      "25:16 policies[2].require.tag",
      "26:1 defaultAction",
      "27:1 foo",
      "28:1 foo",
    ]);
    expect(mistakesIn([{ name: "p.yaml", text }]).isCut).toBe(false);
  });

  it("gives each in parts", () => {
    const text = "version: 1.0\ntrustedDIDs: [Alice.example.com]\n";
    const [mistake] = mistakesIn([{ name: "p.yaml", text }]).mistakes;
    expect(mistake).toMatchObject({
      place: { file: "p.yaml", line: 2, column: 15, lineText: "trustedDIDs: [Alice.example.com]" },
      key: "trustedDIDs[0]",
      found: '"Alice.example.com"',
      expected: expect.stringMatching(/^a DID in canonical form/),
      advice: "this is a handle; run: atcr-verify identity alice.example.com, which prints its DID",
    });
    expect(rejectionOf(() => readPolicy(text, "p.yaml")).message).toBe(`p.yaml:2:15: ${mistake?.sentence ?? ""}`);
  });

  const ENFORCE = "policies:\n  - { name: a, scope: a.b/c, action: enforce }\n";
  it.each([
    [
      "a handle in the place of the only DID",
      `version: 1.0\ntrustedDIDs: [alice.example.com]\n${ENFORCE}`,
      ["2:15 trustedDIDs[0]"],
    ],
    ["trustedDIDs of another type", `version: 1.0\ntrustedDIDs: 5\n${ENFORCE}`, ["2:14 trustedDIDs"]],
    ["a top key that may mean trustedDIDs", `version: 1.0\nsigners: [${DID}]\n${ENFORCE}`, ["2:1 signers"]],
    [
      "a misspelt DID in the map that a rule names",
      `version: 1.0\ntrustedDIDs: { ${DID.slice(0, -1)}: {} }\npolicies:\n  - { name: a, scope: a.b/c, action: enforce, require: { trustedDIDs: [${DID}] } }\n`,
      [`2:16 trustedDIDs.${DID.slice(0, -1)}`],
    ],
    [
      "a wrong scope of a rule that may let everything through",
      "version: 1.0\npolicies:\n  - { name: a, scope: 5, action: allow }\n",
      ["3:23 policies[0].scope"],
    ],
    ["a rule that is none", `version: 1.0\ntrustedDIDs: [${DID}]\npolicies: [x]\n`, ["3:12 policies[0]"]],
    [
      "an unquoted character that begins no text",
      `version: 1.0\nrevokedDIDs: [@${DID}]\n`,
      ["2:15 -", "2:15 revokedDIDs[0]"],
    ],
  ])("reports no consequence of %s", (_, text, mistakes) => {
    expect(found(text)).toEqual(mistakes);
  });

  it("says of a value what was found first, not what was found of its substitute", () => {
    const text = "version: 1.0\npolicies:\n  - { name: a, scope: 5, action: allow }\n";
    expect(mistakesIn([{ name: "p.yaml", text }]).mistakes.map((one) => one.expected)).toEqual([
      "a scope such as atcr.io/*/prod-*, or a list of scopes",
    ]);
  });

  it("still says that a rule trusts nobody beside mistakes that have nothing to do with it", () => {
    const text = `version: 1.0\n${ENFORCE}default: no\n`;
    expect(found(text)).toEqual(["3:5 policies[0]", "4:10 default"]);
  });

  it("reads on after a tab, as long as what it stands for can be guessed", () => {
    const tabs = "version: 2\npolicies:\n\t- name: a\n\t\tscope: nginx\n\t\taction: deny\n";
    expect(found(tabs)).toEqual(["1:10 version", "3:1 -", "4:12 policies[0].scope"]);
    const mixed = "version: 2\npolicies:\n    - name: a\n\tscope: nginx\n";
    expect(found(mixed)).toEqual(["4:1 -"]);
  });

  it.each([
    ["an open quote", 'version: 2\ndefault: "deny\nrevokedDIDs: 5\n', ["4:1 -"]],
    ["a second document", "version: 2\n---\nversion: 3\n", ["1:10 version", "2:1 -"]],
  ])("says that there may be more after %s", (_, text, mistakes) => {
    expect(found(text)).toEqual(mistakes);
    expect(mistakesIn([{ name: "p.yaml", text }]).isCut).toBe(true);
  });

  it("reads the other files of a policy in spite of one that is none", () => {
    const texts = [
      { name: "p.yaml", text: 'default: "' },
      { name: "q.yaml", text: "version: 2\n" },
    ] as const;
    const { mistakes, isCut } = mistakesIn(texts);
    expect(mistakes.map(({ place }) => place.file)).toEqual(["p.yaml", "q.yaml"]);
    expect(isCut).toBe(true);
  });

  it.each([
    ["keys", Array.from({ length: 200 }, (_, i) => `key${i}: 1\n`).join("")],
    ["DIDs", `revokedDIDs: [${Array.from({ length: 10_000 }, (_, i) => `x${i}`).join(", ")}]\n`],
    ["types", `revokedDIDs: [${Array.from({ length: 10_000 }, (_, i) => String(i)).join(", ")}]\n`],
    ["lines", `policies:\n${"  - name: a\n     scope: b\n".repeat(1000)}`],
  ])("reports at most so many wrong %s", (_, text) => {
    const { mistakes, isCut } = mistakesIn([{ name: "p.yaml", text: `version: 1.0\n${text}` }]);
    expect(mistakes).toHaveLength(MAX_MISTAKES);
    expect(isCut).toBe(true);
  });

  it("says which line a wrong indentation disagrees with", () => {
    const between = "version: 1.0\npolicies:\n  - name: a\n    scope: a.b/c\n   action: deny\n";
    expect(rejectionOf(() => readPolicy(between, "p.yaml")).message).toBe(
      "p.yaml:5:4: found a line that is indented by 3 spaces, expected as many as one of the lines above: " +
        "0 as in line 2, or 2 as in line 3, or 4 as in line 4",
    );
    const below = "version: 1.0\n  default: deny\n";
    expect(rejectionOf(() => readPolicy(below, "p.yaml")).message).toBe(
      "p.yaml:2:3: found a line that is indented by 2 spaces, expected 0 spaces, as in line 1, " +
        "because the line above has a value already",
    );
  });

  it("tells a wildcard without quotes from an alias", () => {
    const { mistake } = rejectionOf(() => readPolicy("version: 1.0\npolicies:\n  - scope: **/app\n", "p.yaml"));
    expect(mistake).toEqual({
      key: "policies[0].scope",
      found: "**/app without quotes, which YAML reads as an alias",
      expected: "the value itself",
      advice: 'put it in quotes: "**/app"',
    });
  });
});
