import { describe, expect, it } from "vitest";
import type { Config } from "../../../src/config/config.ts";
import { DEFAULT_CONFIG } from "../../../src/config/config.ts";
import { answerFromRefusal, questionOf } from "../../../src/decide/from-refusal.ts";
import { digestHex } from "../../../src/oci/digest.ts";
import type { Requirement, TrustedSigner } from "../../../src/policy/policy.ts";
import type { Bundle } from "../../../src/verify/bundle.ts";
import type { Subject } from "../../../src/verify/evidence.ts";
import type { Verdict } from "../../../src/verify/verdict.ts";
import { answer, policy } from "../../support/deciding.ts";
import {
  DIGEST,
  digestOf,
  INDEX,
  NOW,
  recordOf,
  rule,
  signer,
  subject,
  TAG,
  type TestSigner,
  trusted,
} from "../../support/evidence.ts";
import { MANIFEST_COLLECTION } from "../../support/signed-repo.ts";
import { World } from "../../support/world.ts";

const DAY = 24 * 3_600_000;
const KEPT = { maxStaleness: DAY };
const OTHER = digestOf("another image");
const [A, B] = ["did:web:a.example", "did:web:b.example"] as TestSigner["did"][];

interface Asking {
  readonly about?: Partial<Subject>;
  readonly config?: Partial<Config>;
  readonly require?: Partial<Requirement>;
  readonly signers?: readonly TrustedSigner[];
  readonly action?: "enforce" | "audit";
}

describe("questionOf", () => {
  const question = ({ about, config, require, signers = [trusted(A as TestSigner["did"])] }: Asking = {}, now = NOW) =>
    questionOf(subject(about), rule(signers, require), { ...DEFAULT_CONFIG, ...config }, now);
  const one = A as TestSigner["did"];
  const two = B as TestSigner["did"];

  it("is a name of 64 hex digits, the same for the same", () => {
    expect(question()).toMatch(/^[0-9a-f]{64}$/);
    expect(question({}, NOW + DAY)).toBe(question());
  });

  it.each<[string, Asking]>([
    ["the digest", { about: { digest: OTHER } }],
    ["the host", { about: { name: { host: "other.example", path: "team/app" } } }],
    ["the path", { about: { name: { host: "registry.example", path: "team/web" } } }],
    ["the tag", { about: { tag: TAG } }],
    ["the signers", { signers: [trusted(two)] }],
    ["their number", { signers: [trusted(one), trusted(two)] }],
    ["who of them counts", { signers: [trusted(one), trusted(two, { revoked: true }), trusted(two)] }],
    ["a signer who is revoked", { signers: [trusted(one, { revoked: true })] }],
    ["whether the tag matters", { require: { tag: "match" } }],
    ["whether the owner matters", { require: { owner: "match" } }],
    ["the directories", { config: { plcDirectories: ["https://other.example"] } }],
    ["the hosts of ATCR", { config: { atcrHosts: ["registry.example"] } }],
    ["a timeout", { config: { pdsTimeout: 1 } }],
    ["where credentials are", { config: { registryCredentials: { realms: new Map() } } }],
    ["what may be contacted", { config: { network: { cidrs: [], hosts: ["pds.internal"], plainHttp: [] } } }],
  ])("is another with %s", (_, asking) => {
    expect(question(asking)).not.toBe(question());
  });

  it("is by whom counts at that time", () => {
    const signers = [trusted(one), trusted(two, { expiresAt: NOW + 1 })];
    expect(question({ signers })).not.toBe(question({ signers }, NOW + 1));
    expect(question({ signers }, NOW + 1)).toBe(question());
  });

  it.each<[string, Asking]>([
    ["the media type", { about: { mediaType: INDEX } }],
    ["the size", { about: { size: 5 } }],
    ["how many must have signed", { require: { minSignatures: 3 } }],
    ["how old a record may be", { require: { maxAge: 5 } }],
    ["a pin", { signers: [trusted(one, { keys: ["did:key:x"] })] }],
  ])("is the same whatever only the judgement asks for: %s", (_, asking) => {
    expect(question(asking)).toBe(question());
  });
});

/** A world whose last refusal a node remembers as of this question. */
class Refused {
  readonly world: World;
  readonly alice: TestSigner;
  readonly #first: Asking;
  readonly #at: number;

  private constructor(world: World, alice: TestSigner, first: Asking) {
    this.world = world;
    this.alice = alice;
    this.#first = first;
    this.#at = world.now;
  }

