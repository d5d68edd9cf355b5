import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { auditing, BINARY, enforcing, TestNode } from "../support/binary.ts";
import { type Finished, run } from "../support/process.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

const INTEGRATIONS = join(import.meta.dirname, "../../integrations");
const read = (path: string): string => readFileSync(join(INTEGRATIONS, path), "utf8");

let world: TestNode;
let signed: string;
let unsigned: string;
/** Holds a link by the program's name, and is first in PATH. */
let bin: string;
const nameOf = ({ digest }: Descriptor): string => `${world.name.replace(/:v1$/, "")}@${digest}`;

beforeAll(async () => {
  world = await TestNode.start();
  signed = nameOf(await world.image("signed"));
  unsigned = nameOf(await world.image("unsigned", { signed: false }));
  bin = join(world.folder, "bin");
  mkdirSync(bin);
  symlinkSync(BINARY, join(bin, "atcr-verify"));
});
afterAll(() => world.stop());

/** A folder of its own, as a checkout. */
function checkout(name: string): string {
  const folder = join(world.folder, name);
  mkdirSync(folder);
  return folder;
}

function shell(
  [program = "", ...args]: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<Finished> {
  return run(program, args, { cwd, env: { ...world.env, PATH: `${bin}:/usr/bin:/bin`, ...env } });
}

describe("the action of GitHub", () => {
  interface Action {
    readonly inputs: Readonly<Record<string, { readonly default: string }>>;
    readonly outputs: Readonly<Record<string, { readonly value: string }>>;
    readonly runs: {
      readonly using: string;
      readonly steps: readonly { id: string; shell: string; env: Record<string, string>; run: string }[];
    };
  }
  const action = parse(read("github/action.yml")) as Action;
  const [step] = action.runs.steps;

  /** Runs the step as a runner does: inputs reach the script through the environment alone. */
  async function act(name: string, inputs: Readonly<Record<string, string>>) {
    const folder = checkout(name);
    const [summary, output] = [join(folder, "summary.md"), join(folder, "output")];
    const given: Record<string, string> = { GITHUB_ACTION_PATH: join(INTEGRATIONS, "github") };
    for (const [variable, expression] of Object.entries(step?.env ?? {})) {
      const [, input] = /^\$\{\{ inputs\.([a-z0-9-]+) \}\}$/.exec(expression) ?? [];
      if (input !== undefined) given[variable] = inputs[input] ?? action.inputs[input]?.default ?? "";
    }
    const ended = await shell(["/bin/sh", "-c", step?.run ?? ""], folder, {
      ...given,
      GITHUB_STEP_SUMMARY: summary,
      GITHUB_OUTPUT: output,
    });
    const text = (path: string): string => (existsSync(path) ? readFileSync(path, "utf8") : "");
    return { ...ended, summary: text(summary), output: text(output), folder };
  }

  it("is a composite action whose expressions are in env and outputs alone", () => {
    expect(action.runs.using).toBe("composite");
    expect(action.runs.steps).toHaveLength(1);
    expect(step?.shell).toBe("sh");
    expect(step?.run).not.toContain("${{");
    expect(read("github/verify.sh")).not.toContain("${{");
    for (const { value } of Object.values(action.outputs))
      expect(value).toMatch(/^\$\{\{ steps\.verify\.outputs\.[a-z]+ \}\}$/);
  });

  it("passes a signed image, and hands its reference on", async () => {
    const { code, summary, output } = await act("github-signed", { images: `${signed}\n` });
    expect(code).toBe(0);
    expect(summary).toContain("### atcr-verify passed: 1 of 1 image allowed");
    expect(output).toContain("verified=true\n");
    expect(output).toContain(`\n${signed}\n`);
  });

  it("fails for an unsigned image among others, and hands nothing on", async () => {
    const { code, stdout, output } = await act("github-unsigned", { images: `${signed}\n${unsigned}\n` });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^::error title=atcr-verify signature\.none::/m);
    expect(output).toMatch(/^references<<(.*)\n\1\n/m);
  });

  it("passes what its rule only audits where that is asked for", async () => {
    const policy = world.policy(auditing(world.signer.did), "github-audit.yaml");
    expect((await act("github-audit", { images: unsigned, policy })).code).toBe(1);
    expect((await act("github-audited", { images: unsigned, policy, "allow-audited": "true" })).code).toBe(0);
  });

  it("fails without images", async () => {
    expect((await act("github-nothing", {})).code).toBe(3);
  });

  it("runs nothing that an input says", async () => {
    for (const [i, input] of ["images", "files", "policy", "signers", "policy-sha256"].entries()) {
      const { code, folder } = await act(`github-hostile-${i}`, {
        [input]: '$(touch pwned)`touch pwned`"; touch pwned; "\n--config=/x',
      });
      expect(code).not.toBe(0);
      expect(readdirSync(folder)).not.toContain("pwned");
    }
  });
});

