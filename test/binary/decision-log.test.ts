import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ask, auditing, headline, type TestNode } from "../support/binary.ts";
import { cacheOf, withCache } from "../support/caching-world.ts";

type Logged = Readonly<Record<string, unknown>>;

const logOf = (world: TestNode) => join(world.folder, "decisions.log");
const linesOf = (path: string) =>
  readFileSync(path, "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Logged);

/** A world that logs to a file. */
const withLog = (test: Parameters<typeof withCache>[0], values: Readonly<Record<string, unknown>> = {}) =>
  withCache(async (world, image) => {
    world.configure({ ...world.settings, cacheEnabled: true, decisionLog: logOf(world), ...values });
    await test(world, image);
  });

describe.concurrent("each decision at containerd's door", () => {
  it("is one line: what was asked, what was answered, and what that rests on", async () => {
    await withLog(async (world, image) => {
      expect(headline(await world.pull(world.name, image))).toBe("0 allow signed");
      expect(headline(await world.pull(world.name, image))).toBe("0 allow signed");
      const unsigned = await world.image("unsigned", { signed: false });
      for (const _ of [1, 2]) expect(headline(await world.pull(world.name, unsigned))).toBe("1 deny signature.none");
      const [signed, again, refused, refusedAgain] = linesOf(logOf(world));
      const policy = createHash("sha256")
        .update(readFileSync(join(world.folder, "policy.yaml")))
        .digest("hex");
      expect(signed).toEqual({
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        image: world.name,
        digest: image.digest,
        outcome: "allow",
        code: "signed",
        rule: "all",
        ruleAt: expect.stringMatching(/^\/.*\/policy\.yaml:\d+$/),
        reason: expect.stringMatching(/^allow signed: /),
        signers: [{ did: world.signer.did, key: expect.stringMatching(/^did:key:z/), rev: expect.any(String) }],
        cache: "none",
        evidenceAt: expect.any(String),
        ms: {
          total: expect.any(Number),
          directory: expect.any(Number),
          pds: expect.any(Number),
          registry: expect.any(Number),
        },
        // The registry may be asked for all referrers as well before the answer is there.
        requests: { directory: 1, pds: 1, registry: expect.toBeOneOf([1, 2]) },
        policy,
        version: expect.any(String),
        pid: expect.any(Number),
      });
      expect(again).toMatchObject({
        cache: "fresh",
        ruleAt: signed?.["ruleAt"],
        requests: {},
        code: "signed",
        evidenceAt: expect.any(String),
      });
      expect(refused).toMatchObject({
        outcome: "deny",
        code: "signature.none",
        rule: "all",
        ruleAt: signed?.["ruleAt"],
        signers: [],
        cache: "none",
      });
      expect(refusedAgain).toMatchObject({ code: "signature.none", cache: "none", requests: { pds: 1 } });
    });
  });

  it("has the codes of what was warned of, each once, also of what was met before the verification", async () => {
    await withLog(async (world, image) => {
      const env = { ...world.env, ATCR_VERIFY_CACHE_DIR: cacheOf(world) };
      expect(headline(await world.pull(world.name, image, { env }))).toBe("0 allow signed");
      const damaged = ["settings", "evidence", "identities"].map((folder) => cacheOf(world, folder));
      for (const folder of damaged) for (const file of readdirSync(folder)) chmodSync(join(folder, file), 0o622);
      const warned = await world.pull(world.name, image, { env });
      expect(headline(warned)).toBe("0 allow signed");
      const lines = warned.stderr.trimEnd().split("\n");
      expect(lines.length).toBeGreaterThan(2);
      expect(new Set(lines).size).toBe(lines.length);
      expect(lines.every((line) => line.startsWith("warning cache.unusable: "))).toBe(true);
      const logged = linesOf(logOf(world)).map(({ warnings }) => warnings);
      expect(logged).toEqual([undefined, ["cache.unusable"]]);
    });
  });

  it("is told whatever it is: audited, by old evidence, without a policy, unreadable, out of time", async () => {
    await withLog(async (world, image) => {
      const unsigned = await world.image("unsigned", { signed: false });
      world.policy(auditing(world.signer.did));
      await world.pull(world.name, unsigned);
      await world.pull(world.name, image);
      world.configure({ ...world.settings, decisionLog: logOf(world), cacheEnabled: false });
      const stale = { name: "all", scope: "**/*", action: "enforce", require: { maxStaleness: "1h" } };
      const policy = { version: 1, trustedDIDs: [world.signer.did], policies: [stale] };
      world.policy(JSON.stringify(policy));
      await world.pull(world.name, image);
      await world.pds.stop();
      await world.pull(world.name, image);
      world.policy("version: 2");
      await world.pull(world.name, image);
      await ask(["-name", "x\u0007y", "-digest", "z"], { env: world.env });
      const told = linesOf(logOf(world)).map(({ outcome, code, cache, image: name }) => [outcome, code, cache, name]);
      expect(told).toEqual([
        ["allow", "audited", "none", world.name],
        ["allow", "signed", "none", world.name],
        ["allow", "signed", "none", world.name],
        ["allow", "signed", "stale", world.name],
        ["misconfigured", "policy.invalid", "none", world.name],
        ["misconfigured", "input.malformed", "none", "x?y"],
      ]);
      expect(linesOf(logOf(world))[0]).toMatchObject({ would: { outcome: "deny", code: "signature.none" } });
    });
  });

  it("is told of a pull whose time is over, and of one that is ended by SIGTERM", async () => {
    await withLog(
      async (world, image) => {
        world.pds.delay(10_000);
        expect(headline(await world.pull(world.name, image))).toBe("2 inconclusive net.deadline");
        world.configure({ ...world.settings, decisionLog: logOf(world), cacheEnabled: false, deadline: "15s" });
        const asked = world.pds.requests.length;
        const { promise: begun, resolve: started } = Promise.withResolvers<ChildProcess>();
        const ended = world.pull(world.name, image, { started });
        await expect.poll(() => world.pds.requests.length, { timeout: 10_000 }).toBeGreaterThan(asked);
        (await begun).kill("SIGTERM");
        expect(headline(await ended)).toBe("2 inconclusive net.interrupted");
        const told = linesOf(logOf(world)).map(({ code, rule, ruleAt }) => [code, rule, ruleAt]);
        const ruleAt = expect.stringMatching(/\/policy\.yaml:\d+$/) as string;
        expect(told).toEqual(["net.deadline", "net.interrupted"].map((code) => [code, "all", ruleAt]));
      },
      { deadline: "1s", cacheEnabled: false },
    );
  });

  it("has a line of its own among those of parallel pulls", async () => {
    await withLog(async (world, image) => {
      await Promise.all(Array.from({ length: 20 }, () => world.pull(world.name, image)));
      expect(new Set(linesOf(logOf(world)).map(({ pid }) => pid)).size).toBe(20);
    });
  });

  it("is written where a group may write to the folder above, as to /var/log on some distributions", async () => {
    await withLog(async (world, image) => {
      const path = join(world.folder, "log", "own", "decisions.log");
      mkdirSync(join(path, ".."), { recursive: true });
      chmodSync(join(path, "../.."), 0o775);
      world.configure({ ...world.settings, decisionLog: path });
      expect((await world.pull(world.name, image)).stderr).toBe("");
      expect(linesOf(path)).toHaveLength(1);
    });
  });

  it("names what of the policy decided and where it stands, also where that asks for no signature", async () => {
    await withLog(async (world, image) => {
      const version = "version: 1\n";
      const path = world.policy(`${version}trustedDIDs: [${world.signer.did}]`);
      const within = (scope: string, action: string) =>
        `${version}\npolicies:\n  - { name: other, scope: other.example/**, action: deny }\n  - name: ${action}\n    scope: "${scope}"\n    action: ${action}\n`;
      const everything = `${world.registry.authority}/**`;
      const texts = [
        within(everything, "allow"),
        within(everything, "deny"),
        `${version}default: allow`,
        version,
        `${version}digests:\n  deny:\n    - sha256:${"0".repeat(64)}\n    - ${image.digest}\n`,
      ];
      const fragment = join(world.folder, "policy.d", "10-own.yaml");
      for (const text of texts) {
        world.write("policy.d/10-own.yaml", text);
        // Parsed at first, and remembered the second time.
        for (const _ of [1, 2]) await world.pull(world.name, image);
      }
      const told = linesOf(logOf(world)).map(({ code, rule, ruleAt }) => [code, rule, ruleAt]);
      const expected = [
        ["exempt", "allow", `${fragment}:5`],
        ["policy.denied", "deny", `${fragment}:5`],
        ["exempt", "default", `${fragment}:2`],
        ["policy.no_match", "default", `${path}:1`],
        ["policy.denied", "digests.deny", `${fragment}:5`],
      ];
      expect(told).toEqual(expected.flatMap((line) => [line, line]));
    });
  });

  it("is in a file of mode 0640, wherever the last one was moved to", async () => {
    await withLog(async (world, image) => {
      await world.pull(world.name, image);
      expect((statSync(logOf(world)).mode & 0o777).toString(8)).toBe("640");
      rmSync(logOf(world));
      await world.pull(world.name, image);
      expect(linesOf(logOf(world))).toHaveLength(1);
    });
  });

  it.each<[string, (path: string) => void]>([
    [
      "its folder is a link",
      (path) => {
        const folder = join(path, "..");
        renameSync(folder, `${folder}.moved`);
        symlinkSync(`${folder}.moved`, folder);
      },
    ],
    ["its folder is missing", (path) => rmSync(join(path, ".."), { recursive: true })],
    ["others can write to its folder", (path) => chmodSync(join(path, ".."), 0o777)],
    ["others can write to it", (path) => [writeFileSync(path, ""), chmodSync(path, 0o666)]],
    ["a link is in its place", (path) => symlinkSync("target", path)],
    ["a folder is in its place", (path) => mkdirSync(path)],
    [
      "a named pipe nobody reads is in its place",
      (path) => void ask(["-c", `mkfifo ${path}`], { binary: "/bin/sh", env: { PATH: "/usr/bin:/bin" } }),
    ],
  ])("changes nothing about the answer where %s", async (_, damage) => {
    await withLog(async (world, image) => {
      const path = join(world.folder, "log", "decisions.log");
      mkdirSync(join(path, ".."));
      damage(path);
      await new Promise((done) => setTimeout(done, 50));
      world.configure({ ...world.settings, decisionLog: path });
      const answer = await world.pull(world.name, image);
      expect(headline(answer)).toBe("0 allow signed");
      expect(answer.stderr).toMatch(/^warning log\.not_written: /);
      expect(existsSync(join(path, "..", "target"))).toBe(false);
    });
  });
});

describe.concurrent("journald", () => {
  it("gets the line in a stream of its own, with a priority by what it says", async () => {
    await withLog(async (world, image) => {
      const socket = join(mkdtempSync("/tmp/atcr-journal-"), "stdout");
      const streams: string[] = [];
      const server = createServer((stream) => {
        let text = "";
        stream.on("data", (chunk) => {
          text += chunk.toString();
        });
        stream.on("end", () => streams.push(text));
      });
      await new Promise<void>((done) => server.listen(socket, done));
      try {
        world.configure({ ...world.settings, decisionLog: `journald:${socket}` });
        expect(headline(await world.pull(world.name, image))).toBe("0 allow signed");
        const unsigned = await world.image("unsigned", { signed: false });
        expect(headline(await world.pull(world.name, unsigned))).toBe("1 deny signature.none");
        await expect.poll(() => streams.length).toBe(2);
        const [signed = [], refused = []] = streams.map((text) => text.split("\n"));
        expect([signed.slice(0, 7), refused[2]]).toEqual([["atcr-verify", "", "6", "0", "0", "0", "0"], "4"]);
        expect(JSON.parse(signed[7] ?? "")).toMatchObject({ code: "signed", image: world.name });
      } finally {
        await new Promise((done) => server.close(done));
        rmSync(join(socket, ".."), { recursive: true });
      }
    });
  });

  it("does not hold up the answer where it takes nothing, or is not there", async () => {
    await withLog(async (world, image) => {
      const socket = join(mkdtempSync("/tmp/atcr-journal-"), "stdout");
      world.configure({ ...world.settings, decisionLog: `journald:${socket}` });
      const answer = await world.pull(world.name, image);
      expect(headline(answer)).toBe("0 allow signed");
      expect(answer.stderr).toMatch(/^warning log\.not_written: /);
      rmSync(join(socket, ".."), { recursive: true });
    });
  });
});

describe.concurrent("atcr-verify log", () => {
  const log = (world: TestNode, ...args: readonly string[]) => ask(["log", ...args], { env: world.env });

  it("shows the latest last: all, refused, audited, or of an image", async () => {
    await withLog(async (world, image) => {
      const none = await log(world);
      expect([none.code, none.stdout, none.stderr]).toEqual([1, "", expect.stringContaining("nothing was pulled yet")]);
      const unsigned = await world.image("unsigned", { signed: false });
      await world.pull(world.name, image);
      await world.pull(world.name, unsigned);
      world.policy(auditing(world.signer.did));
      await world.pull(world.name.replace("/app", "/other"), unsigned);
      const outcomes = async (...args: readonly string[]) => {
        const { stdout } = await log(world, "--output", "json", ...args);
        return stdout
          .split("\n")
          .slice(0, -1)
          .map((line) => (JSON.parse(line) as Logged)["code"]);
      };
      expect(await outcomes()).toEqual(["signed", "signature.none", "audited"]);
      expect(await outcomes("--lines", "1")).toEqual(["audited"]);
      expect(await outcomes("--refused")).toEqual(["signature.none"]);
      expect(await outcomes("--audited")).toEqual(["audited"]);
      expect(await outcomes("--refused", "--audited")).toEqual(["signature.none", "audited"]);
      expect(await outcomes("--image", image.digest)).toEqual(["signed"]);
      expect(await outcomes("--image", "/other")).toEqual(["audited"]);
      expect((await log(world, "--image", "nobody")).code).toBe(1);
      for (const name of ["a", "b"]) await world.pull(`127.0.0.1:1/atcr-verify-probe/${name}:probe`, unsigned);
      expect(await outcomes()).toEqual(["signed", "signature.none", "audited", "policy.probe", "policy.probe"]);
      expect(await outcomes("--refused")).toEqual(["signature.none"]);
      await world.pull(world.name.replace("/app", "/other"), unsigned);
      const summary = await log(world, "--summary", "--audited", "--output", "json");
      const { count, code, would, image: name } = JSON.parse(summary.stdout) as Record<string, unknown>;
      expect([count, code, would, name]).toEqual([2, "audited", "signature.none", expect.stringContaining("/other")]);
      const lines = (await log(world, "--summary")).stdout.trimEnd().split("\n");
      expect(lines).toHaveLength(4);
      expect(lines[0]).toMatch(/^ +1 {2}\S+Z {2}signature\.none {2}\S+:v1 {2}sha256:[0-9a-f]{64}$/);
      expect(lines[1]).toMatch(/^ +2 {2}\S+Z {2}audited \(signature\.none\) {2}\S+\/other/);
      expect(lines[2]).toMatch(/^ +1 {2}\S+Z {2}signed {2}/);
      expect(lines[3]).toMatch(/^ +2 {2}\S+Z {2}policy\.probe {2}probes$/);
      expect((await log(world, "--summary", "--follow")).code).toBe(3);
      const refused = (await log(world, "--refused")).stdout;
      expect(refused.split(unsigned.digest).length).toBe(2);
      expect((await log(world)).stdout.split("\n")[0]).toMatch(/^\S+Z \d+ ms {2}\S+:v1 {2}allow signed: /);
    });
  });

  it("looks for what was asked for in the log that was rotated away, too, and says from when on", async () => {
    await withLog(async (world) => {
      const line = (code: string, day: number) =>
        `${JSON.stringify({ time: `2026-01-0${day}T00:00:00Z`, outcome: code === "signed" ? "allow" : "deny", code })}\n`;
      const path = world.write("rotated.log", line("signed", 3).repeat(30));
      world.write("rotated.log.1", `${line("first", 1)}${line("second", 2)}${line("signed", 2)}`);
      const refused = async (...args: readonly string[]) => {
        const { stdout, stderr } = await log(world, "--refused", "--output", "json", "--file", path, ...args);
        return [stdout.match(/first|second|signed/g), stderr];
      };
      const from = "searched decisions since 2026-01-01T00:00:00Z\n";
      expect(await refused()).toEqual([["first", "second"], from]);
      expect(await refused("--lines", "2")).toEqual([["first", "second"], ""]);
      expect(await refused("--lines", "1")).toEqual([["second"], ""]);
      const latest = await log(world, "--lines", "30", "--output", "json", "--file", path);
      expect([latest.stdout.match(/signed/g)?.length, latest.stderr]).toEqual([30, ""]);
      expect((await log(world, "--lines", "90", "--file", path)).stderr).toBe("");
      const many = world.write("many.log", line("first", 1).repeat(30));
      expect((await log(world, "--refused", "--file", many)).stderr).toMatch(
        /^the latest 20 of 30 matching decisions;/,
      );
      rmSync(`${path}.1`);
      mkdirSync(`${path}.1`);
      expect((await refused())[1]).toMatch(
        /^warning log\.unreadable: .*rotated\.log\.1 .*\nno matching decisions since 2026-01-03/,
      );
    });
  });

  it("prints nothing that a terminal would obey, whoever wrote the log", async () => {
    await withLog(async (world) => {
      const path = world.write(
        "other.log",
        `${JSON.stringify({ outcome: "deny", image: "a\u001b[2Jb", reason: "x\ny" })}\nno json\n`,
      );
      const { stdout, stderr, code } = await log(world, "--file", path);
      expect([stdout, code]).toEqual(["-  a?[2Jb  x?y\n", 0]);
      expect(stderr).toContain("1 line of");
    });
  });

  it("follows what comes, over a rotation", async () => {
    await withLog(async (world, image) => {
      await world.pull(world.name, image);
      let seen = "";
      const following = ask(["log", "--follow", "--output", "json"], {
        env: world.env,
        started: (child) => {
          child.stdout?.on("data", (chunk: Buffer) => {
            seen += chunk.toString();
          });
          setTimeout(() => child.kill("SIGINT"), 4_000);
        },
      });
      await expect.poll(() => seen).toMatch(/"signed".*\n$/);
      const unsigned = await world.image("unsigned", { signed: false });
      await world.pull(world.name, unsigned);
      writeFileSync(`${logOf(world)}.1`, readFileSync(logOf(world)));
      rmSync(logOf(world));
      await world.pull(world.name, await world.image("third"));
      const { code, stdout } = await following;
      const told = stdout
        .split("\n")
        .slice(0, -1)
        .map((line) => (JSON.parse(line) as Logged)["code"]);
      expect(code).toBe(0);
      // What was moved by copying has another inode, and is not read twice.
      expect(told.filter((one) => one === "signed")).toHaveLength(2);
    });
  });

  it("ends with a configuration that is wrong where what it follows becomes something else", async () => {
    await withLog(async (world, image) => {
      await world.pull(world.name, image);
      const { code, stdout } = await ask(["log", "--follow"], {
        env: world.env,
        started: (child) =>
          child.stdout?.once("data", () => {
            rmSync(logOf(world));
            mkdirSync(logOf(world));
          }),
      });
      expect([code, stdout]).toEqual([3, expect.stringMatching(/\nmisconfigured config\.invalid: .*\n$/)]);
    });
  });

  it("says where to look where there is no file", async () => {
    await withLog(async (world) => {
      for (const decisionLog of ["none", "journald"]) {
        world.configure({ ...world.settings, decisionLog });
        expect(headline(await log(world))).toBe("3 misconfigured config.invalid");
      }
      for (const args of [["--lines", "0"], ["--lines", "x"], ["operand"], ["--nothing"]]) {
        expect(headline(await log(world, ...args))).toBe("3 misconfigured input.malformed");
      }
      const named = ["--file", `${logOf(world)}.none`];
      expect(headline(await log(world, ...named))).toBe("3 misconfigured input.malformed");
      writeFileSync(`${logOf(world)}.none.1`, ""); // it was rotated away a moment ago
      expect((await log(world, ...named)).code).toBe(1);
    });
  });
});
