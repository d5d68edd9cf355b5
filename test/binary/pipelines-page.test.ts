import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, BINARY, TestNode } from "../support/binary.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../../docs/pipelines.md"), "utf8");
const IMAGE = "atcr.io/alice.example.com/app";

let node: TestNode;

beforeAll(async () => {
  node = await TestNode.start();
  const { digest } = node.registry.pushImage("alice/app", "signed", "v1");
  await node.signer.sign(digest, "app", node.begun + 1000);
  node.registry.pushImage("alice/app", "unsigned", "unsigned");
  node.write("job/bin/atcr-verify", `#!/bin/sh\nexec ${BINARY} "$@"\n`, 0o755);
  node.write("job/bin/deploy", '#!/bin/sh\necho "deployed $1"\n', 0o755);
});
afterAll(() => node.stop());

/** The commands of a section, for the stand-in services. */
function commandsOf(title: string): readonly string[] {
  const section = PAGE.split(/^## /m).find((one) => one.startsWith(`${title}\n`)) ?? expect.fail(title);
  const [, block = ""] = /^```\n([\s\S]*?)^```$/m.exec(section) ?? [];
  return block
    .trim()
    .split("\n")
    .map((line) =>
      line
        .replace("--signer alice.example.com", `--signer ${node.signer.did}`)
        .replace(`${IMAGE.slice(0, -"/app".length)}/**`, `${node.registry.authority}/alice/**`)
        .replaceAll(IMAGE, `${node.registry.authority}/alice/app`),
    );
}

/** Runs a line of a job's script, as a runner's shell does. */
function runInJob(line: string) {
  const cwd = join(node.folder, "job");
  const env = { ...node.env, PATH: `${cwd}/bin:/usr/bin:/bin` };
  return ask([], { env, cwd, through: ["/bin/sh", "-e", "-c"], binary: line });
}

describe("the commands of docs/pipelines.md", () => {
  it("lead from nothing to a pipeline that fails on an unsigned image", async () => {
    const commands = commandsOf("From nothing to a pipeline that fails");
    const statuses: (number | null)[] = [];
    for (const line of commands) statuses.push((await runInJob(line)).code);
    expect([commands.length, statuses]).toEqual([5, [0, 0, 0, 0, 1]]);
    // The job as a whole: nothing is deployed after the failing step.
    const [, , , signed = "", unsigned = ""] = commands;
    expect((await runInJob(`${signed}; deploy it`)).stdout).toContain("deployed it");
    const failed = await runInJob(`${unsigned}; deploy it`);
    expect([failed.code, failed.stdout]).toEqual([1, expect.not.stringContaining("deployed")]);
  });

  it("deploy the digest that was verified, and nothing where none was", async () => {
    const [line = ""] = commandsOf("Deploy what was verified");
    const good = await runInJob(line);
    expect([good.code, good.stdout]).toEqual([
      0,
      expect.stringMatching(/^deployed \S+\/alice\/app@sha256:[0-9a-f]{64}\n$/),
    ]);
    const bad = await runInJob(line.replace(":v1", ":unsigned"));
    expect([bad.code, bad.stdout]).toEqual([1, ""]);
  });
});
