import { parseDuration } from "../encoding/duration.ts";
import { YamlFile, type YamlPath } from "../encoding/yaml.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import { isPathComponent } from "../oci/reference.ts";
import type { PolicyRule, Requirement, TrustedSigner, TrustPolicy } from "./policy.ts";
import {
  POLICY_SHAPE,
  type PolicyShape,
  type RequirementShape,
  type RuleShape,
  UNSUPPORTED_POLICY_KEYS,
} from "./schema.ts";
import { hasWildcardHost, parseScope, type Scope } from "./scope.ts";
import { checkShape } from "./shape.ts";
import { readDids, readSigners, type Signers } from "./signers.ts";

/** Most rules of a policy. Each is held against the name of each image. */
const MAX_RULES = 1000;

/**
 * Reads a trust policy, strictly (spec 2.4): whatever is unknown, ambiguous or without effect is an
 * error, since every mistake in this file is one in who is trusted. Time plays no part: a file that
 * is valid today is valid tomorrow.
 *
 * @param text the file's content
 * @param fileName for messages, which read `FILE:LINE:COLUMN: KEY.PATH: found X, expected Y; what to do`
 * @throws Rejection policy.invalid
 */
export function parsePolicy(text: string, fileName: string): TrustPolicy {
  const file = new YamlFile(text, fileName, "policy.invalid");
  const shape = checkShape(file, POLICY_SHAPE, UNSUPPORTED_POLICY_KEYS);
  const signers = readSigners(file, shape);
  const digests = readDigests(file, shape);
  const rules = readRules(file, shape.policies ?? [], signers);
  const everyone = signers.everyone();
  const fallback = shape.default ?? "deny";
  if (fallback === "audit" && everyone.length === 0) {
    file.fail({ path: ["default"], expected: "somebody under trustedDIDs whose signatures can be judged" });
  }
  return { ...digests, rules, fallback, everyone };
}

function readDigests(file: YamlFile, { digests }: PolicyShape): Pick<TrustPolicy, "deniedDigests" | "allowedDigests"> {
  const deniedDigests = readDigestList(file, digests?.deny ?? [], ["digests", "deny"]);
  const allowedDigests = readDigestList(file, digests?.allow ?? [], ["digests", "allow"]);
  for (const [i, digest] of (digests?.allow ?? []).entries()) {
    if (isDigest(digest) && deniedDigests.has(digest)) {
      file.fail({ path: ["digests", "allow", i], expected: "a digest that is not under digests.deny as well" });
    }
  }
  return { deniedDigests, allowedDigests };
}

function readDigestList(file: YamlFile, texts: readonly string[], path: YamlPath): ReadonlySet<Digest> {
  return new Set(
    texts.map((text, i) => {
      if (!isDigest(text)) file.fail({ path: [...path, i], expected: "sha256: and 64 lower-case hex digits" });
      return text;
    }),
  );
}

function readRules(file: YamlFile, shapes: readonly RuleShape[], signers: Signers): readonly PolicyRule[] {
  if (shapes.length > MAX_RULES) {
    file.fail({ path: ["policies"], found: `${shapes.length} rules`, expected: `${MAX_RULES} at most` });
  }
  const names = new Set<string>();
  return shapes.map((shape, i) => {
    const path = ["policies", i];
    if (names.has(shape.name)) {
      file.fail({ path: [...path, "name"], expected: "a name that no other rule has, as refusals name the rule" });
    }
    names.add(shape.name);
    return readRule(file, shape, signers, path);
  });
}

function readRule(file: YamlFile, shape: RuleShape, signers: Signers, path: YamlPath): PolicyRule {
  const { name, action } = shape;
  const scopes = readScopes(file, shape, [...path, "scope"]);
  const requirement =
    action === "enforce" || action === "audit"
      ? readRequirement(file, shape, signers, path)
      : refuseRequirement(file, shape, path);
  return { name, scopes, action, requirement };
}

