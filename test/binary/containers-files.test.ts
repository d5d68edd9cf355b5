import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ask, Bench } from "../support/binary.ts";
import type { Said } from "../support/linked-node.ts";
import { missingRoot, requirement } from "../support/requirement.ts";
import { STOCK_POLICY_JSON } from "../support/stock-policy-json.ts";

// enable and disable --containers, in a folder like /etc/containers. The gate itself is proven with podman and skopeo (test/e2e).

const isRoot = requirement("enable --containers of a user who is not root", missingRoot("the user is changed"));
const isBookworm = /^VERSION_ID="12"\nVERSION=.*bookworm/m.test(readFileSync("/etc/os-release", "utf8"));
const POLICY = `version: 1
trustedDIDs: ["did:web:a.example"]
policies:
  - { name: ours, scope: ["atcr.example/**", "localhost:5000/**"], action: enforce }
  - { name: tagged, scope: "tagged.example/**", action: enforce, require: { tag: match } }
  - { name: many, scope: "*.corp.example/**", action: enforce }
`;

/** What policy.json then names, and what is warned of. */
const NAMES = ["atcr.example", "atcr.example:443", "localhost:5000", "tagged.example", "tagged.example:443"];
const WARNINGS = ["containers-default", "containers-wildcard", "containers-tag"];

class ContainersNode {
  readonly bench = new Bench();
  readonly folder = join(this.bench.folder, "containers");
  readonly policy = join(this.folder, "policy.json");
  readonly own = join(this.folder, "registries.d", "atcr-verify.yaml");

  constructor(policy: string | undefined = STOCK_POLICY_JSON) {
    this.bench.write("policy.yaml", POLICY);
    mkdirSync(this.folder);
    if (policy !== undefined) this.bench.write("containers/policy.json", policy);
  }

  async run(...args: readonly string[]): Promise<{ code: number | null; said: Said; names: readonly string[] }> {
    const { code, stdout } = await ask(
      [...args, "--containers", "--containers-dir", this.folder, "--output", "json"],
      this.bench,
    );
    const said = JSON.parse(stdout) as Said;
    return { code, said, names: said.findings.filter(({ level }) => level !== "note").map(({ name }) => name) };
  }

  get docker(): Record<string, unknown> {
    return JSON.parse(readFileSync(this.policy, "utf8")).transports.docker;
  }
}

