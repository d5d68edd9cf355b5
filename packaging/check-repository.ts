/**
 * What no linter looks at: the lockfiles, the folders of src/, switched-off checks and tests, and
 * strings of one machine. Prints `file:line: [rule] what is wrong`; exit code 1 if there is anything.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { ALLOW_FILES, DATE_FILE, layerOf, NAMED_FILES, VECTORS_FILE, WRAPPED } from "./layers.ts";
import { foldersOf, SUITES, type SuiteName } from "./suites.ts";

interface Manifest {
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
}
interface LockedPackage {
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly optionalDependencies?: Record<string, string>;
}

const problems: string[] = [];
const report = (where: string, rule: string, what: string) => problems.push(`${where}: [${rule}] ${what}`);
const json = (file: string): unknown => JSON.parse(readFileSync(file, "utf8"));

// Also files that are not committed yet; not those that git ignores or that are deleted.
const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"], {
  encoding: "utf8",
});
const deleted = execFileSync("git", ["ls-files", "-z", "--deleted"], { encoding: "utf8" }).split("\0");
const files = listed.split("\0").filter((file) => file !== "" && !deleted.includes(file));

function eachMatch(file: string, pattern: RegExp, rule: string, what: string): void {
  for (const [index, line] of readFileSync(file, "utf8").split("\n").entries()) {
    if (pattern.test(line)) report(`${file}:${index + 1}`, rule, what);
  }
}

function checkVersions(): void {
  for (const file of files.filter((name) => /(^|\/)package\.json$/.test(name))) {
    const { dependencies, devDependencies, optionalDependencies } = json(file) as Manifest;
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })) {
      if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) report(file, "exact-version", `${name} is ${version}`);
    }
  }
}

/** Whether npm would ever install it where this project runs: Linux with glibc, x64 or arm64. */
function installable({ os, cpu, libc }: LockedPackage): boolean {
  const onCpu = cpu === undefined || cpu.includes("x64") || cpu.includes("arm64");
  return onCpu && os?.includes("linux") !== false && libc?.includes("glibc") !== false;
}

function checkLockfiles(): void {
  for (const file of files.filter((name) => /(^|\/)package-lock\.json$/.test(name))) {
    const { packages } = json(file) as { readonly packages: Record<string, LockedPackage> };
    for (const [path, entry] of Object.entries(packages)) {
      for (const name of Object.keys(entry.optionalDependencies ?? {})) {
        const there = packages[`node_modules/${name}`] ?? packages[`${path}/node_modules/${name}`];
        if (there === undefined)
          report(file, "lockfile-complete", `${name} is missing: packaging/complete-lockfile.ts`);
      }
      if (path === "" || entry.link === true) continue;
      if (entry.resolved !== undefined) report(file, "lockfile-host", `${path} names a host: ${entry.resolved}`);
      if (entry.integrity === undefined && installable(entry))
        report(file, "lockfile-integrity", `${path} has no hash`);
    }
  }
}

function checkLayers(): void {
  for (const file of files.filter((name) => name.startsWith("src/"))) {
    const below = file.slice("src/".length);
    const layer = layerOf(below);
    if (layer === undefined) report(file, "layer", "lies in no layer of packaging/layers.ts");
    else if (below.slice(layer.path.length).split("/").length > 3)
      report(file, "layer", "lies deeper than the import boundaries look: LAYER/FOLDER/FILE at most");
  }
  for (const file of NAMED_FILES) {
    if (!files.includes(`src/${file}`))
      report(`src/${file}`, "wrapped", "packaging/layers.ts names it and it does not exist");
  }
  for (const name of Object.keys((json("package.json") as Manifest).dependencies ?? {})) {
    if (WRAPPED[name] === undefined)
      report("package.json", "wrapped", `packaging/layers.ts names no file that wraps ${name}`);
  }
}

