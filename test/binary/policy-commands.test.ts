import { chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Answered, ask, enforcing, headline, TestNode } from "../support/binary.ts";
import { Signer } from "../support/signer.ts";

const STRANGER = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const HEX = "a1".repeat(32);

let world: TestNode;
beforeAll(async () => {
  world = await TestNode.start();
});
afterAll(() => world.stop());

interface Report {
  readonly policy: string;
  readonly errors: number;
  readonly warnings: number;
  readonly strict: boolean;
  readonly sandboxImage?: string;
  readonly findings: readonly Record<string, unknown>[];
}

const policy = (args: readonly string[], options = {}): Promise<Answered> =>
  ask(["policy", ...args], { env: world.env, ...options });
/** What the reference says of these commands. */
const documented = ["cli.md", "policy.md"]
  .map((name) => readFileSync(join(import.meta.dirname, "../../docs/reference", name), "utf8"))
  .join("\n");
/** One JSON object in printable ASCII, of which every key is documented. */
const json = <T>({ stdout }: Answered): T => {
  expect(stdout).toMatch(/^\{\n[ -~\n]*\n\}\n$/);
  for (const [, key = ""] of stdout.matchAll(/^ *"(\w+)":/gm)) expect(documented).toContain(`\`${key}\``);
  return JSON.parse(stdout) as T;
};
/** `CODE: severity name …` in the order of the report. */
async function check(...args: readonly string[]): Promise<string[]> {
  const answered = await policy(["check", "--no-sandbox", "--output", "json", ...args]);
  const { findings } = json<Report>(answered);
  return [String(answered.code), ...findings.map(({ severity, name }) => `${String(severity)} ${String(name)}`)];
}
const write = (name: string, text: string): string => world.policy(text, `${name}/policy.yaml`);

/** How many requests the servers have had; each test that looks has servers of its own. */
const requests = ({ plc, pds, registry }: TestNode): number =>
  plc.requests.length + pds.requests.length + registry.requests.length;

