import { describe, expect, it } from "vitest";
import { mistakesIn, parsePolicy } from "../../../../src/core/policy/parse-policy.ts";
import { policyHash, type TrustPolicy } from "../../../../src/core/policy/policy.ts";
import { signersOf } from "../../../../src/core/policy/signer-refs.ts";
import { Rejection } from "../../../../src/core/rejection.ts";

const ALICE = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const BOB = "did:plc:z72i7hdynmk6r22z27h6tvur";
const CAROL = "did:web:carol.example.com";
const HEX = "0123456789abcdef".repeat(4);

/** The mistakes that one run reports, as their messages. */
const messagesOf = (text: string): readonly string[] =>
  mistakesIn([{ name: "policy.yaml", text }]).mistakes.map(
    ({ place: { file, line, column }, sentence }) => `${file}:${line}:${column}: ${sentence}`,
  );

function parse(text: string): TrustPolicy {
  const policy = parsePolicy(text, "policy.yaml");
  expect(messagesOf(text)).toEqual([]);
  return policy;
}

/** The first mistake, which is also among those that one run reports. */
function rejectionOf(text: string): Rejection {
  try {
    parse(text);
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    expect(messagesOf(text)).toContain(error.message);
    return error;
  }
  throw new Error(`accepted:\n${text}`);
}

const MAP = `version: 1.0
trustedDIDs:
  ${ALICE}: { name: Alice }
  ${BOB}: {}
`;

/** A policy with one rule, whose text follows its name and scope. */
const withRule = (rule: string, head = MAP): string => `${head}policies:
  - name: r
    scope: atcr.io/**
${rule.replace(/^/gm, "    ")}
`;
const withRequire = (requirement: string, head = MAP): string =>
  withRule(`action: enforce\nrequire:\n${requirement.replace(/^/gm, "  ")}`, head);
const signers = (policy: TrustPolicy) => policy.rules.slice(0, 1).flatMap(({ trusts }) => signersOf(policy, trusts));
const dids = (policy: TrustPolicy): string[] => signers(policy).map(({ did }) => did);

