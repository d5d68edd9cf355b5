import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { Ajv } from "ajv";
import { describe, expect, it } from "vitest";
import { YamlFile } from "../../../../src/core/encoding/yaml.ts";
import { parsePolicy } from "../../../../src/core/policy/parse-policy.ts";
import { policyJsonSchema } from "../../../../src/core/policy-tools/json-schema.ts";
import { codeOf } from "../../../support/rejection.ts";

const ROOT = join(import.meta.dirname, "../../../..");
const ALICE = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const HEX = "0123456789abcdef".repeat(4);

const isValid = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(policyJsonSchema());
const schemaTakes = (text: string): boolean => isValid(new YamlFile(text, "f.yaml", "policy.invalid").value);
const parserTakes = (text: string): boolean => codeOf(() => parsePolicy(text, "f.yaml")) === "none";

/** Uses every key. */
const FULL = {
  version: "1.0",
  trustedDIDs: {
    [ALICE]: {
      name: "Alice",
      validFrom: "2024-01-01T00:00:00Z",
      expiresAt: null,
      keys: ["did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme"],
      pds: ["https://pds.example.com"],
      minRev: "3l3qo2vutsw2b",
    },
  },
  revokedDIDs: ["did:web:old.example.com"],
  digests: { deny: [`sha256:${HEX}`], allow: [] },
  policies: [
    { name: "pause", scope: "registry.k8s.io/pause", action: "allow", require: { signature: false } },
    {
      name: "rest",
      scope: ["atcr.io/**", "registry.example.com:5000/team/*"],
      action: "enforce",
      require: {
        signature: true,
        trustedDIDs: [ALICE],
        minSignatures: 1,
        maxAge: "90d",
        maxStaleness: "24h",
        offlineFor: "30d",
        repository: ["app"],
        owner: "any",
        tag: "match",
        minKeyAge: "72h",
      },
    },
  ],
  default: "deny",
};

