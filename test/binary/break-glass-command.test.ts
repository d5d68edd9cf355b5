import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Answered, ask, BINARY, enforcing, headline, TestNode } from "../support/binary.ts";
import { missingRoot, requirement } from "../support/requirement.ts";

const HOUR = 3_600_000;
const documented = readFileSync(join(import.meta.dirname, "../../docs/reference/cli.md"), "utf8");

interface Shown {
  readonly active: boolean;
  readonly path: string;
  readonly until?: string;
  readonly scopes?: readonly string[];
  readonly reason?: string;
  readonly because?: string;
  readonly ended?: boolean;
}

async function withNode(
  test: (node: TestNode, run: (...args: readonly string[]) => Promise<Answered>, file: string) => Promise<void>,
): Promise<void> {
  const node = await TestNode.start();
  const file = join(node.folder, "etc/break-glass.yaml");
  mkdirSync(join(node.folder, "etc"));
  const env = { ...node.env, ATCR_VERIFY_BREAK_GLASS: file };
  const address = join(node.folder, "no.sock");
  try {
    await test(node, (...args) => ask(["break-glass", "--address", address, ...args], { env }), file);
  } finally {
    await node.stop();
  }
}

function json({ stdout }: Answered): Shown {
  for (const [, key = ""] of stdout.matchAll(/^ *"(\w+)":/gm)) expect(documented).toContain(`\`${key}\``);
  return JSON.parse(stdout) as Shown;
}

const declared = (...scopes: readonly string[]): readonly string[] => [
  "--for",
  "2h",
  ...scopes.flatMap((scope) => ["--scope", scope]),
  "--reason",
  'PDS "down": INC-1',
];

