import { describe, expect, it } from "vitest";
import { parseReference } from "../../../../src/core/oci/reference.ts";
import { parsePolicy } from "../../../../src/core/policy/parse-policy.ts";
import { ask, RecordedSession } from "../../../support/recorded-session.ts";
import { World } from "../../../support/world.ts";

const ALICE = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const POLICY = parsePolicy(
  `
version: 1.0
trustedDIDs: { ${ALICE}: {} }
policies:
  - { name: sandbox, scope: "registry.example/team/exempt", action: allow }
  - { name: evil, scope: "registry.example/team/denied", action: deny }
  - { name: signed, scope: "registry.example/team/app", action: enforce }
`,
  "policy.yaml",
);

describe("Verifier.decideByName", () => {
  it.each([
    ["registry.example/team/exempt:v1", { outcome: "allow", because: { kind: "exempt" } }, "sandbox"],
    ["registry.example/team/denied:v1", { outcome: "deny", code: "policy.denied" }, "evil"],
    ["registry.example/team/other:v1", { outcome: "deny", code: "policy.no_match" }, "default"],
  ])("is the answer of a pull, without a request: %s", async (text, answer, rule) => {
    await using world = await World.start();
    const verifier = world.verifier(POLICY);
    const name = parseReference(text);
    const decided = verifier.decideByName(name);
    expect(decided).toMatchObject({ answer, rule: { name: rule } });
    expect(world.requests).toEqual([]);
    const image = world.registry.pushImage(name.path, "one", "v1");
    const { digest } = await verifier.resolve(name, new RecordedSession(world));
    expect(digest).toBe(image.digest);
    const { decision } = await ask(world, POLICY, verifier, { name, digest, tag: "v1" });
    expect(decision.answer).toEqual(decided?.answer);
  });

  it("is absent where signatures decide", async () => {
    await using world = await World.start();
    expect(world.verifier(POLICY).decideByName(parseReference("registry.example/team/app:v1"))).toBeUndefined();
  });
});
