import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readBundle } from "../../src/core/evidence/bundle.ts";
import { COMMAND_NAMES, usageOf } from "../../src/frontends/cli/command-table/command-groups.ts";
import { type Answered, accepting, ask, auditing, BINARY, enforcing, headline, TestNode } from "../support/binary.ts";
import { makeTemporaryDirectory, run } from "../support/process.ts";
import { missingRoot, requirement } from "../support/requirement.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

const MALFORMED = "3 misconfigured input.malformed";
const HEX = "a1".repeat(32);

let world: TestNode;
let image: Descriptor;
let unsigned: Descriptor;
/** Allows everything on Docker Hub, and denies the rest: no network is needed. */
let hub: string;

beforeAll(async () => {
  world = await TestNode.start();
  image = await world.image("signed");
  unsigned = await world.image("unsigned", { signed: false });
  hub = world.policy(
    'version: 1\ntrustedDIDs: [did:web:a.example]\npolicies: [{name: hub, scope: "docker.io/library/nginx", action: allow}]\n',
    "hub.yaml",
  );
});
afterAll(() => world.stop());

interface Report {
  readonly outcome: string;
  readonly code: string;
  readonly reason: string;
  readonly image?: string;
  readonly digest?: string;
  readonly rule?: string;
  readonly ruleFile?: string;
  readonly ruleLine?: number;
  readonly policy?: { readonly path: string; readonly sha256: string; readonly rule: string; readonly line: number };
  readonly signature?: Record<string, string>;
  readonly ms?: Record<string, number>;
  readonly requests?: Record<string, number>;
  readonly would?: { readonly outcome: string; readonly code: string };
  readonly signatures: readonly Record<string, string>[];
  readonly findings: readonly Record<string, string>[];
}

/** What was judged, without how. */
/** Without what differs between evidence of now and the same evidence from a bundle. */
function offlineJudgement(answer: Report): Partial<Report> {
  const ofNow = ["cache", "notes", "policy", "ruleFile", "verifiedAt", "reason", "requested"];
  return Object.fromEntries(Object.entries(judgement(answer)).filter(([key]) => !ofNow.includes(key)));
}

function judgement({ ms, requests, ...rest }: Report): Partial<Report> {
  expect([ms, requests]).toEqual([expect.any(Object), expect.any(Object)]);
  return rest;
}

