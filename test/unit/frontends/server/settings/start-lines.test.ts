import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../../../src/core/config/parse-config.ts";
import { parsePolicy } from "../../../../../src/core/policy/parse-policy.ts";
import { serverConfig } from "../../../../../src/frontends/server/settings/running-config.ts";
import { described, startLines } from "../../../../../src/frontends/server/settings/start-lines.ts";

const tls = { certFile: "/c", keyFile: "/k" };
const listeners = [
  { listen: "0.0.0.0:8443", gates: ["admit", "mutate"], tls },
  { listen: "0.0.0.0:8080", gates: ["health", "metrics"] },
];
const server = { listeners, policies: { audit: "/p/audit.yaml", denied: "/p/denied.yaml" } };
const text = JSON.stringify({ trustPolicyPath: "/p/policy.yaml", stateDir: "/s", server });
const config = serverConfig(parseConfig(text, "c.yaml"), "c.yaml");
const AUDIT = `
version: 1.0
trustedDIDs: { "did:plc:ewvi7nxzyoun6zhxrhs64oiz": {} }
policies: [{ name: all, scope: "**", action: audit }]
default: audit
`;
const TEXTS: Readonly<Record<string, string>> = {
  audit: AUDIT,
  denied: `${AUDIT}digests: { deny: ["sha256:${"1".repeat(64)}"] }\n`,
};

describe("startLines", () => {
  it("names addresses, policies and whether they refuse anything, tokens and the history", () => {
    const policyOf = (name: string | undefined) =>
      parsePolicy(TEXTS[name ?? ""] ?? "version: 1.0\ndefault: deny\n", "policy.yaml");
    const started = { config, policyOf, tokens: 1, hasHistory: true };
    expect(startLines(started, "atcr-verify 1")).toEqual([
      `policy: /p/policy.yaml: 0 rules, 0 signers; enforces; SHA-256 ${policyOf(undefined).hash}`,
      expect.stringMatching(
        /^policy audit: \/p\/audit\.yaml: 1 rule, 1 signer; only audits, and refuses nothing; SHA-256 /,
      ),
      expect.stringMatching(/^policy denied: .* and refuses nothing except 1 denied digest; SHA-256 /),
      "/v1/verify demands one of 1 token",
      "the signer history is in /s",
      "atcr-verify 1 answers on https://0.0.0.0:8443 (admit, mutate); http://0.0.0.0:8080 (health, metrics)",
    ]);
    expect(startLines({ ...started, tokens: undefined }, "atcr-verify 1").join()).not.toContain("token");
    expect(startLines({ ...started, hasHistory: false }, "atcr-verify 1").join()).not.toContain("history");
  });
});

describe("a policy that enforces", () => {
  it.each(["allow", "audit"])("says that what no rule names is not refused: default %s", (fallback) => {
    const text = AUDIT.replace("action: audit", "action: enforce").replace("default: audit", `default: ${fallback}`);
    expect(described(parsePolicy(text.replace('"**"', '"a.example/**"'), "policy.yaml"))).toMatch(
      new RegExp(`^1 rule, 1 signer; enforces, but default ${fallback}; SHA-256 `),
    );
  });
});
