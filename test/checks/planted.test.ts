/**
 * That the checks can fail: a small tree that passes `make check`, and the same tree with a violation of
 * each kind in a file of its own, each of which has to be reported in that file by the rule named here.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WRAPPED } from "../../oxlint.config.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const TARGETS = [
  "check-format",
  "check-lint",
  "check-types",
  "check-purity",
  "check-unused",
  "check-repository",
] as const;
type Target = (typeof TARGETS)[number];

interface Plant {
  readonly target: Target;
  /** As the tool calls it. */
  readonly rule: string;
  /** A file, or a folder in which the plant gets a file of its own. */
  readonly where: string;
  readonly text: string;
  /** Where the report points to, if that is not the file itself. */
  readonly reported?: string;
}

/** For each line of source a plant of the same kind. */
function plants(target: Target, rule: string, where: string, ...texts: string[]): Plant[] {
  return texts.map((text) => ({ target, rule, where, text }));
}

const IMPORTS = "eslint(no-restricted-imports)";
const GLOBALS = "eslint(no-restricted-globals)";

const LAYERS: readonly Plant[] = [
  ["src/encoding", "../atproto/x.ts"],
  ["src/encoding", "../policy/x.ts"],
  ["src/atproto", "../oci/x.ts"],
  ["src/oci", "../atproto/x.ts"],
  ["src/atproto", "../policy/x.ts"],
  ["src/policy", "../config/x.ts"],
  ["src/policy", "../verify/x.ts"],
  ["src/config", "../verify/x.ts"],
  ["src/config", "../net/x.ts"],
  ["src/verify", "../net/x.ts"],
  ["src/verify", "../decide/x.ts"],
  ["src/net", "../collect/x.ts"],
  ["src/net", "../state/x.ts"],
  ["src/state", "../net/x.ts"],
  ["src/state", "../collect/x.ts"],
  ["src/collect", "../decide/x.ts"],
  ["src/collect", "../cli/x.ts"],
  ["src/cli", "../main.ts"],
  ["src/cli/commands", "../../main.ts"],
  ["src/verify/deep", "../../net/x.ts"],
  ["src/rejection.ts", "./encoding/x.ts"],
  ["src/decide", "../cli/x.ts"],
].flatMap(([where = "", path = ""]) => plants("check-lint", IMPORTS, where, `import "${path}";`));

const IMPORT_FORMS = plants(
  "check-lint",
  IMPORTS,
  "src/verify",
  'import { a } from "../net/x.ts"; export const b = a;',
  'import type { A } from "../net/x.ts"; export type B = A;',
  'export * from "../net/x.ts";',
  'export { a } from "../net/x.ts";',
  'export const a = () => import("../net/x.ts");',
  'import "../encoding/../net/x.ts";',
  'import "./../net/x.ts";',
  'import "../.././src/net/x.ts";',
  'import "../../test/support/x.ts";',
  'import "../../packaging/build.ts";',
);

const PACKAGES: readonly Plant[] = [
  ...Object.keys(WRAPPED).flatMap((name) => plants("check-lint", IMPORTS, "src/cli", `import "${name}";`)),
  ...plants(
    "check-lint",
    IMPORTS,
    "src/collect",
    'import "cborg/json";',
    'import "@noble/curves/nist.js";',
    'import "undici";',
    'import "vitest";',
    'import "bun";',
    'import "bun:sqlite";',
    'import "node:http";',
    'import "node:https";',
    'import "node:net";',
    'import "node:dns/promises";',
    'import "node:child_process";',
    'import "node:module";',
    'import "http";',
  ),
  ...plants("check-lint", IMPORTS, "src/encoding", 'import "node:crypto";', 'import "yaml";', 'import "crypto";'),
];

