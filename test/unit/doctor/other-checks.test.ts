import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parseReference } from "../../../src/core/oci/reference.ts";
import { readPolicy } from "../../../src/core/policy/parse-policy.ts";
import { checkEnvironment, checkOtherClients } from "../../../src/doctor/environment-checks.ts";
import { checkDecisionLog, logReader } from "../../../src/doctor/log-checks.ts";
import { checkClock, checkFolder, checkMetrics } from "../../../src/doctor/node-checks.ts";
import { checkPolicy } from "../../../src/doctor/policy-checks.ts";
import type { ClockService } from "../../../src/platform/clock.ts";
import { makeTemporaryDirectory } from "../../support/process.ts";
import { missingRoot, requirement } from "../../support/requirement.ts";

const canMount = requirement("folders that are read-only to containerd alone", missingRoot("it mounts"));
const root = makeTemporaryDirectory("doctor");
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("the environment of containerd", () => {
  const check = (environment: Readonly<Record<string, string>>) =>
    checkEnvironment({
      pid: 1,
      program: "",
      argv0: "containerd",
      folder: "/",
      isReplaced: false,
      configPath: "",
      startedAt: 0,
      environment: new Map(Object.entries(environment)),
    }).map(({ level }) => level);
  it.each<[Readonly<Record<string, string>>, string[]]>([
    [{}, ["ok"]],
    [{ PATH: "/bin", HOME: "/" }, ["ok"]],
    [{ BUN_OPTIONS: "--preload=x" }, ["warning"]],
    [{ BUN_BE_BUN: "1" }, ["problem"]],
    [{ BUN_INSPECT_PRELOAD: "x" }, ["problem"]],
    [{ LD_PRELOAD: "x" }, ["problem"]],
    [{ BUN_JSC_useJIT: "1" }, ["ok"]],
    [{ BUN_JSC_validateOptions: "1" }, ["warning"]],
    [{ NODE_OPTIONS: "x" }, ["warning"]],
    [{ LD_LIBRARY_PATH: "/lib" }, ["warning"]],
    [{ SSL_CERT_FILE: "/a" }, ["ok"]],
    [{ NODE_EXTRA_CA_CERTS: "/a" }, ["warning"]],
    [{ ATCR_VERIFY_CONFIG: "/a" }, ["ok"]],
    [{ https_proxy: "a", NO_PROXY: "b" }, ["ok"]],
  ])("%j: %j", (environment, expected) => {
    expect(check(environment)).toEqual(expected);
  });
});

describe("other clients", () => {
  const nerdctl = (version: string) =>
    checkOtherClients({ nerdctl: { path: "/n", version } }).map(({ level }) => level);
  it("that ask nobody are named", () => {
    expect(checkOtherClients({}).map(({ level }) => level)).toEqual(["note"]);
    expect(checkOtherClients({ dockerd: { how: "/d" } }).map(({ level }) => level)).toEqual(["warning", "note"]);
    expect(
      [nerdctl("2.2.9"), nerdctl("1.7.7"), nerdctl("2.3.0"), nerdctl("3.0.0")].map(({ length }) => length),
    ).toEqual([2, 2, 1, 1]);
    expect(checkOtherClients({ nerdctl: { path: "/n" } }).map(({ level }) => level)).toEqual(["warning", "note"]);
  });
});

describe("the node", () => {
  it("has a clock that has been set", () => {
    const now = Date.UTC(2026, 6, 1);
    const at = (time: number, service: ClockService, builtAt = 0) => checkClock(time, builtAt, service).level;
    expect([at(Date.UTC(1970, 0, 1), "synchronised"), at(now, "synchronised", now + 2 * 86_400_000)]).toEqual([
      "problem",
      "warning",
    ]);
    expect([at(now, "synchronised"), at(now, "running"), at(now, "not synchronised"), at(now, "none")]).toEqual([
      "ok",
      "ok",
      "warning",
      "warning",
    ]);
  });

  it("has folders that nobody else can write to", () => {
    const path = join(root, "folder");
    const check = (isMade: boolean, of = path) =>
      checkFolder({ name: "f", path: of, without: "", isMade, isPathTrusted: true }).level;
    expect([check(true), check(false), check(true, join(path, "deep"))]).toEqual(["ok", "warning", "warning"]);
    mkdirSync(path);
    expect(check(true)).toBe("ok");
    chmodSync(path, 0o777);
    expect(check(true)).toBe("problem");
    writeFileSync(join(root, "file"), "");
    expect(check(true, join(root, "file"))).toBe("problem");
  });

  it.runIf(canMount)("has folders that containerd can write to, as containerd sees them", async () => {
    const path = join(root, "read-only");
    mkdirSync(path);
    const check = (pid: number) =>
      checkFolder({ name: "f", path, without: "", isMade: true, isPathTrusted: true, pid }).level;
    const script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && echo ready && exec sleep 60';
    const args = ["-c", 'exec unshare --mount sh -c "$1" "$0"', path, script];
    const child = spawn("/bin/sh", args, { stdio: ["ignore", "pipe", "inherit"] });
    try {
      await once(child.stdout, "data");
      expect([check(child.pid ?? 0), check(process.pid)]).toEqual(["problem", "ok"]);
      const metrics = (pid: number) => checkMetrics(join(path, "a.prom"), pid).level;
      expect([metrics(child.pid ?? 0), metrics(process.pid)]).toEqual(["warning", "ok"]);
    } finally {
      child.kill("SIGKILL");
    }
  });

  it("has a log and metrics that can be written", async () => {
    const folder = join(root, "log");
    const path = join(folder, "decisions.log");
    const check = async () => (await checkDecisionLog({ kind: "file", path, isNeeded: true }, undefined)).level;
    expect([await check(), checkMetrics(path, undefined).level]).toEqual(["warning", "warning"]);
    mkdirSync(folder);
    expect([await check(), checkMetrics(path, undefined).level]).toEqual(["ok", "ok"]);
    writeFileSync(path, "");
    expect(await check()).toBe("ok");
    chmodSync(path, 0o666);
    expect(await check()).toBe("problem");
    rmSync(path);
    mkdirSync(path);
    expect([await check(), checkMetrics(path, undefined).level]).toEqual(["problem", "warning"]);
    symlinkSync(folder, join(root, "way"));
    expect(checkMetrics(join(root, "way", "a.prom"), undefined).level).toBe("warning");
  });

  it("has a journald that listens, where decisions go to one", async () => {
    const socket = join(root, "journal");
    const check = async () => (await checkDecisionLog({ kind: "journald", socket }, undefined)).level;
    expect(await check()).toBe("problem");
    const server = createServer().listen(socket);
    await once(server, "listening");
    expect(await check()).toBe("ok");
    server.close();
    expect((await checkDecisionLog({ kind: "none" }, undefined)).level).toBe("warning");
    expect([logReader({}, { kind: "none" }), logReader({}, { kind: "journald", socket })]).toEqual([
      undefined,
      { unread: expect.stringContaining(socket) },
    ]);
  });
});

