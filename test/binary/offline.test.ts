import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readBundle, writeBundle } from "../../src/core/evidence/bundle.ts";
import { makeSealKey, readSealKey } from "../../src/io/store/seal-key-files.ts";
import { type Answered, accepting, ask, enforcing, headline, TestNode } from "../support/binary.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

// A node that is cut off: what is imported there counts at a pull, under the rules for evidence from outside.

const [MINUTE, DAY] = [60_000, 24 * 3_600_000];
let world: TestNode;
let image: Descriptor;
let key: string;

beforeAll(async () => {
  world = await TestNode.start();
  image = await world.image("carried");
  key = join(world.folder, "seal");
  makeSealKey(key);
});
afterAll(() => world.stop());

const nameOf = ({ digest }: Descriptor) => `${world.name}@${digest}`;

/** A node of its own, which asks nobody unless its settings say so. */
class CutOff {
  readonly config: string;
  readonly env: Record<string, string>;

  constructor(name: string, settings: object = {}, policy = accepting(world.signer.did)) {
    const trustPolicyPath = world.policy(policy, `${name}.policy.yaml`);
    this.config = world.configure(
      {
        ...world.settings,
        offline: true,
        trustPolicyPath,
        bundleDir: join(world.folder, `${name}.bundles`),
        ...settings,
      },
      `${name}.yaml`,
    );
    this.env = { ...world.env, ATCR_VERIFY_CONFIG: this.config };
  }

  run(...args: readonly string[]): Promise<Answered> {
    return ask(args, { env: this.env });
  }

  async import(file: string): Promise<number | null> {
    const answered = await this.run("bundle", "import", file);
    return answered.code;
  }

  async pull(descriptor = image): Promise<string> {
    return headline(await this.answer(descriptor));
  }

  answer(descriptor = image): Promise<Answered> {
    return world.pull(world.name, descriptor, { env: this.env });
  }
}

/** Gathered now by a node with a network. */
async function gathered(name: string, descriptor = image, ...more: readonly string[]): Promise<string> {
  const file = join(world.folder, name);
  rmSync(file, { force: true });
  await ask(["bundle", "create", nameOf(descriptor), "-o", file, ...more], { env: world.env });
  return file;
}

/** The same evidence, as if it had been gathered at another time. */
function dated(file: string, gatheredAt: number, isSealed = false): string {
  const { bundle } = readBundle(readFileSync(file));
  const at = Math.floor(gatheredAt / 1000) * 1000;
  const images = bundle.images.map((one) => ({
    ...one,
    evidence: {
      ...one.evidence,
      signatures: one.evidence.signatures.map(({ identity, record, ...signature }) => ({
        ...signature,
        identity: { ...identity, fetchedAt: at },
        ...(record && { record: { ...record, fetchedAt: at } }),
      })),
    },
  }));
  return world.write(
    `dated-${at}-${isSealed}.bundle`,
    writeBundle({ gatheredAt: at, images }, isSealed ? readSealKey(key) : undefined),
  );
}