describe.concurrent("policy check", () => {
  it("says that nothing is wrong, with status 0", async () => {
    const path = write("fine", enforcing(world.signer.did));
    const answered = await policy(["check", path, "--no-sandbox"]);
    expect(answered).toMatchObject({ code: 0, stdout: `${path}: 0 errors, 0 warnings; 1 rule, 1 signer\n` });
    expect(answered.stderr).toBe("looking up the identities of 1 signer; --offline skips this\n");
  });

  it("looks at the policy of the configuration where no file is named", async () => {
    expect(await check()).toEqual(["0"]);
    const elsewhere = world.configure({ trustPolicyPath: write("elsewhere", "version: 2\n") }, "elsewhere.yaml");
    expect(headline(await policy(["check", "--config", elsewhere]))).toBe("3 misconfigured policy.invalid");
  });

  it("points at a mistake in the file, and ends with status 3", async () => {
    const path = write("mistaken", 'version: 1.0\npolicies:\n  - name: a\n    scope: "a.example"\n    action: deny\n');
    const answered = await policy(["check", path]);
    expect(headline(answered)).toBe("3 misconfigured policy.invalid");
    expect(answered.stdout).toContain(`: 1 mistake in ${path}\n\n${path}:4:12: policies[0].scope: `);
    expect(answered.stdout).toMatch(/\n {5}4 \| {5}scope: "a\.example"\n {7}\| {12}\^\n$/);
    const said = json(await policy(["check", path, "--output=json"]));
    const place = { file: path, line: 4, column: 12 };
    expect(said).toEqual({
      outcome: "misconfigured",
      code: "policy.invalid",
      reason: expect.stringContaining(`${path}:4:12: `),
      ...place,
      policy: path,
      complete: true,
      mistakes: [{ ...place, key: "policies[0].scope", found: '"a.example"', expected: expect.any(String) }],
    });
  });

  it("reports all mistakes of a policy and its fragments in one run", async () => {
    const path = write(
      "many",
      "version: 1.0\ntrustedDIDs: [alice.example.com]\npolicies:\n  - name: a\n    scope: **\n",
    );
    world.policy("version: 2\nfoo: \u00ef\n", "many/policy.d/a.yaml");
    const text = await policy(["check", path]);
    expect(headline(text)).toBe("3 misconfigured policy.invalid");
    expect(text.stdout).toMatch(/^[ -~\n]+$/);
    expect(text.stdout).toContain(
      "\n  this is a handle; run: atcr-verify identity alice.example.com, which prints its DID\n",
    );
    expect(text.stdout).toContain('\n  put it in quotes: "**"\n');
    const answered = await policy(["check", path, "--output", "json"]);
    expect(answered.code).toBe(3);
    const { mistakes } = json<{ mistakes: Record<string, unknown>[] }>(answered);
    expect(mistakes.map(({ file, line, key }) => [String(file).split("/").at(-1), line, key])).toEqual([
      ["policy.yaml", 2, "trustedDIDs[0]"],
      ["policy.yaml", 4, "policies[0].action"],
      ["policy.yaml", 5, "policies[0].scope"],
      ["a.yaml", 1, "version"],
      ["a.yaml", 2, "foo"],
    ]);
  });

  it("reads the policy from standard input, at most 1 MiB of it", async () => {
    const fine = await policy(["check", "-", "--no-sandbox", "--offline"], { stdin: enforcing(world.signer.did) });
    expect(fine).toMatchObject({ code: 0, stdout: "<stdin>: 0 errors, 0 warnings; 1 rule, 1 signer\n" });
    const wrong = await policy(["check", "-"], { stdin: "version: 2\n" });
    expect(headline(wrong)).toBe("3 misconfigured policy.invalid");
    expect(wrong.stdout).toContain("\n<stdin>:1:10: version: ");
    const large = await policy(["check", "-"], { stdin: "#".repeat(1024 * 1024 + 1) });
    expect(large).toMatchObject({ code: 3, stdout: expect.stringContaining("more than 1048576 bytes") });
    const binary = await policy(["check", "-"], { stdin: Uint8Array.of(0xff) });
    expect(binary).toMatchObject({ code: 3, stdout: expect.stringContaining("is not UTF-8 text") });
    const explained = await policy(["explain", "--policy", "-", "atcr.io/alice.example.com/app"], {
      stdin: enforcing(world.signer.did),
    });
    expect(explained).toMatchObject({ code: 0, stdout: expect.stringMatching(/: enforce, by .* of <stdin>\n/) });
  });

  it("reports a policy of everything wrong, in text and in JSON", async () => {
    const path = write(
      "wrong",
      `version: 1.0
trustedDIDs:
  ${world.signer.did}: { name: "Al\\u00efce", expiresAt: "2020-01-01T00:00:00Z" }
  ${STRANGER}: {}
  did:web:a.example.com: { validFrom: "2999-01-01T00:00:00Z" }
revokedDIDs: [did:web:b.example.com]
policies:
  - name: all
    scope: ["atcr.io/**", "atcr.io/*/app", atcr.io/app]
    action: enforce
    require: { trustedDIDs: [${world.signer.did}, did:web:a.example.com], minSignatures: 2, minKeyAge: 1h }
  - name: never
    scope: atcr.io/alice.example.com/app
    action: deny
  - name: ownerless
    scope: [r.example/x, atcr.io/alice]
    action: enforce
    require: { owner: match, trustedDIDs: [${world.signer.did}] }
`,
    );
    const args = ["check", path, "--offline", "--sandbox-image", "registry.k8s.io/pause:3.10"];
    const text = await policy(args);
    expect(text).toMatchObject({ code: 1, stderr: "" });
    expect(text.stdout).toMatch(/^[ -~\n]+$/);
    expect(text.stdout).toContain(`${path}:12:5: error: rule "never" never applies`);
    expect(text.stdout).toMatch(/\n {4}12 \| {3}- name: never\n {7}\| {5}\^\n/);
    expect(text.stdout).toContain("Al?ce (did:plc:");
    const answered = await policy([...args, "--output", "json"]);
    expect(answered.code).toBe(1);
    const report = json<Report>(answered);
    expect(Object.keys(report)).toEqual(["policy", "errors", "warnings", "strict", "sandboxImage", "findings"]);
    expect(report).toMatchObject({ policy: path, errors: 4, warnings: 12, strict: false });
    expect(report.sandboxImage).toBe("registry.k8s.io/pause:3.10");
    expect(report.findings.map(({ name }) => String(name)).toSorted()).toEqual(
      [
        "key-age-short",
        "key-age-unpinned",
        "revocation-unused",
        "rule-hidden",
        "rule-without-signers",
        "sandbox-refused",
        "scope-hidden",
        "scope-hidden",
        "scope-hidden",
        "scope-matches-nothing",
        "scope-matches-nothing",
        "scope-without-owner",
        "signatures-unreachable",
        "signer-expired",
        "signer-not-yet-valid",
        "signer-unused",
      ].toSorted(),
    );
    for (const finding of report.findings.filter(({ name }) => name !== "sandbox-refused")) {
      const keys = ["severity", "name", "message", "advice", "file", "line", "column"];
      expect(Object.keys(finding).toSorted()).toEqual(keys.toSorted());
    }
  });

  it("ends with 1 for an error, and for a warning only with --strict", async () => {
    const warned = write("warned", enforcing(world.signer.did).replace("{}", '{expiresAt: "2020-01-01T00:00:00Z"}'));
    expect(await check(warned, "--offline")).toEqual(["1", "warning signer-expired", "error rule-without-signers"]);
    const soft = write("soft", `${enforcing(world.signer.did)}revokedDIDs: ["${STRANGER}"]\n`);
    expect(await check(soft, "--offline")).toEqual(["0", "warning revocation-unused"]);
    expect(await check(soft, "--offline", "--strict")).toEqual(["1", "warning revocation-unused"]);
    expect((await policy(["check", soft, "--offline", "--no-sandbox", "--strict"])).code).toBe(1);
  });

  it("warns about the sandbox image that is named, unless there is none", async () => {
    const path = write("sandbox", enforcing(world.signer.did));
    const offline = async (...args: readonly string[]) =>
      json<Report>(await policy(["check", path, "--offline", "--output=json", ...args]));
    expect((await offline("--sandbox-image", "a.example/pause:1")).findings).toMatchObject([
      { name: "sandbox-refused", message: expect.stringContaining("a.example/pause") },
    ]);
    expect(await offline("--no-sandbox")).not.toHaveProperty("sandboxImage");
  });

  it("checks a file that others may write to where a person names it, and says that a pull would not", async () => {
    const path = write("shared", enforcing(world.signer.did));
    chmodSync(path, 0o664);
    expect(await check(path, "--offline")).toEqual(["0", "warning policy-distrusted"]);
    const config = world.configure({ trustPolicyPath: path }, "shared.yaml");
    expect(headline(await policy(["check", "--offline", "--config", config]))).toBe("3 misconfigured policy.invalid");
  });

  it("reads policy.d as a pull does, and names what is not read there", async () => {
    const path = write("fragments", enforcing(world.signer.did));
    const folder = join(world.folder, "fragments/policy.d");
    const rule = (name: string) => `version: 1.0\npolicies: [{name: ${name}, scope: r.example/x, action: deny}]\n`;
    world.write("fragments/policy.d/10-team.yaml", rule("team"));
    world.write("fragments/policy.d/20-other.yaml.bak", "");
    world.write("fragments/policy.d/.hidden", "");
    const answered = await policy(["check", path, "--offline", "--no-sandbox", "--output=json"]);
    expect(json<Report>(answered).findings).toMatchObject([
      { name: "fragment-not-read", message: expect.stringContaining(`${folder}/20-other.yaml.bak is not read`) },
      { name: "rule-hidden", file: `${folder}/10-team.yaml`, line: 2 },
    ]);
  });

  it.each([
    ["two files", ["a", "b"]],
    ["an unknown option", ["--bundle", "x"]],
    ["a sandbox image and none", ["--sandbox-image", "a.example/b", "--no-sandbox"]],
    ["an unknown form of output", ["--output", "xml"]],
  ])("refuses %s", async (_, args) => {
    expect(headline(await policy(["check", ...args]))).toBe("3 misconfigured input.malformed");
  });
});

