import { readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { defineConfig } from "oxlint";

/**
 * The architecture: the layers of src/ from bottom to top. A file may import its own layer and those
 * below it. Names on one line are siblings, which never import each other. A name with `.ts` is a
 * file, any other a folder. `make check` refuses an entry of src/ that is missing here.
 */
export const PURE_LAYERS = [
  ["rejection.ts", "version.ts"],
  ["encoding"],
  ["atproto", "oci"],
  ["policy"],
  ["config"],
  ["verify"],
  ["selftest"],
];

/** Above the purity line: what may wait, and may see the clock, the disk and the network. */
export const SHELL_LAYERS = [
  ["disk"],
  ["net", "state"],
  ["registry", "logging"],
  ["collect"],
  ["decide"],
  ["node"],
  ["doctor"],
  ["cli"],
  ["main.ts"],
];

/** Every package the program is made of, and the only files that may import it. */
export const WRAPPED: Readonly<Record<string, readonly string[]>> = {
  "@atproto/identity": ["collect/did-web.ts", "collect/handle.ts"],
  "@noble/curves": ["atproto/key.ts"],
  "@noble/hashes": ["encoding/sha256.ts"],
  "@valibot/to-json-schema": ["policy/json-schema.ts"],
  cborg: ["encoding/dag-cbor.ts"],
  multiformats: ["encoding/bytes.ts", "encoding/cid.ts"],
  "smol-toml": ["encoding/toml.ts"],
  valibot: ["policy/shape.ts"],
  yaml: ["encoding/yaml.ts", "encoding/yaml-mistakes.ts"],
};

/** The only file that may use the network; everybody else is handed its function. */
const HTTP_FILE = "net/bun-fetch.ts";
/** The only file that may shake hands beside it, for the reason of a failure; it sends nothing. */
const HANDSHAKE_FILE = "net/tls-handshake.ts";
/** The only file that may have a proxy connect to a host for that. */
const TUNNEL_FILE = "net/tunnel.ts";
/** The only file that may ask name servers; addresses are looked up by HTTP_FILE. */
const DNS_FILE = "net/txt.ts";
/** The only files that may run another program: the one that an administrator named for credentials; containerd's own. */
const PROGRAM_FILES = ["registry/credential-helper.ts", "node/program.ts"];
/** The only files that speak to containerd's sockets, or let it speak to us, when an administrator asks for that. */
const PROBE_FILES = ["node/grpc.ts", "node/probe-registry.ts"];
/** The only other files that open a socket: journald's; and one that is closed again, to see that a host takes connections. */
const JOURNAL_FILE = "logging/journald.ts";
const DIAL_FILE = "net/dial.ts";
/** The only pure file that may use Date, and of it only Date.UTC and new Date(ms) (packaging/check-repository.ts). */
export const DATE_FILE = "encoding/time.ts";
/** The only pure file that may reach the runtime, for its SHA-256: a pure function. */
const HASH_FILE = "encoding/sha256.ts";
export const MAX_LINES = 250;

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
/** Modules through which a program reaches the network, other processes or other code. */
const FORBIDDEN_NODE = "cluster|https|inspector|module|repl|dgram|vm|wasi|worker_threads";

const packages = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8")) as {
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
};
const quote = (text: string) => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
const either = (names: readonly string[]) => names.map(quote).join("|");

/** What one entry of src/ (`policy`, `main.ts`) may not import, for a file `depth` folders below src/. */
function boundaries(
  entry: string,
  file: string,
  depth: number,
  pure: boolean,
): ["error", { patterns: { regex: string; message: string }[] }] {
  const layers = [...PURE_LAYERS, ...SHELL_LAYERS];
  const own = layers.findIndex((layer) => layer.includes(entry));
  const forbidden = layers.flatMap((layer, i) => (i < own ? [] : layer.filter((name) => name !== entry)));
  const up = depth === 0 ? "\\./" : `(?:\\.\\./){${depth}}`;
  const foreign = [
    ...Object.keys(packages.dependencies).filter((name) => WRAPPED[name]?.includes(file) !== true),
    ...Object.keys(packages.devDependencies),
    ...builtinModules.filter((name) => !name.includes(":")),
    "undici",
  ];
  const patterns = [
    { regex: `^(?:${either(foreign)})(?:/|$)`, message: "A package is imported only by the files that wrap it." },
    {
      regex: "^(?:bun|bun:.*|#.*|/.*|file:.*|data:.*)$",
      message: "Only relative paths, wrapped packages and node: modules.",
    },
    { regex: "^[^.].*/\\.\\./|^\\./\\.\\.|[^./]/\\.", message: "Write the path without detours." },
    { regex: `^(?:\\.\\./){${depth + 1},}`, message: "Nothing in src/ imports what lies outside it." },
  ];
  if (forbidden.length > 0) {
    patterns.push({
      regex: `^${up}(?:${either(forbidden)})(?:/|$)`,
      message: `${entry} imports only what is below it; the layers stand in oxlint.config.ts.`,
    });
  }
  patterns.push(
    pure
      ? { regex: "^node:", message: "Below the purity line there is no clock, no disk and no network." }
      : {
          regex: `^node:(?:${file === DNS_FILE ? "" : "dns|"}${PROGRAM_FILES.includes(file) ? "" : "child_process|"}${[JOURNAL_FILE, DIAL_FILE, TUNNEL_FILE].includes(file) || PROBE_FILES.includes(file) ? "" : "net|"}${PROBE_FILES.includes(file) ? "" : "http|http2|"}${file === HANDSHAKE_FILE ? "" : "tls|"}${FORBIDDEN_NODE})(?:/|$)`,
          message: `The network is reached through ${HTTP_FILE} alone.`,
        },
  );
  return ["error", { patterns }];
}

function layerRules(entry: string, pure: boolean) {
  const isFile = entry.endsWith(".ts");
  const wrappers = [
    ...new Set([
      ...Object.values(WRAPPED).flat(),
      DNS_FILE,
      ...PROGRAM_FILES,
      ...PROBE_FILES,
      JOURNAL_FILE,
      DIAL_FILE,
      HANDSHAKE_FILE,
      TUNNEL_FILE,
    ]),
  ].filter((file) => file.startsWith(`${entry}/`));
  const imports = isFile
    ? [{ files: [`src/${entry}`], rules: { "no-restricted-imports": boundaries(entry, entry, 0, pure) } }]
    : [
        { files: [`src/${entry}/*.ts`], rules: { "no-restricted-imports": boundaries(entry, "", 1, pure) } },
        { files: [`src/${entry}/*/*.ts`], rules: { "no-restricted-imports": boundaries(entry, "", 2, pure) } },
        ...wrappers.map((file) => ({
          files: [`src/${file}`],
          rules: { "no-restricted-imports": boundaries(entry, file, file.split("/").length - 1, pure) },
        })),
      ];
  return imports;
}

const pureFiles = PURE_LAYERS.flat().map((entry) => (entry.endsWith(".ts") ? `src/${entry}` : `src/${entry}/**/*.ts`));

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
      },
    },
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
    ...PURE_LAYERS.flat().flatMap((entry) => layerRules(entry, true)),
    ...SHELL_LAYERS.flat().flatMap((entry) => layerRules(entry, false)),
  ],
});
