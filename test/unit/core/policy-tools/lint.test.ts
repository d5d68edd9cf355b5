import { describe, expect, it } from "vitest";
import { parseReference } from "../../../../src/core/oci/reference.ts";
import { readPolicy } from "../../../../src/core/policy/parse-policy.ts";
import { findingsInOrder, lintPolicy } from "../../../../src/core/policy-tools/lint.ts";
import type { PolicyFinding } from "../../../../src/core/policy-tools/policy-finding.ts";

const ALICE = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const BOB = "did:plc:z72i7hdynmk6r22z27h6tvur";
const CAROL = "did:web:carol.example.com";
const KEYS = [
  "did:key:zQ3shqwJEJyMBsBXCWyCBpUBMqxcon9oHB7mCvx4sSpMdLJwc",
  "did:key:zDnaerx9CtbPJ1q36T5Ln5wYt3MQYeGRG5ehnPAmxcf5mDZpv",
];
const NOW = Date.UTC(2026, 5, 15);
const PAUSE = parseReference("registry.k8s.io/pause:3.10");

/** What is found, as `severity name line:column`. */
function found(
  text: string,
  options: { atcrHosts?: readonly string[]; sandbox?: boolean; now?: number } = {},
): string[] {
  const { atcrHosts = ["atcr.io"], sandbox = false, now = NOW } = options;
  const question = { ...readPolicy(text, "policy.yaml"), atcrHosts, now };
  return lintPolicy(question, sandbox ? PAUSE : undefined).map(({ severity, name, place, message }) => {
    expect(message.length, message).toBeLessThanOrEqual(200);
    return `${severity} ${name}${place === undefined ? "" : ` ${place.line}:${place.column}`}`;
  });
}

/** Rules of this text, from line 5 on, under a map of one signer. */
const rules = (...texts: readonly string[]): string =>
  `version: 1.0\ntrustedDIDs: { "${ALICE}": {} }\ndefault: deny\npolicies:\n${texts.map((text) => `  - ${text}\n`).join("")}`;
const rule = (name: string, scope: string, rest = "action: enforce"): string =>
  `{ name: ${name}, scope: ${scope}, ${rest} }`;
const requiring = (requirement: string, scope = "registry.example.com/**"): string =>
  rules(rule("a", scope, `action: enforce, require: { ${requirement} }`));

