import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { COMMAND_NAMES, entryOf } from "../../src/frontends/cli/command-table/command-groups.ts";
import { CleanSystem, canTryPackages, PACKAGE_VERSION, packageFile } from "../support/packages.ts";

const testable = canTryPackages("what Debian's checkers say of the packages");
const packaging = join(import.meta.dirname, "../../packaging");
const read = (file: string) => readFileSync(join(packaging, file), "utf8");

const COMMANDS = [...new Set(COMMAND_NAMES.map((name) => name.split(" ")[0] ?? ""))];
const OPTIONS = [
  ...new Set(COMMAND_NAMES.flatMap((name) => Object.keys(entryOf(name).options).map((option) => `--${option}`))),
  "--help",
  "--version",
];

describe("manual pages and completions", () => {
  it.each([
    "man/atcr-verify.8",
    "completions/atcr-verify.bash",
    "completions/_atcr-verify",
    "completions/atcr-verify.fish",
  ])("know every command and option that the help knows: %s", (file) => {
    const text = read(file);
    const isManual = file.startsWith("man/");
    const isFish = file.endsWith(".fish");
    const missing = OPTIONS.filter((option) => {
      const name = option.slice(2);
      if (isManual) return !new RegExp(`Fl -${name}(?![\\w-])`).test(text);
      if (isFish) return !new RegExp(`-l ${name}(?![\\w-])`).test(text);
      return !new RegExp(`${option}(?![\\w-])`).test(text);
    });
    expect(COMMANDS.length).toBeGreaterThan(9);
    expect(missing).toEqual([]);
    // In the manual each has an entry of its own; a mention says nothing of it.
    const named = (command: string) =>
      isManual ? new RegExp(`^\\.It Cm ${command}\\b`, "m") : new RegExp(`\\b${command}\\b`);
    expect(COMMANDS.filter((command) => !named(command).test(text))).toEqual([]);
  });
});

describe("maintainer scripts", () => {
  const spec = read("rpm/atcr-verify.spec");
  const scriptlets = Array.from(
    spec.matchAll(/^%(?:pre|post|preun|postun|pretrans|posttrans)\b.*\n([\s\S]*?)(?=^%)/gm),
    ([text]) => text,
  );
  const scripts = ["postinst", "prerm", "postrm"].map((name) => read(`debian/${name}`));

  it("are sh, and run nothing of the package, which needs a /proc that an installer's root may lack", () => {
    expect(scripts.map((text) => text.split("\n")[0])).toEqual(Array(3).fill("#!/bin/sh"));
    expect(scriptlets).toHaveLength(3);
    for (const text of [...scripts, ...scriptlets]) {
      // As the word that a command begins with: elsewhere it is a path or a message.
      const command =
        /(?:^|[;&|({]|\b(?:if|then|else|do|while|until|exec|command|env|!))[ \t]*(?:\/usr\/bin\/)?atcr-verify\b/m;
      expect(text.replace(/#.*$/gm, "")).not.toMatch(command);
    }
  });
});

describe.runIf(testable)("Debian's checkers", () => {
  let system: CleanSystem;
  beforeAll(() => {
    system = new CleanSystem("checkers");
  });
  afterAll(() => system.remove());

  it.each(["amd64", "arm64"])("lintian finds nothing but what is overridden: %s", async (arch) => {
    const deb = system.bring(packageFile(`atcr-verify_${PACKAGE_VERSION}_${arch}.deb`));
    const { code, stdout, stderr } = await system.run(
      "lintian",
      "--allow-root",
      "--info",
      "--fail-on",
      "error,warning,info",
      deb,
    );
    expect([code, stdout, stderr.replace(/^running with root.*\n/gm, "")]).toEqual([0, "", ""]);
  });

  it("lintian notices what is overridden, so the overrides are not for nothing", async () => {
    const deb = system.bring(packageFile(`atcr-verify_${PACKAGE_VERSION}_amd64.deb`));
    const { stdout } = await system.run("lintian", "--allow-root", "--no-override", deb);
    const overridden = Array.from(
      read("debian/lintian-overrides").matchAll(/^atcr-verify: (\S+)/gm),
      ([, tag = ""]) => tag,
    );
    expect(overridden.length).toBeGreaterThan(2);
    for (const tag of overridden) expect(stdout).toContain(tag);
  });

  it.each(["x86_64", "aarch64"])("rpmlint finds nothing but what is filtered: %s", async (arch) => {
    const [rpm, config] = [
      system.bring(packageFile(`atcr-verify-${PACKAGE_VERSION}-1.${arch}.rpm`)),
      system.bring(join(packaging, "rpm/rpmlint.toml")),
    ];
    const { stdout } = await system.run("rpmlint", "-c", config, rpm);
    expect(stdout).toContain("1 packages and 0 specfiles checked; 0 errors, 0 warnings");
  });

  it("rpmlint notices what is filtered, so the filters are not for nothing", async () => {
    const rpm = system.bring(packageFile(`atcr-verify-${PACKAGE_VERSION}-1.x86_64.rpm`));
    writeFileSync(system.path("/tmp/none.toml"), "Filters = []\n");
    const { stdout } = await system.run("rpmlint", "-c", "/tmp/none.toml", rpm);
    const filters = Array.from(read("rpm/rpmlint.toml").matchAll(/^ {2}"([^"]+)",$/gm), ([, filter = ""]) => filter);
    expect(filters.length).toBeGreaterThan(2);
    expect(filters.filter((filter) => !new RegExp(filter).test(stdout))).toEqual([]);
  });

  it.each(["atcr-verify.8", "atcr-verify-policy.5"])("mandoc has nothing to say of %s", async (page) => {
    const { code, stdout } = await system.run(
      "mandoc",
      "-Tlint",
      "-W",
      "warning",
      system.bring(join(packaging, "man", page)),
    );
    expect([code, stdout]).toEqual([0, ""]);
  });

  it("the completions are read by their shells, and bash's completes", async () => {
    expect((await system.run("zsh", "-n", system.bring(join(packaging, "completions/_atcr-verify")))).code).toBe(0);
    expect((await system.run("fish", "-n", system.bring(join(packaging, "completions/atcr-verify.fish")))).code).toBe(
      0,
    );
    const script = system.bring(join(packaging, "completions/atcr-verify.bash"));
    const complete = async (...words: readonly string[]) => {
      const line = words.map((word) => `'${word}'`).join(" ");
      const text = `. ${script}; COMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _atcr_verify; echo "\${COMPREPLY[@]}"`;
      return (await system.must("bash", "-c", text)).trim().split(" ");
    };
    expect(await complete("atcr-verify", "do")).toEqual(["doctor"]);
    expect(await complete("atcr-verify", "doctor", "--pr")).toEqual(["--probe"]);
    expect(await complete("atcr-verify", "policy", "ch")).toContain("check");
    expect(await complete("atcr-verify", "verify", "--output", "js")).toEqual(["json"]);
    expect(await complete("atcr-verify", "--config", "verify", "images", "--ref")).toEqual(["--refused"]);
    expect(await complete("atcr-verify", "help", "state", "f")).toEqual(["forget"]);
  });
});
