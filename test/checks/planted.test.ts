/**
 * That the checks can fail: a small tree that passes `make check`, and the same tree with a violation of
 * each kind in a file of its own, each of which has to be reported in that file by the rule named here.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, posix, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  DATE_FILE,
  ENVIRONMENT_FILE,
  HTTP_FILE,
  isFile,
  LAYERS,
  layerOf,
  MUTATED_LAYERS,
  NAMED_FILES,
  WRAPPED,
} from "../../packaging/layers.ts";

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

/** Wherever they are: a folder that decides, and the highest and the lowest of those above the purity line. */
const PURE = `src/${MUTATED_LAYERS.at(-1)?.path}`;
const SHELLS = LAYERS.filter(({ path, pure }) => !pure && !isFile(path)).map(({ path }) => `src/${path}`);
const [LOW = "", HIGH = ""] = [SHELLS[0], SHELLS.at(-1)];

/** As a file in one folder names a file. */
function importOf(folder: string, file: string): string {
  const path = posix.relative(folder, file);
  return path.startsWith(".") ? path : `./${path}`;
}

/** A file in a layer, or the layer that is a file. */
const fileIn = (layer: string) => (isFile(layer) ? `src/${layer}` : `src/${layer}/of-${layer.replaceAll("/", "-")}.ts`);

/** Every layer and every one that it must not import, from a folder below it as well. */
const BOUNDARIES = LAYERS.flatMap(({ path, below }) => {
  const forbidden = LAYERS.filter((layer) => layer.path !== path && !below.includes(layer.path));
  // A plant in a layer that is a file takes its place: there is room for one.
  const [places, planted] = isFile(path)
    ? [[`src/${path}`], forbidden.slice(-1)]
    : [[`src/${path}`, `src/${path}/deep`], forbidden];
  return places.flatMap((where) => {
    const folder = isFile(where) ? dirname(where) : where;
    const imports = planted.map((layer) => `import "${importOf(folder, fileIn(layer.path))}";`);
    return plants("check-lint", IMPORTS, where, ...imports);
  });
});

const LOW_FILE = importOf(PURE, fileIn(LOW.slice("src/".length)));
const IMPORT_FORMS = plants(
  "check-lint",
  IMPORTS,
  PURE,
  `import { a } from "${LOW_FILE}"; export const b = a;`,
  `import type { A } from "${LOW_FILE}"; export type B = A;`,
  `export * from "${LOW_FILE}";`,
  `export { a } from "${LOW_FILE}";`,
  `export const a = () => import("${LOW_FILE}");`,
  `import "./${LOW_FILE}";`,
  `import "./a/../${LOW_FILE}";`,
  `import "../a/${LOW_FILE}";`,
  `import "${importOf(PURE, ".")}/./${LOW}/x.ts";`,
  `import "../${posix.basename(PURE)}/x.ts";`,
  `import "${importOf(PURE, "src")}/${PURE.slice("src/".length)}/x.ts";`,
  `import "${importOf(PURE, "test/support/x.ts")}";`,
  `import "${importOf(PURE, "packaging/build.ts")}";`,
);