describe("the policy", () => {
  const SANDBOX = parseReference("registry.k8s.io/pause:3.10");
  const check = (rules: string, fallback = "deny", more = "") => {
    const text = `version: 1\ntrustedDIDs: [did:plc:ewvi7nxzyoun6zhxrhs64oiz]\npolicies:\n${rules}\ndefault: ${fallback}\n${more}`;
    const question = { ...readPolicy(text, "p", []), atcrHosts: ["atcr.io"], now: 0 };
    const findings = checkPolicy(question, "p", SANDBOX);
    const refusesNothing = findings[0]?.found.includes("no pull is refused");
    const said = findings[0]?.found;
    return { ...Object.fromEntries(findings.map(({ name, level }) => [name, level])), refusesNothing, said };
  };
  const rule = (action: string, scope: string) =>
    `  - {name: "${action} ${scope}", scope: "${scope}", action: ${action}}`;

  it("refuses pulls, or does not", () => {
    expect(check(rule("enforce", "a.b/**"))).toMatchObject({ policy: "ok" });
    expect(check(rule("audit", "a.b/**"), "audit")).toMatchObject({ policy: "warning" });
    expect(check(rule("audit", "a.b/**"))).toMatchObject({ policy: "ok" });
    expect(check(rule("allow", "a.b/**"), "allow")).toMatchObject({ policy: "warning" });
  });

  it("says which pulls are refused, and does not read as if all were", () => {
    const ends = (end: string) => ({ said: expect.stringMatching(new RegExp(`: ${end}$`)) });
    const both = `${rule("enforce", "a.b/**")}\n${rule("deny", "c.d/**")}`;
    expect(check(rule("enforce", "a.b/**"))).toMatchObject(
      ends('unsigned images that match rule "enforce a.b/\\*\\*" and images that no rule matches are refused'),
    );
    expect(check(both, "allow")).toMatchObject(
      ends(
        'unsigned images that match rule "enforce .*" and all images that match rule "deny .*" are refused, and the default lets .*',
      ),
    );
    expect(check(rule("audit", "a.b/**"))).toMatchObject(ends("images that no rule matches are refused"));
  });

  it("refuses some pulls, and audits the others or lets them through for good", () => {
    const some = rule("enforce", "a.b/**");
    expect(check(some, "audit")).toMatchObject({ policy: "warning", refusesNothing: false });
    expect(check(some, "allow")).toMatchObject({ policy: "ok" });
    expect(check(`${some}\n${rule("audit", "**")}`)).toMatchObject({ policy: "warning" });
    expect(check(`${some}\n${rule("enforce", "**")}`, "audit")).toMatchObject({ policy: "ok" });
  });

  it("refuses nothing by rules and a default behind one that takes every name", () => {
    const all = rule("audit", "**");
    expect(check(all)).toMatchObject({ policy: "warning" });
    expect(check(`${all}\n${rule("enforce", "a.b/**")}`)).toMatchObject({ policy: "warning", refusesNothing: true });
    const denied = `digests: {deny: ["sha256:${"0".repeat(64)}"]}`;
    expect(check(all, "audit", denied)).toMatchObject({ policy: "warning", refusesNothing: false });
  });

  it("lets pods start, or does not", () => {
    expect(check(rule("enforce", "a.b/**"))).toMatchObject({ "sandbox-image": "problem" });
    expect(check(rule("deny", "registry.k8s.io/**"))).toMatchObject({ "sandbox-image": "problem" });
    expect(check(rule("enforce", "**"))).toMatchObject({ "sandbox-image": "warning" });
    expect(check(rule("audit", "**"))).toMatchObject({ "sandbox-image": "ok" });
    expect(check(rule("allow", "registry.k8s.io/pause"))).toMatchObject({ "sandbox-image": "ok" });
  });

  it("has errors that policy check finds", () => {
    expect(check(`${rule("enforce", "**")}\n${rule("allow", "registry.k8s.io/pause")}`)).toMatchObject({
      "policy-errors": "problem",
    });
  });
});