/** The scripts that write JUnit, and the file that each writes. */
function junitScripts(): readonly (readonly [name: string, script: string, file: string])[] {
  const [, gitlab] = parseAllDocuments(read("gitlab/templates/atcr-verify.yml")).map(
    (document) => document.toJS() as unknown,
  );
  const { script } = (gitlab as { "atcr-verify": { script: readonly string[] } })["atcr-verify"];
  const [, jenkins = ""] = /sh '''\n(.*?)'''/s.exec(read("jenkins/vars/atcrVerify.groovy")) ?? [];
  const circle = parse(read("circleci/orb.yml")) as {
    commands: { verify: { steps: readonly [{ run: { command: string } }, unknown] } };
  };
  return [
    ["gitlab", script.join("\n"), "atcr-verify.xml"],
    ["jenkins", jenkins, "atcr-verify.xml"],
    ["circleci", circle.commands.verify.steps[0].run.command, "atcr-verify-results/junit.xml"],
  ];
}

describe.each(junitScripts())("the script of %s", (name, script, file) => {
  const job = async (checkoutName: string, env: Readonly<Record<string, string>>) => {
    const folder = checkout(`${name}-${checkoutName}`);
    const given = { ATCR_IMAGES: "", ATCR_FILES: "", ATCR_POLICY: "", ...env };
    // With -e, as runners start it.
    const { code } = await shell(["/bin/sh", "-ec", script], folder, given);
    return { code, xml: readFileSync(join(folder, file), "utf8"), names: readdirSync(folder) };
  };

  it("passes signed images, and writes a report", async () => {
    const { code, xml } = await job("signed", { ATCR_IMAGES: signed, ATCR_POLICY: join(world.folder, "policy.yaml") });
    expect([code, xml]).toEqual([0, expect.stringContaining('tests="1" failures="0" errors="0"')]);
  });

  it("fails for an unsigned one, and writes a report", async () => {
    const { code, xml } = await job("unsigned", { ATCR_IMAGES: `${signed} ${unsigned}` });
    expect([code, xml]).toEqual([1, expect.stringContaining('<failure type="signature.none"')]);
  });

  it("fails without images, and runs nothing that a variable says", async () => {
    expect((await job("nothing", {})).code).toBe(3);
    const { code, names } = await job("hostile", { ATCR_IMAGES: "$(touch pwned) `touch pwned` * ; touch pwned" });
    expect(code).toBe(3);
    expect(names).not.toContain("pwned");
  });
});

describe("the task of Tekton", () => {
  const task = parse(read("tekton/atcr-verify.yaml")) as {
    spec: {
      results: readonly { name: string }[];
      steps: readonly [
        { command: readonly string[]; args: readonly string[]; env: readonly { name: string; value: string }[] },
      ];
    };
  };
  const [{ command, args, env }] = task.spec.steps;

  it("verifies its images and hands their references on", async () => {
    const folder = checkout("tekton");
    writeFileSync(join(folder, "trust-policy.yaml"), enforcing(world.signer.did));
    const result = join(folder, "references");
    const variables = { POLICY: "trust-policy.yaml", RESULT: result };
    expect(env.map(({ name }) => name)).toEqual(Object.keys(variables));
    const step = (images: readonly string[]) =>
      shell(["/usr/bin/env", ...command, ...args.slice(0, -1), ...images], folder, variables);
    expect(args.at(-1)).toBe("$(params.images[*])");
    expect((await step([signed])).code).toBe(0);
    expect(readFileSync(result, "utf8")).toBe(`${signed}\n`);
    expect((await step([signed, unsigned])).code).toBe(1);
    expect(readFileSync(result, "utf8")).toBe("");
    expect((await step(["$(touch pwned)"])).code).toBe(3);
    expect(readdirSync(folder)).not.toContain("pwned");
  });
});

describe("the hook of git", () => {
  it("verifies what the pushed commit names, and not the working tree", async () => {
    const folder = checkout("git");
    const remote = checkout("remote.git");
    const git = async (...words: readonly string[]) => {
      const identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"];
      return shell(["/usr/bin/git", ...identity, ...words], folder, { HOME: folder });
    };
    await git("init", "-q", "--bare", remote);
    await git("init", "-q");
    const hook = join(folder, ".git/hooks/pre-push");
    mkdirSync(join(folder, ".git/hooks"), { recursive: true });
    writeFileSync(hook, read("git/pre-push"));
    chmodSync(hook, 0o755);
    const commit = async (image: string) => {
      writeFileSync(join(folder, "app.yaml"), `kind: Pod\nspec:\n  containers:\n    - image: ${image}\n`);
      await git("add", "app.yaml");
      await git("commit", "-qm", "An image");
    };
    const push = async () => (await git("push", "-q", remote, "HEAD:refs/heads/main")).code;
    await commit(signed);
    // No file is named yet.
    expect(await push()).not.toBe(0);
    await git("config", "--add", "atcr-verify.file", "app.yaml");
    expect(await push()).toBe(0);
    await commit(unsigned);
    writeFileSync(join(folder, "app.yaml"), `image: ${signed}\n`);
    expect(await push()).not.toBe(0);
    await git("config", "atcr-verify.policy", world.policy(auditing(world.signer.did), "hook.yaml"));
    expect(await push()).not.toBe(0);
    await commit(signed);
    expect(await push()).toBe(0);
  });
});