describe.concurrent("break-glass", () => {
  it("declares an emergency that a pull obeys, shows it, and ends it", async () => {
    await withNode(async (node, run, file) => {
      const image = await node.image("unsigned", { signed: false });
      const env = { ...node.env, ATCR_VERIFY_BREAK_GLASS: file };
      const pull = async (): Promise<string> => headline(await node.pull(node.name, image, { env }));
      expect(await pull()).toBe("1 deny signature.none");
      expect(await run()).toMatchObject({
        code: 0,
        stdout: "break-glass is not active; no refused pull is let through\n",
      });

      const started = await run(...declared("other.example/**", `${node.registry.authority}/**`));
      expect(started.code).toBe(0);
      expect(started.stdout).toMatch(/^BREAK-GLASS IS ACTIVE until \S+Z, for 2 h 0 min\n/);
      expect(started.stdout).toContain("\n  end     atcr-verify break-glass --end\n");
      expect(await pull()).toBe("0 allow break_glass");
      expect(statSync(file).mode & 0o7777).toBe(0o644);
      expect(readdirSync(join(node.folder, "etc"))).toEqual(["break-glass.yaml"]);

      const shown = await run("--output", "json");
      expect(shown.code).toBe(1);
      const { until = "", ...rest } = json(shown);
      expect(rest).toEqual({
        active: true,
        path: file,
        scopes: ["other.example/**", `${node.registry.authority}/**`],
        reason: 'PDS "down": INC-1',
      });
      expect(Math.abs(Date.parse(until) - Date.now() - 2 * HOUR)).toBeLessThan(HOUR / 4);

      expect(json(await run("--end", "--output", "json"))).toEqual({ active: false, path: file, ended: true });
      expect(existsSync(file)).toBe(false);
      expect(await pull()).toBe("1 deny signature.none");
      expect(await run("--end")).toMatchObject({ code: 0, stdout: expect.stringContaining("is not active") });
    });
  });

  it("may be declared for 24 hours, and anew", async () => {
    await withNode(async (_, run) => {
      expect((await run("--for", "24h", "--scope", "a.example/b", "--reason", "x")).code).toBe(0);
      expect((await run("--for", "1m", "--scope", "**", "--reason", "y")).code).toBe(0);
      expect(json(await run("-o", "json"))).toMatchObject({ active: true, scopes: ["**"], reason: "y" });
    });
  });

  it.each<[string, readonly string[], string]>([
    ["no reason", ["--for", "2h", "--scope", "**"], "found no --reason; write: atcr-verify break-glass --for 2h "],
    ["only a reason", ["--reason", "x"], "found no --for and no --scope"],
    ["too long", ["--for", "25h", "--scope", "**", "--reason", "x"], "from 1m to 24h"],
    ["too short", ["--for", "59s", "--scope", "**", "--reason", "x"], "from 1m to 24h"],
    ["no duration", ["--for", "2", "--scope", "**", "--reason", "x"], "from 1m to 24h"],
    ["a scope with a tag", ["--for", "2h", "--scope", "a.b/c:v1", "--reason", "x"], "expected no tag"],
    ["a reason of two lines", ["--for", "2h", "--scope", "**", "--reason", "x\ny"], "without control characters"],
    ["an end with more", ["--end", "--for", "2h"], "--end cannot be combined with --for"],
  ])("is not declared with %s", async (_, args, message) => {
    await withNode(async (_node, run, file) => {
      const answered = await run(...args);
      expect(answered).toMatchObject({ code: 3, stdout: expect.stringContaining(message) });
      expect(existsSync(file)).toBe(false);
    });
  });

  it("is not declared in a folder that others can write to, and follows no link", async () => {
    await withNode(async (node, run, file) => {
      const folder = join(node.folder, "etc");
      chmodSync(folder, 0o777);
      const answered = await run(...declared("**"));
      expect(answered).toMatchObject({ code: 3, stdout: expect.stringContaining("can be written by others") });
      expect(readdirSync(folder)).toEqual([]);
      chmodSync(folder, 0o755);
      const elsewhere = node.write("elsewhere", "untouched");
      symlinkSync(elsewhere, file);
      expect((await run(...declared("**"))).code).toBe(0);
      expect(readFileSync(elsewhere, "utf8")).toBe("untouched");
    });
  });

  it("says why a file has no effect, which --end removes", async () => {
    await withNode(async (node, run, file) => {
      node.write("etc/break-glass.yaml", 'reason: "x"\nuntil: "2020-01-01T00:00:00Z"\nscope: "**"\n');
      const answered = await run();
      expect(answered).toMatchObject({ code: 1, stdout: expect.stringContaining("it has expired") });
      expect(json(await run("--output", "json"))).toMatchObject({ active: false, because: "it has expired" });
      expect((await run("--end")).code).toBe(0);
      expect(existsSync(file)).toBe(false);
    });
  });

  it.runIf(requirement("break-glass as an ordinary user", missingRoot("to run as another user")))(
    "is changed by root alone",
    async () => {
      await withNode(async (node, run, file) => {
        await run(...declared("**"));
        const binary = join(node.folder, "atcr-verify");
        copyFileSync(BINARY, binary);
        chmodSync(node.folder, 0o755);
        const through = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
        const env = { ATCR_VERIFY_BREAK_GLASS: file };
        const other = (...args: readonly string[]) =>
          ask(["break-glass", "--address", join(node.folder, "no.sock"), ...args], { through, binary, env });
        expect(await other("--end")).toMatchObject({
          code: 3,
          stdout: expect.stringContaining("only root can change"),
        });
        expect(await other(...declared("**"))).toMatchObject({ code: 3 });
        expect((await other()).stdout).toContain("BREAK-GLASS IS ACTIVE");
        expect(existsSync(file)).toBe(true);
      });
    },
  );

  it("is mentioned by no refusal while there is no such file", async () => {
    await withNode(async (node) => {
      node.policy(enforcing(node.signer.did));
      const image = await node.image("unsigned", { signed: false });
      const { stdout, stderr } = await node.pull(node.name, image);
      expect(`${stdout}${stderr}`).not.toMatch(/glass/i);
    });
  });
});
