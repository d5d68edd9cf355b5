import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Ask, ask, enforcing, headline, TestNode } from "../support/binary.ts";
import { HANDLE, HANDLE_TXT, NamedWorld } from "../support/named-world.ts";
import { makeTemporaryDirectory } from "../support/process.ts";
import { missingRoot, requirement } from "../support/requirement.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

const DIGEST = `sha256:${"ab".repeat(32)}`;
const MALFORMED = "3 misconfigured input.malformed";
const STRANGER = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
const INSTALLED = readFileSync(join(import.meta.dirname, "../../packaging/etc/trust-policy.yaml"), "utf8");
const json = (text: string) => JSON.parse(text) as Record<string, unknown>;

describe.concurrent("--signer", () => {
  let world: TestNode;
  let image: Descriptor;
  let did: string;

  beforeAll(async () => {
    world = await TestNode.start();
    image = await world.image("signed");
    ({ did } = world.signer);
  });
  afterAll(() => world.stop());

  const nameOf = ({ digest }: Descriptor) => `${world.registry.authority}/alice/app@${digest}`;
  /** Of a node with this policy. */
  const verify = async (policy: string, ...args: readonly string[]) => {
    const name = `policy-${Math.random()}.yaml`;
    const config = world.configure(
      { ...world.settings, trustPolicyPath: world.policy(policy, name) },
      `config-${name}`,
    );
    return ask([nameOf(image), ...args], { env: { ...world.env, ATCR_VERIFY_CONFIG: config } });
  };

  it("trusts that signer alone, whatever the rules say", async () => {
    for (const policy of [
      enforcing(STRANGER),
      'version: 1\ntrustedDIDs: [did:web:a.example]\npolicies: [{name: no, scope: "**", action: deny}]\n',
      `version: 1\ntrustedDIDs: ["${did}"]\n`,
      INSTALLED,
    ]) {
      const answered = await verify(policy, "--signer", did);
      expect(headline(answered)).toBe("0 allow signed");
      expect(answered.stdout).toContain("\n  rule         --signer\n");
      expect(headline(await verify(policy, "--signer", STRANGER))).toBe("2 inconclusive identity.unknown_did");
    }
  });

  it("is met by any one of several", async () => {
    const answered = await verify(INSTALLED, "--signer", STRANGER, `--signer=${did}`, "--output=json");
    expect(answered.code).toBe(0);
    expect(json(answered.stdout)).toMatchObject({
      verified: true,
      rule: "--signer",
      signers: [
        { asked: STRANGER, did: STRANGER },
        { asked: did, did },
      ],
    });
    expect(json(answered.stdout)).not.toHaveProperty("ruleFile");
  });

  it.each([
    ["revoked", "signer.revoked", (who: string) => `revokedDIDs: ["${who}"]\n`],
    [
      "pinned to another PDS",
      "identity.pds_not_pinned",
      (who: string) => `trustedDIDs: {"${who}": {pds: ["https://other.example"]}}\n`,
    ],
    [
      "pinned to another key",
      "identity.key_not_pinned",
      (who: string) =>
        `trustedDIDs: {"${who}": {keys: ["did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme"]}}\n`,
    ],
    [
      "no longer trusted",
      "signer.expired",
      (who: string) => `trustedDIDs: {"${who}": {expiresAt: "2001-01-01T00:00:00Z"}}\n`,
    ],
  ] as const)("still refuses a signer that the policy has %s", async (_, code, policy) => {
    expect(headline(await verify(`version: 1\n${policy(did)}`, "--signer", did))).toBe(`1 deny ${code}`);
  });

  it("still refuses a digest that the policy denies, and exempts none that it allows", async () => {
    const list = (which: string, digest: string) => `version: 1\ndigests: {${which}: ["${digest}"]}\ndefault: audit\n`;
    expect(headline(await verify(list("deny", image.digest), "--signer", did))).toBe("1 deny policy.denied");
    const exempt = await verify(list("allow", image.digest), "--signer", STRANGER);
    expect(headline(exempt)).toBe("2 inconclusive identity.unknown_did");
  });

  it("is refused with a policy, with an invalid policy on the node, and for what is no signer", async () => {
    const policy = world.policy(enforcing(did), "named.yaml");
    expect(headline(await verify(INSTALLED, "--signer", did, "--policy", policy))).toBe(MALFORMED);
    expect(headline(await verify("version: 2\n", "--signer", did))).toBe("3 misconfigured policy.invalid");
    for (const wrong of ["did:plc:short", "alice", "@", "https://alice.example.com"]) {
      expect(headline(await verify(INSTALLED, "--signer", wrong))).toBe(MALFORMED);
    }
    const offline = ["--offline", "--bundle", "x", "--signer", "alice.example.com"];
    expect(headline(await verify(INSTALLED, ...offline))).toBe(MALFORMED);
    const byDid = ["--offline", "--bundle", "x", "--signer", "did:web:alice.example.com"];
    expect(await verify(INSTALLED, ...byDid)).toMatchObject({ code: 3, stdout: expect.stringContaining("offlineFor") });
  });

  it("with --stateless, touches no folder, and warns of nothing", async () => {
    const [state, cache, home] = ["state", "cache", "home"].map((name) => makeTemporaryDirectory(name));
    const policy = world.policy(enforcing(did), "stateless.yaml");
    const folders = { stateDir: state, cacheDir: cache, cacheEnabled: true, trustPolicyPath: policy };
    const config = world.configure({ ...world.settings, ...folders }, "stateless.config.yaml");
    const env = {
      ...world.env,
      ATCR_VERIFY_CONFIG: config,
      ATCR_VERIFY_CACHE_KEY: join(home ?? "", "key"),
    };
    const left = () => [state, cache, home].flatMap((folder) => readdirSync(folder ?? ""));
    for (const args of [[], ["--signer", did], [nameOf(image)]]) {
      const answered = await ask([nameOf(image), "--stateless", ...args], { env });
      expect(answered).toMatchObject({ code: 0, stderr: "" });
      expect(left()).toEqual([]);
    }
    // It is the option that makes the difference.
    expect((await ask([nameOf(image)], { env })).code).toBe(0);
    expect(left()).not.toEqual([]);
  });
});