function hash(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

/** One JSON object in printable ASCII, and a newline. */
function report({ stdout, code }: Answered): Report {
  expect(stdout).toMatch(/^\{\n[ -~\n]*\n\}\n$/);
  const json = JSON.parse(stdout) as Report;
  // What is only audited is no success for a person.
  const { outcome } = json.would ?? json;
  expect(code).toBe(["allow", "deny", "inconclusive", "misconfigured", "internal"].indexOf(outcome));
  expect(json.reason.startsWith(`${json.outcome} ${json.code}: `)).toBe(true);
  return json;
}

const nameOf = (descriptor: Descriptor) => `${world.name}@${descriptor.digest}`;

describe.concurrent("commands", () => {
  it("--version says name and version, --help how to use it, and nothing else is read or asked", async () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8")) as {
      version: string;
    };
    const asked = await ask(["--version"], { env: { ATCR_VERIFY_CONFIG: "/nonexistent" } });
    expect(asked).toMatchObject({ code: 0, stdout: `atcr-verify ${version}\n`, stderr: "" });
    for (const help of [["help"], ["--help"], ["-h"], ["-help"]]) {
      const { code, stdout, stderr } = await ask(help, { stdin: null });
      expect({ help, code, stderr }).toEqual({ help, code: 0, stderr: "" });
      for (const name of COMMAND_NAMES) expect(stdout).toContain(`\n  ${name} `);
    }
  });

  it.each(COMMAND_NAMES)("have a page of their own, which reads nothing and fits 80 columns: %s", async (name) => {
    const words = name.split(" ");
    const [page, ...others] = await Promise.all(
      [
        ["help", ...words],
        [...words, "--help"],
        [...words, "-h"],
        ["--help", ...words],
      ].map((args) => ask(args, { stdin: null, env: { ATCR_VERIFY_CONFIG: "/nonexistent" } })),
    );
    expect(page).toMatchObject({ code: 0, stderr: "" });
    expect(page?.stdout).toContain(`Usage: atcr-verify ${usageOf(name)}\n`);
    expect(page?.stdout).toMatch(/^[ -~\n]+$/);
    expect(page?.stdout.split("\n").filter((line) => line.length > 80)).toEqual([]);
    for (const { code, stdout } of others) expect({ code, stdout }).toEqual({ code: 0, stdout: page?.stdout });
  });

  it.each([
    ["unknown"],
    ["Verify"],
    ["-v"],
    ["-"],
    ["--"],
    [""],
    ["--verify"],
    ["--versions"],
    ["--eval", "1"],
    ["-e", "1"],
  ])("are known by name: %j is none", async (...args) => {
    const answered = await ask(args.filter((arg) => typeof arg === "string"));
    expect(headline(answered)).toBe(MALFORMED);
    expect(answered.stdout).toMatch(/; did you mean |; see atcr-verify --help/);
  });

  it("are suggested where an image stands in their place without what only an image has", async () => {
    const bare = await ask(["nginx"]);
    expect(headline(bare)).toBe(MALFORMED);
    expect(bare.stdout).toContain("to verify an image of that name: atcr-verify verify nginx");
  });

  it("print no help beside anything else, for 0 is what an image that may be used ends with", async () => {
    for (const command of ["verify", "identity", "state show", "policy check"]) {
      for (const args of [
        ["a.example/b", "--help"],
        ["--help", "a.example/b"],
        ["--", "--help"],
      ]) {
        expect((await ask([...command.split(" "), ...args])).code).toBe(3);
      }
    }
    expect(headline(await ask(["unknown", "--help"]))).toBe(MALFORMED);
    expect(headline(await ask(["help", "verify", "a.example/b"]))).toBe(MALFORMED);
    expect(headline(await ask(["verify", "--config", "c", "--help"]))).toBe(MALFORMED);
  });

  it("take their options before their name as well", async () => {
    const args = ["--config", world.env["ATCR_VERIFY_CONFIG"] ?? "", "verify", nameOf(image), "--output=json"];
    expect(report(await ask(args, { env: world.env }))).toMatchObject({ outcome: "allow", code: "signed" });
    expect(headline(await ask(["--strict", "verify", nameOf(image)]))).toBe(MALFORMED);
  });

  it("suggest what was most likely meant", async () => {
    for (const [args, meant] of [
      [["verfy"], "did you mean verify?"],
      [["doctor", "--prob"], "did you mean --probe?"],
      [["--confg", "c", "verify"], "did you mean --config?"],
      [["policy", "chek"], "did you mean policy check?"],
    ] as const) {
      const answered = await ask(args);
      expect(headline(answered)).toBe(MALFORMED);
      expect(answered.stdout).toContain(meant);
    }
  });

  it("point at a mistake in a policy or configuration", async () => {
    const wrong = world.policy("version: 1\n  x: [", "pointed.yaml");
    const broken = 'unknown: "x"\n';
    const config = world.write("pointed.config.yaml", broken);
    const frame = /\n {5}1 \| unknown: "x"\n {7}\| \^\n$/;
    const at = { file: config, line: 1, column: 1 };
    for (const args of [
      ["verify", nameOf(image)],
      ["identity", "did:web:a.example"],
      ["state", "show"],
      ["policy", "check"],
    ]) {
      const asked = [...args, "--config", config];
      const text = await ask(asked);
      expect([args, headline(text)]).toEqual([args, "3 misconfigured config.invalid"]);
      expect(text.stdout).toMatch(frame);
      expect(report(await ask([...asked, "--output=json"]))).toMatchObject(at);
    }
    const byPolicy = await world.verify([nameOf(image), "--policy", wrong]);
    expect(byPolicy.stdout).toMatch(/\n +\| +\^\n$/);
    expect(report(await world.verify([nameOf(image), "--policy", wrong, "--output=json"]))).toMatchObject({
      file: wrong,
    });
    // At containerd's door one line is all there is.
    const pulled = await world.pull(world.name, image, { env: { ATCR_VERIFY_CONFIG: config } });
    expect(pulled.stdout).toMatch(/^misconfigured config\.invalid: [ -~]+\n$/);
  });

  it("are expected at a terminal, where nobody pipes a question in", async () => {
    const { code, stdout } = await run(
      "script",
      ["--quiet", "--return", "--command", process.env["ATCR_VERIFY_BINARY"] ?? "dist/atcr-verify", "/dev/null"],
      {
        cwd: join(import.meta.dirname, "../.."),
        timeout: 5000,
      },
    );
    expect(code).toBe(3);
    expect(stdout).toContain("Usage: atcr-verify IMAGE... [options]");
  });

  it.each([
    ["in colour", "", true],
    ["without colour where NO_COLOR is set", "NO_COLOR=1", false],
    ["without colour on a terminal that has none", "TERM=dumb", false],
  ])("fold their text to the terminal: %s", async (_, setting, hasColour) => {
    const { stdout } = await run("script", [
      "--quiet",
      "--command",
      `stty cols 70; TERM=xterm ${setting} ${BINARY} unheard`,
      "/dev/null",
    ]);
    const lines = stdout.trimEnd().split("\r\n");
    expect(lines.length).toBeGreaterThan(2);
    const plain = stripVTControlCharacters(stdout);
    expect(plain !== stdout).toBe(hasColour);
    expect(plain.split("\r\n").filter((line) => line.length > 70)).toEqual([]);
    // A pipe gets one line, without colour.
    expect((await ask(["unheard"])).stdout).toMatch(/^[ -~]+\n$/);
  });
});

