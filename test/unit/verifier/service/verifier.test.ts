import { describe, expect, it, vi } from "vitest";
import { DEFAULT_CONFIG } from "../../../../src/core/config/config.ts";
import type { Bundle } from "../../../../src/core/evidence/bundle.ts";
import type { BreakGlassFile } from "../../../../src/core/policy/break-glass.ts";
import type { TrustPolicy } from "../../../../src/core/policy/policy.ts";
import { parseScope, type Scope } from "../../../../src/core/policy/scope.ts";
import { reject } from "../../../../src/core/rejection.ts";
import { Deadline } from "../../../../src/io/process/deadline.ts";
import type * as module from "../../../../src/verifier/service/judge-saved.ts";
import { type Decision, Verifier } from "../../../../src/verifier/service/verifier.ts";
import { policy } from "../../../support/deciding.ts";
import { DIGEST, NOW, signer, subject } from "../../../support/evidence.ts";
import { session } from "../../../support/saved.ts";

/** What becomes of saved evidence in these tests; as it is where a test says nothing else. */
const judgeSaved = vi.hoisted(() => vi.fn());
vi.mock("../../../../src/verifier/service/judge-saved.ts", async (original) => {
  const real = await original<typeof module>();
  judgeSaved.mockImplementation(real.judgeSaved);
  return { judgeSaved };
});

const alice = await signer({ name: "alice" });
const saved: Bundle = { digest: DIGEST, evidence: { pointers: [], gaps: [], signatures: [await alice.evidence()] } };
const breakGlass: BreakGlassFile = {
  path: "break-glass.yaml",
  active: { reason: "an outage", until: NOW + 1000, scopes: [parseScope("**") as Scope] },
};
const [enforced, audited] = (["enforce", "audit"] as const).map((action) => policy([alice.did], {}, { action })) as [
  TrustPolicy,
  TrustPolicy,
];

function verify(changes: Partial<ConstructorParameters<typeof Verifier>[0]> = {}, time = 60_000): Promise<Decision> {
  const settings = { config: DEFAULT_CONFIG, policy: enforced, saved, environment: {}, warn: () => {} };
  const deadline = new Deadline(performance.now() + time);
  return new Verifier({ ...settings, ...changes }).verify(subject(), session({ deadline }));
}

describe("Verifier, where a verification does not end", () => {
  it("refuses shortly after the deadline, and has no evidence that could be taken for all of it", async () => {
    judgeSaved.mockReturnValueOnce(new Promise(() => {}));
    const { answer, evidence } = await verify({}, 0);
    expect(answer).toMatchObject({ outcome: "inconclusive", code: "net.deadline" });
    expect(evidence).toBeUndefined();
  });

  it.each([
    ["audited", { policy: audited }],
    ["break_glass", { breakGlass }],
  ])("lets through what is %s", async (kind, changes) => {
    judgeSaved.mockReturnValueOnce(new Promise(() => {}));
    const { answer } = await verify(changes, 0);
    expect(answer).toMatchObject({ outcome: "allow", because: { kind, would: { code: "net.deadline" } } });
  });
});

describe("Verifier, where a verification fails", () => {
  it("refuses for a mistake of the node, which break-glass helps against and audit does not", async () => {
    const fail = () => judgeSaved.mockImplementationOnce(async () => reject("config.invalid", "a file is missing"));
    fail();
    const { answer, evidence, error } = await verify({ policy: audited });
    expect(answer).toMatchObject({ outcome: "misconfigured", code: "config.invalid" });
    expect([evidence, error]).toEqual([undefined, undefined]);
    fail();
    expect((await verify({ breakGlass })).answer).toMatchObject({ because: { kind: "break_glass" } });
  });

  it("refuses for a bug whatever audits or is covered, and hands it on", async () => {
    const bug = new TypeError("a bug");
    judgeSaved.mockRejectedValueOnce(bug);
    const { answer, evidence, error } = await verify({ policy: audited, breakGlass });
    expect(answer).toMatchObject({ outcome: "internal", code: "internal.error" });
    expect([evidence, error]).toEqual([undefined, bug]);
  });
});

describe("Verifier, by saved evidence", () => {
  it("answers with the evidence that it was given", async () => {
    const { answer, evidence, cache } = await verify();
    expect(answer).toMatchObject({ outcome: "allow", because: { kind: "signed" } });
    expect([evidence?.(), cache]).toEqual([saved.evidence, "none"]);
  });

  it("refuses evidence about another image, whatever audits or is covered", async () => {
    const other = { ...saved, digest: `sha256:${"0".repeat(64)}` } as Bundle;
    const { answer } = await verify({ saved: other, policy: audited, breakGlass });
    expect(answer).toMatchObject({ code: "input.digest_mismatch" });
    expect(answer.outcome).not.toBe("allow");
  });
});
