import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkAround, checkDefault, checkEndpoints, checkWritten } from "../../../../src/doctor/containers-checks.ts";
import {
  isContainersEnabled,
  readContainersFiles,
  writeContainersFile,
} from "../../../../src/platform/containers/containers-files.ts";
import {
  type ContainersGate,
  disabling,
  enabling,
  obstaclesTo,
  spellings,
} from "../../../../src/platform/containers/containers-gate.ts";
import { readFormer, saveFormer } from "../../../../src/platform/containers/former-policy.ts";
import { registryEndpoints } from "../../../../src/platform/containers/registry-endpoints.ts";
import { rejectionOf } from "../../../support/rejection.ts";

const GATE: ContainersGate = {
  hosts: ["atcr.io", "localhost:5000"],
  base: "http://127.0.0.1:947",
  keyPath: "/var/lib/atcr-verify-lookaside/node.key.pub",
};
const STOCK =
  '{\n    "default": [\n        {\n            "type": "insecureAcceptAnything"\n        }\n    ],\n    "transports": {}\n}\n';
const OURS = { type: "sigstoreSigned", keyPath: GATE.keyPath, signedIdentity: { type: "matchRepository" } };

/** A folder like /etc/containers. */
function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "containers-"));
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  return folder;
}

function enable(folder: string, gate = GATE): boolean {
  const files = readContainersFiles(folder);
  const { policy, own } = enabling(gate, files);
  if (own !== undefined) writeContainersFile(files.ownPath, own);
  if (policy !== undefined) writeContainersFile(files.policyPath, policy);
  return policy !== undefined || own !== undefined;
}

function dockerOf(folder: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(folder, "policy.json"), "utf8")).transports.docker;
}

describe("enabling", () => {
  it("writes both files, once, and disabling takes back exactly that", () => {
    const folder = folderWith({ "policy.json": STOCK });
    expect(isContainersEnabled(folder)).toBe(false);
    expect(checkWritten(GATE, readContainersFiles(folder)).level).toBe("problem");
    expect([enable(folder), enable(folder)]).toEqual([true, false]);
    expect(isContainersEnabled(folder)).toBe(true);
    const files = readContainersFiles(folder);
    expect(checkWritten(GATE, files).level).toBe("ok");
    expect(dockerOf(folder)).toEqual({ "atcr.io": [OURS], "localhost:5000": [OURS] });
    expect(files.registries.namespaces).toEqual([
      expect.objectContaining({ name: "atcr.io", lookaside: "http://127.0.0.1:947/atcr.io", attachments: false }),
      expect.objectContaining({ name: "localhost:5000", lookaside: "http://127.0.0.1:947/localhost:5000" }),
    ]);
    expect(disabling(GATE.keyPath, files)).toEqual({
      removed: ["atcr.io", "localhost:5000"],
      restored: [],
      standing: [],
      policy: STOCK,
    });
  });

  it("takes back a registry that has no rule any more, and follows a key that has moved", () => {
    const folder = folderWith({ "policy.json": STOCK });
    enable(folder);
    const moved = { ...GATE, hosts: ["atcr.io"], keyPath: "/srv/node.key.pub" };
    expect(checkWritten(moved, readContainersFiles(folder)).level).toBe("problem");
    expect(obstaclesTo(moved, readContainersFiles(folder)).taken).toEqual([]);
    expect(enable(folder, moved)).toBe(true);
    expect(dockerOf(folder)).toEqual({ "atcr.io": [{ ...OURS, keyPath: moved.keyPath }] });
  });

  it("makes a policy.json where there is none, which disabling removes again, unless it was changed", () => {
    const folder = folderWith({});
    enable(folder);
    const policy = join(folder, "policy.json");
    expect(statSync(policy).mode & 0o777).toBe(0o644);
    expect(disabling(GATE.keyPath, readContainersFiles(folder)).policy).toBe("absent");
    writeFileSync(policy, readFileSync(policy, "utf8").replace("insecureAcceptAnything", "reject"));
    expect(disabling(GATE.keyPath, readContainersFiles(folder)).policy).toContain("reject");
  });

  it("keeps the mode of the file, whatever the umask", () => {
    const folder = folderWith({ "policy.json": STOCK });
    chmodSync(join(folder, "policy.json"), 0o640);
    enable(folder);
    expect(statSync(join(folder, "policy.json")).mode & 0o777).toBe(0o640);
  });

  it("keeps what others wrote", () => {
    const others = {
      default: [{ type: "reject" }],
      transports: {
        docker: { "quay.io": [{ type: "insecureAcceptAnything" }], "": [{ type: "reject" }] },
        "docker-archive": { "": [{ type: "insecureAcceptAnything" }] },
      },
    };
    const text = `${JSON.stringify(others, null, 2)}\n`;
    const folder = folderWith({ "policy.json": text });
    enable(folder);
    expect(dockerOf(folder)).toEqual({ ...others.transports.docker, "atcr.io": [OURS], "localhost:5000": [OURS] });
    expect(disabling(GATE.keyPath, readContainersFiles(folder)).policy).toBe(text);
  });
});

