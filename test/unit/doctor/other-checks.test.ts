import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { checkEnvironment, checkOtherClients } from "../../../src/doctor/environment-checks.ts";
import { checkClock, checkFolder, checkRoots } from "../../../src/doctor/node-checks.ts";
import { checkPolicy } from "../../../src/doctor/policy-checks.ts";
import { parseReference } from "../../../src/oci/reference.ts";
import { readPolicy } from "../../../src/policy/parse.ts";
import { makeTemporaryDirectory } from "../../support/process.ts";

const root = makeTemporaryDirectory("doctor");
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("the environment of containerd", () => {
  const check = (environment: Readonly<Record<string, string>>) =>
    checkEnvironment({
      pid: 1,
      program: "",
      configPath: "",
      startedAt: 0,
      environment: new Map(Object.entries(environment)),
    }).map(({ level }) => level);
  it.each<[Readonly<Record<string, string>>, string[]]>([
    [{}, ["ok"]],
    [{ PATH: "/bin", HOME: "/" }, ["ok"]],
    [{ BUN_OPTIONS: "--preload=x" }, ["problem"]],
    [{ BUN_BE_BUN: "1" }, ["problem"]],
    [{ BUN_INSPECT_PRELOAD: "x" }, ["problem"]],
    [{ LD_PRELOAD: "x" }, ["problem"]],
    [{ BUN_JSC_useJIT: "1" }, ["ok"]],
    [{ BUN_JSC_validateOptions: "1" }, ["warning"]],
    [{ NODE_OPTIONS: "x" }, ["warning"]],
    [{ LD_LIBRARY_PATH: "/lib" }, ["warning"]],
    [{ SSL_CERT_FILE: "/a" }, ["ok"]],
    [{ NODE_EXTRA_CA_CERTS: "/a" }, ["ok"]],
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
    expect(checkOtherClients({}).map(({ level }) => level)).toEqual(["ok"]);
    expect(checkOtherClients({ dockerd: "/d" }).map(({ level }) => level)).toEqual(["warning", "ok"]);
    expect(
      [nerdctl("2.2.9"), nerdctl("1.7.7"), nerdctl("2.3.0"), nerdctl("3.0.0")].map(({ length }) => length),
    ).toEqual([2, 2, 1, 1]);
  });
});

describe("the node", () => {
  it("has a clock that has been set", () => {
    expect(checkClock(Date.UTC(1970, 0, 1)).level).toBe("problem");
    expect(checkClock(Date.UTC(2026, 6, 1)).level).not.toBe("problem");
  });

  it("has folders that nobody else can write to", () => {
    const path = join(root, "folder");
    const check = (isMade: boolean, of = path) =>
      checkFolder({ name: "f", path: of, without: "", isMade, isWayTrusted: true }).level;
    expect([check(true), check(false), check(true, join(path, "deep"))]).toEqual(["ok", "warning", "warning"]);
    mkdirSync(path);
    expect(check(true)).toBe("ok");
    chmodSync(path, 0o777);
    expect(check(true)).toBe("problem");
    writeFileSync(join(root, "file"), "");
    expect(check(true, join(root, "file"))).toBe("problem");
  });

  it("has certificate authorities", () => {
    const file = join(root, "ca.pem");
    writeFileSync(file, "-----BEGIN CERTIFICATE-----\n");
    expect(checkRoots(file).level).toBe("ok");
    writeFileSync(file, "");
    expect([checkRoots(file).level, checkRoots(join(root, "none")).level]).toEqual(["problem", "problem"]);
  });
});

describe("the policy", () => {
  const SANDBOX = parseReference("registry.k8s.io/pause:3.10");
  const check = (rules: string, fallback = "deny") => {
    const text = `version: 1\ntrustedDIDs: [did:plc:ewvi7nxzyoun6zhxrhs64oiz]\npolicies:\n${rules}\ndefault: ${fallback}\n`;
    const question = { ...readPolicy(text, "p", []), atcrHosts: ["atcr.io"], now: 0 };
    return Object.fromEntries(checkPolicy(question, "p", SANDBOX).map(({ name, level }) => [name, level]));
  };
  const rule = (action: string, scope: string) =>
    `  - {name: "${action} ${scope}", scope: "${scope}", action: ${action}}`;

  it("refuses pulls, or does not", () => {
    expect(check(rule("enforce", "a.b/**"))).toMatchObject({ policy: "ok" });
    expect(check(rule("audit", "a.b/**"), "audit")).toMatchObject({ policy: "warning" });
    expect(check(rule("audit", "a.b/**"))).toMatchObject({ policy: "ok" });
    expect(check(rule("allow", "a.b/**"), "allow")).toMatchObject({ policy: "warning" });
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