describe.concurrent("verify", () => {
  it("answers in text: the reason line, then what was found", async () => {
    const allowed = await world.verify([nameOf(image)]);
    expect(headline(allowed)).toBe("0 allow signed");
    const [first = "", ...rows] = allowed.stdout.trimEnd().split("\n");
    expect(first).toContain(`${image.digest} is signed by ${world.signer.did} (rule "all")`);
    expect(rows.map((row) => row.slice(2, 15).trim())).toEqual([
      "image",
      "digest",
      "signer",
      "key",
      "signed",
      "PDS",
      "rule",
      "checked",
      "not checked",
      "use",
    ]);
    expect(allowed.stdout).toMatch(/\n {2}key {10}did:key:z\w+ {2}since \d{4}-\d\d-\d\d \(\d+ days?\)\n/);
    expect(allowed.stdout).toMatch(/\n {2}signed {7}\S+Z \(claimed by the signer\) {2}repository "app" {2}rev \w+\n/);
    expect(allowed.stdout).toMatch(new RegExp(`\n {2}rule {9}${join(world.folder, "policy.yaml")}:\\d+ {2}all\n`));
    expect(allowed.stdout).toContain(`\n  use          ${nameOf(image).replace(/:\w+@/, "@")}\n`);
    const refused = await world.verify([nameOf(unsigned)]);
    expect(headline(refused)).toBe("1 deny signature.none");
    expect(refused.stdout).toMatch(/\n {2}do {11}ask the publisher to sign exactly this digest/);
    // The same sentence never twice.
    const [reason = ""] = refused.stdout.split("\n");
    expect(refused.stdout.split(reason.replace(/^.*?: /, ""))).toHaveLength(2);
  });

  it("answers in JSON, with stable keys", async () => {
    const keys = [
      "schema",
      "outcome",
      "code",
      "reason",
      "allowed",
      "verified",
      "exitStatus",
      "requested",
      "image",
      "digest",
      "reference",
      "rule",
      "ruleFile",
      "ruleLine",
      "policy",
      "cache",
      "ms",
      "requests",
      "signatures",
      "notes",
      "findings",
      "advice",
      "warnings",
    ];
    const allowed = report(await world.verify([nameOf(image), "--output", "json"]));
    expect(Object.keys(allowed)).toEqual(keys.toSpliced(11, 0, "signature"));
    expect(allowed).toMatchObject({ schema: "atcr-verify/verify/1", allowed: true, verified: true, exitStatus: 0 });
    expect(allowed.signature).toEqual({
      did: world.signer.did,
      handle: expect.any(String),
      signedAt: expect.stringMatching(/Z$/),
      commitCid: expect.stringMatching(/^bafyrei/),
      pdsEndpoint: world.pds.origin,
    });
    expect(allowed).toMatchObject({
      outcome: "allow",
      code: "signed",
      image: nameOf(image),
      digest: image.digest,
      rule: "all",
      findings: [],
    });
    expect(Object.keys(allowed.signatures[0] ?? {})).toEqual([
      "signer",
      "handles",
      "key",
      "keySince",
      "pds",
      "rev",
      "commitCid",
      "repository",
      "createdAt",
      "checks",
    ]);
    const refused = report(await world.verify([nameOf(unsigned), "--output=json"]));
    expect(Object.keys(refused)).toEqual(keys.toSpliced(11, 0, "error"));
    expect(refused).toMatchObject({ allowed: false, verified: false, exitStatus: 1 });
    expect(allowed).toMatchObject({
      cache: "none",
      requests: { directory: 1, pds: 1 },
      ms: { total: expect.any(Number) },
    });
    const path = join(world.folder, "policy.yaml");
    expect(allowed.policy).toEqual({ path, sha256: hash(path), rule: "all", line: refused.ruleLine });
    expect(refused.policy).toEqual(allowed.policy);
    expect(refused).toMatchObject({ outcome: "deny", code: "signature.none", rule: "all", signatures: [] });
    expect(refused).toMatchObject({ ruleFile: join(world.folder, "policy.yaml"), ruleLine: expect.any(Number) });
    expect(refused.findings).toEqual([
      { signer: world.signer.did, code: "signature.none", detail: expect.any(String) },
    ]);
    const policy = world.policy(auditing(world.signer.did), "auditing.yaml");
    const audited = report(await world.verify([nameOf(unsigned), "--output=json", "--policy", policy]));
    expect(audited).toMatchObject({ outcome: "allow", code: "audited", rule: "all", signatures: [] });
    expect(audited).toMatchObject({ ruleFile: policy, ruleLine: refused.ruleLine });
    expect(audited.findings).toHaveLength(1);
  });

  it("answers in JSON also when it is asked wrongly", async () => {
    const policy = world.policy("version: 2", "invalid.yaml");
    for (const [args, code, known] of [
      [[], "input.malformed", false],
      [["Nginx@x"], "image.malformed_reference", false],
      [[`nginx@sha512:${HEX}`], "input.unsupported_digest", false],
      [[nameOf(image), "--unknown"], "input.malformed", false],
      [[nameOf(image), "--policy", policy], "policy.invalid", true],
      [[nameOf(image), "--config", policy], "config.invalid", true],
      [[nameOf(image), "--offline"], "input.malformed", true],
      [[nameOf(image), "--offline", "--bundle", policy], "bundle.malformed", true],
    ] as const) {
      const said = report(await world.verify([...args, "--output", "json"]));
      expect(said).toMatchObject({ outcome: "misconfigured", code, verified: false });
      expect(said.digest).toBe(known ? image.digest : undefined);
    }
  });

  it("writes hostile text in JSON escaped", async () => {
    const descriptor = await world.image("hostile", { signed: false });
    const repository = "\x1b[2J\n\x7f\u009b31m\u202e\ud83d\ude00";
    await world.signer.sign(descriptor.digest, repository, world.begun + 100_000);
    const said = report(await world.verify([nameOf(descriptor), "--output", "json"]));
    expect(said.code).toBe("record.wrong_repository");
    expect(said.reason).toMatch(/^[ -~]+$/);
    expect(said.findings[0]?.["detail"]).toContain(repository);
  });

  it.each<[string, readonly string[]]>([
    ["no name", []],
    ["an unknown option", ["@", "--unknown"]],
    ["a short option", ["@", "-p"]],
    ["one dash", ["@", "-policy", "x"]],
    ["an option by inheritance", ["@", "--constructor", "x"]],
    ["an option twice", ["@", "--policy", "a", "--policy=a"]],
    ["a flag twice", ["@", "--offline", "--offline", "--bundle", "x"]],
    ["a flag with a value", ["@", "--offline=true", "--bundle", "x"]],
    ["an option without its value", ["@", "--policy"]],
    ["an option with an empty value", ["@", "--policy="]],
    ["an option with an empty word", ["@", "--policy", ""]],
    ["an unknown form of output", ["@", "--output", "xml"]],
    ["no form of output", ["@", "--output"]],
    ["an empty form of output", ["@", "--output="]],
    ["two forms of output", ["@", "--output", "json", "--output", "text"]],
    ["--offline without --bundle", ["@", "--offline"]],
    ["--bundle without --offline", ["@", "--bundle", "x"]],
    ["--at without --offline", ["@", "--at", "2026-01-01T00:00:00Z"]],
    ["--save-evidence with --offline", ["@", "--offline", "--bundle", "x", "--save-evidence", "y"]],
    ["a time that is none", ["@", "--offline", "--bundle", "x", "--at", "yesterday"]],
    ["a day that is none", ["@", "--offline", "--bundle", "x", "--at", "2026-02-30T00:00:00Z"]],
  ])("refuses %s", async (_, args) => {
    const answered = await world.verify(args.map((arg) => (arg === "@" ? nameOf(image) : arg)));
    const isJson = answered.stdout.startsWith("{");
    expect(isJson ? `${answered.code} misconfigured ${report(answered).code}` : headline(answered)).toBe(MALFORMED);
  });

  it("takes options before and behind the name, and a name behind --", async () => {
    expect(headline(await world.verify(["--policy", hub, `nginx@sha256:${HEX}`]))).toBe("0 allow exempt");
    expect(headline(await world.verify([`--policy=${hub}`, "--", `nginx@sha256:${HEX}`]))).toBe("0 allow exempt");
  });

  it.each([
    "nginx",
    "nginx:latest",
    "docker.io/nginx",
    "library/nginx",
    "index.docker.io/library/nginx",
    "registry-1.docker.io/nginx",
  ])("normalises short and alias forms: %s", async (name) => {
    const said = report(await world.verify([`${name}@sha256:${HEX}`, "--policy", hub, "--output", "json"]));
    expect(said).toMatchObject({ outcome: "allow", code: "exempt" });
    expect(said.image).toMatch(/^docker\.io\/library\/nginx[:@]/);
  });

  it.each([
    "LOCALHOST:5000/app",
    "localhost:5000/../app",
    "user@localhost:5000/app",
    "localhost:5000//app",
    "nginx/",
    "NGINX",
  ])("repairs nothing else: %s", async (name) => {
    expect(headline(await world.verify([`${name}@sha256:${HEX}`, "--policy", hub]))).toBe(
      "3 misconfigured image.malformed_reference",
    );
  });

  it("takes the policy and the configuration that it is given, before those of the environment", async () => {
    const elsewhere = world.configure({ trustPolicyPath: hub }, "elsewhere.yaml");
    expect(headline(await world.verify([nameOf(image), "--config", elsewhere]))).toBe("1 deny policy.no_match");
    expect(headline(await world.verify([nameOf(image), "--policy", hub]))).toBe("1 deny policy.no_match");
    const relative = { cwd: world.folder };
    expect(
      headline(await world.verify([nameOf(image), "--policy", "hub.yaml", "--config=./elsewhere.yaml"], relative)),
    ).toBe("1 deny policy.no_match");
    const missing = await world.verify([nameOf(image), "--config", "/nonexistent"]);
    expect(headline(missing)).toBe("3 misconfigured config.invalid");
    expect(missing.stdout).toContain("--config");
  });

  it("compares a media type only where one is given", async () => {
    const type = "application/vnd.oci.image.index.v1+json";
    expect(headline(await world.verify([nameOf(image), "--media-type", type]))).toBe(
      "1 deny record.media_type_mismatch",
    );
    const own = await world.verify([nameOf(image), "--media-type", image.mediaType]);
    expect([headline(own), own.stderr]).toEqual(["0 allow signed", ""]);
    const mistyped = await world.verify([nameOf(image), "--media-type", `${image.mediaType}x`]);
    const options = ["--media-type", `${image.mediaType}x`, "--output", "json"];
    const { warnings } = JSON.parse((await world.verify([nameOf(image), ...options])).stdout) as { warnings: unknown };
    expect(warnings).toEqual([{ code: "input.unknown_media_type", message: expect.stringContaining("x") }]);
    expect([headline(mistyped), mistyped.stderr]).toEqual([
      "0 allow signed",
      expect.stringMatching(/^warning input\.unknown_media_type: .*\n$/),
    ]);
  });

  it("does not read the standard input", async () => {
    const answered = await world.verify([nameOf(image)], { stdin: null });
    expect(headline(answered)).toBe("0 allow signed");
  });
});

