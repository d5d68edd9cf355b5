/**
 * Compiles src/main.ts to one executable: `bun packaging/build.ts [--outfile F] [--runtime BUN --target T]`.
 *
 * The same sources, lockfile and file name give the same bytes. --target names another platform
 * (bun-linux-arm64); --runtime is then that platform's Bun, so that nothing is downloaded here.
 */
import { createHash } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { BunPlugin } from "bun";
import manifest from "../package.json" with { type: "json" };
import { VECTORS_FILE } from "./layers.ts";

const { values } = parseArgs({
  options: {
    entry: { type: "string", default: "src/main.ts" },
    outfile: { type: "string", default: "dist/atcr-verify" },
    target: { type: "string" },
    runtime: { type: "string" },
  },
});

/**
 * @atproto/identity would bring its own HTTP client, three copies of undici, for a default that we
 * never use: it is always handed our guarded fetch. The stub throws, so that a forgotten fetch is
 * an error and never an unguarded request.
 */
const withoutFetchNode: BunPlugin = {
  name: "without-fetch-node",
  setup(build) {
    build.onResolve({ filter: /^@atproto-labs\/fetch-node$/ }, () => ({ path: "fetch-node", namespace: "stub" }));
    build.onLoad({ filter: /.*/, namespace: "stub" }, () => ({
      loader: "js",
      contents: `export function safeFetchWrap() {
        return () => { throw new Error("@atproto/identity was not given a fetch"); };
      }`,
    }));
  },
};

/** For Node, yaml prints what it parses on standard output where LOG_TOKENS or LOG_STREAM is set; for browsers it does not. */
const quietYaml: BunPlugin = {
  name: "quiet-yaml",
  setup(build) {
    const path = resolve("node_modules/yaml/browser/index.js");
    build.onResolve({ filter: /^yaml$/ }, () => ({ path }));
  },
};

/** What `atcr-verify selftest` judges: all of test/vectors. */
const withVectors: BunPlugin = {
  name: "with-vectors",
  setup(build) {
    build.onLoad({ filter: new RegExp(`/src/${VECTORS_FILE.replaceAll(".", "\\.")}$`) }, () => {
      const vectors = globSync("test/vectors/*.json")
        .sort()
        .map((path) => ({ ...(JSON.parse(readFileSync(path, "utf8")) as object), file: basename(path, ".json") }));
      return {
        loader: "js",
        contents: `export const VECTORS = JSON.parse(${JSON.stringify(JSON.stringify(vectors))});`,
      };
    });
  },
};

/** Of everything that decides what the program does: where it is equal, so is what was remembered. */
function buildHash(): string {
  const hash = createHash("sha256");
  const files = [...globSync("src/**/*.ts"), "package-lock.json", "packaging/build.ts"].sort();
  for (const file of files) hash.update(`${file}\0${readFileSync(file, "utf8")}\0`);
  return hash.update(`${Bun.revision} ${values.target ?? ""}`).digest("hex");
}

const result = await Bun.build({
  entrypoints: [values.entry],
  compile: {
    outfile: values.outfile,
    autoloadBunfig: false,
    autoloadDotenv: false,
    // Without any option Bun does not start in a working directory that was deleted; this one loads no native code.
    // The dashes end the runtime's options: it reads BUN_OPTIONS as the beginning of the same list, and with --version
    // or --help there it ended with the status 0, before the program.
    execArgv: ["--no-addons", "--"],
    ...(values.target === undefined ? {} : { target: values.target as Bun.Build.CompileTarget }),
    ...(values.runtime === undefined ? {} : { executablePath: values.runtime }),
  },
  define: {
    ATCR_VERIFY_VERSION: JSON.stringify(manifest.version),
    ATCR_VERIFY_BUILD: JSON.stringify(buildHash()),
  },
  plugins: [withoutFetchNode, quietYaml, withVectors],
  metafile: true,
  format: "esm",
  minify: true,
  bytecode: true,
  splitting: true,
});
for (const log of result.logs) console.error(log);
if (!result.success) process.exit(1);

// What an environment says to a library would be done unseen, at each pull.
const reading = Object.keys(result.metafile?.inputs ?? {}).filter(
  (path) => path.includes("node_modules/") && /process\w*(?:\.default)?\.env\b/.test(readFileSync(path, "utf8")),
);
for (const path of reading) console.error(`${path} reads the environment`);
if (result.metafile === undefined || reading.length > 0) process.exit(1);
