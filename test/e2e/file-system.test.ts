import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Answered, headline, TestNode } from "../support/binary.ts";
import { requirement } from "../support/requirement.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

// Every path that a pull reads or writes, and what may lie there instead of what belongs there: none of it is a bug of
// this program, and none of it makes a policy or a memory look empty.

const SIGNED = "0 allow signed";
const NONE = "1 deny signature.none";
const GLASS = "0 allow break_glass";
const POLICY = "3 misconfigured policy.invalid";
const CONFIG = "3 misconfigured config.invalid";

const STATES = [
  "absent",
  "of another kind",
  "unreadable",
  "a dangling link",
  "a loop of links",
  "a named pipe",
] as const;
type State = (typeof STATES)[number];

interface Row {
  /** Of which image: a refusal waits for the registry. */
  readonly image: "signed" | "unsigned";
  /** What comes of each state; `warned`: with a warning that names the path. */
  readonly absent: string;
  readonly otherwise: string;
  readonly isWarned?: boolean;
  /** Where nothing but its name is looked at, or it is replaced unread. */
  readonly unnoticed?: readonly State[];
}

const warned = (image: Row["image"], unnoticed: readonly State[] = []): Row => {
  const answer = image === "signed" ? SIGNED : NONE;
  return { image, absent: answer, otherwise: answer, isWarned: true, unnoticed };
};
const LINKS_AND_PIPES = ["unreadable", "a dangling link", "a loop of links", "a named pipe"] as const;

/** By path below the node's folder; `*` is a name that the program chose. */
const ROWS: Readonly<Record<string, Row>> = {
  "config.yaml": { image: "signed", absent: CONFIG, otherwise: CONFIG },
  "policy.yaml": { image: "signed", absent: POLICY, otherwise: POLICY },
  "policy.d": { image: "signed", absent: SIGNED, otherwise: POLICY },
  "policy.d/10-more.yaml": { image: "signed", absent: SIGNED, otherwise: POLICY },
  "glass.yaml": { image: "unsigned", absent: NONE, otherwise: NONE },
  "ca.pem": { image: "unsigned", absent: CONFIG, otherwise: CONFIG },
  "certs.d": warned("unsigned"),
  "certs.d/HOST": warned("unsigned"),
  "certs.d/HOST/hosts.toml": warned("unsigned"),
  "certs.d/HOST/registry.crt": warned("unsigned"),
  bin: warned("unsigned"),
  "bin/docker-credential-test": warned("unsigned"),
  auth: warned("unsigned"),
  "auth/auth.json": warned("unsigned"),
  state: warned("signed"),
  "state/signers": warned("signed"),
  "state/signers/*": warned("signed"),
  "state/signers/*/*": warned("signed", ["unreadable"]),
  "state/metrics": warned("signed"),
  "state/metrics/*": warned("signed"),
  "state/metrics-waiting": warned("signed"),
  "state/locks": warned("signed"),
  cache: warned("signed"),
  "cache/evidence": warned("signed"),
  "cache/evidence/*": warned("signed"),
  "cache/identities": warned("unsigned"),
  "cache/identities/*": warned("unsigned"),
  "cache/settings": warned("signed"),
  "cache/settings/*": warned("signed"),
  "cache/locks": warned("unsigned"),
  log: warned("signed"),
  "log/decisions.log": warned("signed"),
  metrics: warned("signed"),
  "metrics/m.prom": warned("signed", LINKS_AND_PIPES),
};

/** Root reads whatever its mode says, unless it is run without that capability. */
const WITHOUT_OVERRIDE = ["/usr/bin/setpriv", "--bounding-set", "-dac_override,-dac_read_search"];
const isRoot = process.geteuid?.() === 0;
const canBeUnreadable = requirement(
  "files that cannot be read",
  !isRoot || isThere(WITHOUT_OVERRIDE) ? undefined : "as root, install setpriv (util-linux) and allow CAP_SETPCAP",
);

function isThere([command = "", ...args]: readonly string[]): boolean {
  try {
    execFileSync(command, [...args, "true"]);
    return true;
  } catch {
    return false;
  }
}

