import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEFAULT_CONFIG } from "../../src/core/config/config.ts";
import { parseConfig } from "../../src/core/config/parse-config.ts";
import { fromTypedJson, toTypedJson } from "../../src/core/encoding/typed-json.ts";
import { parsePolicy } from "../../src/core/policy/parse-policy.ts";

const roundTrip = (value: unknown): unknown => fromTypedJson(toTypedJson(value));

/** As Node sees it: kinds, order of entries, and fields that are there and undefined. */
function expectSame(value: unknown): void {
  const again = roundTrip(value);
  expect(again).toStrictEqual(value);
  expect(isDeepStrictEqual(again, value)).toBe(true);
}

const text = fc.string({ unit: "binary" });
const { data } = fc.letrec<{ data: unknown }>((tie) => ({
  data: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    text,
    fc.boolean(),
    fc.constant(null),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((number) => !Object.is(number, -0)),
    fc.uint8Array({ maxLength: 20 }),
    fc.array(tie("data"), { maxLength: 4 }),
    fc.array(tie("data"), { maxLength: 4 }).map((all) => new Set(all)),
    fc.array(fc.tuple(tie("data"), tie("data")), { maxLength: 4 }).map((all) => new Map(all)),
    fc.dictionary(
      text.filter((name) => !name.startsWith("$") && name !== "__proto__"),
      tie("data"),
      {
        maxKeys: 4,
        noNullPrototype: true,
      },
    ),
  ),
}));

describe("plain data", () => {
  it("is the same after it was text", () => {
    fc.assert(
      fc.property(data, (value) => expectSame(value)),
      { numRuns: 2000 },
    );
  });

  it("is not text that is none", () => {
    for (const broken of ["", "{", '{"a":1}x', "undefined"]) expect(() => fromTypedJson(broken)).toThrow(SyntaxError);
  });
});

const some = <T>(arbitrary: fc.Arbitrary<T>, maxLength = 3) => fc.uniqueArray(arbitrary, { minLength: 1, maxLength });
const optional = <T extends object>(parts: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(parts, { requiredKeys: [] });
const duration = fc.tuple(fc.integer({ min: 1, max: 50 }), fc.constantFrom("s", "m")).map((parts) => parts.join(""));
const brief = fc.integer({ min: 1, max: 50 }).map((count) => `${count}s`);
const hosts = fc.constantFrom("a.example", "b.example:5000", "127.0.0.1:444", "[::1]:81", "registry.local");
const path = fc.string({ minLength: 1 }).map((name) => `/${name.replaceAll("\0", "")}`);
const network = optional({
  allow: some(fc.oneof(fc.constantFrom("10.0.0.0/8", "fd00::/8", "::1", "192.168.7.10", "http://c.example:1"), hosts)),
  skipVerify: some(hosts),
  caFiles: some(path),
  proxy: fc.constantFrom<unknown>("none", { https: "http://user:secret@proxy.example:3128", noProxy: ["10.0.0.0/8"] }),
});
const configs = optional({
  trustPolicyPath: path,
  stateDir: path,
  cacheDir: path,
  cacheEnabled: fc.boolean(),
  cacheTTL: duration,
  deadline: brief,
  pdsTimeout: brief,
  plcDirectories: fc.constant(["https://plc.example", "https://plc2.example"]),
  atcrHosts: some(fc.constantFrom("atcr.io", "atcr.example", "atcr.example:5000")),
  network,
  registryCredentials: optional({
    files: some(path),
    realms: fc.dictionary(fc.constantFrom("docker.io", "a.example", "b.example:5000"), some(hosts), { minKeys: 1 }),
  }),
  server: fc.record(
    {
      listen: fc.constant("127.0.0.1:1"),
      policies: fc.dictionary(fc.constantFrom("a", "b"), path),
      breakGlassFile: path,
    },
    { requiredKeys: ["listen"] },
  ),
});

describe("a configuration", () => {
  it("is the same after it was remembered", () => {
    let [proxied, mapped, served] = [0, 0, 0];
    fc.assert(
      fc.property(configs, (written) => {
        const config = parseConfig(JSON.stringify(written), "config.yaml");
        if (config.proxy?.https !== undefined) proxied++;
        if (config.registryCredentials.realms.size > 1) mapped++;
        if ((config.server?.policies.size ?? 0) > 1) served++;
        expectSame(config);
      }),
    );
    expectSame(DEFAULT_CONFIG);
    expect([proxied > 0, mapped > 0, served > 0]).toEqual([true, true, true]);
  });
});

const dids = fc.constantFrom("did:web:a.example", "did:web:b.example", `did:plc:${"a".repeat(24)}`);
const digests = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => `sha256:${Buffer.from(bytes).toString("hex")}`);
const times = fc.constantFrom("2024-01-01T00:00:00Z", "2999-12-31T23:59:59Z");
const about = optional({
  name: fc.string({ minLength: 1 }).filter((name) => name.trim() !== ""),
  validFrom: fc.constant("2020-01-01T00:00:00Z"),
  expiresAt: fc.oneof(times, fc.constant(null)),
  pds: fc.constant(["https://pds.example"]),
  minRev: fc.constant("3lllllllllll2"),
});
const requirement = optional({
  minSignatures: fc.constant(1),
  maxAge: duration,
  maxStaleness: duration,
  offlineFor: duration,
  repository: fc.oneof(fc.constantFrom("match", "any"), some(fc.constantFrom("app", "team/app"))),
  owner: fc.constantFrom("match", "any"),
  tag: fc.constantFrom("match", "any"),
  minKeyAge: duration,
});
const rules = fc.uniqueArray(
  fc.record({
    name: fc.constantFrom("one", "two", "three", "$set", "$map", "$bytes", "__proto__"),
    scope: some(fc.constantFrom("atcr.io/**", "*.example/**", "registry.example/team/*")),
    action: fc.constantFrom("enforce", "audit"),
    require: requirement,
  }),
  { minLength: 1, maxLength: 3, selector: ({ name }) => name },
);
const policies = fc.record({
  version: fc.constant(1),
  trustedDIDs: fc.oneof(some(dids), fc.dictionary(dids, about, { minKeys: 1 })),
  revokedDIDs: fc.uniqueArray(dids, { maxLength: 2 }),
  digests: optional({ deny: some(digests), allow: some(digests) }),
  policies: rules,
  default: fc.constantFrom("deny", "allow", "audit"),
});

describe("a trust policy", () => {
  it("is the same after it was remembered", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(policies, (written) => {
        const policy = parsePolicy(JSON.stringify(written), "policy.yaml");
        expectSame(policy);
        if (policy.deniedDigests.size > 0) seen.add("digests");
        if (policy.everyone.some(({ revoked }) => revoked)) seen.add("revoked");
        if (policy.everyone.some(({ expiresAt }) => expiresAt !== undefined)) seen.add("expiry");
      }),
      { numRuns: 500 },
    );
    expect([...seen].toSorted()).toEqual(["digests", "expiry", "revoked"]);
  });

  it("is so in every example", () => {
    const folder = join(import.meta.dirname, "../../config-examples");
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
    const named = files.filter(
      (name) => name.endsWith(".yaml") && !/config\.yaml$|break-glass|prometheus|policy-test|policy\.d/.test(name),
    );
    expect(named.length).toBeGreaterThan(4);
    for (const name of named) expectSame(parsePolicy(readFileSync(join(folder, name), "utf8"), name));
    expectSame(parseConfig(readFileSync(join(folder, "config.yaml"), "utf8"), "config.yaml"));
  });
});
