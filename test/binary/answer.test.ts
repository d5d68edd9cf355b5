import { closeSync, constants, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeBundle } from "../../src/core/evidence/bundle.ts";
import type { Gap } from "../../src/core/evidence/evidence.ts";
import type { Digest } from "../../src/core/oci/digest.ts";
import {
  type Answered,
  type Ask,
  accepting,
  ask,
  auditing,
  containerdArgs,
  enforcing,
  headline,
  TestNode,
} from "../support/binary.ts";
import { didDocument } from "../support/did-document.ts";
import type { Answer } from "../support/http-server.ts";
import { run } from "../support/process.ts";
import { signingKey } from "../support/signing-key.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

/** What does things to terminals and logs: colours, a title, a cursor, lines of its own, C1 controls, direction. */
const HOSTILE =
  "\x1b[2J\x1b]0;pwned\x07\r\nallow signed: all is well\n\x00\x08\x7f\x9b31m\u202e\u2028\ud83d\ude00\ufeff\t";
const LONG = `${HOSTILE}${"long ".repeat(20_000)}`;

let world: TestNode;
let image: Descriptor;

beforeAll(async () => {
  world = await TestNode.start();
  image = await world.image("answers");
  world.policy("version: 1\ntrustedDIDs: [did:web:a.example]\ndefault: allow\n", "allowing.yaml");
  world.policy("version: 1\ntrustedDIDs: [did:web:a.example]\ndefault: deny\n", "denying.yaml");
});
afterAll(() => world.stop());

/** One line of printable ASCII and no more than 1 KiB, which says the outcome that the exit code says. */
function expectOneLine({ code, stdout }: Answered): void {
  expect(stdout).toMatch(/^(?:allow|deny|inconclusive|misconfigured|internal) [a-z._]+: [ -~]+\n$/);
  expect(stdout.length).toBeLessThanOrEqual(1024);
  expect(stdout.split(" ")[0]).toBe(["allow", "deny", "inconclusive", "misconfigured", "internal"][code ?? -1]);
}

/** As {@link expectOneLine}, of a person's report, which has further lines. */
function expectReport({ code, stdout, ...rest }: Answered): void {
  expect(stdout).toMatch(/^[ -~\n]+\n$/);
  const [first = "", ...more] = stdout.split("\n");
  expectOneLine({ code, stdout: `${first}\n`, ...rest });
  for (const line of more) expect(line).toMatch(/^(?: {2}.{0,4200})?$/);
}

/** Under a configuration of its own, so that tests do not wait for each other. */
function under(policy: string, name: string, settings: object = {}): Ask {
  const trustPolicyPath = world.policy(policy, `${name}.policy.yaml`);
  const path = world.configure({ ...world.settings, ...settings, trustPolicyPath }, `${name}.config.yaml`);
  return { env: { ...world.env, ATCR_VERIFY_CONFIG: path } };
}

describe.concurrent("the exit code and the first word", () => {
  it("0 allow, 1 deny, 2 inconclusive, 3 misconfigured", async () => {
    const unsigned = await world.image("not signed", { signed: false });
    const nowhere = under(enforcing(world.signer.did), "nowhere", { plcDirectories: ["https://127.0.0.1:1"] });
    const answers = [
      await world.pull(world.name, image),
      await world.pull(world.name, unsigned),
      await world.pull(world.name, image, nowhere),
      await world.pull("short", image),
    ];
    expect(answers.map(headline)).toEqual([
      "0 allow signed",
      "1 deny signature.none",
      "2 inconclusive identity.unreachable",
      "3 misconfigured image.malformed_reference",
    ]);
    for (const answer of answers) expectOneLine(answer);
  });
});