describe.concurrent("what lies where a pull looks", { timeout: 60_000 }, () => {
  let world: TestNode;
  let signed: Descriptor;
  let unsigned: Descriptor;
  let count = 0;

  beforeAll(async () => {
    world = await TestNode.start();
    signed = await world.image("signed");
    unsigned = await world.image("unsigned", { signed: false });
    world.registry.access = "token";
  });
  afterAll(() => world.stop());

  /** A node of its own on which everything is there: the answer of a first pull has been cached. */
  async function node(row: string) {
    const folder = join(world.folder, `node-${++count}`);
    const write = (name: string, content: string) => {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), content);
    };
    const { authority } = world.registry;
    const glass = { reason: "a test", until: new Date(Date.now() + 3_600_000).toISOString(), scope: "**" };
    const rule = "{name: all, scope: '**', action: enforce, require: {owner: any}}";
    write("policy.d/10-more.yaml", "{version: 1, policies: [{name: not-this, scope: other.example/**, action: deny}]}");
    write("policy.yaml", `{version: 1, trustedDIDs: {"${world.signer.did}": {}}, policies: [${rule}]}`);
    write("ca.pem", world.authority.cert);
    write(
      `certs.d/${authority}/hosts.toml`,
      `server = "https://${authority}"\nca = ["${folder}/certs.d/${authority}/registry.crt"]\n`,
    );
    write(`certs.d/${authority}/registry.crt`, world.authority.cert);
    write("auth/auth.json", JSON.stringify({ credHelpers: { [authority]: "test" } }));
    write("bin/docker-credential-test", `#!/bin/sh\necho '{"ServerURL":"x","Username":"alice","Secret":"secret"}'\n`);
    chmodSync(join(folder, "bin/docker-credential-test"), 0o755);
    for (const name of ["log", "metrics"]) mkdirSync(join(folder, name));
    const config = {
      ...world.settings,
      trustPolicyPath: join(folder, "policy.yaml"),
      stateDir: join(folder, "state"),
      cacheDir: join(folder, "cache"),
      decisionLog: join(folder, "log/decisions.log"),
      metricsFile: join(folder, "metrics/m.prom"),
      registryConfigPath: join(folder, "certs.d"),
      registryCredentials: { files: [join(folder, "auth/auth.json")] },
      network: { allow: ["127.0.0.0/8", "::1"], caFiles: [join(folder, "ca.pem")] },
    };
    write("config.yaml", JSON.stringify(config));
    const env = {
      ...world.env,
      PATH: join(folder, "bin"),
      ATCR_VERIFY_CONFIG: join(folder, "config.yaml"),
      ATCR_VERIFY_CACHE_DIR: join(folder, "cache"),
      ATCR_VERIFY_BREAK_GLASS: join(folder, "glass.yaml"),
    };
    const pull = (image: Row["image"]): Promise<Answered> =>
      world.pull(world.name, image === "signed" ? signed : unsigned, {
        env,
        ...(isRoot && canBeUnreadable && { through: WITHOUT_OVERRIDE }),
      });
    expect(headline(await pull("signed"))).toBe(SIGNED);
    if (row === "glass.yaml") write(row, JSON.stringify(glass));
    if (ROWS[row]?.image === "unsigned")
      expect(headline(await pull("unsigned"))).toBe(row === "glass.yaml" ? GLASS : NONE);
    return { folder, pull, write, config };
  }

  const rowOf = (path: string, registry: string) =>
    Object.keys(ROWS).find((row) => {
      const [wanted, found] = [row.split("/"), path.split("/")];
      return (
        wanted.length === found.length &&
        wanted.every((name, i) => name === "*" || (name === "HOST" ? registry : name) === found[i])
      );
    });

  it("is in the table", async () => {
    const { folder } = await node("config.yaml");
    const all = readdirSync(folder, { recursive: true, encoding: "utf8" });
    expect(all.length).toBeGreaterThan(20);
    const { authority } = world.registry;
    expect(all.filter((path) => rowOf(path, authority) === undefined)).toEqual([]);
    const found = new Set([...all, "glass.yaml"].map((path) => rowOf(path, authority)));
    expect(Object.keys(ROWS).filter((row) => !found.has(row))).toEqual([]);
  });

  it.each(Object.entries(ROWS))(
    "may be anything: %s",
    async (row, { image, absent, otherwise, isWarned, unnoticed }) => {
      const found: Record<string, string> = {};
      const expected: Record<string, string> = {};
      const { folder, pull } = await node(row);
      const usual = `${folder}.usual`;
      cpSync(folder, usual, { recursive: true, preserveTimestamps: true });
      for (const state of STATES) {
        if (state === "unreadable" && !canBeUnreadable) continue;
        // Each state starts from the node as its first pulls left it: copying takes less time than pulling again.
        rmSync(folder, { recursive: true });
        cpSync(usual, folder, { recursive: true, preserveTimestamps: true });
        const path = readdirSync(folder, { recursive: true, encoding: "utf8" }).find(
          (name) => rowOf(name, world.registry.authority) === row,
        );
        const undo = spoil(join(folder, path ?? expect.fail(`${row} is not there`)), state);
        const answered = await pull(image);
        undo();
        const isTold =
          !isWarned ||
          state === "absent" ||
          unnoticed?.includes(state) === true ||
          answered.stderr.startsWith("warning ");
        found[state] = `${headline(answered)}${isTold ? "" : ", without a warning"}`;
        expected[state] = state === "absent" ? absent : otherwise;
      }
      expect(found).toEqual(expected);
    },
  );

  it.each(STATES)("may be anything: journald's socket, %s", async (state) => {
    if (state === "unreadable" && !canBeUnreadable) return;
    const { folder, pull, write, config } = await node("config.yaml");
    const socket = join(folder, "journal");
    write("journal", "");
    write("config.yaml", JSON.stringify({ ...config, decisionLog: `journald:${socket}` }));
    spoil(socket, state);
    const answered = await pull("signed");
    expect(headline(answered)).toBe(SIGNED);
    expect(answered.stderr).toMatch(/^warning [a-z_.]+: /m);
  });
});

/** @returns how to make it such that it can be removed */
function spoil(path: string, state: State): () => void {
  if (state === "unreadable") {
    chmodSync(path, 0);
    return () => chmodSync(path, 0o755);
  }
  const isFolder = statSync(path).isDirectory();
  rmSync(path, { recursive: true });
  switch (state) {
    case "absent":
      break;
    case "of another kind":
      if (isFolder) writeFileSync(path, "");
      else mkdirSync(path);
      break;
    case "a dangling link":
      symlinkSync(`${path}.nowhere`, path);
      break;
    case "a loop of links":
      symlinkSync(path, path);
      break;
    case "a named pipe":
      execFileSync("/usr/bin/mkfifo", [path]);
      break;
  }
  return () => {};
}
