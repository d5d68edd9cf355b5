import { describe, expect, it, vi } from "vitest";
import type { Witness } from "../../../../src/core/evidence/outside.ts";
import { recordPath } from "../../../../src/core/evidence/record-path.ts";
import { questionOf } from "../../../../src/core/verify/question.ts";
import { NO_HISTORY } from "../../../../src/core/verify/signer-history.ts";
import { ProvenTimes } from "../../../../src/io/store/proven-times.ts";
import { judgeSaved } from "../../../../src/verifier/service/judge-saved.ts";
import { NO_STORES } from "../../../../src/verifier/service/no-stores.ts";
import { policy } from "../../../support/deciding.ts";
import { bundleOf, DIGEST, NOW, rule, signer, subject, trusted } from "../../../support/evidence.ts";
import { ask, headline } from "../../../support/recorded-session.ts";
import { session } from "../../../support/saved.ts";
import { World } from "../../../support/world.ts";

const DAY = 24 * 3_600_000;
const TAKING = { offlineFor: 30 * DAY };
const alice = await signer({ name: "alice" });
const bundle = bundleOf({ signatures: [await alice.evidence()] });
const witness: Witness = { kind: "none", at: NOW };

async function judged(
  world: World,
  comparedWith: "history and time" | "history",
  required: object = TAKING,
): Promise<string> {
  const saved = { kind: "outside", bundle, witness, comparedWith } as const;
  const { decision } = await ask(world, policy([]), world.verifier(policy([alice.did], required), { saved }));
  return `${headline(decision)} ${decision.cache}`;
}

describe("a bundle that a person names", () => {
  it("counts under offlineFor alone, and asks nobody", async () => {
    await using world = await World.start(alice);
    expect(await judged(world, "history and time")).toBe("signed bundle");
    expect(await judged(world, "history and time", {})).toBe("inconclusive bundle.not_accepted bundle");
    expect([world.http.asked, world.disk.files()]).toEqual([[], []]);
  });

  it("is compared with what this node knows to be deleted, also as of another time", async () => {
    await using world = await World.start(alice);
    const no = { path: recordPath(DIGEST), rev: alice.repo.rev as never };
    await world.disk.recordObservation({ signer: alice.did, revs: [], noes: [no] });
    expect(await judged(world, "history and time")).toBe("deny commit.rolled_back bundle");
    expect(await judged(world, "history")).toBe("deny commit.rolled_back bundle");
  });

  it("does not count while the clock is behind, unless a person names the time", async () => {
    await using world = await World.start(alice);
    await new ProvenTimes(world.disk.stateDir, () => {}).record(NOW + DAY);
    expect(await judged(world, "history and time")).toBe("inconclusive bundle.not_accepted bundle");
    expect(await judged(world, "history")).toBe("signed bundle");
  });

  it.each<[string, object, string]>([
    ["is damaged", { unusable: "damaged" }, "bundle.not_accepted"],
    ["this user may not read", { unusable: "denied", isDenied: true }, "allow"],
  ])("is judged with a history that %s", async (_, history, expected) => {
    const loadHistory = vi.fn(async () => ({ ...NO_HISTORY, ...history }));
    const question = questionOf(subject(), rule([trusted(alice.did)], TAKING), ["atcr.io"], NOW);
    const saved = { kind: "outside", bundle, witness, comparedWith: "history and time" } as const;
    const [image] = bundle.images;
    const verdict = await judgeSaved(question, saved, image?.evidence as never, session(), {
      ...NO_STORES,
      loadHistory,
    });
    expect(verdict.outcome === "allow" ? "allow" : verdict.code).toBe(expected);
    expect(loadHistory).toHaveBeenCalledOnce();
  });
});