const unshare = ["unshare", "--map-root-user", "--net"];
const canUnshare = (await run("unshare", ["--map-root-user", "--net", "true"])).code === 0;
const missing = canUnshare ? undefined : "let `unshare -rn` work: user namespaces must be allowed";
const asOther = missingRoot("setpriv gives it another user's id");
const asRoot = missingRoot("in an ordinary user's namespace / belongs to nobody, and no file below it is trusted");

describe.concurrent("files that a person names", () => {
  const policyText = () => enforcing(world.signer.did);

  it("may be writable by others, which a pull would refuse", async () => {
    const policy = world.write("checkout/policy.yaml", policyText(), 0o664);
    const config = world.configure({ ...world.settings, trustPolicyPath: policy }, "checkout.yaml");
    const named = await world.verify([nameOf(image), "--policy", policy]);
    expect(headline(named)).toBe("0 allow signed");
    expect(named.stderr).toContain("a pull would refuse it");
    const configured = await world.verify([nameOf(image), "--config", config]);
    expect(headline(configured)).toBe("3 misconfigured policy.invalid");
    const pulled = await world.pull(world.name, image, { env: { ...world.env, ATCR_VERIFY_CONFIG: config } });
    expect(headline(pulled)).toBe("3 misconfigured policy.invalid");
  });

  it("are warned of once, with owner, mode and hash; a hash that was given is enough", async () => {
    const policy = world.write("once/policy.yaml", policyText(), 0o664);
    const ask = async (...more: string[]) => world.verify([nameOf(image), "--policy", policy, ...more]);
    const warnings = async (...more: string[]) => (await ask(...more)).stderr.split("\n").slice(0, -1);
    const about = `(owner ${process.getuid?.()}, mode 664, SHA-256 ${hash(policy)})`;
    const [only, ...others] = await warnings();
    expect([only, others]).toEqual([
      expect.stringMatching(/^warning settings\.distrusted: .*policy\.yaml can be written by others \(mode 664\); /),
      [],
    ]);
    expect(only).toContain(about);
    expect(await warnings("--policy-sha256", hash(policy))).toEqual([]);
    chmodSync(join(world.folder, "once"), 0o777);
    expect(await warnings()).toEqual([expect.stringContaining(about)]);
    for (const wrong of ["00".repeat(32), hash(policy).toUpperCase(), "0"]) {
      expect(headline(await ask("--policy-sha256", wrong))).toBe(MALFORMED);
    }
    expect(headline(await world.verify([nameOf(image), "--policy-sha256", hash(policy)]))).toBe(MALFORMED);
  });

  it("have fragments that nobody else can change, or are refused", async () => {
    const policy = world.write("parts/policy.yaml", policyText(), 0o664);
    const part = world.write(
      "parts/policy.d/10-more.yaml",
      "{version: 1, policies: [{name: a, scope: a.example/**, action: deny}]}",
    );
    const ask = async () => headline(await world.verify([nameOf(image), "--policy", policy]));
    expect(await ask()).toBe("0 allow signed");
    chmodSync(part, 0o664);
    expect(await ask()).toBe("3 misconfigured policy.invalid");
    chmodSync(part, 0o644);
    chmodSync(join(world.folder, "parts"), 0o777);
    expect(await ask()).toBe("3 misconfigured policy.invalid");
  });

  it("may be a configuration, too; one that the environment names may not", async () => {
    const policy = world.write("strict/policy.yaml", policyText());
    const config = world.configure({ ...world.settings, trustPolicyPath: policy }, "open.yaml");
    chmodSync(config, 0o666);
    const named = await world.verify([nameOf(image), "--config", config]);
    expect(headline(named)).toBe("0 allow signed");
    expect(named.stderr).toContain("a pull would refuse it");
    const env = { ...world.env, ATCR_VERIFY_CONFIG: config };
    expect(headline(await world.verify([nameOf(image)], { env }))).toBe("3 misconfigured config.invalid");
    expect(headline(await world.pull(world.name, image, { env }))).toBe("3 misconfigured config.invalid");
  });

  it.runIf(requirement("verify as an ordinary user", asOther))(
    "are enough for an ordinary user, who is told once what is not used",
    async () => {
      const folder = makeTemporaryDirectory("ordinary");
      chmodSync(folder, 0o755);
      const [state, cache] = ["state", "cache"].map((name) => join(folder, name));
      for (const path of [state, cache]) mkdirSync(path ?? "", { mode: 0o700 });
      const config = join(folder, "config.yaml");
      const settings = { ...world.settings, cacheEnabled: true, stateDir: state, cacheDir: cache };
      writeFileSync(config, JSON.stringify({ ...settings, trustPolicyPath: join(folder, "policy.yaml") }));
      writeFileSync(join(folder, "policy.yaml"), policyText());
      const authority = join(folder, "ca.pem");
      writeFileSync(authority, world.authority.cert);
      const through = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
      const env = { SSL_CERT_FILE: authority, ATCR_VERIFY_CONFIG: config };
      // Nobody but root may be able to reach the one that was built.
      const binary = join(folder, "atcr-verify");
      copyFileSync(BINARY, binary);
      const { stderr, ...answered } = await world.verify([nameOf(image)], { through, env, binary });
      rmSync(folder, { recursive: true });
      expect(headline({ stderr, ...answered })).toBe("0 allow signed");
      expect(stderr).toBe(
        `warning access.denied: this user may not read and write the signer history (${state}) and the cache (${cache}) of this node, so nothing there is used; run this as root\n`,
      );
    },
  );
});

