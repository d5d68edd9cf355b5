import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTemporaryDirectory } from "../support/process.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const PREFIX = "/opt/verifier";
const folder = makeTemporaryDirectory("install");
const installed = (path: string): string => join(folder, "root", PREFIX, path);
const EXAMPLES = "share/doc/atcr-verify/config-examples";
const SCHEMA = "share/atcr-verify/trust-policy.schema.json";

const built = {
  BINARY: join(folder, "atcr-verify"),
  SCHEMA: join(folder, "schema.json"),
  RESULT_SCHEMA: join(folder, "result-schema.json"),
  NOTICES: join(folder, "notices.txt"),
  SBOM: join(folder, "sbom.json"),
};

function make(target: string): void {
  const old = Object.values(built).map((file) => `--old-file=${file}`);
  const variables = Object.entries({ DESTDIR: join(folder, "root"), PREFIX, ...built }).map((pair) => pair.join("="));
  // Not the flags of a make that runs these tests.
  const env = { ...process.env, MAKEFLAGS: "", MAKELEVEL: "" };
  const { status, stderr } = spawnSync("make", [target, ...old, ...variables], { cwd: ROOT, env, encoding: "utf8" });
  expect([stderr, status]).toEqual(["", 0]);
}

beforeAll(() => {
  // What is built has tests of its own: here it is as if it had been.
  for (const file of Object.values(built)) writeFileSync(file, file);
  make("install");
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("make install", () => {
  it("puts the program and the schemas below PREFIX in DESTDIR", () => {
    expect(readFileSync(installed("bin/atcr-verify"), "utf8")).toBe(join(folder, "atcr-verify"));
    expect(statSync(installed("bin/atcr-verify")).mode & 0o777).toBe(0o755);
    expect(readFileSync(installed(SCHEMA), "utf8")).toBe(join(folder, "schema.json"));
    expect(readFileSync(installed("share/atcr-verify/verify-result.schema.json"), "utf8")).toBe(built.RESULT_SCHEMA);
  });

  it("has every example of a policy name the schema where it is, and changes nothing else in any", () => {
    const source = join(ROOT, "config-examples");
    const names = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".yaml"));
    expect(names.length).toBeGreaterThan(5);
    for (const name of names) {
      const text = readFileSync(join(source, name), "utf8");
      const expected = text.replace("$schema=/usr/share/", `$schema=${PREFIX}/share/`);
      expect(readFileSync(installed(join(EXAMPLES, name)), "utf8"), name).toBe(expected);
      expect(statSync(installed(join(EXAMPLES, name))).mode & 0o777).toBe(0o644);
    }
    const [first] = readFileSync(installed(join(EXAMPLES, "production.yaml")), "utf8").split("\n");
    expect(first).toBe(`# yaml-language-server: $schema=${PREFIX}/${SCHEMA}`);
  });

  it("brings documents whose links lead somewhere there, too", () => {
    const doc = installed("share/doc/atcr-verify");
    const names = readdirSync(doc, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".md"));
    const links = names.flatMap((name) =>
      Array.from(
        readFileSync(join(doc, name), "utf8").matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g),
        ([, link = ""]) => [name, link] as const,
      ),
    );
    expect(links.length).toBeGreaterThan(20);
    expect(links.filter(([name, link]) => !existsSync(join(doc, dirname(name), link)))).toEqual([]);
  });

  it("brings manual pages, completions, notices and what the system needs to know", () => {
    const paths = [
      "share/man/man8/atcr-verify.8",
      "share/man/man5/atcr-verify-policy.5",
      "share/bash-completion/completions/atcr-verify",
      "share/zsh/site-functions/_atcr-verify",
      "share/fish/vendor_completions.d/atcr-verify.fish",
      "share/doc/atcr-verify/THIRD-PARTY-NOTICES.txt",
      "share/doc/atcr-verify/atcr-verify.cdx.json",
      "share/doc/atcr-verify/docs/install.md",
      "lib/tmpfiles.d/atcr-verify.conf",
    ];
    for (const path of paths) expect([path, statSync(installed(path)).mode & 0o777]).toEqual([path, 0o644]);
  });

  it("leaves a policy as it is, and uninstall leaves it too", () => {
    const policy = join(folder, "root/etc/atcr-verify/trust-policy.yaml");
    const [first] = readFileSync(policy, "utf8").split("\n");
    expect(first).toBe(`# yaml-language-server: $schema=${PREFIX}/${SCHEMA}`);
    writeFileSync(policy, "mine");
    make("install");
    make("uninstall");
    expect(readFileSync(policy, "utf8")).toBe("mine");
    const left = readdirSync(join(folder, "root"), { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    expect(left.map(({ name }) => name).toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
      "atcr-verify",
      "config.yaml",
      "trust-policy.yaml",
    ]);
  });

  it("is not taken out while containerd runs it, which would block every pull", () => {
    const link = join(folder, "root/opt/containerd/image-verifier/bin/atcr-verify");
    make("install");
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(`${PREFIX}/bin/atcr-verify`, link);
    expect(() => make("uninstall")).toThrow();
    expect(readFileSync(installed("bin/atcr-verify"), "utf8")).toBe(built.BINARY);
    rmSync(link);
    // By another name of the same place, and in a folder that enable was told of.
    symlinkSync(join(folder, "root", PREFIX), join(folder, "alias"));
    symlinkSync(join(folder, "alias/bin/atcr-verify"), link);
    expect(() => make("uninstall")).toThrow();
    rmSync(link);
    const enabled = join(folder, "root/var/lib/atcr-verify/enabled");
    mkdirSync(dirname(enabled), { recursive: true });
    writeFileSync(enabled, "/srv/my verifiers\n");
    const elsewhere = join(folder, "root/srv/my verifiers/00-verify");
    mkdirSync(dirname(elsewhere), { recursive: true });
    symlinkSync(`${PREFIX}/bin/atcr-verify`, elsewhere);
    expect(() => make("uninstall")).toThrow();
    expect(readFileSync(installed("bin/atcr-verify"), "utf8")).toBe(built.BINARY);
    rmSync(enabled);
    // And where the configuration says that it was to be remembered.
    const state = join(folder, "root/srv/state");
    mkdirSync(state);
    writeFileSync(join(state, "enabled"), "/srv/my verifiers\n");
    const config = join(folder, "root/etc/atcr-verify/config.yaml");
    const before = readFileSync(config, "utf8");
    make("uninstall");
    make("install");
    writeFileSync(config, `${before}stateDir: "/srv/state" # mine\n`);
    expect(() => make("uninstall")).toThrow();
    writeFileSync(config, before);
    rmSync(elsewhere);
    symlinkSync("/bin/true", link);
    make("uninstall");
    expect(() => statSync(installed("bin/atcr-verify"))).toThrow("ENOENT");
  });
});