const PURITY: readonly Plant[] = [
  ...plants(
    "check-lint",
    GLOBALS,
    "src/policy",
    'export const a = fetch("https://localhost");',
    "export const a = Date.now();",
    "export const a = new Date();",
    "export const a = Date.UTC(2024, 1);",
    "export const a = process.env;",
    "export const a = Bun;",
    "export const a = performance.now();",
    "setTimeout(() => {}, 1);",
    'console.log("a");',
    "export const a = globalThis;",
    "export const a = crypto.randomUUID();",
    "export const a = Promise.resolve();",
  ),
  ...plants(
    "check-lint",
    GLOBALS,
    "src/collect",
    "export const a = fetch;",
    "export const a = new WebSocket('ws://a');",
  ),
  ...plants("check-lint", GLOBALS, "src/net", "export const a = fetch;", "export const a = globalThis.fetch;"),
  ...plants("check-lint", "eslint(no-restricted-properties)", "src/verify", "export const a = Math.random();"),
  ...plants(
    "check-lint",
    "oxc(no-async-await)",
    "src/verify",
    "export async function a() {}",
    "export const a = async () => 1;",
    "export class A { async a() {} }",
  ),
  ...plants("check-lint", "node(no-top-level-await)", "src/oci", "export const a = await 1;"),
  ...plants(
    "check-lint",
    "typescript(no-restricted-types)",
    "src/atproto",
    "export type A = Promise<number>;",
    "export type A = PromiseLike<number>;",
    "export type A = AsyncIterable<number>;",
  ),
  // With the wrapped packages in sight: none of them brings Node's types back in.
  ...Object.entries(WRAPPED)
    .filter(([, files]) => /^(encoding|atproto|oci|policy|config|verify)\//.test(files[0] ?? ""))
    .flatMap(([name, [file = ""]]) =>
      plants("check-purity", "TS2304", `src/${dirname(file)}`, `import "${name}";\nexport const a = structuredClone;`),
    ),
  ...plants("check-purity", "TS2591", "src/encoding", "export const a = Buffer;", "export const a = process;"),
  ...plants("check-purity", "TS2304", "src/verify", "export const a = setTimeout;", "export const a = queueMicrotask;"),
];

const TYPED = plants("check-lint", "typescript(no-explicit-any)", "src/cli", "export const a: any = 1;").concat(
  // Only the folders of these names at the top are what was built.
  plants("check-lint", "typescript(no-explicit-any)", "src/cli/build", "export const a: any = 1;"),
  plants("check-lint", "typescript(no-explicit-any)", "src/cli/dist", "export const a: any = 1;"),
  plants("check-lint", "typescript(no-non-null-assertion)", "src/cli", "export const a = [1].at(0)!;"),
  plants("check-lint", "typescript(no-floating-promises)", "src/cli", "const a = async () => 1;\na();"),
  plants("check-lint", "typescript(no-floating-promises)", "test/unit", "const a = async () => 1;\na();"),
  plants("check-lint", "typescript(no-misused-promises)", "src/cli", "[1].forEach(async () => {});"),
  plants("check-lint", "typescript(no-misused-promises)", "src/cli", "const a = async () => true;\nif (a()) a;"),
  plants("check-lint", "typescript(await-thenable)", "src/cli", "export const a = async () => { await 1; };"),
  plants(
    "check-lint",
    "typescript(switch-exhaustiveness-check)",
    "src/cli",
    'export function a(b: "c" | "d") { switch (b) { case "c": return 1; } return 2; }',
  ),
  plants("check-lint", "typescript(no-unsafe-assignment)", "src/cli", 'export const a = JSON.parse("1");'),
  plants("check-lint", "typescript(no-unsafe-return)", "src/cli", 'export const a = () => JSON.parse("1");'),
  plants("check-lint", "typescript(no-require-imports)", "src/cli", 'export const a = require("node:fs");'),
  plants("check-lint", "typescript(consistent-type-imports)", "src/verify", 'export type A = import("../net/x.ts").A;'),
  plants("check-lint", "import(no-dynamic-require)", "src/cli", "export const a = (b: string) => import(b);"),
  plants("check-lint", "eslint(max-lines)", "src/cli", "// a\n".repeat(251)),
);

const TYPES_AND_FORMAT = plants("check-types", "TS2322", "src/cli", 'export const a: number = "b";').concat(
  plants("check-types", "TS2322", "test/unit", 'export const a: number = "b";'),
  plants("check-types", "TS18048", "src/cli", "const a = [1];\nconst b = a[0];\nexport const c = b + 1;"),
  plants("check-types", "TS1294", "src/cli", "export enum A { B }"),
  plants("check-types", "TS1484", "src/cli", 'import { PathLike } from "node:fs";\nexport const a: PathLike = "b";'),
  plants("check-format", "format", "src/cli", "export   const a = 'b'"),
  plants("check-format", "format", "test/unit", "export   const a = 'b'"),
  plants(
    "check-format",
    "assist/source/organizeImports",
    "src/cli",
    'import { b } from "./b.ts";\nimport { a } from "./a.ts";\nexport const c = [a, b];\n',
  ),
  plants(
    "check-format",
    "lint/style/noUnusedTemplateLiteral",
    "src/verify",
    "export const a = () => import(`../net/x.ts`);\n",
  ),
);

const UNUSED: readonly Plant[] = [
  { target: "check-unused", rule: "Unused files", where: "src/cli/nobody-imports-me.ts", text: "export const a = 1;" },
  {
    target: "check-unused",
    rule: "Unused files",
    where: "test/support/nobody-imports-me.ts",
    text: "export const a = 1;",
  },
  {
    target: "check-unused",
    rule: "Unused exports",
    where: "src/cli/exports.ts",
    text: "export const used = 1;\nexport const unused = 2;",
  },
  {
    target: "check-unused",
    rule: "Unused exports",
    where: "src/net/bun-fetch.ts",
    text: 'export const get = () => fetch("https://localhost");\nexport const onlyTested = 1;',
  },
  {
    target: "check-unused",
    rule: "Unlisted dependencies",
    where: "test/unit/unlisted.test.ts",
    text: [
      'import "not-listed";',
      'import { used } from "../../src/cli/exports.ts";',
      'import { onlyTested } from "../../src/net/bun-fetch.ts";',
      "used;",
      "onlyTested;",
    ].join("\n"),
  },
];

const REPOSITORY: readonly Plant[] = [
  ...plants("check-repository", "layer", "src/utils", "export const a = 1;").map((plant) => ({
    ...plant,
    reported: "src/utils",
  })),
  ...plants("check-repository", "layer", "src/cli/too/deep", "export const a = 1;"),
  ...[
    "src/cli/script.js",
    "src/cli/script.mts",
    "src/cli/script.cts",
    "src/cli/data.json",
    "src/cli/types.d.ts",
    "src/cli/build/script.js",
    "src/cli/dist/script.js",
    "src/cli/a.test.ts",
    "test/unit/a.test.mts",
    "test/unit/a.test.js",
    "test/unit/a.spec.ts",
    "test/mutation/a.test.ts",
    "test/a.test.ts",
    "lib/a.ts",
    "script.ts",
    "script.mjs",
    "notes.txt",
    ".env",
  ].flatMap((where) => plants("check-repository", "place", where, "export const a = 1;")),
  ...[
    "CPU.20260101.000000.1.0.001.cpuprofile",
    "Heap.1.heapprofile",
    "test/bench/Heap.1.heapsnapshot",
    "packaging/.1.bun-build",
    "packaging/npm-debug.log",
    "docs/spec.md.orig",
    "docs/.spec.md.swp",
    "docs/spec.md~",
    "demo/core.4711",
  ].flatMap((where) => plants("check-repository", "generated", where, "{}")),
  ...plants("check-repository", "builtin", "src/cli", 'export const a = process.getBuiltinModule("node:fs");'),
  ...plants(
    "check-repository",
    "pure",
    "src/verify",
    'export const a = import("../encoding/time.ts");',
    'export const a = "b".localeCompare("c");',
    "const { random } = Math;\nexport const a = random();",
    "const m = Math;\nexport const a = m.random();",
    'export const a = Math["random"]();',
  ),
  ...plants(
    "check-repository",
    "disabled-check",
    "src/policy",
    "// oxlint-disable-next-line\nexport const a = 1;",
    "/* eslint-disable */",
    "// biome-ignore format: a\nexport const a = 1;",
    "// @ts-expect-error\nexport const a: number = '1';",
  ),
  ...plants("check-repository", "date", "src/encoding/time.ts", "export const a = Date.UTC(1, 1) + Date.now();"),
  ...[
    "it.only('a', () => {});",
    "it.skip('a', () => {});",
    "describe.skip('a', () => {});",
    "it.todo('a');",
    "it('a', ({ skip }) => skip());\nit('b', (context) => context.skip());",
    "it('a', { skip: true }, () => {});",
    "xit('a', () => {});",
  ].flatMap((text, i) => plants("check-repository", "switched-off-test", `test/unit/off-${i}.test.ts`, text)),
  ...plants(
    "check-repository",
    "machine-path",
    "docs",
    `a /${"work"}/main b`,
    `see ../${"shared"}/spec.md`,
    `in ${"shared"}/facts`,
    `/${"home"}/me/a`,
  ),
];

/** Changes of package.json and package-lock.json, each of which is planted in the one pair of files. */
const MANIFEST: readonly Omit<Plant, "text" | "where">[] = [
  { target: "check-unused", rule: "Unused dependencies", reported: "left-pad" },
  { target: "check-repository", rule: "exact-version", reported: "package.json" },
  { target: "check-repository", rule: "wrapped", reported: "package.json" },
  { target: "check-repository", rule: "wrapped", reported: "src/encoding/yaml.ts" },
  { target: "check-repository", rule: "lockfile-host", reported: "package-lock.json" },
  { target: "check-repository", rule: "lockfile-integrity", reported: "package-lock.json" },
  { target: "check-repository", rule: "lockfile-complete", reported: "package-lock.json" },
];

function plantInManifests(dir: string): void {
  const edit = (file: string, change: (value: Record<string, Record<string, unknown>>) => void) => {
    const value = JSON.parse(readFileSync(join(dir, file), "utf8")) as Record<string, Record<string, unknown>>;
    change(value);
    writeFileSync(join(dir, file), JSON.stringify(value, undefined, 2));
  };
  edit("package.json", (manifest) => {
    manifest["dependencies"] = { ...manifest["dependencies"], "left-pad": "^1.0.0" };
  });
  edit("package-lock.json", (lock) => {
    const packages = lock["packages"] as Record<string, Record<string, unknown>>;
    Object.assign(packages["node_modules/yaml"] ?? {}, { resolved: "https://example.com/yaml.tgz" });
    delete packages["node_modules/cborg"]?.["integrity"];
    delete packages["node_modules/@oven/bun-darwin-x64"];
  });
}

const TOOLS = [
  "@biomejs/biome",
  "@types/bun",
  "@types/node",
  "bun",
  "knip",
  "oxlint",
  "oxlint-tsgolint",
  "typescript",
  "vitest",
];

function write(dir: string, file: string, text: string): void {
  mkdirSync(dirname(join(dir, file)), { recursive: true });
  writeFileSync(join(dir, file), text);
}

/** A tree with the repository's own configuration, in which every check passes. */
function soundTree(): string {
  const dir = mkdtempSync(join(tmpdir(), "planted-"));
  const own = [
    "Makefile",
    "package-lock.json",
    "tsconfig.json",
    "biome.json",
    "knip.json",
    "oxlint.config.ts",
    "vitest.config.ts",
    ".gitignore",
    "packaging",
  ];
  for (const name of own) cpSync(join(ROOT, name), join(dir, name), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(dir, "node_modules"));

  const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    devDependencies: Record<string, string>;
  };
  manifest.devDependencies = Object.fromEntries(
    Object.entries(manifest.devDependencies).filter(([name]) => TOOLS.includes(name)),
  );
  write(dir, "package.json", `${JSON.stringify(manifest, undefined, 2)}\n`);

  const wrappers = new Map<string, string[]>();
  for (const [name, files] of Object.entries(WRAPPED)) {
    for (const file of files) wrappers.set(file, [...(wrappers.get(file) ?? []), name]);
  }
  for (const [file, names] of wrappers) {
    write(dir, `src/${file}`, names.map((name) => `import "${name}";\n`).join(""));
  }
  write(dir, "src/rejection.ts", "export const rejection = 1;\n");
  write(dir, "src/encoding/time.ts", "export const time = Date.UTC(2024, 1);\n");
  write(
    dir,
    "src/verify/judge.ts",
    'import { time } from "../encoding/time.ts";\nimport { rejection } from "../rejection.ts";\n\nexport const judge = time + rejection;\n',
  );
  write(dir, "src/net/bun-fetch.ts", 'export const get = () => fetch("https://localhost");\n');
  write(
    dir,
    "src/cli/commands/run.ts",
    'import { get } from "../../net/bun-fetch.ts";\nimport { judge } from "../../verify/judge.ts";\n\nexport const run = async () => [await get(), judge];\n',
  );
  const imports = [...wrappers.keys(), "cli/commands/run.ts"]
    .sort()
    .map((file) => (file.endsWith("run.ts") ? `import { run } from "./${file}";\n` : `import "./${file}";\n`));
  write(dir, "src/main.ts", `${imports.join("")}\nawait run();\n`);
  write(
    dir,
    "test/unit/a.test.ts",
    'import { expect, it } from "vitest";\n\nit("runs", () => {\n  expect(1).toBe(1);\n});\n',
  );
  spawnSync("git", ["init", "-q"], { cwd: dir });
  return dir;
}

