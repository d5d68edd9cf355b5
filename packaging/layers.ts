/**
 * The architecture: the one place that says where what lies in src/ and what it may reach. Derived from it are the import
 * boundaries (oxlint.config.ts), the compiler's look at the pure layers (core-tsconfig.ts), check-repository.ts, what
 * is mutated (test/mutation), the violations of test/checks and the picture in CONTRIBUTING.md. Paths are below src/.
 */
import { posix } from "node:path";

/**
 * From bottom to top: a file may import its own layer and those of the rows below. Layers of one row are siblings,
 * which never import each other. A name with `.ts` is a file, any other a folder.
 */
type Rows = readonly (readonly (string | Group)[])[];

/** Layers that stand together in one place of a row. */
interface Group {
  /** The folder that holds them, below that of the group around it; "" is the same one. */
  readonly folder: string;
  /** They decide: no clock, no disk, no network, and nothing that waits. */
  readonly pure?: true;
  /** Of its layers those that others may import; absent: all. */
  readonly open?: readonly string[];
  readonly rows: Rows;
}

const ROWS: Rows = [
  [
    {
      folder: "core",
      pure: true,
      rows: [
        ["rejection.ts", "version.ts", "warning.ts"],
        ["encoding"],
        ["atproto", "oci"],
        ["policy"],
        ["policy-tools", "config", "image-lists"],
        ["evidence"],
        ["verify"],
        ["admission"],
      ],
    },
  ],
  [{ folder: "io", rows: [["process"], ["fs"], ["net", "store", "keys"], ["registry", "log"], ["settings"]] }],
  [
    {
      folder: "verifier",
      open: ["service", "selftest", "inspect", "attach", "vouch"],
      rows: [["collect"], ["cache"], ["service"], ["push"], ["selftest", "inspect", "attach", "vouch"]],
    },
    "platform",
  ],
  ["doctor"],
  [
    {
      folder: "frontends",
      rows: [["process"], ["lookaside", "server"], ["containerd", "ratify", "cli"], ["start.ts"]],
    },
  ],
  ["main.ts"],
];

/** Layers that are mutated (`make mutation`). */
const MUTATED: readonly string[] = [
  "core/atproto",
  "core/policy",
  "core/policy-tools",
  "core/evidence",
  "core/verify",
  "core/admission",
];

/**
 * What only these files may import: every package the program is made of, and the modules of the runtime through which
 * it reaches other machines, processes or code.
 */
export const WRAPPED: Readonly<Record<string, readonly string[]>> = {
  "@atproto/identity": ["verifier/collect/reference-resolvers.ts"],
  "@hono/node-server": ["frontends/server/app.ts"],
  "@noble/ciphers": ["io/keys/sigstore-key.ts"],
  "@noble/curves": ["core/atproto/key.ts"],
  "@noble/hashes": ["core/encoding/sha256.ts"],
  "@valibot/to-json-schema": ["core/policy-tools/json-schema.ts"],
  cborg: ["core/encoding/dag-cbor.ts"],
  hono: ["frontends/server/app.ts"],
  multiformats: ["core/encoding/bytes.ts", "core/encoding/cid.ts"],
  "prom-client": ["frontends/server/metric-registry.ts"],
  "smol-toml": ["core/encoding/toml.ts"],
  valibot: ["core/policy/shape.ts"],
  yaml: ["core/encoding/yaml.ts", "core/encoding/yaml-document.ts", "core/encoding/foreign-yaml.ts"],
  // The program that an administrator named for credentials; containerd's own.
  "node:child_process": ["io/registry/credential-helper.ts", "platform/program.ts"],
  // TXT records. Addresses are looked up by HTTP_FILE.
  "node:dns": ["io/net/txt.ts"],
  // Containerd's sockets, or its requests to us, when an administrator asks for that.
  "node:http": [
    "platform/docker-engine.ts",
    "platform/containerd/probe-registry.ts",
    "platform/containers/probe-proxy.ts",
    "platform/loopback-server.ts",
    "frontends/lookaside/server.ts",
    "frontends/server/listening/listener.ts",
    "frontends/server/listening/connections.ts",
    "frontends/server/app.ts",
    "frontends/server/request-body.ts",
  ],
  "node:http2": ["platform/containerd/grpc.ts"],
  "node:net": [
    "frontends/lookaside/server.ts",
    "frontends/server/listening/listener.ts",
    "frontends/server/listening/connections.ts",
    "frontends/server/listening/tls-front.ts",
    "platform/loopback-server.ts",
    "platform/containerd/grpc.ts",
    // The lookaside responder, as containers/image asks it.
    "platform/containers/ask-lookaside.ts",
    "io/log/journald.ts",
    // Closed again: to see that a host takes connections.
    "io/net/dial.ts",
    // Has a proxy connect to a host, for the next one.
    "io/net/tunnel.ts",
  ],
  // Shakes hands for the reason of a failure; it sends nothing.
  "node:tls": ["io/net/tls-handshake.ts", "frontends/server/listening/tls-front.ts"],
  ...Object.fromEntries(
    ["cluster", "dgram", "https", "inspector", "module", "process", "repl", "vm", "wasi", "worker_threads"].map(
      (name) => [`node:${name}`, []],
    ),
  ),
};