describe("enable --containers", () => {
  it("has each registry of the policy demand this node's signature, once, and disable takes exactly that back", async () => {
    const node = new ContainersNode();
    const first = await node.run("enable");
    expect([first.code, first.said.changed, first.names]).toEqual([0, true, WARNINGS]);
    expect(Object.keys(node.docker)).toEqual(NAMES);
    expect(node.docker["atcr.example"]).toEqual([
      {
        type: "sigstoreSigned",
        keyPath: "/var/lib/atcr-verify-lookaside/node.key.pub",
        signedIdentity: { type: "matchRepository" },
      },
    ]);
    expect(readFileSync(node.own, "utf8")).toContain(
      '  "localhost:5000":\n    lookaside: "http://127.0.0.1:947/localhost:5000"\n    use-sigstore-attachments: false\n',
    );
    // What is true of this gate everywhere, and what it leaves out here.
    const notes = first.said.findings.filter(({ level }) => level === "note").map(({ found }) => found);
    expect(notes.join(" ")).toMatch(
      /insecureAcceptAnything.*docker-daemon.*not the tag.*ATCR\.IO.*no end.*signature-policy/,
    );
    expect(notes.join(" ").includes("Debian 12")).toBe(isBookworm);
    const again = await node.run("enable");
    expect(again).toMatchObject({ code: 0, said: { changed: false } });
    expect(again.said.summary).toMatch(/lookaside responder .* at .*doctor --containers --containers-dir \S+ --probe$/);

    const disabled = await node.run("disable");
    expect(disabled).toMatchObject({ code: 0, said: { changed: true, findings: [] } });
    expect(disabled.said.summary).toContain("NOT verified");
    expect([readFileSync(node.policy, "utf8"), existsSync(node.own)]).toEqual([STOCK_POLICY_JSON, false]);
    expect(await node.run("disable")).toMatchObject({ code: 0, said: { changed: false } });
  });

  it("follows the configuration, and a policy that has changed", async () => {
    const node = new ContainersNode();
    await node.run("enable");
    node.bench.configure({ lookaside: { listen: "[::1]:1947", keyFile: "/srv/node.key" } });
    node.bench.write("policy.yaml", POLICY.replace(/ {2}- \{ name: tagged.*\n/, ""));
    expect(await node.run("enable")).toMatchObject({ code: 0, said: { changed: true } });
    expect(Object.keys(node.docker)).toEqual(NAMES.slice(0, 3));
    expect(JSON.stringify(node.docker)).not.toContain("/var/lib");
    expect(readFileSync(node.own, "utf8")).toContain('"http://[::1]:1947/atcr.example"');
  });

  it.each([
    [
      "a repeated key",
      STOCK_POLICY_JSON.replace('"transports"', '"default": [{"type": "reject"}],\n    "transports"'),
      /policy\.json:7:\d+: default/,
    ],
    [
      "an unknown key",
      STOCK_POLICY_JSON.replace('"transports"', '"plugins": [],\n    "transports"'),
      /policy\.json:7:\d+: plugins/,
    ],
    [
      "a comment",
      STOCK_POLICY_JSON.replace('"transports"', '// ours\n    "transports"'),
      /line 7.*nothing was changed/s,
    ],
    ["no text", "", /policy\.json is empty.*nothing was changed/s],
  ])("refuses %s in policy.json, and changes nothing", async (_, text, place) => {
    const node = new ContainersNode(text);
    const args = ["--containers", "--containers-dir", node.folder];
    for (const command of ["enable", "disable"]) {
      const { code, stdout, stderr } = await ask([command, ...args], node.bench);
      expect([code, `${stdout}${stderr}`]).toEqual([3, expect.stringMatching(place)]);
    }
    expect([readFileSync(node.policy, "utf8"), existsSync(node.own)]).toEqual([text, false]);
  });

  it("replaces what others demand of a registry only with --force, and disable restores it from the copy", async () => {
    const theirs = STOCK_POLICY_JSON.replace(
      '"docker-daemon"',
      '"docker": {"atcr.example": [{"type": "reject"}]},\n        "docker-daemon"',
    );
    const node = new ContainersNode(theirs);
    const refused = await node.run("enable");
    expect([refused.code, refused.said.changed, refused.names]).toEqual([1, false, ["containers-taken"]]);
    expect([readFileSync(node.policy, "utf8"), existsSync(node.own)]).toEqual([theirs, false]);
    const copy = `${node.policy}.before-atcr-verify`;
    const saved = expect.stringContaining(`Your previous file was saved as ${copy}`);
    expect(await node.run("enable", "--force")).toMatchObject({ code: 0, said: { changed: true, summary: saved } });
    expect(JSON.stringify(node.docker["atcr.example"])).toContain("sigstoreSigned");
    expect(readFileSync(copy, "utf8")).toBe(theirs);
    const restored = expect.stringMatching(/restored what atcr\.example demanded/);
    expect(await node.run("disable")).toMatchObject({ code: 0, said: { changed: true, summary: restored } });
    expect([JSON.parse(readFileSync(node.policy, "utf8")), existsSync(copy)]).toEqual([JSON.parse(theirs), false]);

    await node.run("enable", "--force");
    node.bench.write("containers/policy.json.before-atcr-verify", "{");
    expect(await node.run("disable")).toMatchObject({ code: 1, names: ["containers-former"] });
    expect([readFileSync(node.policy, "utf8"), existsSync(copy)]).toEqual([STOCK_POLICY_JSON, true]);
  });

  it("does not write, even forced, where another file names the registry, or policy.json is a link", async () => {
    const node = new ContainersNode();
    node.bench.write("containers/registries.d/a.yaml", "docker:\n  atcr.example: { lookaside: file:///a }\n");
    expect(await node.run("enable", "--force")).toMatchObject({ code: 1, names: ["containers-repeated"] });
    const other = new ContainersNode();
    renameSync(other.policy, join(other.bench.folder, "elsewhere.json"));
    symlinkSync(join(other.bench.folder, "elsewhere.json"), other.policy);
    expect(await other.run("enable", "--force")).toMatchObject({ code: 1, names: ["containers-link"] });
    for (const { own, policy } of [node, other])
      expect([existsSync(own), readFileSync(policy, "utf8")]).toEqual([false, STOCK_POLICY_JSON]);
  });

  it("names a more specific scope, which takes its images out of this gate", async () => {
    const node = new ContainersNode(
      STOCK_POLICY_JSON.replace(
        '"docker-daemon"',
        '"docker": {"atcr.example/team": [{"type": "insecureAcceptAnything"}]},\n        "docker-daemon"',
      ),
    );
    expect(await node.run("enable")).toMatchObject({
      code: 1,
      said: { changed: true },
      names: ["containers-scope", ...WARNINGS],
    });
  });

  it("leaves out a registry that is only audited, as nothing of it would be signed, and names audits that are refused", async () => {
    const node = new ContainersNode();
    const audits = ["audited.example/**", "atcr.example/new/**"];
    const rule = `  - { name: audits, scope: ${JSON.stringify(audits)}, action: audit }\n`;
    node.bench.write("policy.yaml", POLICY.replace("policies:\n", `policies:\n${rule}`));
    const { code, said } = await node.run("enable");
    const found = said.findings.filter(({ name }) => name === "containers-audit").map((one) => one.found);
    expect([code, found]).toEqual([
      0,
      [expect.stringMatching(/atcr\.example that.*REFUSED/), expect.stringMatching(/not told.*audited/)],
    ]);
    expect(Object.keys(node.docker)).toEqual(NAMES);
  });

  it("needs a rule that names a registry", async () => {
    const node = new ContainersNode();
    node.bench.write("policy.yaml", POLICY.replace(/ {2}- \{ name: (?:ours|tagged).*\n/g, ""));
    expect(await node.run("enable", "--force")).toMatchObject({ code: 1, said: { changed: false } });
    expect(existsSync(node.own)).toBe(false);
  });

  it.runIf(isRoot)("says to a user who is not root that root is needed", async () => {
    const node = new ContainersNode();
    chmodSync(node.bench.folder, 0o755);
    const through = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    const args = ["--containers", "--containers-dir", node.folder, "--output", "json"];
    const { code, stdout } = await ask(["enable", ...args], { env: node.bench.env, through });
    expect([code, JSON.parse(stdout)]).toEqual([
      1,
      expect.objectContaining({ changed: false, findings: [expect.objectContaining({ name: "permission" })] }),
    ]);
  });
});

describe("disable --containers", () => {
  it("never says that nothing is verified while another scope demands this node's signature", async () => {
    const node = new ContainersNode();
    await node.run("enable");
    const text = readFileSync(node.policy, "utf8");
    node.bench.write("containers/policy.json", text.replace('"localhost:5000"', '"localhost:5000/team"'));
    const { code, said, names } = await node.run("disable");
    expect([code, names, Object.keys(node.docker)]).toEqual([1, ["containers-scope"], ["localhost:5000/team"]]);
    expect(said.summary).not.toContain("NOT verified");
  });

  it("says that there is no policy.json, or that it was deleted and podman needs one", async () => {
    const node = new ContainersNode();
    rmSync(node.policy);
    expect((await node.run("disable")).said.summary).toMatch(/^there is no \S+policy\.json: /);
    await node.run("enable");
    expect((await node.run("disable")).said.summary).toMatch(/^deleted \S+policy\.json, .*podman needs one/);
    expect(existsSync(node.policy)).toBe(false);
  });

  it("works where the configuration cannot be read", async () => {
    const node = new ContainersNode();
    await node.run("enable");
    node.bench.write("config.yaml", "deadline: [\n");
    expect(await node.run("disable")).toMatchObject({ code: 0, names: ["configuration"] });
    expect(readFileSync(node.policy, "utf8")).toBe(STOCK_POLICY_JSON);
  });
});

describe("doctor --containers", () => {
  it("finds the files as they were written, and that no daemon answers; later, what has changed", async () => {
    const node = new ContainersNode();
    node.bench.configure({ lookaside: { listen: "127.0.0.1:1", keyFile: join(node.bench.folder, "node.key") } });
    await node.run("enable");
    const levels = async () => {
      const { said } = await node.run("doctor", "--offline");
      return Object.fromEntries(said.findings.map(({ name, level }) => [name, level]));
    };
    const found = await levels();
    expect(found).toMatchObject({
      "containers-files": "ok",
      "containers-default": "warning",
      "containers-daemon": "problem",
      "containers-key": "warning",
      "containers-probe": "warning",
      "containers-tag": "warning",
      "containers-wildcard": "warning",
      configuration: "ok",
      "containers-hosts": "ok",
    });
    for (const of of ["containerd", "policy"]) expect(found).not.toHaveProperty(of);
    node.bench.write("containers/registries.d/a.yaml", "docker: { atcr.example/team: { lookaside: file:///a } }\n");
    node.bench.write("containers/policy.json", STOCK_POLICY_JSON);
    expect(await levels()).toMatchObject({ "containers-files": "problem", "containers-scope": "problem" });
  });

  it("says once that nothing is set up where there are no files", async () => {
    const node = new ContainersNode();
    rmSync(node.policy);
    const { code, said } = await node.run("doctor", "--offline");
    const found = said.findings.filter(({ name }) => name.startsWith("containers-")).map((one) => one.found);
    expect([code, found]).toEqual([1, [expect.stringContaining("not set up")]]);
  });

  it("is part of the doctor once it is enabled; before, the folder would be ignored", async () => {
    const node = new ContainersNode();
    const run = async () => {
      const args = ["doctor", "--offline", "--output", "json", "--address", join(node.folder, "none.sock")];
      return ask([...args, "--containers-dir", node.folder], node.bench);
    };
    expect((await run()).code).toBe(3);
    await node.run("enable");
    const names = (JSON.parse((await run()).stdout) as Said).findings.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["containerd", "containers-files", "containers-daemon"]));
  });
});