function readScopes(file: YamlFile, { scope, action }: RuleShape, path: YamlPath): readonly Scope[] {
  const read = (text: string, at: YamlPath): Scope => {
    const parsed = parseScope(text);
    if ("expected" in parsed) file.fail({ path: at, expected: parsed.expected });
    if (action === "allow" && hasWildcardHost(parsed)) {
      file.fail({ path: at, expected: "a host without wildcards, as this rule lets images through unsigned" });
    }
    return parsed;
  };
  return typeof scope === "string" ? [read(scope, path)] : scope.map((text, i) => read(text, [...path, i]));
}

function readRequirement(
  file: YamlFile,
  { action, ...rule }: RuleShape,
  signers: Signers,
  path: YamlPath,
): Requirement {
  const shape: RequirementShape = rule.require ?? {};
  const at = [...path, "require"];
  if (shape.signature === false) {
    const advice = 'for images that need none write "action: allow"';
    file.fail({ path: [...at, "signature"], expected: `true, as ${action} judges signatures`, advice });
  }
  const trusted = readTrusted(file, shape, signers, at);
  if (trusted.length === 0) {
    const isListed = shape.trustedDIDs !== undefined;
    const expected = "a DID under trustedDIDs whose signature satisfies this rule";
    file.fail({ path: isListed ? [...at, "trustedDIDs"] : path, found: "nobody who is trusted", expected });
  }
  const maxAge = readMaxAge(file, shape.maxAge, [...at, "maxAge"]);
  return {
    signers: trusted,
    minSignatures: shape.minSignatures ?? 1,
    repository: readRepository(file, shape.repository ?? "match", [...at, "repository"]),
    tag: "any",
    ...(maxAge === undefined ? {} : { maxAge }),
  };
}

/** What nobody will check must not stand in the file: somebody might rely on it (spec 2.4). */
function refuseRequirement(file: YamlFile, { action, require }: RuleShape, path: YamlPath): Requirement {
  for (const [key, value] of Object.entries(require ?? {})) {
    if (key === "signature" && value === false) continue;
    const advice = `remove it, or write "action: enforce"`;
    const found = `a requirement beside "action: ${action}", which looks at no signature`;
    file.fail({ path: [...path, "require", key], isKey: true, found, expected: "none", advice });
  }
  return { signers: [], minSignatures: 1, repository: "match", tag: "any" };
}

/** The rule's signers: all of the file where it names none; else its own, after those of the list form. */
function readTrusted(
  file: YamlFile,
  { trustedDIDs }: RequirementShape,
  signers: Signers,
  path: YamlPath,
): readonly TrustedSigner[] {
  if (trustedDIDs === undefined) return signers.trusted;
  const own = readDids(file, trustedDIDs, [...path, "trustedDIDs"]).map((did) => {
    const at = [...path, "trustedDIDs", trustedDIDs.indexOf(did)];
    const advice = "add it there, or correct it";
    return signers.find(did) ?? file.fail({ path: at, expected: "a DID of the map trustedDIDs", advice });
  });
  if (!signers.areInherited) return own;
  const inherited = new Set(signers.trusted);
  return [...signers.trusted, ...own.filter((signer) => !inherited.has(signer))];
}

function readMaxAge(file: YamlFile, text: string | undefined, path: YamlPath): number | undefined {
  if (text === undefined) return undefined;
  const maxAge = parseDuration(text);
  if (maxAge === undefined || maxAge === 0) {
    file.fail({ path, expected: "a duration longer than none, such as 90d, 12h or 1h30m" });
  }
  return maxAge;
}

function readRepository(
  file: YamlFile,
  repository: "match" | "any" | readonly string[],
  path: YamlPath,
): Requirement["repository"] {
  if (typeof repository === "string") return repository;
  for (const [i, name] of repository.entries()) {
    if (!name.split("/").every(isPathComponent)) {
      file.fail({ path: [...path, i], expected: "the name of a repository such as app or team/app" });
    }
  }
  return repository;
}
