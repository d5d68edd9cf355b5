import { describe, expect, it } from "vitest";
import { parseReference } from "../../../../src/core/oci/reference.ts";
import { select } from "../../../../src/core/policy/select.ts";
import { readParameters } from "../../../../src/frontends/ratify/plugin-parameters.ts";
import { DIGEST } from "../../../support/evidence.ts";

const DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const HOSTS = { name: "a", type: "b", artifactTypes: "*", nestedReferences: "", source: {}, version: "1.0.0" };

describe("the parameters of a verifier", () => {
  it("replace what they name of the configuration, and nothing else", () => {
    expect(readParameters(HOSTS)).toEqual({ settings: {} });
    const given = {
      trustPolicyPath: "/p.yaml",
      didResolverTimeout: "2s",
      pdsTimeout: "1500ms",
      cacheEnabled: false,
      cacheTTL: "1m",
    };
    expect(readParameters({ ...HOSTS, ...given })).toEqual({
      settings: {
        trustPolicyPath: "/p.yaml",
        didResolverTimeout: 2000,
        pdsTimeout: 1500,
        cacheEnabled: false,
        cacheTTL: 60_000,
      },
    });
  });

  it.each([[[DID]], [{ [DID]: { name: "alice", minRev: "3mf4qqh4qzs2a" } }]])(
    "are a policy of their own: %j",
    (trustedDIDs) => {
      const { policy, settings } = readParameters({ ...HOSTS, trustedDIDs });
      if (policy === undefined) throw new Error("there is no policy");
      expect(settings).toEqual({});
      expect(policy.everyone.map(({ did }) => did)).toEqual([DID]);
      expect(policy.fallback).toBe("deny");
      const selection = select(policy, parseReference("r.example:5000/a/b/c"), DIGEST);
      expect(selection).toMatchObject({ kind: "judge", rule: { name: "trustedDIDs", action: "enforce" } });
    },
  );

  it.each([
    [{ trustPolicypath: "/p" }, 'unknown parameter "trustPolicypath"; did you mean trustPolicyPath?'],
    [{ trustedDids: [DID] }, 'unknown parameter "trustedDids"; did you mean trustedDIDs?'],
    [{ "{": 1 }, /^unknown parameter "\{"; expected one of trustPolicyPath, /],
    [{ __proto__x: 1 }, /^unknown parameter "__proto__x"/],
    [{ deadline: "60s" }, /^unknown parameter "deadline"/],
    [{ trustPolicyPath: "p.yaml" }, /^the parameter trustPolicyPath: found "p.yaml", expected an absolute path/],
    [{ trustPolicyPath: "" }, /^the parameter trustPolicyPath: /],
    [{ trustPolicyPath: null }, /^the parameter trustPolicyPath: /],
    [{ didResolverTimeout: 10 }, /^the parameter didResolverTimeout: found the number 10, expected a duration/],
    [{ pdsTimeout: "1" }, /^the parameter pdsTimeout: found "1", expected a duration/],
    [{ cacheEnabled: "true" }, /^the parameter cacheEnabled: /],
    [{ cacheTTL: "0s" }, /^the parameter cacheTTL: found "0s", expected a duration from 1s to 24h/],
    [{ trustedDIDs: ["did:key:x"] }, /^the parameter trustedDIDs\[0\]: /],
    [{ trustedDIDs: [] }, /trustedDIDs/],
    [{ trustedDIDs: DID }, /^the parameter trustedDIDs: /],
    [{ trustedDIDs: null }, /trustedDIDs/],
    [
      { trustedDIDs: [DID], trustPolicyPath: "/p.yaml" },
      /^trustedDIDs is a policy of its own, and trustPolicyPath names another/,
    ],
  ])("are refused by name: %j", (given, message) => {
    expect(() => readParameters({ ...HOSTS, ...given })).toThrow(expect.objectContaining({ kind: "parameters" }));
    expect(() => readParameters({ ...HOSTS, ...given })).toThrow(message);
  });
});