  /** @param spoil what has the pull refused: by default that there is no record */
  static async by(
    first: Asking = {},
    spoil?: (world: World, alice: TestSigner) => unknown,
    before?: (world: World, alice: TestSigner) => unknown,
  ): Promise<Refused> {
    const alice = await signer({ name: "alice", tag: {}, ...(spoil === undefined && { record: null }) });
    const world = await World.start(alice);
    await before?.(world, alice);
    await spoil?.(world, alice);
    const made = new Refused(world, alice, first);
    await made.pull();
    expect(world.memory.refusals.length).toBeGreaterThan(0);
    return made;
  }

  async pull(asking = this.#first): Promise<string> {
    const { about, config, require, action = "enforce", signers = [trusted(this.alice.did)] } = asking;
    const pull = { ...(about && { about }), ...(config && { config }) };
    return answer(this.world, policy(signers, require, { action }), pull);
  }

  /** `allow`, outcome and code, or undefined where the network has the word. */
  async again(asking: Asking = this.#first): Promise<string | undefined> {
    const verdict = await this.verdict(asking);
    return verdict?.outcome === "allow" || verdict === undefined
      ? verdict?.outcome
      : `${verdict.outcome} ${verdict.code}`;
  }

  async verdict(asking: Asking = this.#first): Promise<Verdict | undefined> {
    const evidence = this.world.memory.refusals.at(-1);
    if (evidence === undefined) throw new Error("nothing was refused");
    const asked = (given: Asking) => {
      const { about, config, require, action, signers = [trusted(this.alice.did)] } = given;
      const context = this.world.context(config);
      return { about: subject(about), judged: rule(signers, require, action), context };
    };
    const first = asked(this.#first);
    const key = questionOf(first.about, first.judged, first.context.config, this.#at);
    const bundle: Bundle = { digest: first.about.digest, evidence };
    const find = (question: string, now: number) => {
      expect(now).toBe(this.world.now);
      return question === key ? bundle : undefined;
    };
    const { about, judged, context } = asked(asking);
    const asking2 = this.world.requests.length;
    const verdict = await answerFromRefusal(about, judged, { ...context, refusals: async () => ({ find }) });
    expect(this.world.requests).toHaveLength(asking2);
    return verdict;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
  }
}

describe("answerFromRefusal", () => {
  it.each<[string, string, Asking, ((world: World, alice: TestSigner) => unknown)?]>([
    ["a proven absence", "deny signature.none", {}],
    ["silence", "inconclusive pds.unreachable", {}, (world, { pds }) => world.http.places.set(pds, "unreachable")],
    [
      "a gap in the registry's list",
      "inconclusive registry.unauthorized",
      {},
      (world, alice) => {
        world.registry.override("", { status: 401 });
        void alice.repo.delete(MANIFEST_COLLECTION, digestHex(DIGEST), NOW - 1000);
      },
    ],
    ["another repository", "deny record.wrong_repository", { require: { repository: ["other"] } }, () => {}],
    ["a tag", "deny tag.absent", { about: { tag: "v2" }, require: { tag: "match" } }, () => {}],
  ])("is what the pull before was told, without a request: %s", async (_, expected, asking, spoil) => {
    await using refused = await Refused.by(asking, spoil);
    const first = await refused.pull();
    expect(await refused.again()).toBe(first);
    if (expected !== "inconclusive registry.unauthorized") expect(first).toBe(expected);
  });

  it.each<[string, Asking]>([
    ["another digest", { about: { digest: OTHER } }],
    ["another name", { about: { name: { host: "registry.example", path: "team/web" } } }],
    ["another tag", { about: { tag: TAG } }],
    ["other signers", { signers: [trusted(B as TestSigner["did"])] }],
    ["another configuration", { config: { plcDirectories: ["https://plc2.example"] } }],
    ["another demand for what is asked", { require: { tag: "match" } }],
    ["answers that are not cached", { config: { cacheEnabled: false } }],
  ])("is nothing for %s", async (_, asking) => {
    await using refused = await Refused.by();
    expect(await refused.again()).toBe("deny signature.none");
    expect(await refused.again(asking)).toBeUndefined();
  });

  it("is nothing where what was remembered is about another digest than its name says", async () => {
    await using refused = await Refused.by();
    const [evidence] = refused.world.memory.refusals;
    if (evidence === undefined) throw new Error("nothing was refused");
    const find = () => ({ digest: OTHER, evidence });
    const judged = rule([trusted(refused.alice.did)]);
    expect(
      await answerFromRefusal(subject(), judged, { ...refused.world.context(), refusals: async () => ({ find }) }),
    ).toBe(undefined);
  });

  it("is nothing where a part of it is older than evidence may be, or ahead of the clock", async () => {
    await using refused = await Refused.by();
    refused.world.now = NOW + DEFAULT_CONFIG.cacheTTL;
    expect(await refused.again()).toBe("deny signature.none");
    refused.world.now++;
    expect(await refused.again()).toBeUndefined();
    refused.world.now = NOW - 1;
    expect(await refused.again()).toBeUndefined();
  });

  it("is judged by this pull: under a policy that asks for less, or by a media type that is right, it may be met", async () => {
    await using refused = await Refused.by({ require: { maxAge: DAY } }, () => {});
    expect(await refused.again()).toBe("deny record.too_old");
    expect(await refused.again({ require: { maxAge: 30 * DAY } })).toBe("allow");
    expect(await refused.again({ about: { mediaType: INDEX } })).toBe("deny record.media_type_mismatch");
    const pinned = [trusted(refused.alice.did, { keys: ["did:key:x"] })];
    expect(await refused.again({ signers: pinned })).toBe("deny identity.key_not_pinned");
  });

  it("is proven by its bytes", async () => {
    await using refused = await Refused.by({ require: { maxAge: DAY } }, () => {});
    const asking = { require: { maxAge: 30 * DAY } };
    expect(await refused.again(asking)).toBe("allow");
    refused.world.memory.refusals.at(-1)?.signatures[0]?.record?.bytes.fill(0, 100, 101);
    expect(await refused.again(asking)).toMatch(/^(?:deny|inconclusive) /);
  });

  it("is held against what this node remembers now", async () => {
    await using refused = await Refused.by({ require: { maxAge: DAY } }, () => {});
    const asking = { require: { maxAge: 30 * DAY } };
    await refused.alice.repo.put(MANIFEST_COLLECTION, digestHex(OTHER), recordOf(OTHER), NOW - 1000);
    const rev = refused.alice.repo.rev as NonNullable<TrustedSigner["minRev"]>;
    refused.world.memory.remember({ signer: refused.alice.did, revs: [rev] });
    expect(await refused.again(asking)).toBe("deny commit.rolled_back");
  });

  it("is nothing where a did:web, of which no log tells, had another key since", async () => {
    const who = await signer({ name: "web", method: "web" });
    await using world = await World.start(who);
    expect(await answer(world, policy([who.did], { maxAge: DAY }))).toBe("deny record.too_old");
    const [evidence] = world.memory.refusals;
    if (evidence === undefined) throw new Error("nothing was refused");
    const refusals = async () => ({ find: () => ({ digest: DIGEST, evidence }) });
    const again = () =>
      answerFromRefusal(subject(), rule([trusted(who.did)], { maxAge: 30 * DAY }), { ...world.context(), refusals });
    expect(await again()).toMatchObject({ outcome: "allow" });
    world.now++;
    world.memory.remember({ signer: who.did, revs: [], key: "did:key:newer" });
    expect(await again()).toBeUndefined();
  });

  it("lets through what the rule only audits, and says what would be", async () => {
    await using refused = await Refused.by({ action: "audit" });
    expect(await refused.verdict()).toMatchObject({
      outcome: "allow",
      because: { kind: "audited", would: { code: "signature.none" } },
    });
  });

  it("is made up for by evidence of before, where the rule takes that and nobody answered", async () => {
    const silence = (world: World, { pds }: TestSigner) => world.http.places.set(pds, "unreachable");
    await using refused = await Refused.by({ require: KEPT }, silence, async (world, { did }) => {
      expect(await answer(world, policy([did], KEPT))).toBe("allow");
      world.now += 1000;
    });
    expect(await refused.again({})).toBe("inconclusive pds.unreachable");
    expect(await refused.verdict()).toMatchObject({
      outcome: "allow",
      because: { verifiedAt: NOW, notes: [expect.stringContaining("services could not be reached")] },
    });
    refused.world.memory.evidence.clear();
    expect(await refused.again()).toBe("inconclusive pds.unreachable");
  });

  it("is not made up for where somebody said no", async () => {
    const withdraw = ({ repo }: TestSigner) => repo.delete(MANIFEST_COLLECTION, digestHex(DIGEST), NOW - 1000);
    await using refused = await Refused.by({ require: KEPT }, (_, alice) => withdraw(alice));
    const { evidence } = refused.world.memory;
    const signature = await (await signer({ name: "alice" })).evidence();
    evidence.set(`${refused.alice.did} ${DIGEST}`, { signature, proven: {} as never });
    expect(await refused.again()).toBe("deny signature.none");
  });
});