interface Outcome {
  readonly status: number | null;
  readonly output: string;
}

function check(dir: string, targets: readonly Target[]): Map<Target, Outcome> {
  // The tools are installed already; make must not begin an installation through the link.
  const options = ["-s", "-o", "node_modules/.installed", "LINT_FORMAT=unix"];
  return new Map(
    targets.map((target) => {
      const { status, stdout, stderr } = spawnSync("make", [...options, target], {
        cwd: dir,
        encoding: "utf8",
        maxBuffer: 64 << 20,
        env: { ...process.env, MAKEFLAGS: "", NO_COLOR: "1" },
      });
      return [target, { status, output: `${stdout}\n${stderr}` }];
    }),
  );
}

/** `file rule` for everything a tool reported. */
function findings(target: Target, output: string): Set<string> {
  const lines = output.split("\n");
  const all = (pattern: RegExp) => new Set([...output.matchAll(pattern)].map(([, file, rule]) => `${file} ${rule}`));
  switch (target) {
    case "check-lint":
      return all(/^(\S+?):\d+:\d+: .*\[Error\/(\S+)\]$/gm);
    case "check-repository":
      return all(/^(\S+?)(?::\d+)?: \[(\S+)\]/gm);
    case "check-types":
    case "check-purity":
      return new Set(
        [...output.matchAll(/^(\S+?)\(\d+,\d+\): error (TS\d+):/gm)].map(
          ([, file = "", rule]) => `${file.replace(/^(\.\.\/)+/, "")} ${rule}`,
        ),
      );
    case "check-format":
      return all(/^(\S+?)(?::\d+:\d+)? (format|lint\/\S+|assist\/\S+)/gm);
    case "check-unused": {
      const found = new Set<string>();
      let heading = "";
      for (const line of lines) {
        heading = /^(\S.*) \(\d+\)$/.exec(line)?.[1] ?? heading;
        for (const word of line.split(/[\s:]+/)) found.add(`${word} ${heading}`);
      }
      return found;
    }
  }
}

