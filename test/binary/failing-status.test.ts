import type { ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Answered, ask, auditing, Bench, BINARY, containerdArgs, headline, TestNode } from "../support/binary.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

const DIGEST = `sha256:${"ab".repeat(32)}`;
const NAME = "registry.example/alice/app:v1";
const STDIN = JSON.stringify({ digest: DIGEST });

let bench: Bench;

beforeAll(() => {
  bench = new Bench();
  bench.policy("version: 1\ntrustedDIDs: [did:web:a.example]\ndefault: deny\n");
});
afterAll(() => bench.remove());

/** What an answer that is no verdict looks like: any status but 0 (a signal has none). */
function expectRefused({ code, stdout }: Answered, how: string): void {
  expect(code, `${how}: ${stdout}`).not.toBe(0);
}

/** Every way of asking about an image that the policy denies. */
const QUESTIONS: readonly (readonly string[])[] = [
  containerdArgs(NAME, DIGEST),
  ["-operation", "pull", ...containerdArgs(NAME, DIGEST)],
  [],
  ["verify", `registry.example/alice/app@${DIGEST}`],
];

/** Milliseconds. Without its script a process may stay, and is killed then, as containerd does. */
const STAYS = 1000;

/** All questions at once: most of the time goes into waiting for processes that stay. */
const ofEach = (answered: (args: readonly string[]) => Promise<void>) => Promise.all(QUESTIONS.map(answered));

/** How the engine is made to end a script: milliseconds until its watchdog does, a stack or a heap that is too small. */
const ENDINGS: readonly string[] = [
  ...[1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 50].map((ms) => `BUN_JSC_watchdog=${ms}`),
  ...[16_384, 65_536, 131_072].map((bytes) => `BUN_JSC_maxPerThreadStackUsage=${bytes}`),
  "BUN_JSC_forceRAMSize=1048576",
];

describe.concurrent("an engine that ends the script", () => {
  it.each(ENDINGS)("lets no image through: %s", async (ending) => {
    const [name = "", value = ""] = ending.split("=");
    for (const jit of [{}, { BUN_JSC_useJIT: "0" }]) {
      const env = { ...bench.env, ...jit, [name]: value };
      await ofEach(async (args) => {
        const stdin = args.length === 0 ? JSON.stringify({ reference: NAME, descriptor: { digest: DIGEST } }) : STDIN;
        expectRefused(await ask(args, { env, stdin, killAfter: STAYS }), `${args.join(" ")} with ${ending}`);
      });
    }
  });

  it("is one that does end it", async () => {
    const env = { ...bench.env, BUN_JSC_watchdog: "1" };
    const asked = { env, stdin: STDIN, killAfter: STAYS };
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(QUESTIONS[0] ?? [], asked)));
    expect(answers.some(({ stdout }) => stdout === "")).toBe(true);
  });
});

describe.concurrent("a process that cannot do its work", () => {
  it.each([
    ...["-n 3", "-n 4", "-n 5", "-n 6", "-n 8", "-v 1000000", "-s 64", "-s 256", "-d 60000", "-f 0"].map(
      (limit) => `ulimit ${limit};`,
    ),
    ...["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full 2>/dev/full"].map((streams) => `exec ${streams};`),
  ])("lets no image through: %s", async (limit) => {
    const through = ["/bin/sh", "-c", `${limit} exec "$0" "$@"`];
    await ofEach(async (args) => {
      const asked = { env: bench.env, stdin: STDIN, through, killAfter: 2 * STAYS };
      expectRefused(await ask(args, asked), `${args.join(" ")} ${limit}`);
    });
  });

  it.each([0, 2, 5, 10, 15, 20, 30, 50])("lets no image through when it is ended after %i ms", async (ms) => {
    for (const args of QUESTIONS) {
      // One at a time, so that each has come as far as it does on its own.
      const started = (child: ChildProcess) => setTimeout(() => child.kill("SIGTERM"), ms);
      expectRefused(await ask(args, { env: bench.env, stdin: STDIN, started }), `${args.join(" ")} after ${ms} ms`);
    }
  });
});

describe("a part of the program that cannot be loaded", () => {
  it("is a bug, and lets no image through", async () => {
    const program = readFileSync(BINARY);
    const entry = program.indexOf("process.exitCode=4");
    const [name = ""] = /chunk-[a-z0-9]+\.js/.exec(program.toString("latin1", entry, entry + 1000)) ?? [];
    // The first mention of its name is the one under which the runtime would find it.
    program.write("chunk-".padEnd(name.length, "z"), program.indexOf(name), "latin1");
    const binary = bench.write("damaged", program, 0o755);
    const answered = await ask(containerdArgs(NAME, DIGEST), { binary, env: bench.env, stdin: STDIN });
    expect(headline(answered)).toBe("4 internal internal.error");
    expect(answered.stderr).toContain("Cannot find module");
  });
});