describe.concurrent("hostile text", () => {
  it.each<[string, string]>([
    ["short", HOSTILE.replaceAll("\0", "")],
    ["long", LONG.replaceAll("\0", "")],
  ])("in all arguments and on stdin: %s", async (_, text) => {
    const digest = image.digest;
    const type = "application/vnd.oci.descriptor.v1+json";
    const stdin = JSON.stringify(image);
    for (const [args, input] of [
      [containerdArgs(text, digest), stdin],
      [containerdArgs(`localhost/${text}`, digest), stdin],
      [containerdArgs(`localhost/app:${text}`, digest), stdin],
      [containerdArgs(`localhost/app@${text}`, digest), stdin],
      [containerdArgs(world.name, text), stdin],
      [["-name", world.name, "-digest", digest, "-stdin-media-type", text], stdin],
      [[...containerdArgs(world.name, digest), text], stdin],
      [[...containerdArgs(world.name, digest), `-${text}`], text],
      [containerdArgs(world.name, digest), JSON.stringify({ digest: text })],
      [containerdArgs(world.name, digest), text],
      [[], JSON.stringify({ reference: text, descriptor: image })],
      [[text], ""],
      [["verify", text], ""],
      [["verify", `--${text}`], ""],
      [["verify", "--output", text], ""],
      [["-name", text, "-name", text, "-stdin-media-type", type], stdin],
    ] as const) {
      const answered = await ask(args, { env: world.env, stdin: input });
      expect(answered.code).toBe(3);
      // The program's own command line has more to say of an image.
      if (args[0] === "verify" || args[0] === text) expectReport(answered);
      else expectOneLine(answered);
    }
  });

  it("in the policy and the configuration", async () => {
    const quoted = JSON.stringify(HOSTILE);
    for (const [policy, settings] of [
      [`version: 1\ntrustedDIDs: [${quoted}]`, {}],
      [`version: 1\n${quoted}: 1`, {}],
      [HOSTILE, {}],
      ["", { plcDirectories: [HOSTILE] }],
      ["", { network: { allow: [LONG] } }],
      ["", { [LONG]: 1 }],
      ["", { deadline: LONG }],
    ] as const) {
      const answered = await world.pull(world.name, image, under(policy, "hostile", settings));
      expect(answered.code).toBe(3);
      expectOneLine(answered);
    }
    const named = { ...world.env, ATCR_VERIFY_CONFIG: `/${HOSTILE.replaceAll("\0", "")}` };
    expectOneLine(await world.pull(world.name, image, { env: named }));
    // A rule's name is the administrator's and is printed in answers, an allow among them.
    const rule = `version: 1\ntrustedDIDs: [did:web:a.example]\npolicies: [{name: ${quoted}, scope: "**/*", action: allow}]`;
    const allowed = await world.pull(world.name, image, under(rule, "hostile-rule"));
    expectOneLine(allowed);
  });

  it("in a record, and in another DID that a referrer names", async () => {
    for (const [i, text] of [HOSTILE, LONG].entries()) {
      const descriptor = await world.image(`hostile record ${i}`, { signed: false });
      await world.signer.sign(descriptor.digest, text, world.begun + 100_000 + i);
      const answered = await world.pull(world.name, descriptor);
      expect(headline(answered)).toMatch(/^1 deny record\./);
      expectOneLine(answered);
      const { stdout } = await world.verify([`${world.name}@${descriptor.digest}`]);
      expect(stdout).toMatch(/^[ -~\n]+$/);
      expect(stdout.split("\n").every((line) => line.length < 4096)).toBe(true);
    }
  });

  it("in a DID document", async () => {
    const hosts = { network: { allow: ["127.0.0.0/8", "::1", `web.localhost:${world.pds.port}`] } };
    const did = `did:web:web.localhost%3A${world.pds.port}`;
    const key = signingKey("k256", "web");
    for (const change of [
      { id: LONG },
      { service: [{ id: LONG, type: LONG }] },
      { verificationMethod: [{ id: `${did}#atproto`, type: LONG }] },
    ]) {
      const document = { ...didDocument({ did, key, pds: world.pds.origin }), ...change };
      world.pds.serveDocument(document, `web.localhost:${world.pds.port}`);
      const answered = await world.pull(world.name, image, under(enforcing(did), "web", hosts));
      expect(answered.code, answered.stdout).toBe(1);
      expectOneLine(answered);
    }
    const document = didDocument({ did, key, pds: `https://user:${encodeURIComponent(LONG)}@x` });
    world.pds.serveDocument(document, `web.localhost:${world.pds.port}`);
    const answered = await world.pull(world.name, image, under(enforcing(did), "web", hosts));
    expect(headline(answered)).toBe("1 deny identity.invalid");
    expectOneLine(answered);
  });

  it.each<[string, Answer]>([
    ["a status and its body", { status: 403, body: LONG }],
    ["an error of XRPC", { status: 400, json: { error: LONG, message: LONG } }],
    ["a known error with a message", { status: 400, json: { error: "RepoTakendown", message: LONG } }],
    ["a redirect", { status: 302, headers: { location: `https://x/${encodeURI("\x1b[2J").repeat(900)}` } }],
    ["a redirect to no URL", { status: 302, headers: { location: "https://\xff\x9b31m" } }],
    ["a body of another kind", { body: LONG }],
    ["a coding nobody knows", { body: "x", headers: { "content-encoding": "\xff\x9b31m" } }],
  ])("in the answer of a PDS, a directory, a registry: %s", async (_, answer) => {
    await using own = await Disposable.start();
    for (const server of [own.world.pds, own.world.plc, own.world.registry]) {
      const undo = server.override("", answer);
      // A registry's answer is told where the signer's proves nothing.
      if (server === own.world.registry) own.world.plc.override("", { status: 500 });
      const answered = await own.world.pull(own.world.name, own.image);
      expect(answered.code).toBe(2);
      expectOneLine(answered);
      undo();
    }
  });
});