const PACKAGES: readonly Plant[] = [
  ...Object.keys(WRAPPED).flatMap((name) => plants("check-lint", IMPORTS, HIGH, `import "${name}";`)),
  ...plants(
    "check-lint",
    IMPORTS,
    LOW,
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
  ...plants("check-lint", IMPORTS, PURE, 'import "node:crypto";', 'import "yaml";', 'import "crypto";'),
];

const PURITY: readonly Plant[] = [
  ...plants(
    "check-lint",
    GLOBALS,
    PURE,
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
  ...plants("check-lint", GLOBALS, LOW, "export const a = fetch;", "export const a = new WebSocket('ws://a');"),
  ...plants(
    "check-lint",
    GLOBALS,
    dirname(`src/${HTTP_FILE}`),
    "export const a = fetch;",
    "export const a = globalThis.fetch;",
  ),
  ...plants("check-lint", "eslint(no-restricted-properties)", PURE, "export const a = Math.random();"),
  ...[HIGH, LOW, `src/${dirname(ENVIRONMENT_FILE)}`].flatMap((where) =>
    plants(
      "check-lint",
      "eslint(no-restricted-properties)",
      where,
      "export const a = process.env;",
      'export const a = process.env["PATH"];',
      'export const a = process["env"];',
      "export const { env } = process;",
      'process.env["NO_PROXY"] = "";',
      "delete process.env.NO_PROXY;",
    ),
  ),
  ...plants("check-lint", IMPORTS, HIGH, 'import { env } from "node:process"; export const a = env;'),
  ...plants(
    "check-lint",
    "oxc(no-async-await)",
    PURE,
    "export async function a() {}",
    "export const a = async () => 1;",
    "export class A { async a() {} }",
  ),
  ...plants("check-lint", "node(no-top-level-await)", PURE, "export const a = await 1;"),
  ...plants(
    "check-lint",
    "typescript(no-restricted-types)",
    PURE,
    "export type A = Promise<number>;",
    "export type A = PromiseLike<number>;",
    "export type A = AsyncIterable<number>;",
  ),
  // With the wrapped packages in sight: none of them brings Node's types back in.
  ...Object.entries(WRAPPED)
    .filter(([, [file = ""]]) => layerOf(file)?.pure === true)
    .flatMap(([name, [file = ""]]) =>
      plants("check-purity", "TS2304", `src/${dirname(file)}`, `import "${name}";\nexport const a = structuredClone;`),
    ),
  ...plants("check-purity", "TS2591", PURE, "export const a = Buffer;", "export const a = process;"),
  ...plants("check-purity", "TS2304", PURE, "export const a = setTimeout;", "export const a = queueMicrotask;"),
];

const TYPED = plants("check-lint", "typescript(no-explicit-any)", HIGH, "export const a: any = 1;").concat(
  // Only the folders of these names at the top are what was built.
  plants("check-lint", "typescript(no-explicit-any)", `${HIGH}/build`, "export const a: any = 1;"),
  plants("check-lint", "typescript(no-explicit-any)", `${HIGH}/dist`, "export const a: any = 1;"),
  plants("check-lint", "typescript(no-non-null-assertion)", HIGH, "export const a = [1].at(0)!;"),
  plants("check-lint", "typescript(no-floating-promises)", HIGH, "const a = async () => 1;\na();"),
  plants("check-lint", "typescript(no-floating-promises)", "test/unit", "const a = async () => 1;\na();"),
  plants("check-lint", "typescript(no-misused-promises)", HIGH, "[1].forEach(async () => {});"),
  plants("check-lint", "typescript(no-misused-promises)", HIGH, "const a = async () => true;\nif (a()) a;"),
  plants("check-lint", "typescript(await-thenable)", HIGH, "export const a = async () => { await 1; };"),
  plants(
    "check-lint",
    "typescript(switch-exhaustiveness-check)",
    HIGH,
    'export function a(b: "c" | "d") { switch (b) { case "c": return 1; } return 2; }',
  ),
  plants("check-lint", "typescript(no-unsafe-assignment)", HIGH, 'export const a = JSON.parse("1");'),
  plants("check-lint", "typescript(no-unsafe-return)", HIGH, 'export const a = () => JSON.parse("1");'),
  plants("check-lint", "typescript(no-require-imports)", HIGH, 'export const a = require("node:fs");'),
  plants("check-lint", "typescript(consistent-type-imports)", PURE, `export type A = import("${LOW_FILE}").A;`),
  plants("check-lint", "import(no-dynamic-require)", HIGH, "export const a = (b: string) => import(b);"),
  plants("check-lint", "eslint(max-lines)", HIGH, "// a\n".repeat(251)),
);

const TYPES_AND_FORMAT = plants("check-types", "TS2322", HIGH, 'export const a: number = "b";').concat(
  plants("check-types", "TS2322", "test/unit", 'export const a: number = "b";'),
  plants("check-types", "TS18048", HIGH, "const a = [1];\nconst b = a[0];\nexport const c = b + 1;"),
  plants("check-types", "TS1294", HIGH, "export enum A { B }"),
  plants("check-types", "TS1484", HIGH, 'import { PathLike } from "node:fs";\nexport const a: PathLike = "b";'),
  plants("check-format", "format", HIGH, "export   const a = 'b'"),
  plants("check-format", "format", "test/unit", "export   const a = 'b'"),
  plants(
    "check-format",
    "assist/source/organizeImports",
    HIGH,
    'import { b } from "./b.ts";\nimport { a } from "./a.ts";\nexport const c = [a, b];\n',
  ),
  plants(
    "check-format",
    "lint/style/noUnusedTemplateLiteral",
    PURE,
    `export const a = () => import(\`${LOW_FILE}\`);\n`,
  ),
);

const UNUSED: readonly Plant[] = [
  { target: "check-unused", rule: "Unused files", where: `${HIGH}/nobody-imports-me.ts`, text: "export const a = 1;" },
  {
    target: "check-unused",
    rule: "Unused files",
    where: "test/support/nobody-imports-me.ts",
    text: "export const a = 1;",
  },
  {
    target: "check-unused",
    rule: "Unused exports",
    where: `${HIGH}/exports.ts`,
    text: "export const used = 1;\nexport const unused = 2;",
  },
  {
    target: "check-unused",
    rule: "Unused exports",
    where: `src/${HTTP_FILE}`,
    text: 'export const get = () => fetch("https://localhost");\nexport const onlyTested = 1;',
  },
  {
    target: "check-unused",
    rule: "Unlisted dependencies",
    where: "test/unit/unlisted.test.ts",
    text: [
      'import "not-listed";',
      `import { used } from "../../${HIGH}/exports.ts";`,
      `import { onlyTested } from "../../src/${HTTP_FILE}";`,
      "used;",
      "onlyTested;",
    ].join("\n"),
  },
];

const REPOSITORY: readonly Plant[] = [
  ...plants("check-repository", "layer", "src/utils", "export const a = 1;"),
  ...plants("check-repository", "layer", `${HIGH}/too/deep`, "export const a = 1;"),
  ...[
    `${HIGH}/script.js`,
    `${HIGH}/script.mts`,
    `${HIGH}/script.cts`,
    `${HIGH}/data.json`,
    `${HIGH}/types.d.ts`,
    `${HIGH}/build/script.js`,
    `${HIGH}/dist/script.js`,
    `${HIGH}/a.test.ts`,
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
  ...plants(
    "check-repository",
    "name",
    `${SHELLS.toSorted().at(-1)}/${posix.basename(HTTP_FILE)}`,
    "export function get() {\n  return 1;\n}",
  ),
  ...plants("check-repository", "name", HIGH, "export interface Decision {\n  readonly a: 1;\n}"),
  ...plants(
    "check-repository",
    "name",
    HIGH,
    "/** One. */\nexport const a = 1;",
    "export const a: readonly string[] = [];",
  ),
  ...plants(
    "check-repository",
    "allow",
    HIGH,
    'export const a = () => ({ outcome: "allow", because: {} });',
    'export const a = () => ({ because: {}, outcome: "allow" as const });',
  ),
  ...plants("check-repository", "builtin", HIGH, 'export const a = process.getBuiltinModule("node:fs");'),
  ...plants(
    "check-repository",
    "state",
    HIGH,
    "let isSaid = false;\nexport const say = () => (isSaid = true);",
    "export let isSaid = false;\nexport const say = () => (isSaid = true);",
  ),
  ...plants("check-repository", "environment", HIGH, "export const a = import.meta.env;"),
  ...plants(
    "check-repository",
    "pure",
    PURE,
    'export const a = import("./a.ts");',
    'export const a = "b".localeCompare("c");',
    "const { random } = Math;\nexport const a = random();",
    "const m = Math;\nexport const a = m.random();",
    'export const a = Math["random"]();',
  ),
  ...plants(
    "check-repository",
    "disabled-check",
    PURE,
    "// oxlint-disable-next-line\nexport const a = 1;",
    "/* eslint-disable */",
    "// biome-ignore format: a\nexport const a = 1;",
    "// @ts-expect-error\nexport const a: number = '1';",
  ),
  ...plants("check-repository", "date", `src/${DATE_FILE}`, "export const a = Date.UTC(1, 1) + Date.now();"),
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

/** A file that packaging/layers.ts names, and that is taken out. */
const UNWRAPPED = WRAPPED["yaml"]?.[0] ?? "";

/** Changes of package.json and package-lock.json, each of which is planted in the one pair of files. */
const MANIFEST: readonly Omit<Plant, "text" | "where">[] = [
  { target: "check-unused", rule: "Unused dependencies", reported: "left-pad" },
  { target: "check-repository", rule: "exact-version", reported: "package.json" },
  { target: "check-repository", rule: "wrapped", reported: "package.json" },
  { target: "check-repository", rule: "wrapped", reported: `src/${UNWRAPPED}` },
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

/** What writes documents by the sources, which the tree does not have. */
const DOCUMENTS = /packaging\/(?:docs-tables|command-pages|shell-completions|write-result-schema)\.ts$/;

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
    // The configuration of vitest names it.
    "test/support/shared-process.ts",
  ];
  const filter = (path: string): boolean => !DOCUMENTS.test(path);
  for (const name of own) cpSync(join(ROOT, name), join(dir, name), { recursive: true, filter });
  symlinkSync(join(ROOT, "node_modules"), join(dir, "node_modules"));

  const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    devDependencies: Record<string, string>;
  };
  manifest.devDependencies = Object.fromEntries(
    Object.entries(manifest.devDependencies).filter(([name]) => TOOLS.includes(name)),
  );
  write(dir, "package.json", `${JSON.stringify(manifest, undefined, 2)}\n`);

  const from = (importing: string, file: string) => `"${importOf(dirname(importing), file)}";\n`;
  const importing = (file: string, imports: readonly string[]) =>
    write(dir, file, imports.map((name) => `import ${name}`).join("") || "Object.freeze([]);\n");
  for (const file of NAMED_FILES) {
    const names = Object.keys(WRAPPED).filter((name) => WRAPPED[name]?.includes(file));
    importing(
      `src/${file}`,
      names.map((name) => `"${name}";\n`),
    );
  }
  // Each layer imports all that it may.
  const files = LAYERS.map(({ path, below }) => {
    const file = fileIn(path);
    const named = NAMED_FILES.filter((name) => below.includes(layerOf(name)?.path ?? "")).map((name) => `src/${name}`);
    importing(
      file,
      [...below.map(fileIn), ...named].map((name) => from(file, name)),
    );
    return file;
  });
  const [decides, runs, main] = [`${PURE}/decides.ts`, `${HIGH}/commands/runs.ts`, "src/main.ts"];
  write(dir, `src/${DATE_FILE}`, "export const time = Date.UTC(2024, 1);\n");
  write(dir, `src/${HTTP_FILE}`, 'export const get = () => fetch("https://localhost");\n');
  write(
    dir,
    decides,
    `import { time } from ${from(decides, `src/${DATE_FILE}`)}\nexport type Decision = number;\nexport const decision: Decision = time + 1;\n`,
  );
  const got = "Promise<readonly (Response | Decision)[]>";
  write(
    dir,
    runs,
    `import type { Decision } from ${from(runs, decides)}import { get } from ${from(runs, `src/${HTTP_FILE}`)}\nexport const run = async (): ${got} => [await get()];\n`,
  );
  const below = layerOf("main.ts")?.below ?? [];
  const others = [...files, ...NAMED_FILES.map((file) => `src/${file}`)].filter((file) =>
    below.includes(layerOf(file.slice("src/".length))?.path ?? ""),
  );
  importing(main, [
    `{ run } from ${from(main, runs)}`,
    ...others.map((file) => from(main, file)),
    `{ decision } from ${from(main, decides)}\nawait run();\nObject.freeze([decision]);\n`,
  ]);
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
  ...BOUNDARIES,
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
    rmSync(join(wrong, `src/${UNWRAPPED}`));
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
