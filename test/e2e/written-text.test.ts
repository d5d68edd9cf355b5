import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type Answered, ask, Bench, headline } from "../support/binary.ts";

const DIGEST = `sha256:${"a1".repeat(32)}`;
const IMAGE = { mediaType: "application/vnd.oci.image.manifest.v1+json", digest: DIGEST, size: 428 };
const NAME = "registry.example/team/app:v1";
/** What some programs take for the end of a line, or show nothing of, or show in another order. */
const FOREIGN = [
  "\r",
  "\x85",
  "\u2028",
  "\u2029",
  "\0",
  "\x1b",
  "\x7f",
  "\x9b",
  "\ufeff",
  "\u202e",
  "\u2066",
  "\ufffe",
];

const benches: Bench[] = [];
afterAll(() => {
  for (const bench of benches) bench.remove();
});

function made(): Bench {
  const bench = new Bench();
  benches.push(bench);
  bench.policy("version: 1\ndefault: allow\n");
  return bench;
}

const pull = (bench: Bench, env = {}) => bench.pull(NAME, IMAGE, { env: { ...bench.env, ...env } });
const expectRefused = (answered: Answered, code: string, place: string) => {
  expect(headline(answered)).toBe(`3 misconfigured ${code}`);
  expect(answered.stdout).toContain(place);
  expect(answered.stdout).toMatch(/^[ -~\n]+$/);
};

describe.concurrent("text that a reader sees otherwise than the parser", () => {
  it.each(FOREIGN)("hides no digest that the policy denies: %j", async (character) => {
    const bench = made();
    const text = (between: string) =>
      `version: 1\n# denied:${between}digests: { deny: ["${DIGEST}"] }\ndefault: allow\n`;
    bench.policy(text("\n"));
    expect(headline(await pull(bench))).toBe("1 deny policy.denied");
    const path = bench.policy(text(character));
    expectRefused(await pull(bench), "policy.invalid", `${path}:2:10`);
    const checked = await ask(["policy", "check", path, "--offline"], { env: bench.env });
    expect(headline(checked)).toBe("3 misconfigured policy.invalid");
  });

  it("hides nothing in a fragment, a configuration or a file of cases", async () => {
    const bench = made();
    const fragment = bench.write("policy.d/10-more.yaml", "version: 1\r\n# x\rdigests: {}\r\n");
    expectRefused(await pull(bench), "policy.invalid", `${fragment}:2:4`);
    bench.write("policy.d/10-more.yaml", "version: 1\r\n");
    expect(headline(await pull(bench))).toBe("0 allow exempt");

    const config = bench.write("other.yaml", `# x\r{ trustPolicyPath: ${join(bench.folder, "policy.yaml")} }\n`);
    expectRefused(await pull(bench, { ATCR_VERIFY_CONFIG: config }), "config.invalid", `${config}:1:4`);

    const cases = bench.write("cases.yaml", "version: 1\ncases:\n - { image: a.b/c, expect: allow } # \u2028\n");
    expectRefused(await ask(["policy", "test", cases], { env: bench.env }), "input.malformed", `${cases}:3:38`);
  });

  it("makes a break-glass file count for nothing", async () => {
    const bench = made();
    bench.policy("version: 1\ndefault: deny\n");
    const until = new Date(Date.now() + 3_600_000).toISOString();
    const glass = (end: string) => bench.write("glass.yaml", `reason: x\nscope: "**" # not${end}\nuntil: "${until}"\n`);
    const env = { ATCR_VERIFY_BREAK_GLASS: glass("") };
    expect(headline(await pull(bench, env))).toBe("0 allow break_glass");
    glass(" \u202e");
    const refused = await pull(bench, env);
    expect(headline(refused)).toBe("1 deny policy.no_match");
    expect(refused.stdout).toContain("glass.yaml:2:19: found ");
  });
});

describe("a policy of 1 MiB that is none", () => {
  it.each(["[", "{a: ", "a: ", "- ", "\n", "-\n", "? ", "[,", ":\n", "#\n", "]", '"" ', "- {a: 1}\n", "x\n"])(
    "is told within the deadline: %j",
    async (unit) => {
      const bench = made();
      const path = bench.policy(unit.repeat((1024 * 1024) / unit.length));
      expectRefused(await pull(bench), "policy.invalid", path);
    },
  );
});

/** Milliseconds on the busiest machine: it is CPU that is limited here. */
const TIMEOUT = 60_000;
/** Has the kernel end a program that takes more CPU than it has before containerd gives up, on one core. */
const LIMITED = ["/bin/sh", "-c", 'ulimit -t 6; exec "$@"', "sh"];

describe("a malformed policy just below the bounds", () => {
  // The units that cost most (decision 0046), as many of them as the look before the parser lets through.
  it.each([
    ["[", "a ,", 131_000],
    ["[", ",a ", 131_000],
    ["[", "a: ", 131_000],
    ["a: ", "x\n", 131_000],
    ["a: ", "...\na: ", 65_000],
    ["", "x\na: ", 65_000],
    ["", "a: a \n", 65_000],
    ["", "[a]", 65_000],
    ["a: ", "*a ", 131_000],
  ])(
    "is told in time: %j and many %j",
    async (begin, unit, count) => {
      const bench = made();
      const path = bench.policy(begin + unit.repeat(count));
      const answered = await bench.pull(NAME, IMAGE, { through: LIMITED, killAfter: TIMEOUT });
      expectRefused(answered, "policy.invalid", path);
    },
    TIMEOUT,
  );
});
