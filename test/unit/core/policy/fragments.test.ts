import { describe, expect, it } from "vitest";
import type { Did } from "../../../../src/core/atproto/syntax.ts";
import { parsePolicy, readPolicy } from "../../../../src/core/policy/parse-policy.ts";
import { signersOf } from "../../../../src/core/policy/signer-refs.ts";
import { type Place, Rejection } from "../../../../src/core/rejection.ts";

const ALICE = "did:plc:ewvi7nxzyoun6zhxrhs64oiz" as Did;
const BOB = "did:plc:z72i7hdynmk6r22z27h6tvur" as Did;
const CAROL = "did:web:carol.example.com" as Did;
const HEX = "0123456789abcdef".repeat(4);
const OTHER = HEX.replace(/0/g, "1");
const V = "version: 1.0\n";

/** A policy of the files policy.yaml, a.yaml, b.yaml. */
const read = (main: string, ...fragments: readonly string[]) =>
  readPolicy(
    main,
    "policy.yaml",
    fragments.map((text, i) => ({ name: `policy.d/${"ab"[i] ?? `c${i}`}.yaml`, text })),
  );

function rejectionOf(...texts: readonly [string, ...string[]]): Rejection {
  try {
    read(...texts);
  } catch (error) {
    if (error instanceof Rejection) return error;
    throw error;
  }
  throw new Error("accepted");
}

const rule = (name: string, requirement = "") =>
  `policies:\n  - name: ${name}\n    scope: a.b/${name}\n    action: enforce\n${requirement}`;
const trusting = (did: string) => `    require: { trustedDIDs: [${did}] }\n`;