describe("parsePolicy", () => {
  it("reads everything", () => {
    const text = `
version: "1.0"
trustedDIDs:
  ${ALICE}:
    name: "Alice (DevOps)"
    validFrom: "2024-01-01T00:00:00Z"
    expiresAt: 2030-01-01T00:00:00+01:00
    keys: [did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme]
    pds: ["https://pds.example.com", "http://localhost:2583"]
    minRev: 3l3qo2vutsw2b
  ${BOB}: { validFrom: null, expiresAt: null }
revokedDIDs: [${BOB}, ${CAROL}]
digests:
  deny: ["sha256:${HEX}"]
  allow: ["sha256:${HEX.replace(/0/g, "1")}"]
policies:
  - name: sandbox
    scope: registry.k8s.io/pause
    action: allow
  - name: production
    scope: ["atcr.io/*/prod-*", "registry.example.com:443/prod/**"]
    action: enforce
    require:
      signature: true
      trustedDIDs: [${BOB}, ${ALICE}, ${BOB}]
      minSignatures: 2
      maxAge: 90d
      maxStaleness: 24h
      offlineFor: 90d
      minKeyAge: 72h
      repository: any
      owner: any
      tag: match
  - { name: rest, scope: atcr.io/**, action: audit, require: { repository: [app, team/app] } }
  - { name: nothing, scope: "evil.example/**", action: deny, require: { signature: false } }
default: audit
`;
    const policy = parse(text);
    const alice = {
      did: ALICE,
      name: "Alice (DevOps)",
      validFrom: Date.UTC(2024, 0, 1),
      expiresAt: Date.UTC(2029, 11, 31, 23),
      revoked: false,
      keys: ["did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme"],
      pds: ["https://pds.example.com", "http://localhost:2583"],
      minRev: "3l3qo2vutsw2b",
    };
    const bob = { did: BOB, revoked: true };
    const nothing = { minSignatures: 1, repository: "match", tag: "any" };
    const nobody = { inherited: 0, own: [] };
    expect(policy).toEqual({
      hash: policyHash([{ text }]),
      files: [{ name: "policy.yaml", ruleLines: [17, 20, 34, 35] }],
      deniedDigests: new Map([[`sha256:${HEX}`, [0, 14]]]),
      allowedDigests: new Map([[`sha256:${HEX.replace(/0/g, "1")}`, [0, 15]]]),
      fallback: "audit",
      fallbackPlace: [0, 36],
      everyone: [alice, bob],
      rules: [
        {
          name: "sandbox",
          scopes: [{ text: "registry.k8s.io/pause", segments: ["registry.k8s.io", "pause"] }],
          action: "allow",
          trusts: nobody,
          requirement: nothing,
        },
        {
          name: "production",
          scopes: [
            { text: "atcr.io/*/prod-*", segments: ["atcr.io", "*", "prod-*"] },
            { text: "registry.example.com/prod/**", segments: ["registry.example.com", "prod", "**"] },
          ],
          action: "enforce",
          trusts: { inherited: 0, own: [1, 0] },
          requirement: {
            minSignatures: 2,
            maxAge: 90 * 86_400_000,
            maxStaleness: 86_400_000,
            offlineFor: 90 * 86_400_000,
            minKeyAge: 72 * 3_600_000,
            repository: "any",
            owner: "any",
            tag: "match",
          },
        },
        {
          name: "rest",
          scopes: [{ text: "atcr.io/**", segments: ["atcr.io", "**"] }],
          action: "audit",
          trusts: { inherited: 2, own: [] },
          requirement: { minSignatures: 1, repository: ["app", "team/app"], tag: "any" },
        },
        {
          name: "nothing",
          scopes: [{ text: "evil.example/**", segments: ["evil.example", "**"] }],
          action: "deny",
          trusts: nobody,
          requirement: nothing,
        },
      ],
    });
  });

  it.each(["1", "1.0", '"1.0"'])("takes version %s", (version) => {
    const text = `version: ${version}`;
    expect(parse(text)).toEqual({
      hash: policyHash([{ text }]),
      files: [{ name: "policy.yaml", ruleLines: [] }],
      deniedDigests: new Map(),
      allowedDigests: new Map(),
      rules: [],
      fallback: "deny",
      fallbackPlace: [0, 1],
      everyone: [],
    });
  });

  it.each(["deny", "allow", "audit"])("takes default %s", (fallback) => {
    expect(parse(`${MAP}default: ${fallback}`).fallback).toBe(fallback);
  });

  describe("whom a rule trusts", () => {
    const LIST = `version: 1.0\ntrustedDIDs: [${ALICE}]\n`;

    it("is everybody of the map, or the DIDs it names of it", () => {
      expect(dids(parse(withRule("action: enforce")))).toEqual([ALICE, BOB]);
      expect(dids(parse(withRequire("minSignatures: 1")))).toEqual([ALICE, BOB]);
      expect(dids(parse(withRequire(`trustedDIDs: [${BOB}]`)))).toEqual([BOB]);
    });

    it("is the list form's DIDs in addition to its own", () => {
      expect(dids(parse(withRule("action: audit", LIST)))).toEqual([ALICE]);
      expect(dids(parse(withRequire(`trustedDIDs: [${CAROL}, ${ALICE}]`, LIST)))).toEqual([ALICE, CAROL]);
      expect(dids(parse(withRequire("trustedDIDs: []", LIST)))).toEqual([ALICE]);
    });

    it("is its own DIDs alone where the file has no trustedDIDs", () => {
      expect(dids(parse(withRequire(`trustedDIDs: [${CAROL}]`, "version: 1.0\n")))).toEqual([CAROL]);
    });

    it.each(["", "trustedDIDs:\n", "trustedDIDs: null\n", "trustedDIDs: {}\n", "trustedDIDs: []\n"])(
      "may be nobody yet, where nothing enforces: %j",
      (head) => {
        expect(dids(parse(withRule("action: audit", `version: 1.0\n${head}`)))).toEqual([]);
        expect(parse(`version: 1.0\n${head}default: audit`)).toMatchObject({ fallback: "audit", everyone: [] });
        expect(parse(`version: 1.0\n${head}`)).toMatchObject({ fallback: "deny", everyone: [] });
      },
    );

    it("knows who is revoked in the list form too", () => {
      const text = withRequire(`trustedDIDs: [${CAROL}]`, `${LIST}revokedDIDs: [${CAROL}, ${ALICE}]\n`);
      expect(signers(parse(text))).toEqual([
        { did: ALICE, revoked: true },
        { did: CAROL, revoked: true },
      ]);
    });

    it("in all is everybody the file names, for default: audit", () => {
      const text = withRequire(`trustedDIDs: [${CAROL}]`, `${LIST}default: audit\n`);
      expect(parse(text).everyone.map(({ did }) => did)).toEqual([ALICE, CAROL]);
    });
  });

  it("takes evidence that is 30 days old, where a rule says so", () => {
    const { requirement } = parse(withRequire("maxStaleness: 30d")).rules[0] ?? {};
    expect(requirement?.maxStaleness).toBe(30 * 86_400_000);
  });

  it("takes evidence from outside that is 400 days old, where a rule says so", () => {
    const { requirement } = parse(withRequire("offlineFor: 400d")).rules[0] ?? {};
    expect(requirement?.offlineFor).toBe(400 * 86_400_000);
    expect(parse(withRequire("maxStaleness: 30d")).rules[0]?.requirement).not.toHaveProperty("offlineFor");
  });

  it("does not let time make a policy invalid", () => {
    const text = `version: 1.0\ntrustedDIDs: { ${ALICE}: { expiresAt: "1999-01-01T00:00:00Z" } }\n`;
    expect(parse(withRule("action: enforce", text)).rules).toHaveLength(1);
  });

  it("takes empty lists of what is revoked, denied and allowed", () => {
    expect(parse(`${MAP}revokedDIDs: []\ndigests: { deny: [], allow: [] }`).everyone).toHaveLength(2);
    expect(parse(`${MAP}digests: {}`).everyone).toHaveLength(2);
  });

  const signer = (entry: string): string => `version: 1.0\ntrustedDIDs:\n  ${ALICE}: { ${entry} }\n`;

  // Each file, and the line and column that is to be named.
  it.each([
    ["an empty file", "", "1:1"],
    ["a list", "[]", "1:1"],
    ["no version", "default: deny", "1:1"],
    ["another version", "version: 1.1", "1:10"],
    ["version 2", "version: 2", "1:10"],
    ["a version as text of another form", 'version: "1"', "1:10"],
    ["an unknown key", `${MAP}policys: []`, "5:1"],
    ["an unknown key that every object has", `${MAP}toString: 1`, "5:1"],
    ["an unknown key in a rule", withRule("action: enforce\nrequires: {}"), "9:5"],
    ["an unknown key of a requirement", withRequire("maxage: 90d"), "10:7"],
    ["an unknown key of a signer", signer("valid_from: null"), "3:39"],
    ["an unknown key under digests", `${MAP}digests: { block: [] }`, "5:12"],
    ["a duplicate key", `${MAP}default: deny\ndefault: allow`, "6:1"],
    ["a duplicate DID", `${MAP}  ${ALICE}: {}`, "5:3"],
    ["a list as a signer", `version: 1.0\ntrustedDIDs: { ${ALICE}: [] }`, "2:50"],
    ["nothing as a signer", `version: 1.0\ntrustedDIDs:\n  ${ALICE}:`, "3:36"],
    ["a number as a DID", "version: 1.0\ntrustedDIDs: [5]", "2:15"],
    ["text for the list", `version: 1.0\ntrustedDIDs: ${ALICE}`, "2:14"],
    ["an unknown DID method", "version: 1.0\ntrustedDIDs:\n  did:key:zQ3sh: {}", "3:3"],
    ["an upper-case DID", `version: 1.0\ntrustedDIDs: [${ALICE.replace("e", "E")}]`, "2:15"],
    ["an upper-case DID in the map", "version: 1.0\ntrustedDIDs:\n  did:web:Example.com: {}", "3:3"],
    ["a did:web with a path", "version: 1.0\ntrustedDIDs: [did:web:example.com:a]", "2:15"],
    ["a bad DID that is revoked", `${MAP}revokedDIDs: [did:plc:x]`, "5:15"],
    ["null for nobody revoked", `${MAP}revokedDIDs:`, "5:13"],
    ["a time without offset", signer('validFrom: "2024-01-01T00:00:00"'), "3:50"],
    ["a day that does not exist", signer('expiresAt: "2023-02-29T00:00:00Z"'), "3:50"],
    ["a date alone", signer("validFrom: 2024-01-01"), "3:50"],
    ["a number as a time", signer("validFrom: 5"), "3:50"],
    [
      "trust that ends before it starts",
      signer('validFrom: "2024-01-02T00:00:00Z", expiresAt: "2024-01-01T00:00:00Z"'),
      "3:85",
    ],
    [
      "trust that ends when it starts",
      signer('validFrom: "2024-01-01T00:00:00Z", expiresAt: "2024-01-01T00:00:00Z"'),
      "3:85",
    ],
    ["an empty list of keys", signer("keys: []"), "3:45"],
    ["a key that is none", signer("keys: [zQ3sh]"), "3:46"],
    ["a key outside base58", signer("keys: [did:key:z0]"), "3:46"],
    ["an endless key", signer(`keys: [did:key:z${"1".repeat(257)}]`), "3:46"],
    ["an empty list of PDSes", signer("pds: []"), "3:44"],
    ["a PDS with a path", signer('pds: ["https://pds.example.com/"]'), "3:45"],
    ["a PDS in upper case", signer('pds: ["https://PDS.example.com"]'), "3:45"],
    ["a PDS with the default port", signer('pds: ["https://pds.example.com:443"]'), "3:45"],
    ["a PDS with a user", signer('pds: ["https://u@pds.example.com"]'), "3:45"],
    ["a PDS without a scheme", signer("pds: [pds.example.com]"), "3:45"],
    ["a PDS by another scheme", signer('pds: ["ftp://pds.example.com"]'), "3:45"],
    ["a number as a name", signer("name: 5"), "3:45"],
    ["an empty name", signer('name: ""'), "3:45"],
    ["a name of two lines", signer('name: "a\\nb"'), "3:45"],
    ["a name that turns the line around", signer('name: "a\\u202eb"'), "3:45"],
    ["an endless name", signer(`name: ${"n".repeat(129)}`), "3:45"],
    ["a bad digest", `${MAP}digests: { deny: [sha256:abc] }`, "5:19"],
    ["another digest", `${MAP}digests: { allow: ["sha512:${HEX}${HEX}"] }`, "5:20"],
    ["a digest in both lists", `${MAP}digests: { deny: ["sha256:${HEX}"], allow: ["sha256:${HEX}"] }`, "5:103"],
    ["a list under digests", `${MAP}digests: ["sha256:${HEX}"]`, "5:10"],
    ["another default", `${MAP}default: enforce`, "5:10"],
    ["no rules in the list", `${MAP}policies: []`, "5:11"],
    ["null for no rules", `${MAP}policies:`, "5:10"],
    ["a rule without a name", `${MAP}policies:\n  - scope: a.b/c\n    action: deny`, "6:5"],
    ["a rule without a scope", `${MAP}policies:\n  - name: r\n    action: deny`, "6:5"],
    ["a rule without an action", `${MAP}policies:\n  - name: r\n    scope: a.b/c`, "6:5"],
    ["another action", withRule("action: warn"), "8:13"],
    ["an empty list of scopes", `${MAP}policies: [{ name: r, scope: [], action: deny }]`, "5:30"],
    ["a bad scope", `${MAP}policies: [{ name: r, scope: nginx, action: deny }]`, "5:30"],
    ["a bad scope in a list", `${MAP}policies: [{ name: r, scope: [a.b/c, "*"], action: deny }]`, "5:38"],
    ["a wildcard host in an allow rule", `${MAP}policies: [{ name: r, scope: "*.b.c/d", action: allow }]`, "5:30"],
    ["every host in an allow rule", `${MAP}policies: [{ name: r, scope: [a.b/c, "**"], action: allow }]`, "5:38"],
    ["two rules of one name", `${withRule("action: deny")}  - { name: r, scope: a.b/c, action: deny }`, "9:13"],
    ["a rule called as the default is", `${MAP}policies: [{ name: default, scope: a.b/c, action: deny }]`, "5:20"],
    [
      "a rule called as a list of digests is",
      `${MAP}policies: [{ name: digests.deny, scope: a.b/c, action: deny }]`,
      "5:20",
    ],
    [
      "a rule called as the other list is",
      `${MAP}policies: [{ name: digests.allow, scope: a.b/c, action: deny }]`,
      "5:20",
    ],
    ["null for no requirements", withRule("action: enforce\nrequire:"), "9:13"],
    ["a DID that is missing from the map", withRequire(`trustedDIDs: [${ALICE}, ${CAROL}]`), "10:55"],
    ["a bad DID in a rule", withRequire("trustedDIDs: [did:plc:x]"), "10:21"],
    ["a DID where a list belongs", withRequire(`trustedDIDs: ${ALICE}`), "10:20"],
    ["nobody of the map", withRequire("trustedDIDs: []"), "10:20"],
    ["enforce without anybody trusted", withRule("action: enforce", "version: 1.0\n"), "3:5"],
    ["enforce without anybody trusted", withRule("action: enforce", "version: 1.0\n"), "3:5"],
    ["enforce with an empty map", withRule("action: enforce", "version: 1.0\ntrustedDIDs: {}\n"), "4:5"],
    ["signature: false under enforce", withRequire("signature: false"), "10:18"],
    ["signature: false under audit", withRule("action: audit\nrequire: { signature: false }"), "9:27"],
    ["signature: yes", withRequire("signature: yes"), "10:18"],
    ["no signatures", withRequire("minSignatures: 0"), "10:22"],
    ["half a signature", withRequire("minSignatures: 1.5"), "10:22"],
    ["a number as text", withRequire('minSignatures: "2"'), "10:22"],
    ["endless signatures", withRequire("minSignatures: .inf"), "10:22"],
    ["an age of nothing", withRequire("maxAge: 0s"), "10:15"],
    ["an age without a unit", withRequire("maxAge: 90"), "10:15"],
    ["an age of another unit", withRequire("maxAge: 90w"), "10:15"],
    ["a negative age", withRequire("maxAge: -90d"), "10:15"],
    ["a key that may be of no age", withRequire("minKeyAge: 0"), "10:18"],
    ["a key's age without a unit", withRequire("minKeyAge: 72"), "10:18"],
    ["a key's age of another unit", withRequire("minKeyAge: 72x"), "10:18"],
    ["old evidence of no age", withRequire("maxStaleness: 0s"), "10:21"],
    ["old evidence without a unit", withRequire("maxStaleness: 24"), "10:21"],
    ["evidence from outside for no time", withRequire("offlineFor: 0s"), "10:19"],
    ["evidence from outside without a unit", withRequire("offlineFor: 30"), "10:19"],
    ["evidence from outside for more than 400 days", withRequire("offlineFor: 9601h"), "10:19"],
    ["evidence older than 30 days", withRequire("maxStaleness: 721h"), "10:21"],
    ["another owner", withRequire("owner: true"), "10:14"],
    ["a list of owners", withRequire("owner: [match]"), "10:14"],
    ["another tag", withRequire("tag: v1"), "10:12"],
    ["nothing for a tag", withRequire("tag:"), "10:11"],
    ["a requirement of the owner under allow", withRule("action: allow\nrequire: { owner: any }"), "9:16"],
    ["a requirement of the tag under deny", withRule("action: deny\nrequire: { tag: any }"), "9:16"],
    ["a revision that is a number", signer("minRev: 5"), "3:47"],
    ["a revision that is no TID", signer("minRev: 3l3qo2vutsw21"), "3:47"],
    ["a revision beyond those of TIDs", signer("minRev: k222222222222"), "3:47"],
    ["a minRev of nothing", signer("minRev:"), "3:47"],
    ["another repository", withRequire("repository: all"), "10:19"],
    ["no repositories", withRequire("repository: []"), "10:19"],
    ["a bad repository", withRequire("repository: [App]"), "10:20"],
    ["a repository that is a glob", withRequire('repository: ["*"]'), "10:20"],
    ["a repository with an empty component", withRequire("repository: [a//b]"), "10:20"],
    ["a requirement of allow", withRule("action: allow\nrequire: { signature: true }"), "9:16"],
    ["a requirement of deny", withRule("action: deny\nrequire: { maxAge: 90d }"), "9:16"],
    ["an anchor", "version: &v 1.0", "1:13"],
    ["two documents", `${MAP}---\nversion: 1.0`, "5:1"],
  ])("refuses %s", (_, text, position) => {
    const { code, message } = rejectionOf(text);
    expect(code).toBe("policy.invalid");
    expect(message.slice(0, `policy.yaml:${position}:`.length)).toBe(`policy.yaml:${position}:`);
    expect(message).toMatch(/: found .+, expected .+/);
  });

  it.each([
    [withRule("acton: enforce"), "did you mean action?"],
    [withRule("action: enforce\nminSignatures: 2"), 'write it under "require" of this rule'],
    [withRequire("maxage: 90d"), "did you mean maxAge?"],
    [withRequire("trustedDids: []"), "did you mean trustedDIDs?"],
    [`${MAP}policy: []`, "expected one of the keys version, trustedDIDs"],
  ])("helps with a misspelt key", (text, advice) => {
    expect(rejectionOf(text).message).toContain(advice);
  });

  const P = "version: 1.0\npolicies:\n";
  it.each<[string, string, string, string]>([
    [
      "an entry that is not as far in",
      `${P}    - name: a\n      scope: a.b/c\n   - name: b\n`,
      "5:4",
      "is indented by 3 spaces",
    ],
    [
      "a key between two levels",
      `${P}  - name: a\n    scope: a.b/c\n   action: deny\n`,
      "5:4",
      "is indented by 3 spaces",
    ],
    ["a key below a value", "version: 1.0\n  default: deny\n", "2:3", "has a value already"],
    ["a line without a colon", "version 1.0\ndefault: deny\n", "1:1", "a colon and a space"],
    ["a colon without a space", "version:1.0\ndefault: deny\n", "1:1", "a colon and a space"],
    ["a wildcard without quotes", `${P}  - name: a\n    scope: **\n`, "4:12", 'in quotes: "**"'],
    ["half a wildcard without quotes", `${P}  - name: a\n    scope: *\n`, "4:12", "in quotes"],
    ["two documents", "version: 1.0\n---\nversion: 1.0\n", "2:1", 'a second document, behind "---"'],
    ["an open quote", 'version: 1.0\ndefault: "deny\n', "3:1", "a quote that is closed"],
    ["an open bracket", "version: 1.0\nrevokedDIDs: [\ndefault: deny\n", "3:1", "in brackets that is not closed"],
    ["no version", "default: deny\n", "1:1", "write: version: 1.0"],
    [
      "a handle in a map",
      "version: 1.0\ntrustedDIDs:\n  alice.example.com: {}\n",
      "3:3",
      "atcr-verify identity alice.example.com",
    ],
    ["a handle in a list", "version: 1.0\ntrustedDIDs: ['@Alice.example.com']\n", "2:15", "identity alice.example.com"],
    ["environments", "version: 1.0\nenvironments: {}\n", "2:1", "write a rule for the scope of each environment"],
    ["auditLog", "version: 1.0\nauditLog: {}\n", "2:1", "decisionLog in the configuration"],
    ["a duration of words", withRequire("minKeyAge: 3 days"), "10:18", "a duration such as 90d, 12h or 1h30m"],
  ])("says what to do about %s", (_, text, position, advice) => {
    const { code, message } = rejectionOf(text);
    expect(code).toBe("policy.invalid");
    expect(message).toContain(advice);
    expect(message.slice(0, `policy.yaml:${position}:`.length)).toBe(`policy.yaml:${position}:`);
    expect(message).not.toMatch(/parse\w+\(|implicit|indicator|longer than none/i);
  });

  it("suggests nothing for a key that resembles none", () => {
    expect(rejectionOf(`${MAP}x: 1`).message).not.toContain("did you mean");
  });

  it("tells the first of several problems", () => {
    expect(rejectionOf("version: 2\ndefault: no").message).toMatch(/^policy\.yaml:1:10: version: /);
    expect(rejectionOf("default: no\nversion: 2").message).toMatch(/^policy\.yaml:1:10: default: /);
  });
});
