import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Answered, ask, auditing, containerdArgs, headline, TestNode } from "../support/binary.ts";
import { askAsRatify, readAsRatify, recordedRequest } from "../support/recorded-ratify/ratify-host.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

// The program as Ratify's verifier plugin, asked by recordings made from Ratify's Go types: Ratify itself was not run.

/** Milliseconds after which Ratify kills its plugins, and more that starting one takes while other tests run. */
const PATIENCE = 2900 + 1500;

let node: TestNode;
let signed: Descriptor;
let unsigned: Descriptor;
const subjectOf = ({ digest }: Descriptor) => `${node.registry.authority}/alice/app@${digest}`;
const request = (name: string, policy = "policy.yaml") =>
  recordedRequest(name, { POLICY: `${node.folder}/${policy}`, DID: node.signer.did });
/** Replaces the parameters beside Ratify's own keys. */
const withParameters = (parameters: object): string => {
  const parsed = JSON.parse(request("configuration-file")) as { config: object };
  return JSON.stringify({ ...parsed, config: { ...parsed.config, ...parameters } });
};

beforeAll(async () => {
  node = await TestNode.start();
  signed = await node.image("signed");
  unsigned = await node.image("unsigned", { signed: false });
});
afterAll(() => node.stop());

/** Code and exit status of an error of the protocol, which is one line; standard error has no brace. */
function errorOf({ code, stdout, stderr }: Answered): string {
  expect(stderr).not.toMatch(/[{}]/);
  expect(stdout).toMatch(/^\{[^\n]*\}\n$/);
  const { code: ofProtocol, msg, details = "" } = JSON.parse(stdout) as Record<string, string>;
  return `${code} ${ofProtocol} ${msg} ${details}`.trim();
}

describe("an image that is judged", () => {
  it("is a success where it is signed, with what is known of the signature", async () => {
    const answered = await askAsRatify(subjectOf(signed), request("signature-verifier"), { env: node.env });
    expect(readAsRatify(answered)).toEqual({
      isSuccess: true,
      message: expect.stringMatching(/^allow signed: sha256:[0-9a-f]{64} is signed by did:plc:/),
      name: "atcr-signature",
      type: "atcr-verify",
      extensions: {
        did: node.signer.did,
        handle: "alice.example.com",
        signedAt: expect.stringMatching(/^2\d{3}-.*Z$/),
        commitCid: expect.stringMatching(/^bafy/),
        pdsEndpoint: node.pds.origin,
        code: "signed",
      },
    });
    expect(answered.stderr).toBe("");
  });

  it("is no success where it is not, with status 0", async () => {
    const report = readAsRatify(
      await askAsRatify(subjectOf(unsigned), request("signature-verifier"), { env: node.env }),
    );
    expect(report).toMatchObject({ isSuccess: false, extensions: { code: "signature.none" } });
  });

  it("is judged by trustedDIDs alone, and a store that asks by HTTP makes a warning", async () => {
    const elsewhere = node.configure({ ...node.settings, trustPolicyPath: "/nowhere/policy.yaml" }, "elsewhere.yaml");
    const env = { ...node.env, ATCR_VERIFY_CONFIG: elsewhere };
    const answered = await askAsRatify(subjectOf(signed), request("evidence-verifier"), { env, version: "0.1.0" });
    expect(readAsRatify(answered)).toMatchObject({ isSuccess: true, name: "atcr-evidence" });
    expect(answered.stderr).toMatch(/^WARN: useHttp of the store has no effect here; [^{}\n]*\n$/);
    const strangers = withParameters({ trustedDIDs: ["did:plc:ewvi7nxzyoun6zhxrhs64oiz"] });
    expect(readAsRatify(await askAsRatify(subjectOf(signed), strangers, { env })).isSuccess).toBe(false);
  });

  it("is a success where the rule only audits, and its code says that nothing was proven", async () => {
    node.policy(auditing(node.signer.did), "audit.yaml");
    const stdin = request("signature-verifier", "audit.yaml");
    const report = readAsRatify(await askAsRatify(subjectOf(unsigned), stdin, { env: node.env }));
    expect(report).toMatchObject({ isSuccess: true, extensions: { code: "audited" } });
    expect(report.message).toContain("if enforced, this would be: deny signature.none");
  });

  it("needs a digest, which the protocol gives for names that have one", async () => {
    const report = readAsRatify(await askAsRatify(node.name, request("signature-verifier"), { env: node.env }));
    expect(report).toMatchObject({ isSuccess: false, extensions: { code: "image.not_pinned" } });
  });

  it("is asked about at a private address only where network.allow lists it", async () => {
    const { plc, pds, registry, settings } = node;
    const image = await node.image("private");
    const asked = async (allow: readonly string[]) => {
      const config = node.configure({ ...settings, network: { allow } }, `${allow.length}.yaml`);
      const env = { ...node.env, ATCR_VERIFY_CONFIG: config };
      const report = readAsRatify(await askAsRatify(subjectOf(image), request("configuration-file"), { env }));
      expect(report.isSuccess).toBe(true);
      return registry.count(image.digest);
    };
    // The signer is trusted directly, so the signature is found without the registry.
    expect(await asked([plc.authority, pds.authority])).toBe(0);
    expect(await asked([plc.authority, pds.authority, registry.authority])).toBeGreaterThan(0);
  });

  it("has no break-glass, as nobody says which namespace asks", async () => {
    const until = new Date(Date.now() + 3_600_000).toISOString();
    const glass = node.write("break-glass.yaml", JSON.stringify({ reason: "INC-1", until, scope: "**" }));
    const env = { ...node.env, ATCR_VERIFY_BREAK_GLASS: glass };
    const report = readAsRatify(await askAsRatify(subjectOf(unsigned), request("signature-verifier"), { env }));
    expect(report).toMatchObject({ isSuccess: false, extensions: { code: "signature.none" } });
  });

  it("is refused by a policy that cannot be read", async () => {
    const stdin = request("signature-verifier", "absent.yaml");
    const report = readAsRatify(await askAsRatify(subjectOf(signed), stdin, { env: node.env }));
    expect(report).toMatchObject({ isSuccess: false, extensions: { code: "policy.invalid" } });
  });
});