describe.concurrent("options of the runtime in the environment", () => {
  it.each(["--version", "--help", "--revision", "--preload=/nowhere.js", "--eval=0", "-- --version", "--print=0"])(
    "change nothing: BUN_OPTIONS=%s",
    async (options) => {
      const env = { ...bench.env, BUN_OPTIONS: options };
      const answered = await ask(containerdArgs(NAME, DIGEST), { env, stdin: STDIN });
      expect(headline(answered)).toBe("1 deny policy.no_match");
    },
  );

  it.each(["--version", "--check", "--import=/nowhere.js"])("change nothing: NODE_OPTIONS=%s", async (options) => {
    const env = { ...bench.env, NODE_OPTIONS: options };
    const answered = await ask(containerdArgs(NAME, DIGEST), { env, stdin: STDIN });
    expect(headline(answered)).toBe("1 deny policy.no_match");
  });

  it("make it plain Bun at worst, which takes containerd's question for a mistake", async () => {
    const answered = await ask(containerdArgs(NAME, DIGEST), { env: { ...bench.env, BUN_BE_BUN: "1" }, stdin: STDIN });
    expectRefused(answered, "BUN_BE_BUN");
  });
});

describe("an audited image", () => {
  let world: TestNode;
  let unsigned: Descriptor;

  beforeAll(async () => {
    world = await TestNode.start();
    world.policy(auditing(world.signer.did));
    unsigned = await world.image("unsigned", { signed: false });
  });
  afterAll(() => world.stop());

  const nameOf = ({ digest }: Descriptor) => `${world.name}@${digest}`;

  it("is let through at a pull and no success for a person, unless that is asked for", async () => {
    expect(headline(await world.pull(world.name, unsigned))).toBe("0 allow audited");
    const asked = await world.verify([nameOf(unsigned)]);
    expect(headline(asked)).toBe("1 allow audited");
    expect(asked.stderr).toContain("exit status 1: nodes allow this image only because its rule audits");
    const allowed = await world.verify([nameOf(unsigned), "--allow-audited"]);
    expect(headline(allowed)).toBe("0 allow audited");
    expect(allowed.stderr).toBe("");
    expect(headline(await world.verify([nameOf(await world.image("signed"))]))).toBe("0 allow signed");
  });

  it("has the status of what could not be told, where that is so", async () => {
    const settings = { ...world.settings, plcDirectories: ["https://127.0.0.1:1"] };
    const config = world.configure(settings, "nowhere.yaml");
    expect(headline(await world.verify([nameOf(unsigned), "--config", config]))).toBe("2 allow audited");
    const allowed = await world.verify([nameOf(unsigned), "--config", config, "--allow-audited"]);
    expect(headline(allowed)).toBe("0 allow audited");
  });
});

describe.concurrent("words that Go programs answer at once", () => {
  it.each([["--version"], ["-version"], ["-V"]])("%s prints the version", async (word) => {
    const { code, stdout } = await ask([word], { stdin: null, env: bench.env });
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^atcr-verify \S+\n$/) });
  });

  it.each([["-verbose"], ["-later"], ["-names"]])(
    "%s is no question: nothing is waited for or logged",
    async (word) => {
      const log = `${bench.folder}/decisions.log`;
      const config = bench.configure({ decisionLog: log }, `logged${word}.yaml`);
      const answered = await ask([word], { stdin: null, env: { ...bench.env, ATCR_VERIFY_CONFIG: config } });
      expect(headline(answered)).toBe("3 misconfigured input.malformed");
      expect(answered.stdout).toMatch(new RegExp(`unknown (option|command) "${word}"`));
      expect(existsSync(log)).toBe(false);
    },
  );

  it("never hide a question about an image", async () => {
    for (const word of ["-version", "-help", "--help", "-V"]) {
      const answered = await ask([word, ...containerdArgs(NAME, DIGEST)], { env: bench.env, stdin: STDIN });
      expectRefused(answered, word);
    }
  });
});

describe.concurrent("a reader that closes the pipe", () => {
  it.each([
    [["--help"], 0],
    [["policy", "schema"], 0],
    [["--version"], 0],
    [["verify", `registry.example/alice/app@${DIGEST}`], 1],
  ])("is no error: %j", async (args, code) => {
    // The shell's own status is the program's, written to standard error after the pipe is gone.
    const script = '{ sleep 0.2; "$0" "$@"; echo "status $?" >&2; } | true';
    const through = ["/bin/sh", "-c", script];
    const { stderr } = await ask(args, { env: bench.env, through });
    expect(stderr).toBe(`status ${code}\n`);
  });
});
