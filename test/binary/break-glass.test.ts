import { chmodSync, readFileSync, rmSync, symlinkSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { headline, type TestNode } from "../support/binary.ts";
import { demand, withCache } from "../support/caching-world.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

const HOUR = 3_600_000;
const REASON = "the PDS is down, INC-1";

interface Broken {
  readonly world: TestNode;
  readonly unsigned: Descriptor;
  readonly pull: (image?: Descriptor, name?: string) => ReturnType<TestNode["pull"]>;
  /** Writes the break-glass file; absent: one that holds for this image. */
  readonly break: (values?: Readonly<Record<string, unknown>>) => string;
}

const withGlass = (test: (broken: Broken) => Promise<void>) =>
  withCache(async (world) => {
    const file = join(world.folder, "break-glass.yaml");
    world.configure({
      ...world.settings,
      decisionLog: join(world.folder, "decisions.log"),
      metricsFile: join(world.folder, "m.prom"),
    });
    const unsigned = await world.image("unsigned", { signed: false });
    const env = { ...world.env, ATCR_VERIFY_BREAK_GLASS: file };
    await test({
      world,
      unsigned,
      pull: (image = unsigned, name = world.name) => world.pull(name, image, { env }),
      break: (values = {}) => {
        const scope = `${world.registry.authority}/**`;
        const until = new Date(Date.now() + HOUR).toISOString();
        return world.write("break-glass.yaml", JSON.stringify({ reason: REASON, until, scope, ...values }));
      },
    });
  });

const lastLogged = (world: TestNode) =>
  JSON.parse(readFileSync(join(world.folder, "decisions.log"), "utf8").trimEnd().split("\n").at(-1) ?? "") as unknown;
const metrics = (world: TestNode) => readFileSync(join(world.folder, "m.prom"), "utf8");

describe.concurrent("where break-glass is active", () => {
  it("a refusal lets the pull through, and says so in reason, log and metrics", async () => {
    await withGlass(async ({ world, unsigned, pull, ...glass }) => {
      expect(headline(await pull())).toBe("1 deny signature.none");
      expect(metrics(world)).toContain("atcr_verify_break_glass_until_timestamp_seconds 0\n");
      glass.break();
      const answer = await pull();
      expect(headline(answer)).toBe("0 allow break_glass");
      expect(answer.stdout).toMatch(
        /BREAK-GLASS IS ACTIVE until \S+Z \(the PDS is down, INC-1\); .* deny signature\.none: /,
      );
      expect(lastLogged(world)).toMatchObject({
        outcome: "allow",
        code: "break_glass",
        digest: unsigned.digest,
        would: { outcome: "deny", code: "signature.none" },
        breakGlass: { reason: REASON, until: expect.any(String) },
      });
      expect(metrics(world)).toContain('atcr_verify_decisions_total{outcome="allow",code="break_glass"} 1\n');
      expect(metrics(world)).toMatch(/atcr_verify_break_glass_until_timestamp_seconds [1-9]/);
    });
  });

  it("so do a service that is down, a time that is over, and a policy or configuration that cannot be read", async () => {
    await withGlass(async ({ world, pull, ...glass }) => {
      glass.break();
      await world.pds.stop();
      expect(headline(await pull())).toBe("0 allow break_glass");
      world.policy("version: 2");
      expect((await pull()).stdout).toContain("misconfigured policy.invalid");
      expect(headline(await pull())).toBe("0 allow break_glass");
      world.write("config.yaml", "nothing: known");
      expect(headline(await pull())).toBe("0 allow break_glass");
    });
  });

  it("the watchdog lets through, too", async () => {
    await withGlass(async ({ world, pull, ...glass }) => {
      glass.break();
      world.configure({ ...world.settings, deadline: "1s" });
      world.pds.delay(10_000);
      const answer = await pull();
      expect([headline(answer), answer.stdout.includes("net.deadline")]).toEqual(["0 allow break_glass", true]);
    });
  });

  it("an image that is signed is allowed as ever", async () => {
    await withGlass(async ({ world, pull, ...glass }) => {
      glass.break();
      expect(headline(await pull(await world.image("signed")))).toBe("0 allow signed");
      // What is counted tells of it all the same.
      expect(metrics(world)).toMatch(/atcr_verify_break_glass_until_timestamp_seconds [1-9]/);
    });
  });

  it.each<[string, string, (broken: Broken) => unknown]>([
    [
      "1 deny policy.denied",
      "a digest that the policy denies",
      ({ world, unsigned }) => demand(world, { top: { digests: { deny: [unsigned.digest], allow: [] } } }),
    ],
    ["1 deny policy.denied", "a rule that denies", ({ world }) => demand(world, { rule: { action: "deny" } })],
    [
      "1 deny signature.none",
      "another scope",
      (broken) => void broken.break({ scope: ["other.example/**", `${broken.world.registry.authority}/bob/*`] }),
    ],
    [
      "3 misconfigured image.malformed_reference",
      "a name that is not canonical",
      ({ world }) => world.name.replace("/alice", "//alice"),
    ],
  ])("refuses with %s: %s", async (expected, _, change) => {
    await withGlass(async (broken) => {
      broken.break({ scope: "**" });
      const name = change(broken);
      expect(headline(await broken.pull(undefined, typeof name === "string" ? name : undefined))).toBe(expected);
    });
  });
});

describe.concurrent("break-glass is not active, and the refusal says why", () => {
  const at = (milliseconds: number) => new Date(Date.now() + milliseconds).toISOString();
  it.each<[string, RegExp, (broken: Broken) => void]>([
    ["it has expired", /it has expired/, (broken) => void broken.break({ until: at(-1000) })],
    ["it would hold for more than a day", /more than 24 h/, (broken) => void broken.break({ until: at(25 * HOUR) })],
    [
      "it is an old one whose day has come",
      /more than 24 h/,
      (broken) => utimesSync(broken.break(), new Date(), new Date(Date.now() - 24 * HOUR)),
    ],
    [
      "it was written in the future",
      /in the future/,
      (broken) => utimesSync(broken.break(), new Date(), new Date(Date.now() + HOUR)),
    ],
    ["others can write to it", /can be written by others/, (broken) => chmodSync(broken.break(), 0o666)],
    ["it has no reason", /reason/, (broken) => void broken.break({ reason: "" })],
    ["it has no scope", /scope/, (broken) => broken.break({ scope: [] })],
    ["its scope is none", /scope/, (broken) => void broken.break({ scope: "*" })],
    ["its time is none", /until/, (broken) => void broken.break({ until: "tomorrow" })],
    ["it has a key of its own", /unknown key/, (broken) => void broken.break({ force: true })],
    ["it is no YAML", /break-glass\.yaml/, ({ world }) => void world.write("break-glass.yaml", "{")],
  ])("%s", async (_, because, write) => {
    await withGlass(async (broken) => {
      write(broken);
      const answer = await broken.pull();
      expect(headline(answer)).toBe("1 deny signature.none");
      expect(answer.stdout).toMatch(because);
      expect(answer.stdout).toMatch(/break-glass is not active: \S*break-glass\.yaml: /);
    });
  });

  it("nor does a link that leads nowhere, or one that is gone", async () => {
    await withGlass(async ({ world, pull, ...glass }) => {
      rmSync(glass.break());
      expect(headline(await pull())).toBe("1 deny signature.none");
      symlinkSync("nowhere", join(world.folder, "break-glass.yaml"));
      expect(headline(await pull())).toBe("1 deny signature.none");
    });
  });

  it("and the person's door knows none", async () => {
    await withGlass(async ({ world, unsigned, ...glass }) => {
      const env = { ...world.env, ATCR_VERIFY_BREAK_GLASS: glass.break() };
      expect(headline(await world.verify([`${world.name.replace(":v1", "")}@${unsigned.digest}`], { env }))).toBe(
        "1 deny signature.none",
      );
    });
  });
});