describe("a node that is offline", () => {
  it("allows what was imported, says by what, and asks nobody", async () => {
    const node = new CutOff("allows");
    expect(await node.pull()).toBe("2 inconclusive identity.unreachable");
    expect(await node.import(await gathered("allows.bundle"))).toBe(0);
    const requests = world.plc.requests.length + world.pds.requests.length + world.registry.requests.length;
    const answered = await node.answer();
    expect(headline(answered)).toBe("0 allow signed");
    expect(answered.stdout).toMatch(/; by evidence from an imported bundle dated \S+, 0 h old\n$/);
    expect(world.plc.requests.length + world.pds.requests.length + world.registry.requests.length).toBe(requests);
    const verified = JSON.parse((await node.run("verify", nameOf(image), "--output=json")).stdout) as { cache: string };
    expect(verified.cache).toBe("bundle");
  });

  it("asks no registry for a tag or an index, and nobody for a handle", async () => {
    const node = new CutOff("asks-nobody");
    const unsigned = await world.image("not carried", { signed: false });
    world.registry.pushImage("alice/app", "carried", "v1");
    await node.import(await gathered("asks.bundle"));
    await node.import(await gathered("asks-no.bundle", unsigned));
    const asked = () => world.plc.requests.length + world.pds.requests.length + world.registry.requests.length;
    const before = asked();
    expect(headline(await node.run("verify", world.name))).toBe("2 inconclusive registry.unreachable");
    const platform = await node.run("verify", nameOf(image), "--platform", "linux/amd64");
    expect(headline(platform)).toBe("2 inconclusive registry.bad_response");
    expect(headline(await node.run("verify", nameOf(unsigned)))).toBe("1 deny signature.none");
    const handle = await node.run("verify", nameOf(image), "--signer", "alice.example.com");
    expect(headline(handle)).toBe("3 misconfigured input.malformed");
    expect(asked()).toBe(before);
  });

  it("takes nothing imported under a rule without offlineFor", async () => {
    const node = new CutOff("strict", {}, enforcing(world.signer.did));
    expect(await node.import(await gathered("strict.bundle"))).toBe(0);
    expect(await node.pull()).toBe("2 inconclusive identity.unreachable");
  });

  it("counts the window from the gathering that the bundle claims, and from a seal", async () => {
    const file = await gathered("window.bundle");
    const old = new CutOff("old");
    expect(await old.import(dated(file, Date.now() - 31 * DAY))).toBe(0);
    expect(await old.pull()).toBe("2 inconclusive bundle.expired");
    const sealed = new CutOff("sealed", { bundleKeys: [`${key}.pub`] });
    expect(await sealed.import(dated(file, Date.now() - 10 * MINUTE, true))).toBe(0);
    expect((await sealed.answer()).stdout).toMatch(/by evidence from a bundle sealed at \S+ by did:key:/);
  });

  it("refuses an older bundle after a deletion was imported, and after one that a pull has seen", async () => {
    const mine = await world.image("deleted");
    const before = await gathered("before.bundle", mine);
    await world.signer.repo.delete("io.atcr.manifest", mine.digest.slice(7), Date.now() - 30_000);
    const after = await gathered("after.bundle", mine);
    const node = new CutOff("deletion");
    expect(await node.import(before)).toBe(0);
    expect(await node.pull(mine)).toBe("0 allow signed");
    await node.import(after);
    expect(await node.pull(mine)).toBe("1 deny signature.none");
    // What was imported is lost; the memory is not.
    rmSync(join(world.folder, "deletion.bundles"), { recursive: true });
    await node.import(before);
    expect(await node.pull(mine)).toBe("1 deny commit.rolled_back");
    expect(headline(await node.run("verify", nameOf(mine), "--offline", "--bundle", before))).toBe(
      "1 deny commit.rolled_back",
    );

    const online = new CutOff("pulled", { offline: false });
    expect(await online.pull(mine)).toBe("1 deny signature.none");
    const same = { offline: true, stateDir: `${online.config}.state` };
    const cut = new CutOff("pulled-then-cut", same);
    await cut.import(before);
    expect(await cut.pull(mine)).toBe("1 deny commit.rolled_back");
  });

  it("allows nothing imported of a signer whose newest log cannot be read: it may close the identity", async () => {
    await using closing = await closedIdentity();
    expect(await closing.judged()).toBe("1 deny identity.deactivated");
    for (const name of readdirSync(closing.logs)) writeFileSync(join(closing.logs, name), "[");
    expect(await closing.judged()).toBe("2 inconclusive bundle.not_accepted");
  });

  it("remembers the newest log, also where what was imported is lost, and against a bundle that is named for once", async () => {
    await using closing = await closedIdentity();
    expect(headline(await closing.named())).toBe("1 deny identity.log_rolled_back");
    rmSync(join(closing.logs, ".."), { recursive: true });
    await closing.importAgain();
    expect(await closing.judged()).toBe("1 deny identity.log_rolled_back");
  });

  it("no longer uses its own cached evidence, fresh or stale, once an imported no takes it back", async () => {
    const mine = await world.image("cached, then deleted");
    const policy = policyWith("{offlineFor: 30d, maxStaleness: 12h}");
    const node = new CutOff("cached", { offline: false, cacheEnabled: true }, policy);
    expect(await node.pull(mine)).toBe("0 allow signed");
    const kept = { cacheEnabled: true, cacheDir: `${node.config}.cache`, stateDir: `${node.config}.state` };
    const cut = new CutOff("cached-cut", kept, policy);
    const stale = new CutOff("cached-stale", { ...kept, cacheEnabled: false }, policy);
    expect([await cut.pull(mine), await stale.pull(mine)]).toEqual(["0 allow signed", "0 allow signed"]);
    await world.signer.unsign(mine.digest, Date.now() - 20_000);
    const no = await gathered("taken-back.bundle", mine);
    await cut.import(no);
    expect(await cut.pull(mine)).toBe("1 deny signature.none");
    expect(await stale.pull(mine)).not.toContain("allow");
  });

  it("no longer uses its own cached evidence by a key that an imported log replaces", async () => {
    await using closing = await closedIdentity({ isCached: true });
    expect(await closing.judged()).toBe("1 deny identity.deactivated");
    rmSync(join(closing.logs, ".."), { recursive: true });
    expect(await closing.judged()).toBe("2 inconclusive identity.unreachable");
  });

  it("counts what was imported from its import where a key of bundleKeys cannot be used", async () => {
    const node = new CutOff("lost-key", { bundleKeys: [`${key}.pub`] });
    expect(await node.import(await gathered("lost-key.bundle", image, "--seal", key))).toBe(0);
    const later = { bundleKeys: [join(world.folder, "none.pub")], bundleDir: join(world.folder, "lost-key.bundles") };
    const answered = await new CutOff("lost-key-later", later).answer();
    expect(headline(answered)).toBe("0 allow signed");
    expect(answered.stdout).toContain("from an imported bundle");
    expect(answered.stderr).toContain("none.pub does not exist: its seals do not count");
  });

  it("asks the services first where it is not offline, and falls back on what was imported", async () => {
    const silent = { offline: false, plcDirectories: ["https://127.0.0.1:1"] };
    const node = new CutOff("silent", silent);
    expect(await node.pull()).toBe("2 inconclusive identity.unreachable");
    expect(await node.import(await gathered("silent.bundle"))).toBe(0);
    const answered = await node.answer();
    expect(headline(answered)).toBe("0 allow signed");
    expect(answered.stdout).toContain("because a service could not be reached");
  });
});