const PLANTS = [
  ...LAYERS,
  ...IMPORT_FORMS,
  ...PACKAGES,
  ...PURITY,
  ...TYPED,
  ...TYPES_AND_FORMAT,
  ...UNUSED,
  ...REPOSITORY,
].map((plant, i) => ({
  ...plant,
  title: plant.text.replaceAll("\n", " ").slice(0, 60),
  file:
    plant.rule === "generated" || /\.[a-z]+$/.test(plant.where)
      ? plant.where
      : `${plant.where}/planted-${i}.${plant.where === "docs" ? "md" : "ts"}`,
}));

describe("make check", () => {
  const trees: string[] = [];
  let sound: Map<Target, Outcome>;
  let planted: Map<Target, Outcome>;
  const reports = new Map<Target, Set<string>>();

  beforeAll(() => {
    const [clean, impure, wrong] = [soundTree(), soundTree(), soundTree()];
    trees.push(clean, impure, wrong);
    sound = check(clean, TARGETS);
    // Apart from the others: an import across the purity line would bring Node's types with it.
    for (const { file, text, target } of PLANTS) write(target === "check-purity" ? impure : wrong, file, text);
    plantInManifests(wrong);
    rmSync(join(wrong, "src/encoding/yaml.ts"));
    const others = TARGETS.filter((target) => target !== "check-purity");
    planted = new Map([...check(impure, ["check-purity"]), ...check(wrong, others)]);
    for (const [target, { output }] of planted) reports.set(target, findings(target, output));
  }, 120_000);

  afterAll(() => {
    for (const tree of trees) rmSync(tree, { recursive: true, force: true });
  });

  it.each(TARGETS)("%s passes where nothing is wrong", (target) => {
    expect(sound.get(target)?.status, sound.get(target)?.output).toBe(0);
  });

  it.each(TARGETS)("%s fails where something is wrong", (target) => {
    expect(planted.get(target)?.status).not.toBe(0);
  });

  it.each([...PLANTS, ...MANIFEST.map((plant) => ({ ...plant, file: "", title: plant.reported }))])(
    "$target reports $rule: $file $title",
    ({ target, rule, file, reported }) => {
      expect([...(reports.get(target) ?? [])]).toContain(`${reported ?? file} ${rule}`);
    },
  );
});