describe("a policy in several files", () => {
  it("is one list of rules, in the order of the files", () => {
    const { policy } = read(`${V}trustedDIDs: { ${ALICE}: {} }\n${rule("one")}`, V + rule("two"), V + rule("three"));
    expect(policy.rules.map(({ name }) => name)).toEqual(["one", "two", "three"]);
    expect(policy.files).toEqual([
      { name: "policy.yaml", ruleLines: [4] },
      { name: "policy.d/a.yaml", ruleLines: [3] },
      { name: "policy.d/b.yaml", ruleLines: [3] },
    ]);
  });

  it("is one set of signers: a rule of any file may name one of any, and without names trusts all", () => {
    const main = `${V}trustedDIDs: { ${ALICE}: { name: Alice } }\n${rule("one")}`;
    const { policy } = read(main, `${V}${rule("two", trusting(BOB))}`, `${V}trustedDIDs: { ${BOB}: {} }`);
    const alice = { did: ALICE, revoked: false, name: "Alice" };
    const bob = { did: BOB, revoked: false };
    expect(policy.everyone).toEqual([alice, bob]);
    expect(policy.rules.map(({ trusts }) => signersOf(policy, trusts))).toEqual([[alice, bob], [bob]]);
  });

  it("adds lists of DIDs up, and counts who stands in two of them once", () => {
    const { policy } = read(`${V}trustedDIDs: [${ALICE}]\n${rule("one")}`, `${V}trustedDIDs: [${BOB}, ${ALICE}]`);
    expect(policy.rules.map(({ trusts }) => signersOf(policy, trusts).map(({ did }) => did))).toEqual([[ALICE, BOB]]);
  });

  it("revokes whom any file revokes", () => {
    const trust = `trustedDIDs: [${ALICE}, ${BOB}, ${CAROL}]\n`;
    const { policy } = read(`${V}${trust}revokedDIDs: [${ALICE}]`, `${V}revokedDIDs: [${BOB}]`);
    expect(policy.everyone.map(({ revoked }) => revoked)).toEqual([true, true, false]);
  });

  it("denies and allows the digests of every file", () => {
    const digests = (text: string) => `${V}digests: ${text}\n`;
    const { policy } = read(digests(`{ deny: ["sha256:${HEX}"] }`), digests(`{ allow: ["sha256:${OTHER}"] }`));
    expect(policy.deniedDigests).toEqual(new Map([[`sha256:${HEX}`, [0, 2]]]));
    expect(policy.allowedDigests).toEqual(new Map([[`sha256:${OTHER}`, [1, 2]]]));
    const twice = digests(`{ deny: ["sha256:${HEX}"] }`);
    // Where it is listed first.
    expect(read(twice, twice).policy.deniedDigests).toEqual(policy.deniedDigests);
  });

  it("has the default of the file that has one", () => {
    expect(read(V, `${V}default: allow`).policy.fallback).toBe("allow");
    expect(read(`${V}default: allow`, V).policy.fallback).toBe("allow");
    expect(read(V, V).policy.fallback).toBe("deny");
    expect(read(V, `${V}default: allow`).policy.fallbackPlace).toEqual([1, 2]);
    expect(read(V, V).policy.fallbackPlace).toEqual([0, 1]);
    const trusting = `${V}trustedDIDs: [${ALICE}]`;
    expect(read(`${V}default: audit`, trusting).policy.everyone).toHaveLength(1);
  });

  it("is the main file alone where there is no fragment", () => {
    const text = `${V}trustedDIDs: [${ALICE}]\n${rule("one")}default: audit`;
    expect(parsePolicy(text, "policy.yaml")).toEqual(parsePolicy(text, "policy.yaml", []));
    expect(parsePolicy(text, "policy.yaml")).toEqual(read(text).policy);
  });

  const map = (did: string) => `${V}trustedDIDs:\n  ${did}: {}\n`;
  const list = (did: string) => `${V}trustedDIDs:\n  - ${did}\n`;
  const digests = (which: string, hex = HEX) => `${V}digests: { ${which}: ["sha256:${hex}"] }\n`;

  // Each set of files, where the second of two is, and what the message says of the first.
  it.each<[string, [string, ...string[]], string, string]>([
    ["a DID in two maps", [map(ALICE), V, map(ALICE)], "policy.d/b.yaml:3:3", "in policy.yaml:3"],
    ["a DID in two fragments", [map(BOB), map(ALICE), map(ALICE)], "policy.d/b.yaml:3:3", "in policy.d/a.yaml:3"],
    ["a list beside a map", [map(ALICE), list(BOB)], "policy.d/a.yaml:3:3", "a map as in policy.yaml:3"],
    ["a map beside a list", [list(ALICE), V, map(BOB)], "policy.d/b.yaml:3:3", "a list as in policy.yaml:3"],
    ["a map beside a list of a fragment", [V, list(ALICE), map(BOB)], "policy.d/b.yaml:3:3", "in policy.d/a.yaml:3"],
    [
      "two rules of one name",
      [`${list(ALICE)}${rule("one")}`, `${V}# a comment\n${rule("one")}`],
      "policy.d/a.yaml:4:11",
      "in policy.yaml:5",
    ],
    ["two defaults", [`${V}default: deny`, `${V}default: deny`], "policy.d/a.yaml:2:1", "to policy.yaml:2"],
    ["a digest denied and allowed", [digests("deny"), digests("allow")], "policy.d/a.yaml:2:20", "in policy.yaml:2"],
    ["a digest allowed and denied", [digests("allow"), digests("deny")], "policy.d/a.yaml:2:19", "in policy.yaml:2"],
    ["no version", [V, "default: deny"], "policy.d/a.yaml:1:1", 'the key "version"'],
    ["nothing but comments", [V, "# later\n"], "policy.d/a.yaml:1:1", "a trust policy"],
    ["what is no YAML", [V, "a: ["], "policy.d/a.yaml:1:5", "in brackets that is not closed"],
    ["an unknown key", [V, V, `${V}rules: []`], "policy.d/b.yaml:2:1", "the unknown key"],
    ["a bad DID", [V, `${V}revokedDIDs: [did:plc:x]`], "policy.d/a.yaml:2:15", "in canonical form"],
    ["a DID of no map", [map(ALICE), V + rule("one", trusting(BOB))], "policy.d/a.yaml:6:30", "a DID in the map"],
    ["a rule that trusts nobody", [V, V + rule("one")], "policy.d/a.yaml:3:5", "which enforces but trusts no DID"],
  ])("refuses %s", (_, texts, position, saying) => {
    const { code, message, place } = rejectionOf(...texts);
    expect(code).toBe("policy.invalid");
    expect(message.slice(0, position.length + 2)).toBe(`${position}: `);
    expect(message).toContain(saying);
    const [file, line, column] = position.split(":");
    expect(place).toMatchObject({ file, line: Number(line), column: Number(column) });
  });

  describe("bounds", () => {
    const rules = (from: number, count: number) =>
      `${V}policies:\n${Array.from({ length: count }, (_, i) => ` - {name: r${from + i}, scope: a.b/c, action: deny}\n`).join("")}`;

    it("takes 1000 rules of all files together and no more", () => {
      expect(read(rules(0, 600), rules(600, 400)).policy.rules).toHaveLength(1000);
      const { message } = rejectionOf(rules(0, 600), rules(600, 401));
      expect(message).toBe("policy.d/a.yaml:3:2: policies: found 1001 rules, expected 1000 at most");
    });

    it("takes 1 MiB of all files together and no more", () => {
      const half = (more: number) => `${V}#${" ".repeat(512 * 1024 - V.length - 1 + more)}`;
      expect(read(half(0), half(0)).policy.rules).toEqual([]);
      const { message } = rejectionOf(half(0), half(1), V);
      expect(message).toMatch(/^policy\.d\/a\.yaml:1:1: found 1048577 characters .*, expected 1048576 at most$/);
    });
  });
});