function policyWith(require: string): string {
  return accepting(world.signer.did).replace("{offlineFor: 30d}", require);
}

/** A node that has imported a signature, and then a log that closes the signer's identity. */
async function closedIdentity({ isCached = false } = {}) {
  const node = await TestNode.start();
  const mine = await node.image("closed");
  const other = await node.image("other");
  node.policy(accepting(node.signer.did));
  const run = (...args: readonly string[]) => ask(args, { env: node.env });
  const settings = { ...node.settings, cacheEnabled: isCached };
  const online = node.configure(settings, "closed.yaml");
  if (isCached) await run("verify", `${node.name}@${mine.digest}`, "--config", online);
  const config = node.configure({ ...settings, offline: true }, "closed.yaml");
  const nameAt = ({ digest }: Descriptor) => `${node.name}@${digest}`;
  const fileOf = ({ digest }: Descriptor) => join(node.folder, `${digest}.bundle`);
  const carry = async (one: Descriptor) => {
    await run("bundle", "create", nameAt(one), "-o", fileOf(one));
    await run("bundle", "import", fileOf(one), "--config", config);
  };
  await carry(mine);
  await node.signer.log.tombstone({ at: Date.now() - MINUTE, signer: node.signer.rotationKey });
  await carry(other);
  return {
    logs: join(`${config}.bundles`, "signers"),
    importAgain: () => run("bundle", "import", fileOf(mine), "--config", config),
    named: () => run("verify", nameAt(mine), "--offline", "--bundle", fileOf(mine), "--config", config),
    judged: async () => headline(await run("verify", nameAt(mine), "--config", config)),
    [Symbol.asyncDispose]: () => node.stop(),
  };
}