describe("lintPolicy", () => {
  it.each<[string, string, string[]]>([
    ["deny", "audit", ["warning default-hidden 3:10"]],
    ["audit", "audit", []],
    ["deny", "enforce", []],
    ["deny", "deny", []],
  ])(
    "finds a default that refuses nothing: %s below a rule for everything that does %s",
    (fallback, action, expected) => {
      for (const scope of ['"**"', '"*/**"', '["a.example/**", "**"]']) {
        const text = rules(rule("special", "a.example/x"), rule("all", scope, `action: ${action}`));
        const all = found(text.replace("default: deny", `default: ${fallback}`));
        expect(all.filter((one) => one.includes("default"))).toEqual(expected);
      }
      const narrow = found(rules(rule("all", '"*.example/**"', `action: ${action}`)));
      expect(narrow.filter((one) => one.includes("default"))).toEqual([]);
    },
  );

  it("finds a rule, and a scope, that earlier rules only together match", () => {
    const [one, more] = [rule("a", '"a.example/*"'), rule("b", '"a.example/*/**"', "action: deny")];
    expect(found(rules(one, more, rule("c", '"a.example/**"')))).toEqual(["error rule-hidden 7:5"]);
    expect(found(rules(one, rule("c", '"a.example/**"'), more))).toEqual(["error rule-hidden 7:5"]);
    expect(found(rules(one, more, rule("c", '["a.example/**", "b.example/**"]')))).toEqual([
      "warning scope-hidden 7:24",
    ]);
    const question = {
      ...readPolicy(rules(one, more, rule("c", '"a.example/**"')), "p.yaml"),
      atcrHosts: [],
      now: NOW,
    };
    expect(lintPolicy(question, undefined).map(({ message }) => message)).toEqual([
      'rule "c" never applies: rules "a" (a.example/*), "b" (a.example/*/**) come first and together match all its names',
    ]);
  });

  it("says once that a policy that audits trusts nobody yet, and which rule of another", () => {
    const audit = '  - { name: all, scope: "**", action: audit }\n  - { name: b, scope: b.example/c, action: audit }\n';
    const nobody = "version: 1.0\ntrustedDIDs:\n";
    const of = (text: string) => found(text).filter((one) => !/hidden/.test(one));
    expect(of(`${nobody}policies:\n${audit}default: audit`)).toEqual(["warning no-signers 4:5"]);
    expect(of(`${nobody}default: audit`)).toEqual(["warning no-signers 3:10"]);
    expect(of(`${nobody}default: deny`)).toEqual(["warning no-rules 3:10"]);
    expect(of(`${nobody}default: allow`)).toEqual(["warning no-rules 3:10"]);
    const own = (dids: string) =>
      rule("a", "registry.example.com/**", `action: audit, require: { trustedDIDs: ${dids} }`);
    expect(found(rules(own("[]"), rule("b", "b.example/c")))).toEqual(["warning no-signers 5:87"]);
  });

  it("says that the default lets the rest through, unless a rule matches everything", () => {
    const enforcing = rule("a", "atcr.io/**");
    const withDefault = (text: string, value: string) =>
      found(`${text.replace(/^default: .*\n/m, "")}default: ${value}\n`);
    expect(withDefault(rules(enforcing), "allow")).toEqual(["warning default-allows 5:10"]);
    expect(withDefault(rules(enforcing), "deny")).toEqual([]);
    expect(withDefault(rules(rule("a", '"**"')), "allow").filter((one) => /default/.test(one))).toEqual([]);
  });

  it("finds nothing in a policy of which all has effect", () => {
    const text = rules(
      rule("sandbox", "registry.k8s.io/pause", "action: allow"),
      rule("special", "atcr.io/*/prod-*"),
      rule("general", "[atcr.io/**, registry.example.com/app]", "action: audit"),
    );
    expect(found(text, { sandbox: true })).toEqual([]);
  });

  describe("scopes", () => {
    it.each([
      ["by one that is wider", ["atcr.io/**"], "atcr.io/*/prod-*"],
      ["by the same", ["atcr.io/*/app"], "atcr.io/*/app"],
      ["by one with a wildcard host", ['"*/**"'], "registry.example.com/app"],
      ["by everything", ['"**"'], "atcr.io/alice.example.com/app"],
      [
        "by several rules together",
        ["atcr.io/**", "docker.io/**"],
        "[docker.io/library/nginx, atcr.io/a.example.com/b]",
      ],
      [
        "by one rule with several scopes",
        ["[a.example.com/**, b.example.com/**]"],
        "[a.example.com/x, b.example.com/y]",
      ],
    ])("finds a rule that is hidden %s", (_, earlier, later) => {
      const text = rules(...earlier.map((scope, i) => rule(`r${i}`, scope)), rule("last", later));
      expect(found(text, { atcrHosts: ["none.example"] })).toEqual([`error rule-hidden ${5 + earlier.length}:5`]);
    });

    it.each([
      ["of a narrower one", "atcr.io/a.example.com/*", "atcr.io/**"],
      ["of another host", "atcr.io/**", "atcr.io:5000/**"],
      ["where one segment is less", "atcr.io/*", "atcr.io/**"],
      ["where text is missing", "atcr.io/*/prod-*", "atcr.io/*/pro*"],
    ])("finds none behind one %s", (_, earlier, later) => {
      const text = rules(rule("a", earlier), rule("b", later));
      expect(found(text, { atcrHosts: ["none.example"] })).toEqual([]);
    });

    it("finds one scope of several that is hidden, by an earlier rule or in its own list", () => {
      const earlier = rule("a", "a.example.com/**");
      expect(found(rules(earlier, rule("b", "[b.example.com/x, a.example.com/x]")))).toEqual([
        "warning scope-hidden 6:41",
      ]);
      expect(found(rules(earlier, rule("b", "[a.example.com/x, b.example.com/x]")))).toEqual([
        "warning scope-hidden 6:24",
      ]);
      const own = (list: string) => found(rules(rule("a", list)));
      expect(own("[b.example.com/x, b.example.com/**]")).toEqual(["warning scope-hidden 5:24"]);
      expect(own("[b.example.com/**, b.example.com/x]")).toEqual(["warning scope-hidden 5:42"]);
      expect(own("[b.example.com/x, b.example.com/x]")).toEqual(["warning scope-hidden 5:41"]);
      expect(own("[b.example.com/*/**, b.example.com/**/*]")).toEqual(["warning scope-hidden 5:44"]);
    });

    it("names the rule that hides, whatever its action", () => {
      const message = (scope: string) => {
        const text = rules(rule("open", "a.example.com/**", "action: allow"), rule("strict", scope));
        return lintPolicy({ ...readPolicy(text, "policy.yaml"), atcrHosts: [], now: NOW }, undefined)[0]?.message;
      };
      const said = 'rule "strict" never applies: rule "open" (a.example.com/**) comes first and matches';
      expect(message("a.example.com/x")).toBe(`${said} all its names`);
      expect(message("[a.example.com/x, a.example.com/y]")).toBe(
        `${said} all names of its first scope, and its other scopes are hidden too`,
      );
    });

    it("finds a scope that lacks the handle or the repository", () => {
      expect(found(rules(rule("a", "atcr.io/app")))).toEqual(["warning scope-matches-nothing 5:23"]);
      const advice = (scope: string) =>
        lintPolicy(
          { ...readPolicy(rules(rule("a", scope)), "policy.yaml"), atcrHosts: ["atcr.io"], now: NOW },
          undefined,
        )[0]?.advice;
      expect(advice("atcr.io/alice.example.com*")).toContain("atcr.io/alice.example.com/**");
      expect(advice("atcr.io/*")).toContain("atcr.io/HANDLE/**");
      expect(found(rules(rule("a", "[atcr.io/*]", "action: deny")))).toEqual([
        "warning signer-unused 2:16",
        "warning scope-matches-nothing 5:24",
      ]);
      expect(found(rules(rule("a", "atcr.io/app")), { atcrHosts: ["other.example"] })).toEqual([]);
      expect(found(rules(rule("a", "atcr.io/**")))).toEqual([]);
      // Such a name can be asked for all the same.
      const question = {
        ...readPolicy(rules(rule("a", "atcr.io/app")), "policy.yaml"),
        atcrHosts: ["atcr.io"],
        now: NOW,
      };
      expect(lintPolicy(question, undefined)).toMatchObject([
        {
          message: 'scope atcr.io/app of rule "a" probably matches no image: names on atcr.io are HANDLE/REPOSITORY',
        },
      ]);
    });

    it.each(["reg*:99999", "reg*:65536", "reg*:0*", "reg*:0", "*:0443"])(
      "finds a port that can be none: %s",
      (host) => {
        expect(found(requiring("", `"${host}/**"`))).toEqual(["error scope-matches-nothing 5:23"]);
      },
    );

    it.each([
      "reg*",
      "reg*:65535",
      "reg*:*",
      "reg*:*0",
      "reg*:*9999",
      "reg*:9999*",
      "reg*:5*",
      "**",
      "[fd00:0:0:1::1]",
    ])("finds nothing in a host that can be one: %s", (host) => {
      expect(found(requiring("", `"${host}/**"`))).toEqual([]);
    });

    it("finds a path that is longer than those of names, whatever the wildcards stand for", () => {
      const path = (text: string) => found(requiring("", `"r.example/${text}"`));
      const tooLong = ["error scope-matches-nothing 5:23"];
      const [longest, longer] = ["a".repeat(255), "a".repeat(256)];
      expect(parseReference(`r.example/${longest}`)).toMatchObject({ path: longest });
      expect(() => parseReference(`r.example/${longer}`)).toThrow();
      expect([path(longest), path(longer)]).toEqual([[], tooLong]);
      expect([path(`*${longest}`), path(`*${longer}`)]).toEqual([[], tooLong]);
      expect([path(`*/${longest.slice(2)}`), path(`*/${longest.slice(1)}`)]).toEqual([[], tooLong]);
      expect([path(`${longest.slice(2)}/**`), path(`${longest.slice(1)}/**`)]).toEqual([[], tooLong]);
      expect(found(rules(rule("a", `r.example/${longer}`, "action: deny")))).toContain(tooLong[0]);
    });

    it("finds owner: match where names have no owner", () => {
      expect(found(requiring("owner: match"))).toEqual(["error scope-without-owner 5:23"]);
      expect(found(requiring("owner: match"), { atcrHosts: ["registry.example.com"] })).toEqual([]);
      expect(found(requiring("owner: match", '"*.io/**"'))).toEqual([]);
      expect(found(requiring("owner: match", '"*.io/**"'), { atcrHosts: ["atcr.io", "other.example"] })).toEqual([]);
      expect(found(requiring("owner: match", '"**"'))).toEqual([]);
      expect(found(requiring("owner: any"))).toEqual([]);
    });

    it("finds a handle that can be nobody's where the owner must have signed", () => {
      const scope = "atcr.io/alice/app";
      expect(found(requiring("", scope))).toEqual(["error scope-without-handle 5:23"]);
      expect(found(requiring("", "atcr.io/al_ice.example/app"))).toEqual(["error scope-without-handle 5:23"]);
      expect(found(requiring("owner: match", scope))).toEqual(["error scope-without-handle 5:23"]);
      expect(found(requiring("owner: any", scope))).toEqual([]);
      expect(found(requiring("", scope), { atcrHosts: ["other.example"] })).toEqual([]);
      expect(found(requiring("", "atcr.io/alice.example.com/app"))).toEqual([]);
      expect(found(requiring("", "atcr.io/ali*/app"))).toEqual([]);
      expect(found(requiring("", "atcr.io/**/app"))).toEqual([]);
      for (const handle of ["a*_*", "*.1", "*.1a", "*.*.0", `*.${"a".repeat(64)}.com`]) {
        expect(found(requiring("", `"atcr.io/${handle}/app"`)), handle).toEqual(["error scope-without-handle 5:23"]);
        expect(found(requiring("owner: any", `"atcr.io/${handle}/app"`)), handle).toEqual([]);
      }
      for (const handle of ["*", "*.com", "a*1", "*.1*", "1.*", "*.a*.com", "*-*"]) {
        expect(found(requiring("", `"atcr.io/${handle}/app"`)), handle).toEqual([]);
      }
      // Not every name of these scopes is on a host where names have owners.
      expect(found(requiring("", '"*.io/alice/app"'))).toEqual([]);
      expect(found(requiring("", '"*.example/alice/app"'))).toEqual([]);
      expect(found(rules(rule("a", scope, "action: deny")))).toEqual(["warning signer-unused 2:16"]);
    });
  });

  it("finds a handle that is asked only where network.allow lists it", () => {
    for (const handle of ["alice.test", "*.test", "*.example.local"]) {
      const scope = `"atcr.io/${handle}/app"`;
      expect(found(requiring("", scope)), handle).toEqual(["warning handle-reserved 5:23"]);
      expect(found(requiring("owner: any", scope)), handle).toEqual([]);
    }
    expect(found(requiring("", '"atcr.io/*.test*/app"'))).toEqual([]);
    expect(found(requiring("", "atcr.io/test.example.com/app"))).toEqual([]);
  });

  describe("signers", () => {
    const signers = (first: string, second = "{}", required = ""): string =>
      `version: 1.0\ntrustedDIDs:\n  ${ALICE}: ${first}\n  ${BOB}: ${second}\npolicies:\n  - { name: a, scope: r.example/**, action: enforce, require: { ${required} } }\n`;

    it.each([
      ["expired", 'expiresAt: "2026-06-15T00:00:00Z"', ["warning signer-expired 3:50"]],
      ["that expires soon", 'expiresAt: "2026-06-29T00:00:00Z"', ["warning signer-expires-soon 3:50"]],
      ["that does not expire soon", 'expiresAt: "2026-06-29T00:00:01Z"', []],
      ["not yet valid", 'validFrom: "2026-06-15T00:00:01Z"', ["warning signer-not-yet-valid 3:50"]],
      ["just valid", 'validFrom: "2026-06-15T00:00:00Z"', []],
    ])("finds a signer %s", (_, metadata, expected) => {
      expect(found(signers(`{ ${metadata} }`))).toEqual(expected);
    });

    it("finds a revoked signer whom a rule names, and none whom it does not", () => {
      const revoking = (required: string) => found(`${signers("{}", "{}", required)}revokedDIDs: [${ALICE}]\n`);
      expect(revoking("")).toEqual([]);
      expect(revoking(`trustedDIDs: [${ALICE}]`)).toEqual([
        "warning signer-revoked 3:3",
        "warning signer-unused 4:3",
        "error rule-without-signers 6:78",
      ]);
    });

    it("finds who is trusted by no rule, and who is revoked and not known", () => {
      expect(found(signers("{}", "{}", `trustedDIDs: [${BOB}]`))).toEqual(["warning signer-unused 3:3"]);
      expect(found(`${signers("{}", "{}", `trustedDIDs: [${BOB}]`)}default: audit\n`)).toEqual([]);
      expect(found(`${signers("{}")}revokedDIDs: [${CAROL}]\n`)).toEqual(["warning revocation-unused 7:15"]);
    });
  });

  describe("requirements", () => {
    const three = (metadata: readonly [string, string, string], required: string): string =>
      `version: 1.0\ntrustedDIDs:\n  ${ALICE}: ${metadata[0]}\n  ${BOB}: ${metadata[1]}\n  ${CAROL}: ${metadata[2]}\npolicies:\n  - name: a\n    scope: r.example/**\n    action: enforce\n    require:\n      ${required}\n`;
    const [K, P] = KEYS;
    const unreachable = "error signatures-unreachable 11:22";
    const past = '{ expiresAt: "2026-01-01T00:00:00Z" }';
    const now = '{ validFrom: "2026-06-15T00:00:00Z" }';
    const future = '{ validFrom: "2027-01-01T00:00:00Z" }';
    const pinned = (...keys: readonly (string | undefined)[]) => `{ keys: [${keys.join(", ")}] }`;
    const errors = (text: string) => found(text).filter((finding) => finding.startsWith("error"));

    it.each<[string, readonly [string, string, string], number, readonly string[]]>([
      ["as many signers as needed", ["{}", "{}", "{}"], 3, []],
      ["fewer signers", ["{}", "{}", "{}"], 4, [unreachable]],
      ["signers trusted from now on", [now, now, now], 3, []],
      ["fewer signers that have not expired", ["{}", past, "{}"], 3, [unreachable]],
      ["signers of whom one comes later", ["{}", future, "{}"], 3, ["error signatures-unreachable 4:50"]],
      ["signers of whom enough are there already", ["{}", future, "{}"], 2, []],
      ["different keys", [pinned(K), pinned(P), "{}"], 3, []],
      ["one key for two", [pinned(K), pinned(K), "{}"], 3, [unreachable]],
      ["one key for two of three, of whom two are needed", [pinned(K), pinned(K), "{}"], 2, []],
      ["two keys for three", [pinned(K, P), pinned(K, P), pinned(P)], 3, [unreachable]],
      ["two keys in the way of each other", [pinned(K, P), pinned(K), "{}"], 3, []],
      ["nobody left", [past, past, past], 1, ["error rule-without-signers 11:7"]],
    ])("is met or not by %s", (_, metadata, minSignatures, expected) => {
      expect(errors(three(metadata, `minSignatures: ${minSignatures}`))).toEqual(expected);
    });

    it("says whether signers or their keys are too few", () => {
      const message = (metadata: readonly [string, string, string], min: number) => {
        const question = {
          ...readPolicy(three(metadata, `minSignatures: ${min}`), "policy.yaml"),
          atcrHosts: [],
          now: NOW,
        };
        return lintPolicy(question, undefined)[0]?.message;
      };
      expect(message(["{}", "{}", "{}"], 4)).toContain("3 of its signers are neither revoked nor expired");
      expect(message([pinned(K), pinned(K), "{}"], 3)).toContain("the pinned keys allow only 2");
    });

    it("finds several signatures where only the owner's counts", () => {
      const one = (scope: string, rest = "") =>
        found(three(["{}", "{}", "{}"], `minSignatures: 2${rest}`).replace("r.example/**", scope));
      expect(one("atcr.io/**")).toEqual(["error signatures-by-one-owner 11:22"]);
      expect(one('"[::1]:5000/**"', "\n      owner: any")).toEqual([]);
      expect(one("atcr.io/**", "\n      owner: any")).toEqual([]);
      expect(one("[atcr.io/**, r.example/**]")).toEqual(["warning signatures-by-one-owner 11:22"]);
      expect(one('"**"')).toEqual(["warning signatures-by-one-owner 11:22"]);
      const text = three(["{}", "{}", "{}"], "minSignatures: 2").replace("r.example/**", "[atcr.io/**, r.example/**]");
      const question = { ...readPolicy(text, "policy.yaml"), atcrHosts: ["atcr.io"], now: NOW };
      expect(lintPolicy(question, undefined)).toMatchObject([
        {
          message: expect.stringMatching(/ for atcr\.io\/\*\*$/),
          advice: expect.stringContaining(" on atcr.io;"),
        },
      ]);
      expect(one("r.example/**")).toEqual([]);
    });

    it("finds a rule that depends on referrers, as it trusts more signers than are asked directly", () => {
      const many = (count: number, scope: string, required = "signature: true") => {
        const dids = Array.from(
          { length: count },
          (_, i) => `"did:plc:${"abcdefghijklmnopq"[i]}${"q".repeat(23)}": {}`,
        );
        return requiring(required, scope).replace(`"${ALICE}": {}`, dids.join(", "));
      };
      const needed = (text: string) => found(text).filter((one) => one.includes("referrers-needed"));
      expect(needed(many(17, "r.example/**"))).toEqual(["warning referrers-needed 5:63"]);
      expect(needed(many(16, "r.example/**"))).toEqual([]);
      // There the handle in the name leads to the signer.
      expect(needed(many(17, '"atcr.io/*/**"'))).toEqual([]);
      expect(needed(many(17, '"atcr.io/*/**"', "owner: any"))).toHaveLength(1);
      expect(needed(many(17, '["atcr.io/*/**", r.example/x]'))).toHaveLength(1);
    });

    it("finds a minKeyAge shorter than the recovery window", () => {
      const pinned = (text: string) => text.replace("{}", `{ keys: [${K}] }`);
      expect(found(pinned(requiring("minKeyAge: 71h")))).toEqual(["warning key-age-short 5:87"]);
      expect(found(pinned(requiring("minKeyAge: 72h")))).toEqual([]);
    });

    it("finds did:web signers without pinned keys whose evidence is to count from bundles", () => {
      const offline = (text: string) => found(text).filter((one) => one.includes("offline-unpinned"));
      const web = requiring("offlineFor: 30d").replace(ALICE, CAROL);
      expect(offline(web)).toHaveLength(1);
      expect(offline(web.replace("{}", `{ keys: [${K}] }`))).toEqual([]);
      expect(offline(requiring("offlineFor: 30d"))).toEqual([]);
      expect(offline(requiring("signature: true").replace(ALICE, CAROL))).toEqual([]);
    });

    it("finds signers whose first signatures are refused, as minKeyAge is asked of a key that is not pinned", () => {
      const unpinned = (metadata: readonly [string, string, string], required = "minKeyAge: 72h") => {
        const question = { ...readPolicy(three(metadata, required), "policy.yaml"), atcrHosts: [], now: NOW };
        return lintPolicy(question, undefined)
          .filter(({ name }) => name === "key-age-unpinned")
          .map(({ severity, message, place }) => `${severity} ${place?.line}:${place?.column} ${message}`);
      };
      const said = (whom: string) => [
        `warning 11:18 rule "a" sets minKeyAge, and these signers have no pinned keys: ${whom}`,
      ];
      expect(unpinned(["{}", "{}", "{}"], "minSignatures: 1")).toEqual([]);
      expect(unpinned([pinned(K), pinned(P), pinned(K, P)])).toEqual([]);
      expect(unpinned([pinned(K), "{}", pinned(P)])).toEqual(said(BOB));
      expect(unpinned(["{}", "{}", "{}"])).toEqual(said(`${ALICE}, ${BOB}, ${CAROL}`));
      // Of these nothing counts.
      expect(unpinned([pinned(K), pinned(P), past])).toEqual([]);
      expect(unpinned([pinned(K), pinned(P), future])).toEqual(said(CAROL));
    });

    it("names three of many", () => {
      const dids = [ALICE, BOB, CAROL, "did:web:d.example.com", "did:web:e.example.com"];
      const message = (count: number) => {
        const signers = dids.slice(0, count).map((did) => `"${did}": {}`);
        const text = requiring("minKeyAge: 72h").replace(
          /^trustedDIDs: .*$/m,
          `trustedDIDs: { ${signers.join(", ")} }`,
        );
        return lintPolicy({ ...readPolicy(text, "policy.yaml"), atcrHosts: [], now: NOW }, undefined)[0]?.message;
      };
      expect(message(3)).toMatch(/did:web:carol\.example\.com$/);
      expect(message(4)).toMatch(/did:web:carol\.example\.com and 1 more$/);
      expect(message(5)).toMatch(/did:web:carol\.example\.com and 2 more$/);
      const scopes = Array.from({ length: 40 }, (_, i) => `atcr.io/a${i}.example.com/**`).join(", ");
      expect(found(three(["{}", "{}", "{}"], "minSignatures: 2").replace("r.example/**", `[${scopes}]`))).toEqual([
        "error signatures-by-one-owner 11:22",
      ]);
    });
  });

  describe("sandbox image", () => {
    const sandbox = (...texts: readonly string[]) => found(rules(...texts), { sandbox: true });

    it.each([
      ["no rule covers it", [rule("a", "r.example/**")], ["warning sandbox-refused 3:10"]],
      ["a rule wants it signed", [rule("a", '"**"')], ["warning sandbox-refused 5:5"]],
      [
        "a rule denies it",
        [rule("a", '"**"', "action: deny")],
        ["warning signer-unused 2:16", "warning sandbox-refused 5:5"],
      ],
      ["a rule only audits it", [rule("a", "registry.k8s.io/**", "action: audit")], []],
      ["a rule exempts it", [rule("a", "registry.k8s.io/**", "action: allow"), rule("b", '"**"')], []],
    ])("is missed where %s", (_, texts, expected) => {
      expect(sandbox(...texts)).toEqual(expected);
    });

    it("is let through by some defaults", () => {
      const text = rules(rule("a", "r.example/**"));
      for (const fallback of ["allow", "audit"]) {
        const all = found(text.replace("default: deny", `default: ${fallback}`), { sandbox: true });
        expect(all.filter((one) => one.includes("sandbox"))).toEqual([]);
      }
    });
  });

  it("looks at what stands in fragments, and points there", () => {
    const fragment = { name: "policy.d/a.yaml", text: `version: 1.0\npolicies:\n  - ${rule("b", "r.example/x")}\n` };
    const text = rules(rule("a", "r.example/**"));
    const question = { ...readPolicy(text, "policy.yaml", [fragment]), atcrHosts: [], now: NOW };
    expect(lintPolicy(question, undefined)).toMatchObject([
      { name: "rule-hidden", place: { file: "policy.d/a.yaml", line: 3 } },
    ]);
  });

  it("says what is found in the order of the files, and in each from top to bottom", () => {
    const files = ["z.yaml", "a.yaml", "m.yaml"];
    const at = (file: string, line: number, column: number): PolicyFinding => {
      const place = { file, line, column, lineText: "" };
      return { severity: "warning", name: "x", message: "", advice: "", place };
    };
    const nowhere: PolicyFinding = { severity: "error", name: "y", message: "", advice: "" };
    const ordered = [
      nowhere,
      at("z.yaml", 2, 9),
      at("z.yaml", 10, 1),
      at("z.yaml", 10, 3),
      at("a.yaml", 1, 1),
      at("m.yaml", 1, 1),
    ];
    const [a, b, c, d, e, f] = ordered as [
      PolicyFinding,
      PolicyFinding,
      PolicyFinding,
      PolicyFinding,
      PolicyFinding,
      PolicyFinding,
    ];
    for (const mixed of [
      [f, e, d, c, b, a],
      [c, f, a, e, b, d],
      [e, b, f, d, a, c],
    ]) {
      expect(
        findingsInOrder(
          mixed,
          files.map((name) => ({ name })),
        ),
      ).toEqual(ordered);
    }
  });

  it("says of two files what is found in the first one first, whoever finds it", () => {
    const text = `version: 1.0\ntrustedDIDs: { "${ALICE}": {}, "${BOB}": {} }\npolicies:\n  - ${rule("a", "r.example/**", `action: enforce, require: { trustedDIDs: [${ALICE}], minKeyAge: 1h }`)}\n`;
    const fragment = `version: 1.0\nrevokedDIDs: [${CAROL}]\npolicies:\n  - ${rule("b", "r.example/x", "action: deny")}\n`;
    const question = { ...readPolicy(text, "b.yaml", [{ name: "a.yaml", text: fragment }]), atcrHosts: [], now: NOW };
    expect(lintPolicy(question, undefined).map(({ name, place }) => `${place?.file}:${place?.line} ${name}`)).toEqual([
      "b.yaml:2 signer-unused",
      "b.yaml:4 key-age-short",
      "b.yaml:4 key-age-unpinned",
      "a.yaml:2 revocation-unused",
      "a.yaml:4 rule-hidden",
    ]);
  });
});
