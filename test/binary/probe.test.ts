import { describe, expect, it } from "vitest";
import { ask, containerdArgs, DESCRIPTOR_TYPE, headline, TestNode } from "../support/binary.ts";

const DIGEST = `sha256:${"ab".repeat(32)}`;

describe("the doctor's own name", () => {
  it("is refused whatever the policy says", async () => {
    const world = await TestNode.start();
    try {
      const pull = async (name: string) => {
        const stdin = JSON.stringify({ mediaType: DESCRIPTOR_TYPE, digest: DIGEST });
        return headline(await ask(containerdArgs(name, DIGEST), { env: world.env, stdin }));
      };
      for (const policy of [
        'version: 1\ntrustedDIDs: ["did:web:a.example"]\npolicies:\n  - {name: a, scope: "127.0.0.1:5000/**", action: allow}\ndefault: allow\n',
        `version: 1\ntrustedDIDs: ["did:web:a.example"]\npolicies:\n  - {name: a, scope: "b.example/**", action: enforce}\ndigests: {allow: ["${DIGEST}"], deny: []}\ndefault: audit\n`,
        "no policy",
      ]) {
        world.policy(policy);
        expect(await pull("127.0.0.1:5000/atcr-verify-probe/x:probe")).toBe("1 deny policy.probe");
      }
      world.policy(
        'version: 1\ntrustedDIDs: ["did:web:a.example"]\npolicies:\n  - {name: a, scope: "b.example/**", action: enforce}\ndefault: allow\n',
      );
      // Nobody else's name is taken away from them.
      for (const name of [
        "127.0.0.1:5000/atcr-verify-probes/x",
        "a.example/atcr-verify-probe/x",
        "127.0.0.1:5000/a/atcr-verify-probe/x",
      ]) {
        expect(await pull(name)).toBe("0 allow exempt");
      }
    } finally {
      await world.stop();
    }
  });
});