describe("containerd's flags", () => {
  it("win over Ratify's variables, whose plugins end with 0 for a refused image", async () => {
    const env = { ...node.env, RATIFY_VERIFIER_COMMAND: "VERIFY", RATIFY_VERIFIER_VERSION: "1.0.0" };
    const pulled = async (image: Descriptor) => {
      const subject = subjectOf(image);
      const given = { env: { ...env, RATIFY_VERIFIER_SUBJECT: subject }, stdin: JSON.stringify(image) };
      return headline(await ask(containerdArgs(subject, image.digest), given));
    };
    expect(await pulled(unsigned)).toBe("1 deny signature.none");
    expect(await pulled(signed)).toBe("0 allow signed");
    const typed = await ask(["verify", subjectOf(unsigned)], { env });
    expect(headline(typed)).toBe("1 deny signature.none");
  });
});

describe.concurrent("an answer is there before Ratify stops waiting", () => {
  /** Exactly one line is written, in time. */
  function expectInTime(answered: Answered, awaited: RegExp): void {
    expect(readAsRatify(answered)).toMatchObject({ isSuccess: false, extensions: { code: "net.deadline" } });
    expect(answered.stdout).toMatch(awaited);
    expect(answered.took).toBeGreaterThan(2000);
    expect(answered.took).toBeLessThan(PATIENCE);
  }

  it("where the PDS is silent", async () => {
    const silent = await TestNode.start();
    try {
      const image = await silent.image("signed");
      silent.pds.delay(10_000);
      const stdin = recordedRequest("configuration-file", { POLICY: "", DID: "" });
      const subject = `${silent.registry.authority}/alice/app@${image.digest}`;
      expectInTime(
        await askAsRatify(subject, stdin, { env: silent.env }),
        /: (?:PDS localhost:\d+: .*no answer|no answer within 2\.3 s)/,
      );
    } finally {
      await silent.stop();
    }
  });

  it("where the standard input does not end", async () => {
    expectInTime(
      await askAsRatify(subjectOf(signed), null, { env: node.env }),
      /no answer within 2\.3 s, waiting for the standard input/,
    );
  });
});

describe.concurrent("an error of the protocol", () => {
  it.each<[string, () => Promise<Answered>, RegExp]>([
    [
      "another version",
      () => askAsRatify(subjectOf(signed), request("signature-verifier"), { version: "2.0.0" }),
      /^1 6 /,
    ],
    [
      "no subject",
      () => askAsRatify("", request("signature-verifier")),
      /^1 4 missing env variables \[RATIFY_VERIFIER_SUBJECT\]$/,
    ],
    [
      "another command",
      () =>
        ask([], {
          env: { RATIFY_VERIFIER_COMMAND: "LIST", RATIFY_VERIFIER_SUBJECT: "x", RATIFY_VERIFIER_VERSION: "1.0.0" },
        }),
      /^1 3 /,
    ],
    [
      "a hostile name",
      () => askAsRatify('{"isSuccess":true}\n\x1b[2J', request("signature-verifier")),
      /^1 7 .*\?\?\[2J/,
    ],
    ["a long name", () => askAsRatify(`r.example/${"a/".repeat(30_000)}`, request("signature-verifier")), /^1 7 /],
    ["no JSON", () => askAsRatify(subjectOf(signed), "{"), /^1 1 .*input\.malformed: the standard input is not JSON$/],
    ["nothing", () => askAsRatify(subjectOf(signed), ""), /^1 1 /],
    ["a closed standard input", () => askAsRatify(subjectOf(signed), "", { redirect: "<&-" }), /^1 [15] /],
    [
      "more than it may be",
      () => askAsRatify(subjectOf(signed), "x".repeat(1024 * 1024 + 1)),
      /^1 5 .*more than 1048576 bytes$/,
    ],
    [
      "a misspelt parameter",
      () => askAsRatify(subjectOf(signed), withParameters({ trustPolicypath: "/p" })),
      /^1 2 unknown parameter "trustPolicypath"; did you mean trustPolicyPath\?$/,
    ],
    [
      "a wrong parameter",
      () => askAsRatify(subjectOf(signed), withParameters({ cacheTTL: 300 })),
      /^1 2 the parameter cacheTTL: found the number 300, /,
    ],
    [
      "two policies",
      () => askAsRatify(subjectOf(signed), withParameters({ trustedDIDs: [node.signer.did], trustPolicyPath: "/p" })),
      /^1 2 trustedDIDs is a policy of its own, /,
    ],
  ])("is written for %s, with a status that is not 0", async (_, asking, expected) => {
    expect(errorOf(await asking())).toMatch(expected);
  });
});

it("never lets a file's text into standard error as it is", async () => {
  const cacheDir = node.write("{no folder}", "");
  const config = node.configure({ ...node.settings, cacheEnabled: true, cacheDir: `${cacheDir}/x` }, "odd.yaml");
  const env = { ...node.env, ATCR_VERIFY_CONFIG: config };
  const answered = await askAsRatify(subjectOf(signed), request("configuration-file"), { env });
  expect(readAsRatify(answered).isSuccess).toBe(true);
  expect(answered.stderr).toMatch(/^(?:WARN: warning [a-z._]+: [^{}\n]*\?no folder\?[^{}\n]*\n)+$/);
});
