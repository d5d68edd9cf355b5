import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Answered, ask, headline, TestNode } from "../support/binary.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

const DIGEST = `sha256:${"ab".repeat(32)}`;
/** Nobody that the directory knows. */
const UNKNOWN = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";

let world: TestNode;
let signed: Descriptor;
let other: Descriptor;
let unsigned: Descriptor;
/** Images by the status that each has alone. */
let images: Readonly<Record<0 | 1 | 2 | 3, string>>;

beforeAll(async () => {
  world = await TestNode.start();
  [signed, other] = [await world.image("signed"), await world.image("other")];
  unsigned = await world.image("unsigned", { signed: false });
  const { did } = world.signer;
  world.policy(
    `version: 1
trustedDIDs: { "${did}": {}, "${UNKNOWN}": {} }
policies:
  - { name: unknown, scope: "unknown.example/**", action: enforce, require: { trustedDIDs: ["${UNKNOWN}"] } }
  - { name: free, scope: "free.example/**", action: allow }
  - { name: trial, scope: "trial.example/**", action: audit, require: { trustedDIDs: ["${UNKNOWN}"] } }
  - { name: seen, scope: "seen.example/**", action: audit, require: { trustedDIDs: ["${did}"] } }
  - { name: all, scope: "**/*", action: enforce, require: { trustedDIDs: ["${did}"] } }
`,
  );
  images = { 0: nameOf(signed), 1: nameOf(unsigned), 2: `unknown.example/app@${DIGEST}`, 3: "Registry.example/a:v1" };
});
afterAll(() => world.stop());

const nameOf = ({ digest }: Descriptor) => `${world.registry.authority}/alice/app@${digest}`;
const verify = (...args: readonly string[]) => ask(args, { env: world.env });
const resultsOf = ({ stdout }: Answered) => {
  return JSON.parse(stdout) as { code?: string; verified: boolean; results: Record<string, unknown>[] };
};

describe.concurrent("several images", () => {
  it.each([
    [[0, 0], 0],
    [[0, 1], 1],
    [[2, 0], 2],
    [[0, 2, 1], 1],
    [[1, 3, 2, 0], 3],
    [[3], 3],
  ] as const)("with the statuses %j have the status %i", async (statuses, status) => {
    const answered = await verify("--output=json", ...statuses.map((one) => images[one]));
    expect(answered.code).toBe(status);
    if (statuses.length === 1) return;
    const { results, ...all } = resultsOf(answered);
    expect(results.map(({ exitStatus }) => exitStatus)).toEqual(statuses);
    expect(all).toMatchObject({ exitStatus: status, verified: status === 0, schema: "atcr-verify/verify/1" });
    for (const { exitStatus, outcome, verified } of results) {
      expect(outcome).toBe(["allow", "deny", "inconclusive", "misconfigured"][exitStatus as number]);
      expect(verified).toBe(exitStatus === 0);
    }
  });

  it("are reported as text, each refusal in full, and counted", async () => {
    const { stdout, code } = await verify(images[0], images[1], images[3]);
    expect(code).toBe(1 + 2);
    const blocks = stdout.split("\n\n");
    expect(blocks.map((block) => block.split(":")[0])).toEqual([
      "allow signed",
      "deny signature.none",
      "misconfigured image.malformed_reference",
      "3 images",
    ]);
    expect(blocks[0]).toContain(`image        ${images[0]}`);
    expect(blocks[3]).toBe("3 images: 1 signed, 1 signature.none, 1 image.malformed_reference\n");
  });

  it("are JSON lines, too", async () => {
    const { stdout, code } = await verify("-o", "ndjson", images[0], images[2]);
    expect(code).toBe(2);
    const lines = stdout.trimEnd().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { code: string }).code)).toEqual([
      "signed",
      "identity.unknown_did",
    ]);
  });

  it("are asked about one by one where a signer answers slowly, and Ctrl-C prints what there is by then", async () => {
    const many = Array.from({ length: 20 }, (_, i) => `slow${i}.example/app@${DIGEST}`);
    const slow = await TestNode.start({ pds: "https://127.0.0.1:1" });
    try {
      slow.policy(
        `version: 1\ntrustedDIDs: ["${slow.signer.did}"]\npolicies:\n  - { name: free, scope: "free.example/**", action: allow }\n  - { name: all, scope: "**/*", action: enforce }\n`,
      );
      let isAsked = (): void => {};
      const asked = new Promise<void>((resolve) => {
        isAsked = resolve;
      });
      slow.plc.override("/", () => {
        isAsked();
        return new Promise(() => {});
      });
      const args = ["--output=json", `free.example/app@${DIGEST}`, ...many];
      const answered = await ask(args, {
        env: slow.env,
        started: (child) => void asked.then(() => child.kill("SIGINT")),
      });
      const { results, ...all } = resultsOf(answered);
      expect([answered.code, all.code, all.verified]).toEqual([2, "net.interrupted", false]);
      expect(results.map(({ code }) => code)).toEqual(["exempt", ...many.map(() => "net.interrupted")]);
    } finally {
      await slow.stop();
    }
  });
});