describe("policyJsonSchema", () => {
  it("takes a policy with every key, as the parser does", () => {
    expect(schemaTakes(JSON.stringify(FULL))).toBe(true);
    expect(parserTakes(JSON.stringify(FULL))).toBe(true);
  });

  const examples = readdirSync(join(ROOT, "config-examples"), { recursive: true, encoding: "utf8" }).filter(
    (name) =>
      name.endsWith(".yaml") &&
      !["break-glass.yaml", "config.yaml", "policy-test.yaml", "prometheus-alerts.yaml"].includes(name),
  );
  it("takes every policy of config-examples", () => {
    expect(examples.length).toBeGreaterThan(5);
    for (const name of examples) {
      expect(schemaTakes(readFileSync(join(ROOT, "config-examples", name), "utf8")), name).toBe(true);
    }
  });

  const rule = (more: object) => ({ version: 1, policies: [{ name: "r", scope: "a.b/c", action: "deny", ...more }] });
  const required = (requirement: object) => ({
    version: 1,
    trustedDIDs: [ALICE],
    policies: [{ name: "r", scope: "a.b/c", action: "enforce", require: requirement }],
  });
  const signer = (entry: object) => ({ version: 1, trustedDIDs: { [ALICE]: entry } });

  it.each<[string, unknown]>([
    ["nothing", null],
    ["a list", []],
    ["no version", { default: "deny" }],
    ["another version", { version: 2 }],
    ["a version as other text", { version: "1" }],
    ["an unknown key", { version: 1, policys: [] }],
    ["an unknown key of a signer", signer({ validfrom: null })],
    ["an unknown key of a rule", rule({ requires: {} })],
    ["an unknown key of a requirement", required({ maxage: "90d" })],
    ["an unknown key under digests", { version: 1, digests: { block: [] } }],
    ["a list as a signer", signer([])],
    ["a bad DID", { version: 1, trustedDIDs: ["did:key:zQ3sh"] }],
    ["a bad DID as a key", { version: 1, trustedDIDs: { "did:plc:x": {} } }],
    ["a bad DID that is revoked", { version: 1, revokedDIDs: ["did:web:Example.com"] }],
    ["an empty name", signer({ name: "" })],
    ["an endless name", signer({ name: "n".repeat(129) })],
    ["a name of two lines", signer({ name: "a\nb" })],
    ["a date alone", signer({ validFrom: "2024-01-01" })],
    ["an empty list of keys", signer({ keys: [] })],
    ["a bad key", signer({ keys: ["zQ3sh"] })],
    ["a PDS with a path", signer({ pds: ["https://pds.example.com/"] })],
    ["a PDS by another scheme", signer({ pds: ["ftp://pds.example.com"] })],
    ["a revision that is none", signer({ minRev: "3l3qo2vutsw21" })],
    ["a bad digest", { version: 1, digests: { deny: ["sha256:abc"] } }],
    ["null for no digests", { version: 1, digests: { deny: null } }],
    ["no rules", { version: 1, policies: [] }],
    ["a rule without a name", { version: 1, policies: [{ scope: "a.b/c", action: "deny" }] }],
    ["a rule without a scope", { version: 1, policies: [{ name: "r", action: "deny" }] }],
    ["a rule without an action", { version: 1, policies: [{ name: "r", scope: "a.b/c" }] }],
    ["another action", rule({ action: "warn" })],
    ["a scope without a path", rule({ scope: "nginx" })],
    ["a scope with a tag", rule({ scope: "a.b/c:v1" })],
    ["a scope with a scheme", rule({ scope: "https://a.b/c" })],
    ["a scope with upper case", rule({ scope: "a.b/C" })],
    ["a bad scope in a list", rule({ scope: ["a.b/c", "*"] })],
    ["no scopes", rule({ scope: [] })],
    ["signature as text", required({ signature: "yes" })],
    ["no signatures", required({ minSignatures: 0 })],
    ["half a signature", required({ minSignatures: 1.5 })],
    ["an age without a unit", required({ maxAge: "90" })],
    ["an age as a number", required({ maxAge: 90 })],
    ["a key's age that is negative", required({ minKeyAge: "-72h" })],
    ["old evidence of no unit", required({ maxStaleness: "1" })],
    ["another owner", required({ owner: true })],
    ["another tag", required({ tag: "v1" })],
    ["another repository", required({ repository: "all" })],
    ["no repositories", required({ repository: [] })],
    ["another default", { version: 1, default: "enforce" }],
  ])("refuses %s, as the parser does", (_, value) => {
    expect(schemaTakes(JSON.stringify(value))).toBe(false);
    expect(parserTakes(JSON.stringify(value))).toBe(false);
  });

  it("refuses nothing that the parser takes, whatever stands in the place of a value", () => {
    const others = [null, true, 0, 1, 2.5, "", "any", "match", "1.5h", ".5d", "1.s", "0", ALICE, [], [ALICE], {}];
    const times = ["2024-02-29T23:59:59.999+23:59", "0000-01-01T00:00:00Z"];
    const scopes = ["**", "*.example.com/**", "[::1]:5000/a", "localhost/a-b", "reg*:*/a__b/**"];
    const dids = ["did:web:localhost%3A80", "did:web:a-b.example.com", "did:web:example.com%3A65535"];
    const texts = ["did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169", "http://[::1]:5000", "\u{1f511} key"];
    let [taken, refused] = [0, 0];
    for (const path of pathsOf(FULL)) {
      for (const other of [...others, ...times, ...scopes, ...dids, ...texts]) {
        const text = JSON.stringify(replaced(FULL, path, other));
        if (!parserTakes(text)) refused++;
        else {
          taken++;
          expect(schemaTakes(text), text).toBe(true);
        }
      }
    }
    expect(taken).toBeGreaterThan(50);
    expect(refused).toBeGreaterThan(500);
  });

  it("has words for every key", () => {
    const speechless = propertiesOf(policyJsonSchema()).filter(
      ([, { description }]) => typeof description !== "string",
    );
    expect(propertiesOf(policyJsonSchema()).length).toBeGreaterThan(20);
    expect(speechless).toEqual([]);
  });

  it("is a schema of draft 7 that refers to no server", () => {
    expect(policyJsonSchema()).toMatchObject({
      $schema: "http://json-schema.org/draft-07/schema#",
      required: ["version"],
    });
    expect(JSON.stringify(policyJsonSchema())).not.toMatch(/"\$(?:id|ref)"/);
  });

  it("is not read by whoever answers containerd", () => {
    const read = [
      join(ROOT, "src/frontends/containerd/entry-point.ts"),
      join(ROOT, "src/io/settings/load-settings.ts"),
    ].flatMap((file) => [...importsOf(file)]);
    expect(read).toContain(join(ROOT, "src/core/policy/parse-policy.ts"));
    expect(read).not.toContain(join(ROOT, "src/core/policy-tools/json-schema.ts"));
  });
});

type Path = readonly (string | number)[];

function pathsOf(value: unknown, path: Path = []): readonly Path[] {
  if (typeof value !== "object" || value === null) return [path];
  const inner = Array.isArray(value) ? value.entries() : Object.entries(value);
  return [
    path,
    ...Array.from(inner as Iterable<[string | number, unknown]>).flatMap(([key, v]) => pathsOf(v, [...path, key])),
  ];
}

function replaced(value: unknown, [step, ...rest]: Path, other: unknown): unknown {
  if (step === undefined) return other;
  const inner = replaced((value as Record<string | number, unknown>)[step], rest, other);
  return Array.isArray(value) ? value.with(Number(step), inner) : { ...(value as object), [step]: inner };
}

/** Every key of every map in a schema, with what is said of it. */
function propertiesOf(schema: unknown): readonly [string, { readonly description?: unknown }][] {
  if (typeof schema !== "object" || schema === null) return [];
  const { properties = {} } = schema as { properties?: Record<string, { description?: unknown }> };
  return [...Object.entries(properties), ...Object.values(schema).flatMap(propertiesOf)];
}

/** The files that are read with this one: not those of `import()`. */
function importsOf(file: string, seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const [, target = ""] of readFileSync(file, "utf8").matchAll(
    /^(?:import|\}|export) (?:[^(;]*?from )?"(\.[^"]+)";$/gm,
  )) {
    importsOf(resolve(dirname(file), target), seen);
  }
  return seen;
}
