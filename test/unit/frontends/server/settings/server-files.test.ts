import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { FileState } from "../../../../../src/frontends/server/settings/last-good.ts";
import { ServerFiles } from "../../../../../src/frontends/server/settings/server-files.ts";
import { makeTemporaryDirectory } from "../../../../support/process.ts";
import { ProjectedVolume } from "../../../../support/projected-volume.ts";
import { codeOf } from "../../../../support/rejection.ts";

const FROM = Date.UTC(2026, 10, 30, 12);
const POLICY = "version: 1.0\ndefault: deny\n";
const OTHER = "version: 1.0\ndefault: audit\n";
const [FIRST, SECOND] = ["0123456789abcdef", "fedcba9876543210"];
const BREAK_GLASS = JSON.stringify({
  reason: "INC-1234",
  from: "2026-11-30T12:00:00Z",
  until: "2026-11-30T13:00:00Z",
  scope: "**",
  namespaces: ["shop"],
});

let folder: string;
let reports: string[];
let announced: string[];
beforeEach(() => {
  folder = makeTemporaryDirectory("server");
  reports = [];
  announced = [];
  write("policy.yaml", POLICY);
  write("staging.yaml", OTHER);
  write("tokens", `kyverno:${FIRST}\n`);
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

function configure(server: object = {}, more: object = {}): string {
  const all = {
    listen: "127.0.0.1:1",
    policies: { staging: join(folder, "staging.yaml") },
    tokenFiles: [join(folder, "tokens")],
    breakGlassFile: join(folder, "break-glass.yaml"),
    ...server,
  };
  return write("config.yaml", JSON.stringify({ trustPolicyPath: join(folder, "policy.yaml"), server: all, ...more }));
}

const nameOf = ({ what, name }: FileState): string =>
  name === undefined ? what : `${what} ${name.replace(/.*\//, "")}`;
const start = (path = configure()): ServerFiles =>
  new ServerFiles({
    environment: {},
    named: path,
    now: 1,
    report: (_, message) => reports.push(message.replaceAll(`${folder}/`, "")),
    announce: (line) => announced.push(line),
    warn: ({ code }) => reports.push(code),
  });
const defaultOf = (files: ServerFiles, name?: string): string | undefined => files.current(name)?.policy.fallback;
const brokenOf = (files: ServerFiles): readonly string[] => files.states.filter(({ ok }) => !ok).map(nameOf);

describe("at the start", () => {
  it("reads everything that the configuration names", () => {
    const files = start();
    expect(defaultOf(files, undefined)).toBe("deny");
    expect(defaultOf(files, "staging")).toBe("audit");
    expect(files.current("none")).toBeUndefined();
    expect(files.tokenNameOf(`Bearer ${FIRST}`)).toBe("kyverno");
    expect(files.demandsToken).toBe(true);
    expect(files.states.map(nameOf)).toEqual([
      "configuration",
      "policy",
      "policy staging",
      "tokens tokens",
      "break_glass",
    ]);
    expect([brokenOf(files), reports]).toEqual([[], []]);
    expect(files.current("staging")?.config).toBe(files.config);
  });

  it.each([
    ["config.yaml", "server: {}", "config.invalid"],
    ["config.yaml", "deadline: 2s", "config.invalid"],
    ["policy.yaml", "version: 2", "policy.invalid"],
    ["staging.yaml", "", "policy.invalid"],
    ["tokens", "short", "config.invalid"],
    ["tokens", "# none yet", "config.invalid"],
  ])("ends where %s is %j", (name, text, code) => {
    const path = configure();
    write(name, text);
    expect(codeOf(() => start(path))).toBe(code);
    rmSync(join(folder, name));
    expect(codeOf(() => start(path))).toBe(code);
    expect(reports).toEqual([]);
  });

  it("ends where there is no configuration, and names the path", () => {
    const environment = { ATCR_VERIFY_CONFIG: undefined };
    const options = { environment, named: join(folder, "none"), now: 1, report: () => {}, announce: () => {} };
    expect(() => new ServerFiles({ ...options, warn: () => {} })).toThrow(/\/none, named by --config, does not exist$/);
  });

  it("does not end where break-glass is broken, which an emergency would make worse", () => {
    write("break-glass.yaml", "until: soon");
    const files = start();
    expect([reports, files.breakGlassUntil(FROM)]).toEqual([[], undefined]);
    files.poll(2);
    expect(brokenOf(files)).toEqual(["break_glass"]);
    expect([files.areValid("break_glass"), files.areValid("policy")]).toEqual([false, true]);
    expect(reports).toHaveLength(1);
    expect(files.breakGlassFor("shop", FROM)).toBeUndefined();
  });
});

describe("while the server runs", () => {
  it("uses what was valid before where a file is broken, and says so once", () => {
    const files = start();
    const before = [files.current(undefined), files.current("staging")];
    for (const name of ["config.yaml", "policy.yaml", "staging.yaml", "tokens"]) write(name, "{");
    for (const now of [2, 3]) files.poll(now);
    expect(brokenOf(files)).toEqual(["configuration", "policy", "policy staging", "tokens tokens"]);
    expect(reports.map((line) => line.split(":")[0])).toEqual(brokenOf(files));
    for (const line of reports) expect(line).toMatch(/; what was valid before stays in use$/);
    expect(files.current(undefined)).toEqual(before[0]);
    expect(files.current("staging")?.policy).toBe(before[1]?.policy);
    expect(files.tokenNameOf(`Bearer ${FIRST}`)).toBe("kyverno");
    configure();
    write("policy.yaml", OTHER);
    files.poll(4);
    expect(brokenOf(files)).toEqual(["policy staging", "tokens tokens"]);
    expect(defaultOf(files, undefined)).toBe("audit");
    expect(reports.slice(4)).toEqual([
      "configuration: config.yaml is valid again, as before",
      expect.stringMatching(/^policy: policy\.yaml was read again; .*; only audits, .*; SHA-256 [0-9a-f]{64}$/),
    ]);
  });

  it("applies what the configuration changes, and answers for no policy that it no longer names", () => {
    const files = start();
    const { config } = files;
    files.poll(2);
    expect(files.config).toBe(config);
    write("other.yaml", OTHER);
    configure({ policies: { production: join(folder, "other.yaml") }, tags: "resolve-unpinned" }, { deadline: "2s" });
    files.poll(3);
    expect(files.config).toMatchObject({ deadline: 2000, server: { tags: "resolve-unpinned" } });
    expect(files.current("staging")).toBeUndefined();
    expect(defaultOf(files, "production")).toBe("audit");
    expect(files.policyNames).toEqual(["production"]);
    expect(announced).toEqual([
      "policy staging is gone from server.policies: /admit/staging refuses every image now, and /mutate/staging pins none",
    ]);
    expect(reports).toEqual([
      "configuration: config.yaml was read again",
      expect.stringMatching(/^policy production: other\.yaml was read; 0 rules, 0 signers; only audits, .*; SHA-256 /),
    ]);
    expect(files.current("production")?.config.deadline).toBe(2000);
  });

  it("reports what needs a restart, and does not apply it", () => {
    const files = start();
    configure({ listen: "127.0.0.1:2" });
    for (const now of [2, 3]) files.poll(now);
    expect(files.config.server.listeners).toMatchObject([{ port: 1 }]);
    expect(announced).toEqual(["configuration: server.listeners: restart the server to apply the change"]);
    // Each report is counted as a reading.
    expect(reports).toEqual(["configuration: config.yaml was read again"]);
  });

  it("says which change needs no restart any more, as it was undone", () => {
    const files = start();
    configure({ listen: "127.0.0.1:2" }, { stateDir: "/s" });
    files.poll(2);
    configure({ listen: "127.0.0.1:2" });
    files.poll(3);
    configure();
    files.poll(4);
    configure({}, { deadline: "2s" });
    files.poll(5);
    expect(announced).toEqual([
      "configuration: stateDir, server.listeners: restart the server to apply the change",
      "configuration: server.listeners: restart the server to apply the change",
      "configuration: stateDir: as the server runs with again, so needs no restart",
      "configuration: server.listeners: as the server runs with again, so needs no restart",
    ]);
  });

  it("answers misconfigured for a new policy that was never valid, and with no other policy", () => {
    const files = start();
    configure({ policies: { new: join(folder, "new.yaml") } });
    files.poll(2);
    expect(codeOf(() => files.current("new"))).toBe("policy.invalid");
    expect(() => files.current("new")).toThrow(/^the policy new of this server cannot be read; see its log$/);
    expect(brokenOf(files)).toEqual(["policy new"]);
    write("new.yaml", OTHER);
    files.poll(3);
    expect(reports.at(-1)).toMatch(/^policy new: new\.yaml was read; /);
    expect(defaultOf(files, "new")).toBe("audit");
  });

  it("takes another path of a policy, and another file of tokens", () => {
    const files = start();
    write("more", `${SECOND}\n`);
    configure({ policies: { staging: join(folder, "policy.yaml") }, tokenFiles: [join(folder, "more")] });
    files.poll(2);
    expect(defaultOf(files, "staging")).toBe("deny");
    expect([FIRST, SECOND].map((secret) => files.tokenNameOf(`Bearer ${secret}`))).toEqual([undefined, "more:1"]);
  });

  it("follows tokens that are revoked", () => {
    const files = start();
    write("tokens", `other:${SECOND}\n`);
    files.poll(2);
    expect([FIRST, SECOND].map((secret) => files.tokenNameOf(`Bearer ${secret}`))).toEqual([undefined, "other"]);
    write("tokens", "");
    files.poll(3);
    expect(files.tokenNameOf(`Bearer ${SECOND}`)).toBeUndefined();
    expect([files.demandsToken, files.tokens]).toEqual([true, 0]);
    expect(reports).toEqual([
      "tokens tokens: was read again",
      "tokens tokens: was read again; it names no token, so it lets nobody in",
    ]);
  });

  it("is in break-glass while its file says so, and never by a broken one", () => {
    const files = start();
    expect(files.breakGlassUntil(FROM)).toBeUndefined();
    const path = write("break-glass.yaml", BREAK_GLASS);
    files.poll(2);
    expect(files.breakGlassFor("shop", FROM)).toMatchObject({ path, active: { reason: "INC-1234" } });
    expect(files.breakGlassFor(undefined, FROM)).toBeUndefined();
    const end = FROM + 3_600_000;
    expect([FROM - 1, FROM, end].map((now) => files.breakGlassUntil(now))).toEqual([undefined, end, undefined]);
    write("break-glass.yaml", `${BREAK_GLASS}}`);
    files.poll(3);
    expect(files.breakGlassFor("shop", FROM)).toBeUndefined();
    write("break-glass.yaml", BREAK_GLASS);
    files.poll(4);
    expect(files.breakGlassFor("shop", FROM)).toBeDefined();
    rmSync(path);
    files.poll(5);
    expect(files.breakGlassFor("shop", FROM)).toBeUndefined();
    expect(reports.at(-1)).toBe("break-glass: break-glass.yaml was read again; there is none, so it is not active");
    expect(announced).toEqual([]);
  });

  it("announces break-glass when it begins and when it is over", () => {
    const files = start();
    write("break-glass.yaml", BREAK_GLASS);
    const end = FROM + 3_600_000;
    for (const now of [FROM - 1, FROM, FROM + 1]) files.poll(now);
    const line = "BREAK-GLASS IS ACTIVE until 2026-11-30T13:00:00Z for ** in namespaces shop: INC-1234";
    expect(announced).toEqual([line]);
    for (const now of [end, end + 1]) files.poll(now);
    const over = "break-glass is over: refusals are enforced again";
    expect(announced).toEqual([line, over]);
    files.poll(FROM);
    rmSync(join(folder, "break-glass.yaml"));
    for (const now of [FROM + 2, FROM + 3]) files.poll(now);
    expect(announced).toEqual([line, over, line, over]);
  });

  it("reads a volume whole that is switched by one link", () => {
    const texts = (policy: string): Record<string, string> => ({ "policy.yaml": policy, "staging.yaml": policy });
    const volume = new ProjectedVolume(join(folder, "volume"), texts(POLICY));
    chmodSync(volume.folder, 0o755); // It is not on a read-only mount here.
    const policies = { staging: volume.path("staging.yaml") };
    const files = start(configure({ policies }, { trustPolicyPath: volume.path("policy.yaml") }));
    for (const [i, policy] of [OTHER, POLICY, OTHER].entries()) {
      volume.update(texts(policy));
      files.poll(2 + i);
      const expected = policy === POLICY ? "deny" : "audit";
      expect(["staging", undefined].map((name) => defaultOf(files, name))).toEqual([expected, expected]);
    }
    expect(brokenOf(files)).toEqual([]);
  });
});