describe("disabling", () => {
  it("names what demands the node's signature otherwise, and leaves it", () => {
    const docker = { "atcr.io": [OURS], "atcr.io/team": [OURS], "quay.io": [OURS, { type: "reject" }] };
    const folder = folderWith({
      "policy.json": JSON.stringify({ default: [{ type: "reject" }], transports: { docker } }),
    });
    const { removed, standing } = disabling(GATE.keyPath, readContainersFiles(folder));
    expect([removed, standing]).toEqual([["atcr.io"], ["docker: atcr.io/team", "docker: quay.io"]]);
  });
});

describe("what enable --force replaced", () => {
  const THEIRS = { "atcr.io": [{ type: "reject" }], "quay.io": [{ type: "reject" }] };
  const text = `${JSON.stringify({ default: [{ type: "reject" }], transports: { docker: THEIRS } }, null, 2)}\n`;
  const save = (folder: string, taken: readonly string[]) => {
    const files = readContainersFiles(folder);
    saveFormer(files, taken, readFormer(files.policyPath));
  };

  it("comes back, also for a host that has no rule any more", () => {
    const folder = folderWith({ "policy.json": text });
    save(folder, ["atcr.io"]);
    enable(folder);
    const files = readContainersFiles(folder);
    const former = readFormer(files.policyPath);
    expect(disabling(GATE.keyPath, files, former)).toMatchObject({ restored: ["atcr.io"], policy: text });
    const { policy = "" } = enabling({ ...GATE, hosts: ["localhost:5000"] }, files, former);
    expect(JSON.parse(policy).transports.docker).toEqual({ ...THEIRS, "localhost:5000": [OURS] });
  });

  it("is kept of all times, and never our own requirements", () => {
    const folder = folderWith({ "policy.json": text });
    save(folder, ["atcr.io"]);
    enable(folder);
    save(folder, ["quay.io"]);
    expect(readFormer(join(folder, "policy.json"))?.transports["docker"]).toEqual(THEIRS);
    save(folder, ["atcr.io"]);
    const files = readContainersFiles(folder);
    expect(disabling(GATE.keyPath, files, readFormer(files.policyPath)).restored).toEqual([]);
  });
});

describe("checkAround", () => {
  const names = (folder: string) => checkAround(GATE, readContainersFiles(folder)).map(({ name }) => name);

  it("finds nothing in what distributions ship", () => {
    const stock = "default-docker:\n  lookaside-staging: file:///var/lib/containers/sigstore\n";
    const redhat = "docker:\n  registry.access.redhat.com:\n    sigstore: https://access.redhat.com/sigstore\n";
    const folder = folderWith({
      "policy.json": STOCK,
      "registries.d/default.yaml": stock,
      "registries.d/a.yaml": redhat,
    });
    expect(names(folder)).toEqual([]);
  });

  it.each([
    ["containers-taken", { "policy.json": policyWith({ "atcr.io": [{ type: "insecureAcceptAnything" }] }) }],
    ["containers-taken", { "policy.json": policyWith({ "atcr.io": [{ ...OURS, keyPath: "/srv/cosign.pub" }] }) }],
    ["containers-scope", { "policy.json": policyWith({ "atcr.io/team": [{ type: "insecureAcceptAnything" }] }) }],
    ["containers-repeated", { "registries.d/a.yaml": "docker:\n  atcr.io:\n    lookaside: file:///a\n" }],
    ["containers-scope", { "registries.d/a.yaml": "docker:\n  atcr.io/team:\n    lookaside: file:///a\n" }],
    ["containers-scope", { "registries.d/a.yaml": "docker:\n  atcr.io/team:\n    sigstore: file:///a\n" }],
    ["containers-scope", { "registries.d/a.yaml": "docker:\n  atcr.io/team:\n    use-sigstore-attachments: true\n" }],
    ["containers-unread", { "registries.d/a.yaml": "docker: &a {}\n" }],
    ["containers-unread", { "registries.d/a.yaml": "docker: []\n" }],
  ])("names %s: %j", (name, files) => {
    expect(names(folderWith({ "policy.json": STOCK, ...files }))).toEqual([name]);
  });

  it("does not mind files that containers/image does not read", () => {
    expect(names(folderWith({ "policy.json": STOCK, "registries.d/a.yaml.old": "docker:\n  atcr.io: {}\n" }))).toEqual(
      [],
    );
  });
});

