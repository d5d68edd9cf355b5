import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { staticImports } from "../../../support/static-imports.ts";

// A pull that is answered from the cache pays for every file that is loaded. What only another pull needs is imported
// when it is needed: the network, what gathers evidence, proofs, the parsers of settings; and nothing of a person's commands is.

const ROOT = join(import.meta.dirname, "../../../..");
const ENTRIES = ["src/frontends/start.ts", "src/frontends/containerd/entry-point.ts"];
const FORBIDDEN = [
  "node_modules/yaml",
  "node_modules/smol-toml",
  "node_modules/valibot",
  "node_modules/cborg",
  "node_modules/@noble/curves",
  "node_modules/@atproto/identity",
  "src/frontends/cli",
  "src/io/net",
  "src/io/registry",
  "src/verifier/collect",
  "src/core/verify/prove.ts",
];

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** `FILE imports WHAT` for each import that does not belong there. */
function violations(source = read): readonly string[] {
  const isMeant = (path: string) =>
    FORBIDDEN.some((one) => `node_modules/${path}/`.startsWith(`${one}/`) || `${path}/`.startsWith(`${one}/`));
  return [...staticImports(ENTRIES, source)]
    .filter(([path]) => isMeant(path))
    .map(([path, by]) => `${by} imports ${path}`);
}

/** The sources as they would be with one more line at the beginning of a file. */
const planted = (file: string, line: string) => (path: string) =>
  path === file ? `${line}\n${read(path)}` : read(path);

describe("what containerd's frontend loads for an answer from the cache", () => {
  it("is nothing that asks the network, proves or parses", () => {
    expect(FORBIDDEN.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
    expect(violations()).toEqual([]);
  });

  it("is nothing about evidence from outside either, also where the network is asked", () => {
    const loaded = [...staticImports([...ENTRIES, "src/verifier/service/gather-and-judge.ts"], read).keys()];
    const outside = ["verifier/service/judge-attached.ts", "verifier/cache/imported.ts", "io/store/bundle-dir.ts"];
    expect(loaded).toContain("src/verifier/collect/discover-referrers.ts");
    expect(loaded.filter((path) => path.startsWith("src/verifier/attach/"))).toEqual([]);
    for (const path of [...outside, "verifier/collect/find-attachments.ts", "core/evidence/sealed-evidence.ts"]) {
      expect(existsSync(join(ROOT, "src", path))).toBe(true);
      expect(loaded).not.toContain(`src/${path}`);
    }
  });

  it("is what it runs: the verifier, its store and the judgement", () => {
    const loaded = staticImports(ENTRIES, read);
    for (const path of ["verifier/service/verifier.ts", "io/store/evidence-cache.ts", "core/verify/judge.ts"]) {
      expect([...loaded.keys()]).toContain(`src/${path}`);
    }
  });

  it.each([
    ["src/frontends/start.ts", 'import { createHttpClient } from "../io/net/http.ts";', "src/io/net/http.ts"],
    ["src/frontends/start.ts", 'import "./cli/commands.ts";', "src/frontends/cli/commands.ts"],
    ["src/verifier/service/verifier.ts", 'import "../collect/retry.ts";', "src/verifier/collect/retry.ts"],
    [
      "src/verifier/service/open-stores.ts",
      'export * from "../../io/registry/client.ts";',
      "src/io/registry/client.ts",
    ],
    ["src/core/verify/judge.ts", 'import {\n  prove,\n  type Proof,\n} from "./prove.ts";', "src/core/verify/prove.ts"],
    ["src/io/store/evidence-cache.ts", 'import { parse } from "yaml";', "yaml"],
    ["src/io/store/evidence-cache.ts", 'import * as curves from "@noble/curves/nist.js";', "@noble/curves/nist.js"],
  ])("would be told of, in %s: %s", (file, line, path) => {
    expect(violations(planted(file, line))).toContain(`${file} imports ${path}`);
  });

  it.each([
    'import type { HttpClient } from "../io/net/http.ts";',
    'const later = () => import("../io/net/http.ts");',
    '// import "../io/net/http.ts";',
  ])("is not what stands there alone: %s", (line) => {
    expect(violations(planted("src/frontends/start.ts", line))).toEqual([]);
  });
});