describe("policy check with the network", () => {
  let own: TestNode;
  beforeAll(async () => {
    own = await TestNode.start();
  });
  afterAll(() => own.stop());
  const ownCheck = async (text: string, ...args: readonly string[]) => {
    const path = own.policy(text, "asked.yaml");
    const answered = await ask(["policy", "check", path, "--no-sandbox", "--output=json", ...args], { env: own.env });
    return { code: answered.code, findings: json<Report>(answered).findings };
  };
  const names = (findings: Report["findings"]) =>
    findings.map(({ severity, name }) => `${String(severity)} ${String(name)}`);

  it("asks nobody with --offline, and the directory alone without", async () => {
    expect(await ownCheck(enforcing(own.signer.did), "--offline")).toEqual({ code: 0, findings: [] });
    expect(requests(own)).toBe(0);
    expect(await ownCheck(enforcing(own.signer.did))).toEqual({ code: 0, findings: [] });
    expect(own.plc.requests.map(({ path }) => path)).toEqual([`/${own.signer.did}/log/audit`]);
    expect(requests(own)).toBe(1);
  });

  it("does not ask for signers who cannot count", async () => {
    const before = requests(own);
    const text = `${enforcing(own.signer.did)}revokedDIDs: ["${own.signer.did}"]\n`;
    expect((await ownCheck(text)).code).toBe(1);
    expect(requests(own)).toBe(before);
  });

  it("finds what is pinned and has changed, and whom the directory does not know", async () => {
    const pinned = enforcing(own.signer.did).replace("{}", '{pds: ["https://other.example"]}');
    const wrong = await ownCheck(pinned);
    expect([wrong.code, ...names(wrong.findings)]).toEqual([1, "error pds-not-pinned"]);
    const stranger = await ownCheck(enforcing(own.signer.did, STRANGER));
    expect([stranger.code, ...names(stranger.findings)]).toEqual([1, "error identity-unknown"]);
  });

  it("finds signers who share a PDS, and a key that is too young", async () => {
    const bob = await Signer.create({
      seed: "bob",
      handle: "bob.example.com",
      pds: own.pds.origin,
      at: own.begun,
      curve: "k256",
    });
    own.plc.add(bob.log);
    const text = enforcing(own.signer.did, bob.did).replace(
      "action: enforce",
      "action: enforce, require: {minSignatures: 2, owner: any, minKeyAge: 72h}",
    );
    expect(names((await ownCheck(text)).findings)).toEqual([
      "warning shared-pds",
      "warning key-age-unpinned",
      "warning key-too-young",
      "warning key-too-young",
    ]);
  });

  it("warns of each identity that cannot be reached, and ends in time", async () => {
    const text = own.policy(enforcing(own.signer.did, STRANGER), "silent.yaml");
    own.plc.override(`/${own.signer.did}`, () => undefined);
    const settings = { ...own.settings, deadline: "1500ms" };
    const config = own.configure(settings, "short.yaml");
    const args = ["policy", "check", text, "--config", config, "--no-sandbox", "--output=json"];
    const answered = await ask(args, { env: own.env });
    // Of the other the directory has said that there is none.
    expect(answered.code).toBe(1);
    expect(json<Report>(answered).findings[0]?.["message"]).toContain("net.deadline");
    expect(names(json<Report>(answered).findings)).toEqual(["warning identity-unresolved", "error identity-unknown"]);
  });
});