describe("spellings", () => {
  it("are with and without the port 443, unless there is another port", () => {
    expect(["atcr.io", "[::1]"].map(spellings)).toEqual([
      ["atcr.io", "atcr.io:443"],
      ["[::1]", "[::1]:443"],
    ]);
    expect(["localhost:5000", "[::1]:5000"].flatMap(spellings)).toEqual(["localhost:5000", "[::1]:5000"]);
  });
});

describe("checkDefault", () => {
  const accept = [{ type: "insecureAcceptAnything" }];
  const reject = [{ type: "reject" }];
  const signed = [{ type: "sigstoreSigned", keyPath: "/srv/cosign.pub" }];
  const found = (policy: object, hosts = GATE.hosts) =>
    checkDefault({ ...GATE, hosts }, readContainersFiles(folderWith({ "policy.json": JSON.stringify(policy) })));

  it.each([
    ["accepts", { default: accept }],
    ["believes another key", { default: signed }],
    ["accepts from registries alone", { default: reject, transports: { docker: { "": accept } } }],
  ])("warns where what has no entry is not rejected: the default %s", (_, policy) => {
    expect(found(policy).map(({ level, name }) => `${level} ${name}`)).toEqual(["warning containers-default"]);
  });

  it("finds nothing where it is rejected", () => {
    expect(found({ default: reject })).toEqual([]);
    expect(found({ default: accept, transports: { docker: { "": reject } } })).toEqual([]);
    expect(found({ default: [...signed, ...reject] })).toEqual([]);
  });

  it("names other spellings of the registry", () => {
    const [one] = found({ default: accept }, ["docker.io", "docker.io:443"]);
    expect(one?.found).toContain("(DOCKER.IO, docker.io:80, registry-1.docker.io)");
  });
});

describe("checkEndpoints", () => {
  const registry = (...lines: readonly string[]) => `[[registry]]\n${lines.join("\n")}\n`;
  const names = (conf: string, mirrored = "") => {
    const folder = folderWith({
      "policy.json": STOCK,
      "registries.conf.d/a.conf": conf,
      "registries.d/m.yaml": mirrored,
    });
    enable(folder);
    const found = checkEndpoints(GATE, readContainersFiles(folder), registryEndpoints(folder));
    return found.map(({ level, name }) => `${level} ${name}`);
  };
  const mirror = registry('location = "atcr.io"', "[[registry.mirror]]", 'location = "mirror.example/atcr"');

  it.each([
    ["a mirror", mirror],
    ["another location", registry('prefix = "atcr.io/team"', 'location = "mirror.example/team"')],
    ["a location for a domain", registry('prefix = "*.io"', 'location = "mirror.example"')],
  ])("names %s, whose signatures are read elsewhere", (_, conf) => {
    expect(names(conf)).toEqual(["problem containers-mirror"]);
  });

  it("finds nothing in other registries, in the registry itself, and where registries.d leads to the daemon", () => {
    expect(names(mirror.replace("atcr.io", "atcr.io.example"))).toEqual([]);
    expect(names(registry('location = "atcr.io"', "insecure = true"))).toEqual([]);
    expect(names(mirror, "docker:\n  mirror.example:\n    lookaside: http://127.0.0.1:947/atcr.io\n")).toEqual([]);
  });
});

describe("readContainersFiles", () => {
  it("rejects a policy.json that others can change", () => {
    const folder = folderWith({ "policy.json": STOCK });
    chmodSync(join(folder, "policy.json"), 0o666);
    expect(rejectionOf(() => readContainersFiles(folder)).code).toBe("config.invalid");
    expect(existsSync(join(folder, "registries.d"))).toBe(false);
  });
});

function policyWith(docker: object): string {
  return JSON.stringify({ default: [{ type: "reject" }], transports: { docker } });
}