/** The only file that may use the network's globals; everybody else is handed its function. */
export const HTTP_FILE = "io/net/bun-fetch.ts";
/** The only file that may read or change the process's environment; everybody else is handed what it read. */
export const ENVIRONMENT_FILE = "io/process/environment.ts";
/** The only pure file that may use Date, and of it only Date.UTC and new Date(ms) (check-repository.ts). */
export const DATE_FILE = "core/encoding/time.ts";
/** The only pure file that may reach the runtime, for its SHA-256: a pure function. */
export const HASH_FILE = "core/encoding/sha256.ts";
/** The only files that make an allow: the judgement, and the step that turns a refusal into one that is not enforced. */
export const ALLOW_FILES: readonly string[] = ["core/verify/judge.ts", "core/verify/enforce.ts"];
/** In whose place build.ts puts all of test/vectors. */
export const VECTORS_FILE = "verifier/selftest/vectors.ts";
/** Every file that is named here. */
export const NAMED_FILES: readonly string[] = [
  ...new Set([
    ...Object.values(WRAPPED).flat(),
    HTTP_FILE,
    ENVIRONMENT_FILE,
    DATE_FILE,
    HASH_FILE,
    ...ALLOW_FILES,
    VECTORS_FILE,
  ]),
];

export interface Layer {
  /** A folder, or a file with `.ts`. */
  readonly path: string;
  readonly pure: boolean;
  /** Paths of the layers it may import. */
  readonly below: readonly string[];
}

/** From bottom to top. */
export const LAYERS: readonly Layer[] = layersOf(ROWS);

/** The layer that a file belongs to. */
export function layerOf(file: string): Layer | undefined {
  return LAYERS.find(({ path }) => file === path || file.startsWith(`${path}/`));
}

/** Layers that are mutated, or that these are made of. */
export const DECIDING: readonly Layer[] = LAYERS.filter(({ path }) =>
  LAYERS.some((one) => MUTATED.includes(one.path) && (one.path === path || one.below.includes(path))),
);
/** Of these the mutated ones. */
export const MUTATED_LAYERS: readonly Layer[] = DECIDING.filter(({ path }) => MUTATED.includes(path));

export function isFile(path: string): boolean {
  return path.endsWith(".ts");
}

/** The rows as they stand on one another, and below each the layers of its groups. */
export function picture(rows: Rows = ROWS): readonly string[] {
  return rows.toReversed().flatMap((row) => {
    const names = row.map((one) => (typeof one === "string" ? one : `${one.folder}/${one.pure ? " (pure)" : ""}`));
    const groups = row.filter((one) => typeof one !== "string");
    return [names.join("  "), ...groups.flatMap((group) => picture(group.rows).map((line) => `  ${line}`))];
  });
}

function layersOf(rows: Rows, folder = "", pure = false, below: readonly string[] = []): Layer[] {
  const layers: Layer[] = [];
  const under = [...below];
  for (const row of rows) {
    const [found, visible]: [Layer[], string[]] = [[], []];
    for (const one of row) {
      const inside =
        typeof one === "string"
          ? [{ path: posix.join(folder, one), pure, below: [...under] }]
          : layersOf(one.rows, posix.join(folder, one.folder), pure || one.pure === true, under);
      found.push(...inside);
      const open = typeof one === "string" ? undefined : one.open?.map((name) => posix.join(folder, one.folder, name));
      visible.push(...inside.map(({ path }) => path).filter((path) => open?.includes(path) !== false));
    }
    layers.push(...found);
    under.push(...visible);
  }
  return layers;
}
