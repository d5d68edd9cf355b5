import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Answered, ask, Bench, headline } from "../support/binary.ts";
import { HANDLE, HANDLE_TXT, NamedWorld } from "../support/named-world.ts";
import { missingRoot, requirement } from "../support/requirement.ts";

const DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const SCRIPT = "/usr/bin/script";

let bench: Bench;
beforeAll(() => {
  bench = new Bench();
});
afterAll(() => bench.remove());

const init = (args: readonly string[], options = {}): Promise<Answered> =>
  ask(["policy", "init", ...args], { env: bench.env, ...options });
const check = (text: string): Promise<Answered> =>
  ask(["policy", "check", "--strict", "--offline", "-"], { env: bench.env, stdin: text });

describe.concurrent("policy init", () => {
  it("prints a policy that policy check finds nothing in", async () => {
    const { code, stdout, stderr } = await init([
      "--signer",
      DID,
      "--signer",
      "did:web:b.example.com",
      "--signer",
      DID,
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(await check(stdout)).toMatchObject({ code: 0, stdout: expect.stringContaining("1 rule, 2 signers") });
  });

  it("writes a file that everybody may read, once", async () => {
    const path = join(bench.folder, "first.yaml");
    const args = ["--signer", DID, "--scope", "atcr.io/alice.example.com/**", "--out", path];
    expect(await init(args)).toMatchObject({ code: 0, stdout: expect.stringContaining(`policy check ${path}\n`) });
    expect(statSync(path).mode & 0o7777).toBe(0o644);
    const text = readFileSync(path, "utf8");
    expect(text).toContain('\n    scope: "atcr.io/alice.example.com/**"\n');
    expect((await check(text)).code).toBe(0);

    const again = await init(["--signer", "did:web:b.example.com", "--out", path]);
    expect(again).toMatchObject({ code: 3, stdout: expect.stringContaining("--force") });
    expect(readFileSync(path, "utf8")).toBe(text);
    expect((await init(["--signer", "did:web:b.example.com", "--out", path, "--force"])).code).toBe(0);
    expect(readFileSync(path, "utf8")).toContain("did:web:b.example.com");
  });

  it.each([
    ["no signer", [], "found no --signer; write: "],
    ["a DID that is none", ["--signer", "did:plc:x"], "expected a DID in canonical form"],
    ["a signer that is neither", ["--signer", "alice"], "expected a handle such as alice.example.com, or a DID"],
    ["a scope that is none", ["--signer", DID, "--scope", "nginx"], "such as docker.io/library/nginx"],
    ["a scope that matches nothing", ["--signer", DID, "--scope", "atcr.io/alice"], "write atcr.io/alice/**"],
    [
      "scopes of which one hides the other",
      ["--signer", DID, "--scope", "a.b/**", "--scope", "a.b/c"],
      "has no effect",
    ],
    ["a folder that is not there", ["--signer", DID, "--out", "/nonexistent/p.yaml"], "cannot be written"],
  ])("writes nothing for %s", async (_, args, message) => {
    const path = join(bench.folder, "never.yaml");
    const answered = await init(args.includes("--out") ? args : [...args, "--out", path]);
    expect(headline(answered)).toBe("3 misconfigured input.malformed");
    expect(answered.stdout).toContain(message);
    expect(existsSync(path)).toBe(false);
  });
});

describe.runIf(requirement("policy init at a terminal", existsSync(SCRIPT) ? undefined : `install ${SCRIPT}`))(
  "policy init at a terminal",
  () => {
    /** Types these lines at a terminal. */
    const typed = (lines: string, ...args: readonly string[]): Promise<Answered> => {
      const through = ["/bin/sh", "-c", `exec ${SCRIPT} -qec "$0 $*" /dev/null`];
      return init(args, {
        through,
        stdin: lines,
        env: { ...bench.env, PATH: "/usr/bin:/bin", TERM: "dumb", SHELL: "/bin/sh" },
      });
    };

    it("asks for signers, images and the file, and again for what is wrong", async () => {
      const path = join(bench.folder, "asked.yaml");
      const { code, stdout } = await typed(`alice\n${DID}\n\nnginx\natcr.io/alice.example.com/**\n${path}\n`);
      expect(code).toBe(0);
      expect(stdout).toContain('found the signer "alice", expected a handle');
      expect(stdout).toContain("such as docker.io/library/nginx");
      const text = readFileSync(path, "utf8");
      expect(text).toContain(DID);
      expect((await check(text)).code).toBe(0);
    });

    it.each([
      ["Ctrl-C", "\x03"],
      ["the end of the input", "\x04"],
    ])("writes nothing after %s", async (_, key) => {
      const path = join(bench.folder, "interrupted.yaml");
      const { code } = await typed(`${DID}\n${key}`, "--out", path);
      // 130 if the key is typed before the program has begun.
      expect([2, 3, 130]).toContain(code);
      expect(existsSync(path)).toBe(false);
    });
  },
);

describe.runIf(requirement("policy init of a handle", missingRoot("to bind port 443")))(
  "policy init of a handle",
  () => {
    let named: NamedWorld;
    beforeAll(async () => {
      named = await NamedWorld.start(191);
    });
    beforeEach(() => named.reset());
    afterAll(() => named.stop());
    const initNamed = () =>
      init(["--signer", `@${HANDLE.toUpperCase()}`], { through: named.through, env: named.world.env });

    it("writes the DID, with the handle as its name", async () => {
      const { did } = named.world.signer;
      named.names.answers.set(HANDLE_TXT, [`did=${did}`]);
      const { code, stdout } = await initNamed();
      expect(code).toBe(0);
      expect(stdout).toContain(`\n  ${did}:\n    name: "${HANDLE}"\n`);
    });

    it("writes nothing for a handle of nobody, or of a DID that does not claim it", async () => {
      expect(headline(await initNamed())).toBe("1 deny image.owner_mismatch");
      named.names.answers.set(HANDLE_TXT, ["did=did:web:web.localhost"]);
      expect((await initNamed()).code).not.toBe(0);
    });
  },
);
