import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, enforcing, headline, TestNode } from "../support/binary.ts";

let world: TestNode;
beforeAll(async () => {
  world = await TestNode.start();
});
afterAll(async () => {
  await world.stop();
});

let count = 0;

/** A node of its own, which asks the same world. */
class Node {
  readonly name = `node${++count}.yaml`;
  readonly folder = join(world.folder, `${this.name}.state`);
  readonly cache = join(world.folder, `${this.name}.cache`);
  readonly env: Readonly<Record<string, string>>;

  constructor(rule = "") {
    const policy = enforcing(world.signer.did).replace("action: enforce", `action: enforce${rule}`);
    const trustPolicyPath = world.policy(policy, `${this.name}.policy`);
    this.env = { ...world.env, ATCR_VERIFY_CONFIG: world.configure({ ...world.settings, trustPolicyPath }, this.name) };
  }

  get signer(): string {
    return join(this.folder, "signers", world.signer.did);
  }

  state(...args: readonly string[]) {
    return ask(["state", ...args], { env: this.env });
  }

  /** Pulls an image that is signed now, and expects that it may. */
  async pull(salt: string) {
    const answered = await world.pull(world.name, await world.image(salt), { env: this.env });
    expect(headline(answered)).toBe("0 allow signed");
    return answered;
  }
}

describe("what a node remembers", () => {
  it("is the newest rev, the operations and the key of whom it asked", async () => {
    const node = new Node();
    const before = Date.now();
    await node.pull("remembered");
    const { signers } = JSON.parse((await node.state("show", "--output=json")).stdout);
    expect(signers).toEqual([
      {
        signer: world.signer.did,
        rev: world.signer.repo.rev,
        revTime: expect.stringMatching(/Z$/),
        operations: 1,
        keys: [{ key: expect.stringMatching(/^did:key:zQ3sh/), firstSeen: expect.stringMatching(/Z$/) }],
      },
    ]);
    expect(Date.parse(signers[0].keys[0].firstSeen)).toBeGreaterThan(before - 1000);
  });

  it("is not written where a pull shows nothing new", async () => {
    const node = new Node();
    await node.pull("first");
    const image = await world.image("unsigned", { signed: false });
    const pull = async () => headline(await world.pull(world.name, image, { env: node.env }));
    const before = readdirSync(node.signer);
    expect(await pull()).toBe("1 deny signature.none");
    const [names, { mtimeMs }] = [readdirSync(node.signer), statSync(node.signer)];
    expect(names.filter((name) => !before.includes(name))).toEqual([
      expect.stringMatching(/^no-[0-9a-f]{64}-[2-7a-z]{13}$/),
    ]);
    expect(await pull()).toBe("1 deny signature.none");
    expect(readdirSync(node.signer)).toEqual(names);
    expect(statSync(node.signer).mtimeMs).toBe(mtimeMs);
    await node.pull("second");
    expect(readdirSync(node.signer)).toHaveLength(names.length + 1);
  });

  it("is of nobody where an exemption asks for nobody", async () => {
    const node = new Node();
    const policy = world.policy("version: 1\ntrustedDIDs: [did:web:a.example]\ndefault: allow\n", "allow.policy");
    const image = await world.image("exempt", { signed: false });
    const asked = await ask(["verify", `${world.name}@${image.digest}`, "--policy", policy], { env: node.env });
    expect(headline(asked)).toBe("0 allow exempt");
    expect(existsSync(node.folder)).toBe(false);
  });

  it("changes no answer where it cannot be used, and says so", async () => {
    const node = new Node();
    await node.pull("usable");
    chmodSync(node.folder, 0o777);
    const { stderr } = await node.pull("unusable");
    expect(stderr).toMatch(/^warning history\.unusable: .*can be written by others \(mode 777\); run: chmod go-w/m);
    const shown = await node.state("show");
    expect([shown.code, shown.stdout]).toEqual([1, expect.stringMatching(/^[ -~]+\n$/)]);
    expect(shown.stdout).toContain(`the signer history in ${node.folder} cannot be read: `);
    expect(shown.stdout).toContain("can be written by others (mode 777); run: chmod go-w");
    expect(shown.stderr).toMatch(/^warning history\.unusable: /);
    const one = await node.state("show", world.signer.did);
    expect([one.code, one.stdout]).toEqual([1, expect.stringContaining("cannot be read: ")]);
    const forgotten = await node.state("forget", world.signer.did);
    expect(headline(forgotten)).toBe("3 misconfigured config.invalid");
    rmSync(node.folder, { recursive: true });
    writeFileSync(node.folder, "");
    await node.pull("a file");
  });
});

