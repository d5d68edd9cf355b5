import { describe, expect, it } from "vitest";
import {
  nodeKeyOf,
  parsePolicyJson,
  policyText,
  scopesBelow,
  signedByNode,
  withScopes,
} from "../../../../src/platform/containers/policy-json.ts";
import { rejectionOf } from "../../../support/rejection.ts";
import { STOCK_POLICY_JSON } from "../../../support/stock-policy-json.ts";

const KEY = "/var/lib/atcr-verify-lookaside/node.key.pub";

describe("parsePolicyJson", () => {
  it("reads the policy that distributions ship, and writes it as it was", () => {
    expect(policyText(parsePolicyJson(STOCK_POLICY_JSON, "policy.json"))).toBe(STOCK_POLICY_JSON);
    const tabs = STOCK_POLICY_JSON.replaceAll("    ", "\t");
    expect(policyText(parsePolicyJson(tabs, "policy.json"))).toBe(tabs);
  });

  it.each([
    [
      "a repeated key",
      '{"default": [{"type": "reject"}],\n"default": [{"type": "insecureAcceptAnything"}]}',
      ":2:",
      "default",
    ],
    [
      "a repeated scope",
      '{"default": [{"type": "reject"}], "transports": {"docker": {"a": [{"type": "reject"}],\n"a": [{"type": "insecureAcceptAnything"}]}}}',
      ":2:",
      "transports.docker.a",
    ],
    [
      "an escaped repeated key",
      '{"default": [{"type": "reject"}],\n"def\\u0061ult": [{"type": "insecureAcceptAnything"}]}',
      ":2:",
      "default",
    ],
    ["an unknown key", '{"default": [{"type": "reject"}],\n"plugins": {}}', ":2:", "plugins"],
    ["an unknown key of a requirement", '{"default": [\n{"type": "reject", "except": "a"}]}', ":2:", "except"],
    ["an unknown type", '{"default": [\n{"type": "accept"}]}', ":2:", "type"],
    ["a key of another case", '{"default": [\n{"Type": "reject"}]}', ":2:", "type"],
    ["a type that objects inherit", '{"default": [\n{"type": "constructor"}]}', ":2:", "type"],
    ["no default", "{}", ":1:", "default"],
    ["an empty list", '{"default": []}', ":1:", "default"],
    ["scopes that are no object", '{"default": [{"type": "reject"}],\n"transports": {"docker": []}}', ":2:", "docker"],
    ["a comment", '{\n// all\n"default": [{"type": "reject"}]}', ":2:", "JSON"],
    ["a comment of YAML", '{\n# all\n"default": [{"type": "reject"}]}', ":2:", "JSON"],
    ["a comma too many", '{"default": [{"type": "reject"}\n,]}', ":2:", "JSON"],
    ["YAML", "default:\n- type: reject\n", ":1:", "JSON"],
    ["a key without quotes", '{"default":\n[{type: "reject"}]}', ":2:", "JSON"],
    ["a file that ends early", '{"default": [{"type": "reject"}]', ":1:", "JSON"],
    [
      "a name that objects inherit",
      '{"default": [{"type": "reject"}], "transports": {\n"__proto__": {}}}',
      ":2:",
      "__proto__",
    ],
  ])("refuses %s, and names file, line and key", (_, text, line, key) => {
    const { code, message } = rejectionOf(() => parsePolicyJson(text, "/etc/containers/policy.json"));
    expect(code).toBe("config.invalid");
    const at = key === "JSON" ? ` is not valid JSON (line ${line.slice(1, -1)}: found ` : line;
    expect(message).toContain(`/etc/containers/policy.json${at}`);
    expect(message).toContain(key);
  });
});

it("says of an empty policy.json that it is", () => {
  expect(rejectionOf(() => parsePolicyJson("\n", "/p.json")).message).toContain("/p.json is empty");
});

describe("withScopes", () => {
  const policy = parsePolicyJson(STOCK_POLICY_JSON, "policy.json");

  it("adds the registries, and takes them out without a trace", () => {
    const added = withScopes(policy, ["atcr.io", "localhost:5000"], signedByNode(KEY));
    expect(JSON.parse(policyText(added)).transports.docker).toEqual({
      "atcr.io": [{ type: "sigstoreSigned", keyPath: KEY, signedIdentity: { type: "matchRepository" } }],
      "localhost:5000": [{ type: "sigstoreSigned", keyPath: KEY, signedIdentity: { type: "matchRepository" } }],
    });
    expect(policyText(withScopes(added, ["atcr.io", "localhost:5000"], undefined))).toBe(STOCK_POLICY_JSON);
  });
});

describe("nodeKeyOf", () => {
  it("knows what signedByNode makes, and nothing that differs", () => {
    const [ours] = signedByNode(KEY);
    expect(nodeKeyOf(signedByNode(KEY))).toBe(KEY);
    for (const other of [
      undefined,
      [],
      [{ type: "insecureAcceptAnything" }],
      [{ ...ours, rekorPublicKeyPath: "/a" }],
      [{ ...ours, type: "signedBy" }],
      [{ ...ours, signedIdentity: { type: "matchExact" } }],
      [{ ...ours, signedIdentity: { type: "matchRepository", prefix: "a" } }],
      [...signedByNode(KEY), { type: "reject" }],
    ]) {
      expect(nodeKeyOf(other)).toBeUndefined();
    }
  });
});

describe("scopesBelow", () => {
  it("are those of the host's repositories, not of a host that begins alike", () => {
    const text = `{"default": [{"type": "reject"}], "transports": {"docker": {
      "atcr.io": [{"type": "reject"}], "atcr.io/a": [{"type": "reject"}], "atcr.io.example/a": [{"type": "reject"}]}}}`;
    expect(scopesBelow(parsePolicyJson(text, "p"), "atcr.io")).toEqual(["atcr.io/a"]);
  });
});