describe.concurrent("saved evidence", () => {
  /** A policy under which evidence from outside counts. */
  let taking: string;
  // Once: a process would read half of what another test writes again.
  beforeAll(() => {
    taking = world.policy(accepting(world.signer.did), "accepting.yaml");
  });

  /** What `verify` answers with the network, and saves on the way. */
  async function saved(descriptor: Descriptor, name: string) {
    const bundle = join(world.folder, name);
    const answered = await world.verify([nameOf(descriptor), "--output=json", "--save-evidence", bundle]);
    expect(answered.stderr).toBe("");
    return { bundle, online: report(answered) };
  }

  it.runIf(requirement("saved evidence without a network", missing, asRoot))(
    "gives the same verdict without a network",
    async () => {
      for (const [descriptor, outcome] of [
        [image, "allow"],
        [unsigned, "deny"],
      ] as const) {
        const { bundle, online } = await saved(descriptor, `${outcome}.json`);
        expect(online.outcome).toBe(outcome);
        const args = [nameOf(descriptor), "--output=json", "--offline", "--bundle", bundle, "--policy", taking];
        const env = { ...world.env, PATH: "/usr/bin:/bin" };
        expect(offlineJudgement(report(await world.verify(args, { through: unshare, env })))).toEqual(
          offlineJudgement(online),
        );
      }
    },
  );

  it("asks nobody offline, and keeps what could not be had", async () => {
    const config = world.configure({ ...world.settings, plcDirectories: ["https://127.0.0.1:1"] }, "nowhere.yaml");
    const bundle = join(world.folder, "gap.json");
    const online = report(
      await world.verify([nameOf(image), "--output=json", "--config", config, "--save-evidence", bundle]),
    );
    expect(online).toMatchObject({ outcome: "inconclusive", code: "identity.unreachable" });
    const offline = report(
      await world.verify([nameOf(image), "--output=json", "--offline", "--bundle", bundle, "--policy", taking]),
    );
    expect(offlineJudgement(offline)).toEqual(offlineJudgement(online));
    expect(offline.requests).toEqual({});
  });

  it("is judged as of the time that is asked for", async () => {
    const { bundle } = await saved(image, "at.json");
    const end = new Date(Date.now() + 86_400_000).toISOString();
    const policy = world.policy(
      `version: 1\ntrustedDIDs: {"${world.signer.did}": {expiresAt: "${end}"}}\npolicies: [{name: all, scope: "**/*", action: enforce, require: {offlineFor: 30d}}]\n`,
      "expiring.yaml",
    );
    const at = (time: string) =>
      world.verify([nameOf(image), "--offline", "--bundle", bundle, "--policy", policy, "--at", time]);
    expect(headline(await at(new Date().toISOString()))).toBe("0 allow signed");
    expect(headline(await at(end))).toBe("1 deny signer.expired");
    expect(headline(await at("2100-01-01T00:00:00Z"))).toBe("2 inconclusive bundle.expired");
    expect(headline(await at("2000-01-01T00:00:00Z"))).toBe("2 inconclusive bundle.not_accepted");
  });

  it("is about one digest, and read strictly", async () => {
    const { bundle } = await saved(image, "strict.json");
    const judge = async (name: string, file = bundle) =>
      headline(await world.verify([name, "--offline", "--bundle", file]));
    expect(await judge(nameOf(unsigned))).toBe("3 misconfigured input.digest_mismatch");
    const broken = world.write("broken.json", readFileSync(bundle, "utf8").slice(0, -20));
    expect(await judge(nameOf(image), broken)).toBe("3 misconfigured bundle.malformed");
    expect(await judge(nameOf(image), join(world.folder, "none.json"))).toBe("3 misconfigured bundle.malformed");
    expect(await judge(nameOf(image), world.folder)).toBe("3 misconfigured bundle.malformed");
    expect(await judge(nameOf(image), "/dev/null")).toBe("3 misconfigured bundle.malformed");
    expect(await judge(nameOf(image), "/dev/zero")).toBe("3 misconfigured bundle.malformed");
  });

  it("replaces a file whole, and leaves nothing else behind", async () => {
    const folder = join(world.folder, "replaced");
    mkdirSync(folder);
    world.write("replaced/evidence.json", "old");
    await saved(image, "replaced/evidence.json");
    expect(readdirSync(folder)).toEqual(["evidence.json"]);
    const { bundle } = readBundle(readFileSync(join(folder, "evidence.json")));
    expect(bundle.images.map(({ digest, names }) => ({ digest, names }))).toEqual([
      { digest: image.digest, names: [world.name] },
    ]);
  });

  it("that cannot be saved is refused before anything is asked, and changes no device, folder or link", async () => {
    const folder = join(world.folder, "unsaved");
    mkdirSync(join(folder, "folder"), { recursive: true });
    symlinkSync("/dev/null", join(folder, "link"));
    for (const path of ["folder", "link", "missing/evidence.json"].map((name) => join(folder, name))) {
      const answered = await world.verify([nameOf(image), "--save-evidence", path]);
      expect(headline(answered)).toBe("3 misconfigured input.malformed");
      expect(answered.stdout).toContain(`--save-evidence ${path}: `);
    }
    expect(readdirSync(folder).toSorted()).toEqual(["folder", "link"]);
    expect(lstatSync(join(folder, "link")).isSymbolicLink()).toBe(true);
    expect(existsSync(join(folder, "missing"))).toBe(false);
  });

  it("of a verification that failed does not take the place of what was saved before", async () => {
    const path = world.write("earlier/evidence.json", "earlier");
    const network = { ...(world.settings["network"] as object), caFiles: [join(world.folder, "missing.pem")] };
    const config = world.configure({ ...world.settings, network }, "missing-authority.yaml");
    const answered = await world.verify([nameOf(image), "--config", config, "--save-evidence", path]);
    expect(headline(answered)).toBe("3 misconfigured config.invalid");
    expect(answered.stderr).toContain(`the evidence was not saved to ${path}: `);
    expect(readFileSync(path, "utf8")).toBe("earlier");
  });

  it("that does not fit leaves nothing behind", async () => {
    const path = join(world.folder, "full", "evidence.json");
    mkdirSync(join(world.folder, "full"));
    const through = ["/bin/sh", "-c", "trap '' XFSZ; ulimit -f 1; exec \"$@\"", "sh"];
    const answered = await world.verify([nameOf(image), "--save-evidence", path], { through });
    expect(headline(answered)).toBe("4 allow signed");
    expect(answered.stderr).toContain(`the evidence was not saved to ${path}: `);
    expect(readdirSync(join(world.folder, "full"))).toEqual([]);
  });

  it("goes into a new file, and not through a link that somebody has put in its place", async () => {
    const folder = join(world.folder, "trap");
    const victim = world.write("trap/victim", "untouched");
    // The name of the temporary file follows from the process: the shell takes its place by exec.
    const through = ["/bin/sh", "-c", 'ln -s victim "$0.$$.tmp"; exec "$@"', join(folder, "evidence.json")];
    const answered = await world.verify([nameOf(image), "--save-evidence", join(folder, "evidence.json")], { through });
    expect(headline(answered)).toBe("4 allow signed");
    expect(answered.stderr).toContain("was not saved");
    expect(readFileSync(victim, "utf8")).toBe("untouched");
  });
});