describe.concurrent("policy explain", () => {
  it("says which rule applies, why others do not, and what it asks for", async () => {
    const path = write(
      "explained",
      `version: 1.0\ntrustedDIDs: {"${world.signer.did}": {name: Alice}}\npolicies:\n  - {name: first, scope: r.example/a, action: allow}\n  - {name: second, scope: r.example/**, action: enforce, require: {maxAge: 90d, minKeyAge: 72h, maxStaleness: 36h}}\n`,
    );
    const { code, stdout, stderr } = await policy(["explain", "r.example/b:v1", "--policy", path]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(`r.example/b:v1: enforce, by rule "second" of ${path}\n`);
    expect(stdout).toContain(`  Alice (${world.signer.did}): trusted\n`);
    expect(stdout).toContain("maxAge: the record must be at most 90d old\n");
    expect(stdout).toMatch(/^minKeyAge: .* for 72h, and known to this node for as long,/m);
    expect(stdout).toContain("cached evidence at most 36h old counts\n");
    expect(stdout).toContain('Earlier rule "first" does not match:\n  r.example/a: a does not match b\n');
  });

  it("answers in JSON, and says how a short name is read", async () => {
    const answered = await policy(["explain", `nginx@sha256:${HEX}`, "--output", "json"]);
    expect(answered.code).toBe(0);
    const image = `docker.io/library/nginx@sha256:${HEX}`;
    expect(json(answered)).toMatchObject({
      image,
      written: `nginx@sha256:${HEX}`,
      action: "enforce",
      decidedBy: "rule",
      rule: "all",
      requires: { signers: [{ did: world.signer.did, standing: "trusted" }], minSignatures: 1, owner: "any" },
      passedOver: [],
    });
    expect((await policy(["explain", "nginx"])).stdout).toMatch(/^nginx is read as docker\.io\/library\/nginx\n/);
  });

  it("says that lists of digests were not looked at where the name has no digest, and only there", async () => {
    const listing = write("listing", `${enforcing(world.signer.did)}digests: {deny: ["sha256:${HEX}"]}\n`);
    const both = async (image: string, path: string) => {
      const args = ["explain", image, "--policy", path];
      const { stdout } = await policy(args);
      const said = json<{ digestsNotLookedAt?: boolean }>(await policy([...args, "--output=json"]));
      return [stdout.includes("The name has no digest, so the policy's lists of digests"), said.digestsNotLookedAt];
    };
    expect(await both("nginx:1.29", listing)).toEqual([true, true]);
    expect(await both(`nginx@sha256:${HEX}`, listing)).toEqual([false, undefined]);
    expect(await both("nginx:1.29", write("unlisting", enforcing(world.signer.did)))).toEqual([false, undefined]);
  });

  it("says of a tag beside a digest who checks it, and of a name without a handle that it is refused", async () => {
    const path = write(
      "tagged",
      enforcing(world.signer.did).replace("action: enforce", "action: enforce, require: {tag: match}"),
    );
    const lines = async (image: string, file = path) =>
      (await policy(["explain", image, "--policy", file])).stdout.split("\n");
    const line = async (start: string, ...of: readonly [string, string?]) =>
      (await lines(...of)).find((text) => text.startsWith(start));
    const leads = "a record of the signer must map the tag v1 to the digest";
    expect(await line("tag:", "r.example/a:v1")).toBe(`tag: match; ${leads}`);
    expect(await line("tag:", `r.example/a:v1@sha256:${HEX}`)).toBe(
      `tag: match; for "verify", ${leads}; containerd pulls this name by digest, without checking the tag`,
    );
    expect(await line("tag:", `r.example/a@sha256:${HEX}`)).toBe(
      `tag: match; ${leads.replace("the tag v1", "the tag, if the pull has one,")}`,
    );
    expect(await line("owner:", "atcr.io/alice.example.com/a")).toContain("the handle alice.example.com must resolve");
    for (const image of ["atcr.io/a", "atcr.io/alice/a"]) {
      expect(await line("owner:", image)).toBe(
        "owner: match; the image name has no handle, so no signature satisfies this: every pull is refused",
      );
    }
    const audited = write("tagged-audit", enforcing(world.signer.did).replace("action: enforce", "action: audit"));
    expect(await line("owner:", "atcr.io/a", audited)).not.toContain("refused");
  });

  it("names the longest duration where one is longer", async () => {
    const text = enforcing(world.signer.did);
    const long = text.replace("action: enforce", "action: enforce, require: {maxAge: 100000000d}");
    const { stdout } = await policy(["check", write("long", long), "--offline"]);
    expect(stdout).toContain("expected a duration such as 90d, 12h or 1h30m, 292 years at most");
  });

  it.each([
    ["no name", [], "input.malformed"],
    ["two names", ["nginx", "nginx"], "input.malformed"],
    ["a name that is none", ["NGINX"], "image.malformed_reference"],
    ["no policy", ["nginx", "--policy", "/nonexistent"], "policy.invalid"],
  ])("refuses %s", async (_, args, code) => {
    expect(headline(await policy(["explain", ...args]))).toBe(`3 misconfigured ${code}`);
  });
});

describe.concurrent("policy test", () => {
  const cases = (name: string, text: string) => world.write(`${name}/test.yaml`, `version: 1.0\n${text}`);

  it("ends with 0 where all cases hold, seen from the file's own folder", async () => {
    write("held", enforcing(world.signer.did));
    const path = cases("held", "policy: policy.yaml\ncases: [{image: nginx, expect: enforce, rule: all}]\n");
    const answered = await policy(["test", path]);
    expect(answered).toMatchObject({ code: 0, stderr: "" });
    expect(answered.stdout).toBe(
      `ok      nginx: enforce, by rule "all"\n1 passed, 0 failed, against ${join(world.folder, "held/policy.yaml")}\n`,
    );
  });

  it("ends with 1 where one does not, and says what was found", async () => {
    const path = cases(
      "failed",
      "cases:\n  - {image: nginx, expect: enforce}\n  - {image: a.example/b, expect: deny}\n",
    );
    const answered = await policy(["test", path]);
    expect(answered.code).toBe(1);
    expect(answered.stdout).toContain("FAILED  a.example/b (line 4): found enforce, expected deny (enforce, by rule");
    const said = await policy(["test", path, "--output=json"]);
    expect(said.code).toBe(1);
    expect(json(said)).toEqual({
      policy: join(world.folder, "policy.yaml"),
      passed: 1,
      failed: 1,
      cases: [
        { image: "nginx", line: 3, expect: "enforce", action: "enforce", decidedBy: "rule", rule: "all", failures: [] },
        {
          image: "a.example/b",
          line: 4,
          expect: "deny",
          action: "enforce",
          decidedBy: "rule",
          rule: "all",
          failures: ["found enforce, expected deny"],
        },
      ],
    });
  });

  it("takes another policy than the file's", async () => {
    const path = cases("other", "policy: nowhere.yaml\ncases: [{image: nginx, expect: enforce}]\n");
    expect(headline(await policy(["test", path]))).toBe("3 misconfigured policy.invalid");
    expect((await policy(["test", path, "--policy", join(world.folder, "policy.yaml")])).code).toBe(0);
  });

  it("refuses a file without cases, and points at what is wrong in it", async () => {
    const empty = await policy(["test", cases("empty", "cases: []\n")]);
    expect(headline(empty)).toBe("3 misconfigured input.malformed");
    expect(empty.stdout).toMatch(/\n {5}2 \| cases: \[\]\n {7}\| {8}\^\n$/);
    for (const args of [[], ["/nonexistent"], ["a", "b"]]) {
      expect(headline(await policy(["test", ...args]))).toBe("3 misconfigured input.malformed");
    }
  });
});

describe.concurrent("policy", () => {
  it("schema prints the JSON Schema of a policy", async () => {
    const answered = await policy(["schema"], { env: { ATCR_VERIFY_CONFIG: "/nonexistent" } });
    expect(answered).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(answered.stdout)).toHaveProperty("properties.trustedDIDs");
    expect(headline(await policy(["schema", "x"]))).toBe("3 misconfigured input.malformed");
  });

  it.each([
    [[], 'found no command after "policy"'],
    [["Check"], 'unknown command "policy Check"; did you mean policy check?'],
    [["--strict", "chekc"], 'unknown command "policy chekc"; did you mean policy check?'],
    [["lint", "x"], 'unknown command "policy lint"; '],
    [["check", "--policy", "f.yaml"], "write: atcr-verify policy check f.yaml"],
  ])("knows no other command or option: %j", async (args, found) => {
    const answered = await policy(args);
    expect(headline(answered)).toBe("3 misconfigured input.malformed");
    expect(answered.stdout).toContain(found);
  });
});
