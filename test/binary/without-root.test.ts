import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Warning } from "../../src/core/warning.ts";
import { type Answered, ask, BINARY } from "../support/binary.ts";
import { makeTemporaryDirectory } from "../support/process.ts";
import { missingRoot, requirement } from "../support/requirement.ts";

const asOther = missingRoot("to run as another user");

/** Nobody but root may be able to reach the one that was built. */
const shared = makeTemporaryDirectory("shared");
const binary = join(shared, "atcr-verify");
beforeAll(() => {
  chmodSync(shared, 0o755);
  copyFileSync(BINARY, binary);
});
afterAll(() => rmSync(shared, { recursive: true }));

/** What an ordinary user is answered, in a folder where only root may look at the parts that it configures. */
async function asOrdinaryUser(
  args: (folder: string) => readonly string[],
  test: (folder: string, answered: Answered) => void,
) {
  const folder = makeTemporaryDirectory("private");
  chmodSync(folder, 0o755);
  const [stateDir = "", cacheDir = ""] = ["state", "cache"].map((name) => join(folder, name));
  for (const path of [stateDir, cacheDir]) mkdirSync(path, { mode: 0o700 });
  const [config, trustPolicyPath, decisionLog] = ["config.yaml", "policy.yaml", "decisions.log"].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  writeFileSync(config, JSON.stringify({ stateDir, cacheDir, trustPolicyPath, decisionLog }));
  writeFileSync(trustPolicyPath, "version: 1\ndefault: deny\n");
  writeFileSync(decisionLog, "", { mode: 0o640 });
  const containerd = createServer();
  await new Promise<void>((done) => containerd.listen(join(folder, "containerd.sock"), done));
  chmodSync(join(folder, "containerd.sock"), 0o600);
  const through = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
  const answered = await ask(args(folder), { through, binary, env: { ATCR_VERIFY_CONFIG: config } });
  containerd.close();
  rmSync(folder, { recursive: true });
  test(folder, answered);
}

describe.concurrent("what only root may look at", () => {
  const images = (folder: string) => ["images", "--address", join(folder, "containerd.sock")];

  it
    .runIf(requirement("what is root's as an ordinary user", asOther))
    .each<[string, "read" | "change", string, (folder: string) => readonly string[]]>([
      ["state show", "read", "state", () => ["state", "show"]],
      ["state forget", "change", "state", () => ["state", "forget", "did:web:a.example"]],
      ["cache list", "read", "cache", () => ["cache", "list"]],
      ["cache show", "read", "cache", () => ["cache", "show", `sha256:${"ab".repeat(32)}`]],
      ["cache clear", "change", "cache", () => ["cache", "clear"]],
      ["log", "read", "decisions.log", () => ["log"]],
      ["log --follow", "read", "decisions.log", () => ["log", "--follow"]],
      ["images", "read", "containerd.sock", images],
    ])("is said in one line: %s", async (_, to, which, args) => {
    await asOrdinaryUser(args, (folder, answered) => {
      const stdout = `this user may not ${to} ${join(folder, which)}; run this as root\n`;
      expect(answered).toMatchObject({ code: 3, stdout, stderr: "" });
    });
  });

  it.runIf(requirement("enabling, as an ordinary user", asOther))("is said in one line: enable", async () => {
    const args = (folder: string) => ["enable", "--bin-dir", join(folder, "state", "bin"), "--address", "/nonexistent"];
    await asOrdinaryUser(args, (folder, { code, stdout }) => {
      expect([code, stdout]).toEqual([
        1,
        `this user may not change ${join(folder, "state", "bin")}; run this as root\n`,
      ]);
    });
  });

  it
    .runIf(requirement("what is root's, as JSON, as an ordinary user", asOther))
    .each<[string, (folder: string) => readonly string[]]>([
      ["state show", () => ["state", "show"]],
      ["cache list", () => ["cache", "list"]],
      ["log", () => ["log"]],
      ["images", images],
    ])("is a warning in JSON: %s", async (_, args) => {
    await asOrdinaryUser(
      (folder) => [...args(folder), "--output", "json"],
      (_folder, { code, stdout, stderr }) => {
        const { warnings } = JSON.parse(stdout) as { readonly warnings: readonly Warning[] };
        expect([code, warnings.map((one) => one.code), stderr]).toEqual([3, ["access.denied"], ""]);
      },
    );
  });
});