/** A world for one test, whose servers may be made to misbehave. */
class Disposable implements AsyncDisposable {
  readonly world: TestNode;
  readonly image: Descriptor;

  private constructor(own: TestNode, descriptor: Descriptor) {
    this.world = own;
    this.image = descriptor;
  }

  static async start(): Promise<Disposable> {
    const own = await TestNode.start();
    return new Disposable(own, await own.image("own"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world.stop();
  }
}

describe.concurrent("the reason that cannot be written", () => {
  /** A pipe whose reader has gone. */
  async function deadPipe(name: string): Promise<number> {
    const path = join(world.folder, name);
    await run("mkfifo", [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(path, constants.O_WRONLY);
    closeSync(reader);
    return writer;
  }

  it.each([
    ["allowing.yaml", 0],
    ["denying.yaml", 1],
    ["missing.yaml", 3],
  ])("does not change the exit code: %s %i", async (policy, code) => {
    const path = world.configure({ trustPolicyPath: join(world.folder, policy) }, `${policy}.config.yaml`);
    const env = { ATCR_VERIFY_CONFIG: path };
    const said = "standard output could not be written: no space left on device\n";
    const closed = await world.pull(world.name, image, { env, redirect: ">&-" });
    expect(closed).toMatchObject({ code, stdout: "", stderr: "" });
    const full = await world.pull(world.name, image, { env, redirect: ">/dev/full" });
    expect(full).toMatchObject({ code, stderr: said });
    const both = await world.pull(world.name, image, { env, redirect: ">/dev/full 2>/dev/full" });
    expect(both).toMatchObject({ code, stdout: "", stderr: "" });
    const none = await world.pull(world.name, image, { env, redirect: ">&- 2>&-" });
    expect(none.code).toBe(code);
    const pipe = await deadPipe(`${policy}.pipe`);
    const dead = await world.pull(world.name, image, { env, stdout: pipe });
    closeSync(pipe);
    expect(dead).toMatchObject({ code, stderr: "" });
  });

  it("does not change the exit code of a real verdict either, with sockets among the open files", async () => {
    expect((await world.pull(world.name, image, { redirect: ">&- 2>&-" })).code).toBe(0);
    const unsigned = await world.image("no stdout", { signed: false });
    expect((await world.pull(world.name, unsigned, { redirect: ">&- 2>&-" })).code).toBe(1);
  });

  it("at a person's door is an error where it was all that was asked for", async () => {
    expect((await ask(["--help"], { redirect: ">/dev/full" })).code).toBe(4);
    const verify = (name: string) => ask(["verify", name], { env: world.env, redirect: ">/dev/full" });
    expect((await verify(`${world.name}@${image.digest}`)).code).toBe(4);
    const unsigned = await world.image("a full disk", { signed: false });
    expect((await verify(`${world.name}@${unsigned.digest}`)).code).toBe(1);
  });

  it("is written whole to a reader that is slow", async () => {
    // More than a pipe holds.
    const gap = (i: number): Gap => ({
      service: "registry",
      code: "registry.unreachable",
      detail: `${i}${"x".repeat(1000)}`,
    });
    const evidence = { pointers: [], signatures: [], gaps: Array.from({ length: 1000 }, (_, i) => gap(i)) };
    const saved = {
      gatheredAt: Math.floor(Date.now() / 1000) * 1000,
      images: [{ digest: image.digest as Digest, names: [], evidence }],
    };
    const bundle = join(world.folder, "long.json");
    writeFileSync(bundle, writeBundle(saved));
    const policy = `--policy=${world.policy(accepting(world.signer.did), "accepting.yaml")}`;
    const args = [
      "verify",
      `${world.name}@${image.digest}`,
      "--output=json",
      "--offline",
      `--bundle=${bundle}`,
      policy,
    ];
    const answered = await ask(args, { env: world.env, redirect: "| (sleep 0.3; cat)" });
    expect((JSON.parse(answered.stdout) as { findings: unknown[] }).findings).toHaveLength(1000);
  });
});

describe.concurrent("an audited image", () => {
  it("is let through with the reason why it would not be", async () => {
    const unsigned = await world.image("audited", { signed: false });
    const answered = await world.pull(world.name, unsigned, under(auditing(world.signer.did), "auditing"));
    expect(headline(answered)).toBe("0 allow audited");
    expect(answered.stdout).toContain("enforced, this would be: deny signature.none: ");
    expectOneLine(answered);
  });
});
