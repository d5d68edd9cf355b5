import { readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { posix } from "node:path";
import { defineConfig } from "oxlint";
import {
  DATE_FILE,
  ENVIRONMENT_FILE,
  HASH_FILE,
  HTTP_FILE,
  isFile,
  LAYERS,
  type Layer,
  layerOf,
  NAMED_FILES,
  WRAPPED,
} from "./packaging/layers.ts";

const MAX_LINES = 250;
const NETWORK_GLOBALS = ["fetch", "WebSocket", "EventSource", "XMLHttpRequest", "Bun", "globalThis", "global"];
const IMPURE_GLOBALS = [
  ...NETWORK_GLOBALS,
  "process",
  "console",
  "performance",
  "crypto",
  "Intl",
  "Temporal",
  "Promise",
  "Atomics",
  "AbortController",
  "AbortSignal",
  "navigator",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "queueMicrotask",
  "Buffer",
  "Worker",
];
const ASYNC_TYPES = ["Promise", "PromiseLike", "Awaited", "AsyncIterable", "AsyncIterator", "AsyncGenerator"];
const packages = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8")) as {
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
};
const quote = (text: string) => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
const either = (names: readonly string[]) => names.map(quote).join("|");

/** As a file in this folder writes the path of a layer; both are below src/. */
function importOf(folder: string, path: string): string {
  const way = posix.relative(folder, path);
  return way.startsWith(".") ? way : `./${way}`;
}

/**
 * What may not be imported.
 *
 * @param folder where the importing files lie, below src/; "." is src/ itself
 * @param file the one file that is meant, if it may more than the others of its layer
 */
function boundaries(
  { path, pure, below }: Layer,
  folder: string,
  file?: string,
): ["error", { patterns: { regex: string; message: string }[] }] {
  const isOpen = (name: string): boolean => file !== undefined && WRAPPED[name]?.includes(file) === true;
  const foreign = [
    ...Object.keys(packages.dependencies).filter((name) => !isOpen(name)),
    ...Object.keys(packages.devDependencies),
    ...builtinModules.filter((name) => !name.includes(":")),
    "undici",
  ];
  const closed = Object.keys(WRAPPED).filter((name) => name.startsWith("node:") && !isOpen(name));
  const steps = folder === "." ? [] : folder.split("/");
  const detours = steps.map((step, i) => `${"../".repeat(steps.length - i)}${step}`);
  const forbidden = LAYERS.filter((layer) => layer.path !== path && !below.includes(layer.path));
  const patterns = [
    { regex: `^(?:${either(foreign)})(?:/|$)`, message: "A package is imported only by the files that wrap it." },
    {
      regex: "^(?:bun|bun:.*|#.*|/.*|file:.*|data:.*)$",
      message: "Only relative paths, wrapped packages and node: modules.",
    },
    {
      regex: ["^[^.].*/\\.\\./|^\\./\\.\\.|[^./]/\\.", ...detours.map((way) => `^${quote(way)}/`)].join("|"),
      message: "Write the path without detours.",
    },
    { regex: `^(?:\\.\\./){${steps.length + 1},}`, message: "Nothing in src/ imports what lies outside it." },
    pure
      ? { regex: "^node:", message: "Below the purity line there is no clock, no disk and no network." }
      : { regex: `^(?:${either(closed)})(?:/|$)`, message: `The network is reached through ${HTTP_FILE} alone.` },
  ];
  if (forbidden.length > 0) {
    patterns.push({
      regex: `^(?:${either(forbidden.map((layer) => importOf(folder, layer.path)))})(?:/|$)`,
      message: `${path} imports only what is below it; the layers stand in packaging/layers.ts.`,
    });
  }
  return ["error", { patterns }];
}

/** For the files right in a layer, those in its folders, and each of those that may more. */
function layerRules(layer: Layer) {
  const rule = (files: string, folder: string, file?: string) => ({
    files: [`src/${files}`],
    rules: { "no-restricted-imports": boundaries(layer, folder, file) },
  });
  const { path } = layer;
  if (isFile(path)) return [rule(path, posix.dirname(path), path)];
  return [
    rule(`${path}/*.ts`, path),
    rule(`${path}/*/*.ts`, `${path}/*`),
    ...NAMED_FILES.filter((file) => layerOf(file) === layer).map((file) => rule(file, posix.dirname(file), file)),
  ];
}

const pureFiles = LAYERS.filter(({ pure }) => pure).map(({ path }) => `src/${path}${isFile(path) ? "" : "/**/*.ts"}`);

export default defineConfig({
  plugins: ["typescript", "import", "oxc", "promise", "node", "unicorn"],
  categories: { correctness: "error" },
  options: { typeAware: true, reportUnusedDisableDirectives: "error" },
  ignorePatterns: ["/node_modules", "/dist", "/build", "/test/e2e/servers/node_modules"],
  rules: {
    "typescript/no-floating-promises": "error",
    "typescript/no-misused-promises": "error",
    "typescript/await-thenable": "error",
    "typescript/return-await": "error",
    "typescript/only-throw-error": "error",
    "typescript/prefer-promise-reject-errors": "error",
    "typescript/switch-exhaustiveness-check": "error",
    "typescript/consistent-type-imports": ["error", { disallowTypeAnnotations: true }],
    "typescript/no-explicit-any": "error",
    "typescript/no-require-imports": "error",
    "typescript/ban-ts-comment": "error",
    "import/no-cycle": "error",
    "import/no-dynamic-require": ["error", { esmodule: true }],
    // Our value types have a toString; what has none is no-base-to-string's.
    "typescript/restrict-template-expressions": "off",
    "unicorn/no-new-array": "off",
    eqeqeq: "error",
    "no-eval": "error",
    "no-var": "error",
    "prefer-const": "error",
    "no-new-func": "error",
    "typescript/no-implied-eval": "error",
  },
  overrides: [
    {
      files: ["src/**/*.ts"],
      rules: {
        "max-lines": ["error", { max: MAX_LINES }],
        "typescript/no-non-null-assertion": "error",
        "typescript/no-unsafe-argument": "error",
        "typescript/no-unsafe-assignment": "error",
        "typescript/no-unsafe-call": "error",
        "typescript/no-unsafe-member-access": "error",
        "typescript/no-unsafe-return": "error",
        "no-restricted-globals": ["error", ...NETWORK_GLOBALS],
        "no-restricted-properties": [
          "error",
          { object: "process", property: "env", message: `The environment is read by ${ENVIRONMENT_FILE} alone.` },
        ],
      },
    },
    { files: [`src/${ENVIRONMENT_FILE}`], rules: { "no-restricted-properties": "off" } },
    { files: [`src/${HTTP_FILE}`], rules: { "no-restricted-globals": "off" } },
    {
      files: pureFiles,
      rules: {
        "oxc/no-async-await": "error",
        "node/no-top-level-await": "error",
        "no-restricted-globals": ["error", ...IMPURE_GLOBALS, "Date"],
        "no-restricted-properties": ["error", { object: "Math", property: "random" }],
        "typescript/no-restricted-types": [
          "error",
          { types: Object.fromEntries(ASYNC_TYPES.map((name) => [name, { message: "What decides never awaits." }])) },
        ],
      },
    },
    { files: [`src/${DATE_FILE}`], rules: { "no-restricted-globals": ["error", ...IMPURE_GLOBALS] } },
    {
      files: [`src/${HASH_FILE}`],
      rules: {
        "no-restricted-globals": ["error", ...IMPURE_GLOBALS.filter((name) => name !== "globalThis"), "Date"],
      },
    },
    ...LAYERS.flatMap(layerRules),
  ],
});
