import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkCrio, checkUsers } from "../../../../src/doctor/lookaside-checks.ts";
import { crioPolicies, filesOfUser } from "../../../../src/platform/containers/overriding-files.ts";

const POLICY = "/etc/containers/policy.json";
const signature = (policy: string) => `[crio.image]\nsignature_policy = "${policy}"\n`;

function rootWith(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), "crio-"));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return root;
}

const namesOf = (files: Readonly<Record<string, string>>) =>
  checkCrio(crioPolicies(rootWith(files)), POLICY).map(({ level, name }) => `${level} ${name}`);

describe("what counts instead of policy.json", () => {
  it("finds nothing where CRI-O is absent, is silent, or names the file of this gate", () => {
    expect(namesOf({})).toEqual([]);
    expect(namesOf({ "etc/crio/crio.conf": '[crio.image]\nsignature_policy = ""\n' })).toEqual([]);
    expect(namesOf({ "etc/crio/crio.conf.d/10-crio.conf": signature(POLICY) })).toEqual([]);
  });

  it.each([
    [
      "CRI-O's own policy, as its packages ship it",
      { "etc/crio/crio.conf.d/10-crio.conf": signature("/etc/crio/policy.json") },
    ],
    [
      "the last file",
      { "etc/crio/crio.conf": signature(POLICY), "etc/crio/crio.conf.d/99.conf": signature("/srv/policy.json") },
    ],
    ["a drop-in of any name", { "etc/crio/crio.conf.d/99-policy": signature("/srv/policy.json") }],
    [
      "a drop-in below another folder, which comes last",
      {
        "etc/crio/crio.conf.d/10.conf": signature(POLICY),
        "etc/crio/crio.conf.d/20/a/b.toml": signature("/srv/policy.json"),
      },
    ],
    ["the policy of a namespace", { "etc/crio/policies/default.json": "{}" }],
    [
      "the policy of a namespace in another folder",
      {
        "etc/crio/crio.conf": '[crio.image]\nsignature_policy_dir = "/srv/policies"\n',
        "srv/policies/default.json": "{}",
      },
    ],
  ])("names %s", (_, files) => {
    expect(namesOf(files)).toEqual(["problem containers-crio"]);
  });

  it("reads drop-ins in lexical order of their paths, folder by folder", () => {
    const files = { "20/b.toml": "/b", "20/a.conf": "/a", "30": "/c", "10.conf": "/d" };
    const written = Object.entries(files).map(([name, policy]) => [`etc/crio/crio.conf.d/${name}`, signature(policy)]);
    const { named } = crioPolicies(rootWith(Object.fromEntries(written)));
    expect(named.map(({ policy }) => policy)).toEqual(["/d", "/a", "/b", "/c"]);
  });

  it("follows the options of a process that runs", () => {
    const root = rootWith({
      "srv/crio.conf": signature("/srv/main.json"),
      "srv/conf.d/a": signature("/srv/drop-in.json"),
      "srv/policies/default.json": "{}",
    });
    const options = { process: "process 7", config: "/srv/crio.conf", configDir: "/srv/conf.d" };
    expect(crioPolicies(root, options).named.map(({ policy }) => policy)).toEqual([
      "/srv/main.json",
      "/srv/drop-in.json",
    ]);
    const more = { ...options, signaturePolicy: "/srv/option.json", signaturePolicyDir: "/srv/policies" };
    const { named, ofNamespaces } = crioPolicies(root, more);
    expect(named.at(-1)).toEqual({ policy: "/srv/option.json", file: "the command line of process 7" });
    expect(ofNamespaces).toEqual([join(root, "srv/policies/default.json")]);
  });

  it("is not sure where a file cannot be read", () => {
    expect(namesOf({ "etc/crio/crio.conf": "[crio\n" })).toEqual(["warning containers-crio"]);
  });

  it("looks in the home of passwd(5) and in XDG_CONFIG_HOME as well, each once", () => {
    const [home, config] = [
      rootWith({ ".config/containers/policy.json": "{}" }),
      rootWith({ "containers/policy.json": "" }),
    ];
    const users = `other:x:${(process.geteuid?.() ?? 0) + 1}:0::/other:/bin/sh\nme:x:${process.geteuid?.()}:0::${home}:/bin/sh\n`;
    const passwd = join(rootWith({ passwd: users }), "passwd");
    const ofPasswd = join(home, ".config/containers/policy.json");
    expect(filesOfUser({}, passwd)).toEqual([ofPasswd]);
    expect(filesOfUser({ HOME: home }, passwd)).toEqual([ofPasswd]);
    expect(filesOfUser({ HOME: "", XDG_CONFIG_HOME: config }, "/none")).toEqual([
      join(config, "containers/policy.json"),
    ]);
  });

  it("names the files of the user who asks", () => {
    const home = rootWith({ ".config/containers/policy.json": "{}", ".config/containers/registries.d/a.yaml": "" });
    const found = checkUsers(filesOfUser({ HOME: home }, "/none"), POLICY);
    expect(found.map(({ level, name }) => `${level} ${name}`)).toEqual([
      "problem containers-user",
      "problem containers-user",
    ]);
    expect(filesOfUser({ HOME: rootWith({}) }, "/none")).toEqual([]);
  });
});
