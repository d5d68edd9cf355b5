import { chmodSync, linkSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ask, Bench, BINARY } from "../support/binary.ts";
import type { Finding } from "../support/doctor.ts";
import { missingRoot, requirement } from "../support/requirement.ts";

// The doctor of a user who is not root: what that user may not see is not known, and no guess is told as a fact.

const canChangeUser = requirement("the doctor of a user who is not root", missingRoot("the user is changed"));
const NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
const POLICY = "version: 1\ntrustedDIDs: [did:web:a.example]\ndefault: deny\n";

/** A node all of whose files anybody may read. */
class Node {
  readonly bench = new Bench();
  readonly program = this.path("program/atcr-verify");
  readonly binDir = this.path("bin-dir");
  env: Record<string, string> = {};

  constructor() {
    chmodSync(this.bench.folder, 0o755);
    this.bench.policy(POLICY);
    for (const folder of ["program", "bin-dir", "path", "log"]) mkdirSync(this.path(folder), { mode: 0o755 });
    linkSync(BINARY, this.program);
    symlinkSync(this.program, join(this.binDir, "atcr-verify"));
    const dump = `version = 3\n[plugins."io.containerd.image-verifier.v1.bindir"]\nbin_dir = "${this.binDir}"\n`;
    this.bench.write("dump.toml", dump);
    const script = `#!/bin/sh\nwhile read -r line; do echo "$line"; done <${this.path("dump.toml")}\n`;
    this.bench.write("path/containerd", script, 0o755);
    this.env = { ATCR_VERIFY_BREAK_GLASS: this.path("glass.yaml") };
  }

  path(name: string): string {
    return join(this.bench.folder, name);
  }

  async findings(through: readonly string[]): Promise<readonly Finding[]> {
    const args = ["doctor", "--offline", "--output", "json", "--address", this.path("none.sock")];
    const env = { ...this.bench.env, ...this.env, PATH: `${this.path("path")}:${this.path("path")}:/usr/bin:/bin` };
    const { stdout } = await ask(args, { env, binary: this.program, through });
    return (JSON.parse(stdout) as { readonly findings: readonly Finding[] }).findings;
  }
}

describe.runIf(canChangeUser).concurrent("the doctor of a user who is not root", () => {
  it("says first who runs it, and to root nothing of that", async () => {
    const node = new Node();
    expect((await node.findings(NOBODY))[0]).toMatchObject({ level: "warning", name: "user" });
    expect((await node.findings([])).map(({ name }) => name)).not.toContain("user");
  });

  it("names a program that is hidden once, although PATH names its folder twice", async () => {
    const node = new Node();
    chmodSync(node.path("path"), 0o700);
    const [hidden] = (await node.findings(NOBODY)).filter(({ name }) => name === "containerd");
    expect(hidden?.found.split(node.path("path/containerd"))).toHaveLength(2);
  });

  /** What is hidden of a node, the finding that it is about, and how that is for root. */
  it.each<[string, (node: Node) => void, string, string | undefined]>([
    ["where containerd is", (node) => chmodSync(node.path("path"), 0o700), "containerd", "problem"],
    [
      "a containerd that only root may execute",
      (node) => chmodSync(node.path("path/containerd"), 0o700),
      "containerd",
      "problem",
    ],
    ["the configuration", (node) => chmodSync(node.path("config.yaml"), 0o600), "configuration", "ok"],
    ["the policy", (node) => chmodSync(node.path("policy.yaml"), 0o600), "policy", "ok"],
    [
      "certificate authorities",
      (node) => {
        node.bench.configure({ network: { caFiles: [node.bench.write("own.pem", node.bench.authority.cert, 0o600)] } });
      },
      "certificates",
      "ok",
    ],
    ["bin_dir", (node) => chmodSync(node.binDir, 0o700), "bin-dir", "ok"],
    ["where its links lead", (node) => hide(node, join(node.binDir, "hidden")), "entries", "warning"],
    [
      "the break-glass file",
      (node) => void node.bench.write("glass.yaml", "version: 1\n", 0o600),
      "break-glass",
      "warning",
    ],
    [
      "the folder above stateDir",
      (node) => {
        mkdirSync(node.path("deep"), { mode: 0o700 });
        node.bench.configure({ stateDir: node.path("deep/state") });
      },
      "state-folder",
      "ok",
    ],
    [
      "the folder of metrics",
      (node) => {
        mkdirSync(node.path("exporter"), { mode: 0o755 });
        node.bench.configure({ metricsFile: node.path("exporter/m.prom") });
      },
      "metrics",
      "ok",
    ],
    ["where cacheDir would be made", () => {}, "cache-folder", "ok"],
  ])("does not know what it may not see: %s", async (_, make, name, asRoot) => {
    const node = new Node();
    make(node);
    const of = (findings: readonly Finding[]) => findings.find((finding) => finding.name === name);
    const found = of(await node.findings(NOBODY));
    expect(found).toMatchObject({ level: "warning", advice: expect.stringContaining("as root") });
    expect(found?.found).toContain("not known");
    expect(of(await node.findings([]))?.level).toBe(asRoot);
  });

  it("does not take containerd's default folder for the one that it uses", async () => {
    const node = new Node();
    chmodSync(node.path("path"), 0o700);
    const findings = await node.findings(NOBODY);
    const [first, ...others] = findings.filter(({ name }) => name === "bin-dir" || name === "link");
    expect(first).toMatchObject({ level: "warning", name: "bin-dir" });
    for (const { found } of others) expect(found).toMatch(/^if bin_dir is the default: /);
  });
});

/** A link that leads to a verifier which only root may see. */
function hide(node: Node, link: string): void {
  mkdirSync(node.path("secret"), { mode: 0o700 });
  node.bench.write("secret/other", "#!/bin/sh\n", 0o755);
  symlinkSync(node.path("secret/other"), link);
}
