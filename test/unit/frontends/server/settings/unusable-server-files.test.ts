import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseConfig } from "../../../../../src/core/config/parse-config.ts";
import { listen } from "../../../../../src/frontends/server/listening/listener.ts";
import { serverConfig } from "../../../../../src/frontends/server/settings/running-config.ts";
import { ServerFiles } from "../../../../../src/frontends/server/settings/server-files.ts";
import { unusableServerFiles } from "../../../../../src/frontends/server/settings/unusable-server-files.ts";
import { CertificateAuthority } from "../../../../support/certificates.ts";
import { makeTemporaryDirectory } from "../../../../support/process.ts";

// What `config check` finds keeps the server from starting, and what it does not find does not.

const NAMES = { names: ["localhost"] };
const authority = new CertificateAuthority("Cluster CA");
const [served, other] = [authority.issue(NAMES), authority.issue(NAMES)];
const late = authority.issue({ ...NAMES, notAfter: Date.now() - 1000 });
const POLICY = "version: 1.0\ndefault: deny\n";
const GOOD: Readonly<Record<string, string>> = {
  "policy.yaml": POLICY,
  "staging.yaml": POLICY,
  tokens: "ci:0123456789abcdef\n",
  "tls.crt": served.cert,
  "tls.key": served.key,
  "ca.crt": authority.cert,
};

let folder: string;
beforeAll(() => {
  folder = makeTemporaryDirectory("unusable");
});
afterAll(() => rmSync(folder, { recursive: true }));

const at = (name: string): string => join(folder, name);

/** The files of a server, with these changes; undefined where one is missing. */
function configured(changes: Readonly<Record<string, string | undefined>>): string {
  for (const name of Object.keys({ ...GOOD, "break-glass.yaml": "" })) rmSync(at(name), { force: true });
  for (const [name, text] of Object.entries({ ...GOOD, ...changes }))
    if (text !== undefined) writeFileSync(at(name), text, { mode: 0o600 });
  const tls = { certFile: at("tls.crt"), keyFile: at("tls.key"), clientCaFile: at("ca.crt") };
  const server = {
    listeners: [
      { listen: "127.0.0.1:1", gates: ["admit"], tls },
      { listen: "127.0.0.2:1", gates: ["gatekeeper"], tls },
    ],
    policies: { staging: at("staging.yaml") },
    tokenFiles: [at("tokens")],
    breakGlassFile: at("break-glass.yaml"),
  };
  const path = at("config.yaml");
  writeFileSync(path, JSON.stringify({ trustPolicyPath: at("policy.yaml"), server }), { mode: 0o600 });
  return path;
}

function found(path: string): readonly string[] {
  const { server } = serverConfig(parseConfig(readFileSync(path, "utf8"), path), path);
  return unusableServerFiles(server, Date.now()).map(({ severity, name, key }) => `${severity} ${name} ${key}`);
}

/** Whether a server starts with these files. */
async function starts(path: string): Promise<boolean> {
  const ignore = (): void => {};
  const hooks = { count: ignore, reloaded: ignore, warn: ignore, failed: ignore };
  try {
    const options = { environment: {}, named: path, now: 1, report: ignore, announce: ignore, warn: ignore };
    const { listeners } = new ServerFiles(options).config.server;
    for (const one of listeners) await (await listen({ ...one, port: 0 }, ignore, hooks)).stop(0);
    return true;
  } catch {
    return false;
  }
}

describe("the files of a server", () => {
  it("have no finding where it starts, with no file of break-glass too", async () => {
    const path = configured({});
    expect([found(path), await starts(path)]).toEqual([[], true]);
  });

  it.each<readonly [what: string, key: string, changes: Readonly<Record<string, string | undefined>>]>([
    ["a policy that is missing", "server.policies.staging", { "staging.yaml": undefined }],
    ["a policy with a mistake", "server.policies.staging", { "staging.yaml": "version: 2\n" }],
    ["tokens that are missing", "server.tokenFiles[0]", { tokens: undefined }],
    ["tokens that are too short", "server.tokenFiles[0]", { tokens: "ci:short\n" }],
    ["no token", "server.tokenFiles[0]", { tokens: "# none yet\n" }],
    ["a certificate that is missing", "server.listeners[0].tls.certFile", { "tls.crt": undefined }],
    ["what is no certificate", "server.listeners[0].tls.certFile", { "tls.crt": "x" }],
    ["a key that is missing", "server.listeners[0].tls.keyFile", { "tls.key": undefined }],
    ["the key of another certificate", "server.listeners[0].tls.keyFile", { "tls.key": other.key }],
    ["authorities of clients that are none", "server.listeners[0].tls.clientCaFile", { "ca.crt": "x" }],
  ])("are found where it does not start, each once: %s", async (_, key, changes) => {
    const path = configured(changes);
    expect([found(path), await starts(path)]).toEqual([[`error file-unusable ${key}`], false]);
  });

  it("are warned of where every user can read the key, once", async () => {
    const path = configured({});
    chmodSync(at("tls.key"), 0o644);
    expect([found(path), await starts(path)]).toEqual([["warning key-open server.listeners[0].tls.keyFile"], true]);
  });

  it("are found where others may read tokens", async () => {
    const path = configured({});
    chmodSync(at("tokens"), 0o644);
    expect([found(path), await starts(path)]).toEqual([["error file-unusable server.tokenFiles[0]"], false]);
  });

  it.each([
    ["a certificate that has ended", "server.listeners[0].tls.certFile", { "tls.crt": late.cert, "tls.key": late.key }],
    ["break-glass with a mistake", "server.breakGlassFile", { "break-glass.yaml": "reason: x\n" }],
  ])("are warned of where it starts all the same: %s", async (_, key, changes) => {
    const path = configured(changes);
    expect([found(path), await starts(path)]).toEqual([[`warning file-unusable ${key}`], true]);
  });
});