describe("the places of a policy", () => {
  const main = `${V}trustedDIDs:
  ${ALICE}:
    expiresAt: "2030-01-01T00:00:00Z"
${rule("one")}`;
  const fragment = `${V}default: deny
policies:
  - name: two
    scope:
      - a.b/c
      - a.b/d   # a comment
    action: enforce
    require:
      minSignatures: 2\r
`;
  const { places } = read(main, fragment);
  const at = (place: Place | undefined) => place && `${place.file}:${place.line}:${place.column}: ${place.lineText}`;

  it("are those of rules, and of what stands in them", () => {
    expect(at(places.ofRule("one"))).toBe("policy.yaml:6:5:   - name: one");
    expect(at(places.ofRule("two", ["scope", 1]))).toBe("policy.d/a.yaml:7:9:       - a.b/d   # a comment");
    expect(at(places.ofRule("two", ["require", "minSignatures"]))).toBe(
      "policy.d/a.yaml:10:22:       minSignatures: 2",
    );
    expect(at(places.ofRule("one", ["require", "maxAge"]))).toBe("policy.yaml:6:5:   - name: one");
    expect(places.ofRule("three")).toBeUndefined();
  });

  it("are those of signers in a map, and of what is said of them", () => {
    expect(at(places.ofSigner(ALICE))).toBe(`policy.yaml:3:3:   ${ALICE}:`);
    expect(at(places.ofSigner(ALICE, ["expiresAt"]))).toBe('policy.yaml:4:16:     expiresAt: "2030-01-01T00:00:00Z"');
    expect(places.ofSigner(BOB)).toBeUndefined();
  });

  it("are those of signers where they are first listed, under trustedDIDs or in a rule", () => {
    const listed = read(
      `${V}trustedDIDs: [${ALICE}]`,
      `${V}trustedDIDs: [${CAROL}, ${ALICE}]\n${rule("one", trusting(BOB))}`,
    );
    expect(at(listed.places.ofSigner(ALICE))).toContain("policy.yaml:2:15: ");
    expect(at(listed.places.ofSigner(CAROL))).toContain("policy.d/a.yaml:2:15: ");
    expect(at(listed.places.ofSigner(BOB))).toContain("policy.d/a.yaml:7:30: ");
  });

  it("are that of the default", () => {
    expect(at(places.ofDefault())).toBe("policy.d/a.yaml:2:10: default: deny");
    expect(read(V).places.ofDefault()).toBeUndefined();
  });
});