describe("options of containerd's gate and of podman's", () => {
  it.each([
    ["enable", ["--containers", "--containers-dir", "rel"], "--containers-dir is"],
    ["disable", ["--containers", "--containers-dir", "rel"], "--containers-dir is"],
    ["doctor", ["--containers", "--containers-dir", "rel"], "--containers-dir is"],
    ["doctor", ["--containers-dir", "rel"], "--containers-dir is"],
    ["enable", ["--containers-dir", "/none"], "--containers-dir is about"],
    ["disable", ["--containers-dir", "/none"], "--containers-dir is about"],
    ["doctor", ["--containers-dir", "/none"], "--containers-dir is about"],
    ["enable", ["--containers", "--bin-dir", "/none"], "--bin-dir is about"],
    ["disable", ["--containers", "--address", "/none.sock"], "--address is about"],
    ["doctor", ["--containers", "--address", "/none.sock"], "--address is about"],
    ["doctor", ["--containers", "--containerd-config", "/none.toml"], "--containerd-config is about"],
  ])("%s refuses %j, which would be ignored", async (command, args, why) => {
    const { code, stdout, stderr } = await ask([command, ...args], new ContainersNode().bench);
    expect([code, `${stdout}${stderr}`.replaceAll(/\s+/g, " ")]).toEqual([3, expect.stringContaining(why)]);
  });
});

it.runIf(isRoot)("a probe that can try nothing is a problem", async () => {
  const node = new ContainersNode();
  await node.run("enable");
  const env = { ...node.bench.env, PATH: "/none" };
  const args = ["doctor", "--offline", "--probe", "--containers", "--containers-dir", node.folder, "--output", "json"];
  const { stdout } = await ask(args, { env });
  const { findings } = JSON.parse(stdout) as Said;
  expect(findings.find(({ name }) => name === "containers-probe")?.level).toBe("problem");
});
