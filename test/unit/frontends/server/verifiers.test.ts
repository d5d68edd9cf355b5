import { describe, expect, it } from "vitest";
import { DEFAULT_CONFIG } from "../../../../src/core/config/config.ts";
import type { BreakGlassFile } from "../../../../src/core/policy/break-glass.ts";
import type { ServerFiles } from "../../../../src/frontends/server/settings/server-files.ts";
import { Verifiers } from "../../../../src/frontends/server/verifiers.ts";
import { ServerMemory } from "../../../../src/verifier/service/server-memory.ts";
import { policy } from "../../../support/deciding.ts";
import { rejectionOf } from "../../../support/rejection.ts";

const BREAK_GLASS: BreakGlassFile = { path: "/b.yaml", active: { reason: "INC", until: 1, scopes: [] } };

/** Verifiers by these policies, of which break-glass is active in the namespace shop. */
function verifiersOf(config = DEFAULT_CONFIG) {
  const inUse = { config, policies: new Map([["", policy([])]]) };
  const files = {
    get policyNames() {
      return [...inUse.policies.keys()].filter((name) => name !== "");
    },
    current: (name = "") => {
      const found = inUse.policies.get(name);
      return found && { config: inUse.config, policy: found };
    },
    breakGlassFor: (namespace: string | undefined) => (namespace === "shop" ? BREAK_GLASS : undefined),
  } as unknown as ServerFiles;
  return { inUse, verifiers: new Verifiers(files, {}, new ServerMemory()) };
}

describe("what a review is judged by", () => {
  it("is a verifier of its policy, the same until policy or configuration change", () => {
    const { inUse, verifiers } = verifiersOf();
    inUse.policies.set("staging", policy([]));
    const first = verifiers.judgingFor({});
    const staging = verifiers.judgingFor({ policy: "staging" });
    expect(first.policy).toBe(inUse.policies.get(""));
    expect(verifiers.judgingFor({}).verifier).toBe(first.verifier);
    expect(staging.policy).toBe(inUse.policies.get("staging"));
    expect(staging.verifier).not.toBe(first.verifier);
    inUse.config = { ...DEFAULT_CONFIG };
    const changed = verifiers.judgingFor({});
    expect(changed.policy).toBe(first.policy);
    expect(changed.verifier).not.toBe(first.verifier);
    expect(verifiers.judgingFor({}).verifier).toBe(changed.verifier);
  });

  it("is break-glass of the review's own namespace alone", () => {
    const { verifiers } = verifiersOf();
    const found = ["shop", "other", undefined].map((namespace) => verifiers.judgingFor({ namespace }).breakGlass);
    expect(found).toEqual([BREAK_GLASS, undefined, undefined]);
  });

  it("is none where no policy has that name, and says which there are", () => {
    const { inUse, verifiers } = verifiersOf();
    const messageOf = (name: string): string => {
      const { code, message } = rejectionOf(() => verifiers.judgingFor({ policy: name }));
      expect(code).toBe("policy.invalid");
      return message;
    };
    expect(messageOf("missing")).toBe('the path names the policy "missing"; server.policies has no policy');
    for (let i = 1; i <= 9; i++) inUse.policies.set(`p${i}`, policy([]));
    const known = "server.policies has p1, p2, p3, p4, p5, p6, p7, p8 and 1 more";
    expect(messageOf(`\n${"x".repeat(100)}`)).toBe(`the path names the policy "?${"x".repeat(63)}"; ${known}`);
  });
});