const canServeNames = requirement("handles of --signer", missingRoot("binds ports 53 and 443, mounts resolv.conf"));
describe.runIf(canServeNames)("--signer with a handle", () => {
  let named: NamedWorld;
  let image: string;

  beforeAll(async () => {
    named = await NamedWorld.start(163);
    named.world.policy(INSTALLED);
    image = `atcr.io/${HANDLE}/app@${(await named.image(`${HANDLE}/app`)).digest}`;
  });
  beforeEach(() => named.reset());
  afterAll(() => named.stop());

  const verify = (...args: readonly string[]) =>
    ask([image, ...args], { env: named.world.env, through: named.through });

  it("trusts the DID that it leads to and that claims it, and prints that DID", async () => {
    const { did } = named.world.signer;
    named.names.answers.set(HANDLE_TXT, [`did=${did}`]);
    const answered = await verify("--signer", HANDLE);
    expect(headline(answered)).toBe("0 allow signed");
    expect(answered.stdout).toContain(
      `\n  pin          ${HANDLE} is ${did} now, but a handle can move to another account; to pin it: --signer ${did}\n`,
    );
    const { stdout } = await verify("--signer", HANDLE, "--output=json");
    expect(json(stdout)).toMatchObject({ signers: [{ asked: HANDLE, did }] });
  });

  it("is refused where it leads to nobody, or to a DID that does not claim it", async () => {
    const nobody = await verify("--signer", HANDLE);
    expect(headline(nobody)).toBe("1 deny image.owner_mismatch");
    named.names.answers.set("TXT _atproto.mallory.example.com", [`did=${named.world.signer.did}`]);
    named.names.answers.set("A mallory.example.com", ["127.0.0.1"]);
    const claimed = await verify("--signer", "mallory.example.com");
    expect(headline(claimed)).toBe("1 deny image.owner_mismatch");
    expect(claimed.stdout).toContain("does not claim it");
  });
});

