import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { fillTemplate } from "../../packaging/release/fill-template.ts";
import { packageVersion, suiteOfVersion, versionOfSources } from "../../packaging/release/version.ts";

const ROOT = join(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

describe("the version of a package", () => {
  it.each([
    "0.2",
    "v0.2.0",
    "0.2.0-rc",
    "0.2.0-rc.1-2",
    "0.2.0-rc-1",
    "0.2.0+1",
    "0.2.0~rc.1",
    "00.2.0",
    "0.2.0-rc.01",
    "",
  ])("is not made of %j", (version) => {
    expect(() => packageVersion(version)).toThrow();
  });

  it("of a candidate is older than the release for deb and rpm, and offered apart", () => {
    expect(["0.2.0", "0.2.0-rc.1"].map(packageVersion)).toEqual(["0.2.0", "0.2.0~rc.1"]);
    expect(["0.2.0", "0.2.0-rc.1"].map(suiteOfVersion)).toEqual(["stable", "candidate"]);
  });

  it("is the first of the changelog", () => {
    const [, version] = /^## (\S+) \((?:unreleased|\d{4}-\d\d-\d\d)\)$/m.exec(read("CHANGELOG.md")) ?? [];
    expect(version).toBe(versionOfSources(ROOT));
  });
});

describe("a template", () => {
  it("takes neither a name without a value nor a value that ends its quotes", () => {
    const values = { URL: "https://packages.example.com/a", SUITE: "stable" };
    expect(fillTemplate("atcr-verify.repo", values)).toContain("baseurl=https://packages.example.com/a/dnf/stable\n");
    expect(() => fillTemplate("atcr-verify.repo", { SUITE: "stable" })).toThrow("@URL@");
    for (const bad of ['"', " ", "\n", "$", "'", "\\", "#"])
      expect(() => fillTemplate("atcr-verify.repo", { ...values, URL: `https://a${bad}` }), bad).toThrow();
  });
});

// Nothing here runs it: what can be checked is that it is read as it is meant, and names what is there.
describe("the workflow for GitHub", () => {
  interface Step {
    readonly uses?: string;
    readonly run?: string;
    readonly with?: Readonly<Record<string, string>>;
  }
  const { jobs, permissions } = parse(read("packaging/release/github/release.yml")) as {
    readonly jobs: Readonly<Record<string, { readonly steps: readonly Step[] }>>;
    readonly permissions: unknown;
  };
  const steps = Object.values(jobs).flatMap((job) => job.steps);
  const commands = steps.flatMap(({ run = "" }) => run.split("\n")).map((line) => line.trim());

  it("runs targets of the Makefile, and no file that is missing", () => {
    const targets = /^\.PHONY: help (.*)$/m.exec(read("Makefile"))?.[1]?.split(" ") ?? [];
    const made = commands.flatMap((line) => [...(/(?:^|\s)make ([a-z][\w-]*)$/g.exec(line)?.slice(1) ?? [])]);
    expect(made).toEqual(["check", "test", "release"]);
    expect(made.filter((target) => !targets.includes(target))).toEqual([]);
    const files = commands.flatMap((line) => line.match(/\b(?:packaging|test)\/[\w./-]+/g) ?? []);
    expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  });

  it("pins actions by commit, has no permission that it does not name, and pastes no expression into a script", () => {
    const uses = steps.flatMap((step) => step.uses ?? []);
    expect(uses.length).toBeGreaterThan(0);
    expect(uses.filter((action) => !/^actions\/[\w-]+@[0-9a-f]{40}$/.test(action))).toEqual([]);
    expect(permissions).toEqual({});
    expect(commands.filter((line) => line.includes("${{"))).toEqual([]);
  });

  it("attests the files that the sums name, and says that nothing here runs it", () => {
    expect(steps.flatMap((step) => step.with?.["subject-checksums"] ?? [])).toEqual(["dist/release/SHA256SUMS"]);
    expect(read("packaging/release/github/release.yml").split("\n")[0]).toContain("nothing here runs it");
    expect(existsSync(join(ROOT, ".github"))).toBe(false);
  });
});