/** One name, one meaning: a reader finds a file by its name, and a type by its name, wherever they lie. */
function checkNames(): void {
  const [places, types] = [new Map<string, string>(), new Map<string, string>()];
  const once = (names: Map<string, string>, name: string, file: string, what: string): void => {
    const other = names.get(name);
    if (other !== undefined) report(file, "name", `${what} ${name} is one of ${other} already`);
    names.set(name, file);
  };
  for (const file of files.filter((name) => /^src\/.*\.ts$/.test(name))) {
    once(places, posix.basename(file), file, "the file name");
    const text = readFileSync(file, "utf8");
    for (const [, name = ""] of text.matchAll(/^export (?:abstract )?(?:interface|type|class) (\w+)/gm)) {
      once(types, name, file, "the exported type");
    }
    const code = text.split("\n").filter((line) => line !== "" && !/^(?:import|\/\*\*| \*|\/\/)/.test(line));
    const isConstant = code.length === 1 && /^export const \w+(?:: [^=]+)? = [^=(]*;$/.test(code[0] ?? "");
    if (isConstant && file !== `src/${VECTORS_FILE}`)
      report(file, "name", "holds one constant, which belongs where it is used");
  }
}

/** A file where no check looks, a linter's or a test runner's, would be held to nothing. */
function checkPlaces(): void {
  const folders = ["src", "test", "packaging", "config-examples", "integrations", "demo", "docs", ".ci"];
  const suites = (Object.keys(SUITES) as SuiteName[]).flatMap(foldersOf);
  const isOfSuite = (file: string) => file.endsWith(".test.ts") && suites.some((suite) => file.startsWith(`${suite}/`));
  for (const file of files) {
    const [top = "", ...below] = file.split("/");
    if (below.length > 0 && !folders.includes(top)) report(file, "place", `${top}/ is no folder of this repository`);
    if (top === "src" && (!file.endsWith(".ts") || file.endsWith(".d.ts")))
      report(file, "place", "src/ holds .ts files only");
    if (/\.(?:test|spec)\.[^/]*$/.test(file) && !isOfSuite(file))
      report(file, "place", "no suite of packaging/suites.ts runs it: test/SUITE/….test.ts");
  }
}

/** What lies beside the folders. */
const TOP_FILES: ReadonlySet<string> = new Set([
  ".editorconfig",
  ".gitignore",
  ".npmrc",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "LICENSE",
  "Makefile",
  "README.md",
  "SECURITY.md",
  "biome.json",
  "knip.json",
  "oxlint.config.ts",
  "package-lock.json",
  "package.json",
  "tsconfig.json",
  "vitest.config.ts",
]);
/** What profilers, editors, compilers and crashes leave behind. */
const GENERATED =
  /\.(?:cpuprofile|heapprofile|heapsnapshot|bun-build|tsbuildinfo|log|tmp|bak|orig|rej|sw[op]|map|tgz)$|~$|(?:^|\/)(?:core(?:\.\d+)?|\.DS_Store)$/;

function checkLeftovers(): void {
  for (const file of files) {
    if (GENERATED.test(file)) report(file, "generated", "was left behind by a program: remove it");
    else if (!file.includes("/") && !TOP_FILES.has(file))
      report(file, "place", "is no file of this folder: packaging/check-repository.ts names them");
  }
}

/** What oxlint has no rule for. Comments may speak of it. */
function checkSource(): void {
  for (const file of files.filter((name) => /^src\/.*\.ts$/.test(name))) {
    eachMatch(file, /^(?!\s*(?:\/\/|\/?\*)).*\bgetBuiltinModule\b/, "builtin", "a module comes by import alone");
    // It would outlive a question, and settings that are loaded anew.
    eachMatch(
      file,
      /^(?:export )?let\b/,
      "state",
      "a module has no state that changes: it belongs to a question, or to a Verifier",
    );
    eachMatch(file, /^(?!\s*(?:\/\/|\/?\*)).*\bimport\.meta\.env\b/, "environment", "it is read by one file alone");
    const below = file.slice("src/".length);
    // A type's property ends otherwise.
    if (!ALLOW_FILES.includes(below))
      eachMatch(
        file,
        /\boutcome:\s*"allow"(?:\s+as const)?\s*[,}]/,
        "allow",
        `an allow is made in ${ALLOW_FILES.join(" and ")}`,
      );
    if (layerOf(below)?.pure !== true) continue;
    const impure = /^(?!\s*(?:\/\/|\/?\*)).*(?:\bimport\s*\(|\blocaleCompare\b|\bMath\b(?!\.\w))/;
    eachMatch(file, impure, "pure", "no import(), no localeCompare, and Math only as Math.NAME");
  }
}

/** skipIf and runIf may stand: what they skip is counted, and .ci/run accepts no skipped test. */
function checkText(): void {
  for (const file of files.filter((name) => /^src\/.*\.[cm]?[jt]s$/.test(name))) {
    eachMatch(
      file,
      /(?:ox|es)lint-disable|biome-ignore|@ts-(?:ignore|expect-error|nocheck)/,
      "disabled-check",
      "a check is switched off",
    );
  }
  if (files.includes(`src/${DATE_FILE}`)) {
    eachMatch(
      `src/${DATE_FILE}`,
      /^(?!\s*(?:\/\/|\/?\*)).*\bDate\b(?!\.UTC\(|\(ms\))/,
      "date",
      "of Date only Date.UTC( and new Date(ms) are pure",
    );
  }
  for (const file of files.filter(
    (name) => /^test\/.*\.test\.ts$/.test(name) && name !== "test/checks/planted.test.ts",
  )) {
    eachMatch(
      file,
      /\.(?:only|skip|todo|fails)\b|\b(?:skip|only|todo)\s*:\s*true|\b(?:xit|xtest|xdescribe|fit|fdescribe)\(/,
      "switched-off-test",
      "a test is singled out or switched off",
    );
  }
  // Spelled so that this file does not find itself.
  const machine = /(?:^|[^\w.-])\/(?:wor[k]|hom[e]\/\w+|roo[t])(?:\/|\b)|(?:^|[^\w@-])(?:\.\.\/)*share[d]\//;
  for (const file of files.filter((name) => !/package-lock\.json$|^LICENSE$|\.(?:png|gz|car)$/.test(name))) {
    eachMatch(file, machine, "machine-path", "a path of one machine");
  }
}

checkVersions();
checkLockfiles();
checkLayers();
checkNames();
checkPlaces();
checkLeftovers();
checkSource();
checkText();
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
else console.log(`${files.length} files`);