const canMount = requirement("a node without a policy of its own", missingRoot("mounts over /etc"));
describe.runIf(canMount)("a node where nobody has written a policy", () => {
  const folder = makeTemporaryDirectory("unjudged");
  const IMAGE = `registry.example/app@${DIGEST}`;
  /** Runs it in a mount namespace whose /etc holds nothing but these files of ours, and /var nothing. */
  const ofNode = (files: Readonly<Record<string, string>>): Ask => {
    const writes = Object.entries(files).map(
      ([name, text]) => `printf %s '${text.replaceAll("'", "'\\''")}' > /etc/atcr-verify/${name}`,
    );
    const script = [
      "mount -t tmpfs -o mode=755 none /etc && mount -t tmpfs -o mode=755 none /var",
      "mkdir /etc/atcr-verify",
      ...writes,
      'exec "$0" "$@"',
    ].join(" && ");
    const path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin; ";
    return { through: ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", `${path}${script}`], env: { HOME: folder } };
  };

  it.each([
    ["absent", {}],
    ["as installed", { "trust-policy.yaml": INSTALLED }],
    ["absent beside a configuration", { "config.yaml": "deadline: 5s\n" }],
  ])("judges nothing if the default policy is %s: status 5, and no allow", async (_, files) => {
    const node = ofNode(files);
    const answered = await ask([IMAGE], node);
    expect(headline(answered)).toBe("5 unjudged no_policy");
    expect(answered.stdout).toContain(`\n  digest       ${DIGEST}\n`);
    expect(answered.stdout).toContain("\n               verify it: atcr-verify IMAGE --signer ");
    const { stdout, code } = await ask([IMAGE, "--output=json"], node);
    expect([code, json(stdout)]).toEqual([
      5,
      expect.objectContaining({ outcome: "unjudged", allowed: false, verified: false, exitStatus: 5, digest: DIGEST }),
    ]);
    for (const quiet of [["-o", "ref"], ["-q"]]) {
      expect(await ask([IMAGE, ...quiet], node)).toMatchObject({
        code: 5,
        stdout: "",
        stderr: expect.stringMatching(/^unjudged /),
      });
    }
    // Never with another status than that of a mistake beside it.
    expect((await ask([IMAGE, "Malformed/x@y"], node)).code).toBe(3);
    expect((await ask([IMAGE, "--allow-audited"], node)).code).toBe(5);
  });

  it.each([
    ["a policy that is named", ["--policy", "/nonexistent"], {}, "policy.invalid"],
    ["a configuration that is named", ["--config", "/nonexistent"], {}, "config.invalid"],
    ["a configuration's own policy", [], { "config.yaml": "trustPolicyPath: /nonexistent\n" }, "policy.invalid"],
    [
      "the default policy of a configuration that is named",
      ["--config", "/etc/atcr-verify/config.yaml"],
      { "config.yaml": "deadline: 5s\n" },
      "policy.invalid",
    ],
  ])("still needs %s", async (_, args, files, code) => {
    expect(headline(await ask([IMAGE, ...args], ofNode(files)))).toBe(`3 misconfigured ${code}`);
  });

  it("still needs the configuration that the environment names, and its policy", async () => {
    const node = ofNode({ "config.yaml": "deadline: 5s\n" });
    for (const [path, code] of [
      ["/nonexistent", "config.invalid"],
      ["/etc/atcr-verify/config.yaml", "policy.invalid"],
    ]) {
      const answered = await ask([IMAGE], { ...node, env: { HOME: folder, ATCR_VERIFY_CONFIG: path ?? "" } });
      expect(headline(answered)).toBe(`3 misconfigured ${code}`);
    }
  });

  it.each([
    ["version: 1\n", "1 deny policy.no_match"],
    ["version: 1\ndefault: allow\n", "0 allow exempt"],
    ["version: 2\n", "3 misconfigured policy.invalid"],
    [`version: 1\nrevokedDIDs: ["did:web:a.example"]\ndefault: audit\n`, "1 allow audited"],
  ])("judges as soon as somebody has written one: %j", async (text, expected) => {
    expect(headline(await ask([IMAGE], ofNode({ "trust-policy.yaml": text })))).toBe(expected);
  });

  it("says as installed only of what nobody named", async () => {
    const policy = join(folder, "installed.yaml");
    const through = ofNode({});
    const { writeFileSync } = await import("node:fs");
    writeFileSync(policy, INSTALLED);
    expect(headline(await ask([IMAGE, "--policy", policy], through))).toBe("1 allow audited");
  });
});