describe.concurrent("the status with --allow-audited", () => {
  it.each([
    ["trial", 0, 2, 0],
    ["trial", 1, 1, 1],
    ["trial", 2, 2, 2],
    ["trial", 3, 3, 3],
    ["seen", 2, 1, 2],
  ] as const)(
    "is named only where it is another: %s beside %i has %i, and then %i",
    async (audited, other, ...both) => {
      const [status, otherwise] = both;
      const asked = [`${audited}.example/app@${DIGEST}`, images[other]];
      const refused = await verify(...asked);
      const line = `exit status ${status}: nodes allow some of these images only because their rule audits; with --allow-audited the exit status is ${otherwise}\n`;
      expect(refused).toMatchObject({ code: status, stderr: status === otherwise ? "" : line });
      expect(await verify(...asked, "--allow-audited")).toMatchObject({ code: otherwise, stderr: "" });
    },
  );
});

describe.concurrent("the reference to pull", () => {
  it("is printed for images that are all allowed, and its digest is what was verified", async () => {
    const answered = await verify("-o", "ref", images[0], nameOf(other), `free.example/app@${DIGEST}`);
    expect(answered).toMatchObject({
      code: 0,
      stderr: "",
      stdout: `${images[0]}\n${nameOf(other)}\nfree.example/app@${DIGEST}\n`,
    });
    const resolved = await verify("--output=ref", `${world.registry.authority}/alice/app:latest-signed`);
    expect(resolved.stdout).toBe("");
  });

  it.each([1, 2, 3] as const)(
    "is not printed if one has the status %i; the reason is on standard error",
    async (status) => {
      const answered = await verify("-o", "ref", images[0], images[status]);
      expect(answered).toMatchObject({ code: status, stdout: "" });
      expect(answered.stderr).toMatch(/^(?:deny|inconclusive|misconfigured) [a-z._]+: [ -~]+\n$/);
    },
  );

  it("is not printed for an audited image, unless that is accepted", async () => {
    const audited = `trial.example/app@${DIGEST}`;
    const refused = await verify("-o", "ref", audited);
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(refused.stderr).toMatch(/^allow audited: .*\nexit status 2: nodes allow this image only because/);
    expect(await verify("-o", "ref", audited, "--allow-audited")).toMatchObject({ code: 0, stdout: `${audited}\n` });
  });

  it.each([["--unknown"], ["--policy", "/nonexistent"], ["--config", "/nonexistent"]])(
    "is not printed for a mistake either: %s",
    async (...args) => {
      const answered = await verify("--output=ref", images[0], ...args.filter((arg) => typeof arg === "string"));
      expect(answered).toMatchObject({ code: 3, stdout: "" });
      expect(answered.stderr).toMatch(/^misconfigured [a-z._]+: [ -~]+\n$/);
    },
  );
});

describe.concurrent("quiet", () => {
  it("is nothing for what is allowed, and one line on standard error for each refusal", async () => {
    expect(await verify("-q", images[0], nameOf(other))).toMatchObject({ code: 0, stdout: "", stderr: "" });
    const answered = await verify("--quiet", images[0], images[1], images[2]);
    expect(answered).toMatchObject({ code: 1, stdout: "" });
    expect(answered.stderr.trimEnd().split("\n")).toEqual([
      expect.stringMatching(/^deny signature\.none: /),
      expect.stringMatching(/^inconclusive identity\.unknown_did: /),
    ]);
    const mistaken = await verify("-q", "--unknown", images[0]);
    expect(mistaken).toMatchObject({ code: 3, stdout: "", stderr: expect.stringMatching(/^misconfigured [^\n]+\n$/) });
  });

  it("is combined with no output", async () => {
    for (const more of [["--output=json"], ["--verbose"]]) {
      expect((await verify("-q", images[0], ...more)).code).toBe(3);
    }
  });
});

describe.concurrent("without the word verify", () => {
  it("an image is verified, wherever its options stand", async () => {
    expect(headline(await verify(images[0]))).toBe("0 allow signed");
    expect(headline(await verify("--policy", `${world.folder}/policy.yaml`, images[0]))).toBe("0 allow signed");
    expect(headline(await verify(images[0], "--no-cache"))).toBe("0 allow signed");
    expect(headline(await verify("nginx"))).toBe("3 misconfigured input.malformed");
    expect(headline(await verify("verify"))).toBe("3 misconfigured input.malformed");
  });

  it("says each request, with its time and size", async () => {
    const { stdout } = await verify("--verbose", images[0]);
    expect(stdout).toMatch(/\n {2}asked {8}PDS: GET https:\/\/localhost:\d+\/[^,\n]+, HTTP 200, \d+ ms, \d+ bytes\n/);
    expect(stdout).toMatch(/\n {2}cache {8}none\n {2}time {9}\d+ ms; /);
  });
});