describe("state show", () => {
  it("tells of all, and of one", async () => {
    const node = new Node();
    await node.pull("shown");
    const all = await node.state("show");
    expect(all.code).toBe(0);
    expect(all.stdout).toMatch(
      /^did:plc:\w{24}\n {2}newest rev \w{13} \(\S+Z\)\n {2}log operations: 1\n {2}key did:key:z\w+, first seen \S+Z\n$/,
    );
    expect((await node.state("show", world.signer.did)).stdout).toBe(all.stdout);
    const other = await node.state("show", "did:web:other.example");
    expect([other.code, other.stdout]).toEqual([
      1,
      `nothing is recorded about did:web:other.example in ${node.folder}\n`,
    ]);
  });

  it("says what is damaged, printably, and leaves it to the next pull to set it aside", async () => {
    const node = new Node();
    await node.pull("damaged");
    writeFileSync(join(node.signer, "\u{1b}[31m"), "");
    const shown = await node.state("show", "--output", "json");
    expect(shown.code).toBe(1);
    expect(shown.stderr).toMatch(/^warning history\.damaged: [ -~]+\n$/);
    expect(shown.stdout).toMatch(/^[ -~\n]+$/);
    expect(JSON.parse(shown.stdout)).toMatchObject({ stateDir: node.folder, warnings: [{ code: "history.damaged" }] });
    expect((await node.state("show")).code).toBe(1);
    await node.pull("damaged");
    expect((await node.state("show")).code).toBe(0);
  });
});

describe("state forget", () => {
  it("forgets one signer, with the evidence kept of them, and says what that means", async () => {
    const node = new Node(", require: {maxStaleness: 1d}");
    await node.pull("forgotten");
    const other = join(node.folder, "signers", "did:web:other.example");
    mkdirSync(other);
    writeFileSync(join(other, `rev-${world.signer.repo.rev}`), "");
    expect(readdirSync(join(node.cache, "evidence")).filter((name) => name.endsWith(".bundle"))).toHaveLength(1);

    const forgotten = await node.state("forget", world.signer.did);
    expect(forgotten.code).toBe(0);
    expect(forgotten.stdout).toMatch(
      /^did:plc:\w{24}\n {2}newest rev [\s\S]+\nforgotten, together with its cached evidence[\s\S]+minKeyAge/,
    );
    expect(readdirSync(join(node.folder, "signers"))).toEqual(["did:web:other.example"]);
    expect(readdirSync(join(node.cache, "evidence"))).toEqual([]);

    const again = await node.state("forget", world.signer.did, "--output=json");
    expect(again.code).toBe(1);
    expect(JSON.parse(again.stdout)).toEqual({
      stateDir: node.folder,
      signer: world.signer.did,
      forgotten: false,
      warnings: [],
    });
    const json = JSON.parse((await node.state("forget", "did:web:other.example", "--output=json")).stdout);
    expect(json).toMatchObject({ forgotten: true, was: { rev: world.signer.repo.rev, operations: 0, keys: [] } });
  });

  it.each([
    ["no action", []],
    ["another action", ["list"]],
    ["another action on somebody", ["forgive", "did:web:a.example"]],
    ["nobody to forget", ["forget"]],
    ["two to forget", ["forget", "did:web:a.example", "did:web:b.example"]],
    ["no DID", ["forget", "alice.example.com"]],
    ["no DID to show", ["show", "../../etc"]],
    ["an unknown option", ["show", "--all"]],
  ])("and show are told what to do: %s", async (_, args) => {
    const node = new Node();
    expect(headline(await node.state(...args))).toBe("3 misconfigured input.malformed");
    const json = JSON.parse((await node.state(...args, "--output=json")).stdout);
    expect(json).toEqual({ outcome: "misconfigured", code: "input.malformed", reason: expect.any(String) });
  });

  it("and show, as cache clear, say what to type where a handle was given instead of a DID", async () => {
    for (const words of [
      ["state", "show"],
      ["state", "forget"],
      ["cache", "clear"],
    ]) {
      const answered = await ask([...words, "@Alice.example.com"]);
      expect(headline(answered)).toBe("3 misconfigured input.malformed");
      expect(answered.stdout).toContain("this is a handle; run: atcr-verify identity alice.example.com,");
    }
  });

  it("and show say what they found, before they read anything", async () => {
    const env = { ATCR_VERIFY_CONFIG: "/nonexistent" };
    for (const [args, found] of [
      [[], 'found no command after "state", expected state show, state forget'],
      [["list"], 'unknown command "state list"; expected state show, state forget'],
    ] as const) {
      const { stdout } = await ask(["state", ...args], { env });
      expect(stdout).toContain(found);
    }
  });

  it("and show read the configuration that is named", async () => {
    const node = new Node();
    await node.pull("named");
    const config = node.env["ATCR_VERIFY_CONFIG"] ?? "";
    const shown = await ask(["state", "show", "--config", config]);
    expect(shown.stdout).toContain(world.signer.did);
    expect(headline(await ask(["state", "show", "--config", `${config}.missing`]))).toBe(
      "3 misconfigured config.invalid",
    );
  });
});
