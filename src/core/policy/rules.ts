import { parseDuration } from "../encoding/duration.ts";
import type { YamlFile, YamlPath } from "../encoding/yaml.ts";
import { isPathComponent } from "../oci/reference.ts";
import { MAX_OFFLINE, MAX_STALENESS, type PolicyRule, type Requirement, type SignerRefs } from "./policy.ts";
import { type At, lineOf, type PolicyFile } from "./policy-file.ts";
import type { RequirementShape, RuleShape } from "./policy-schema.ts";
import { hasWildcardHost, parseScope, type Scope } from "./scope.ts";
import type { PolicyDecision } from "./select.ts";
import { countOf } from "./signer-refs.ts";
import { readDids, type Signers } from "./signers.ts";

/** Most rules of a policy. Each may be compared with an image's name. */
const MAX_RULES = 1000;

/** The rules of a policy, and their locations by name. */
export interface Rules {
  readonly rules: readonly PolicyRule[];
  readonly places: ReadonlyMap<string, At>;
  /** For each file the lines of its rules. */
  readonly lines: readonly (readonly number[])[];
}

/**
 * Reads the rules of all files, in the order of the files and in each from top to bottom.
 *
 * @throws Rejection policy.invalid
 */
export function readRules(files: readonly PolicyFile[], signers: Signers): Rules {
  const places = new Map<string, At>();
  const rules: PolicyRule[] = [];
  const lines: (readonly number[])[] = [];
  for (const { file, shape } of files) {
    const shapes = shape.policies ?? [];
    const count = rules.length + shapes.length;
    file.attempt(undefined, () => {
      if (count > MAX_RULES)
        file.fail({ path: ["policies"], found: `${count} rules`, expected: `${MAX_RULES} at most` });
    });
    for (const [i, rule] of shapes.entries()) {
      const at = { file, path: ["policies", i] };
      file.attempt(undefined, () => checkName(rule.name, at, places));
      places.set(rule.name, at);
      rules.push(readRule(at, rule, signers));
    }
    lines.push(shapes.map((_, i) => file.lineOf({ path: ["policies", i] })));
  }
  return { rules, places, lines };
}

/** Names in reports and test cases for decisions that no rule makes. */
const OTHER_DECIDERS: ReadonlySet<string> = new Set<PolicyDecision["by"]>(["default", "digests.allow", "digests.deny"]);

function checkName(name: string, { file, path }: At, places: ReadonlyMap<string, At>): void {
  if (OTHER_DECIDERS.has(name)) {
    const advice = "reports use this name for decisions that no rule makes; rename the rule";
    file.fail({ path: [...path, "name"], expected: `another name than ${[...OTHER_DECIDERS].join(", ")}`, advice });
  }
  const earlier = places.get(name);
  if (earlier === undefined) return;
  const expected = "a unique name, because refusals name the rule";
  const first = lineOf({ ...earlier, path: [...earlier.path, "name"] });
  file.fail({ path: [...path, "name"], expected, advice: `the rule in ${first} has the same name` });
}

function readRule({ file, path }: At, shape: RuleShape, signers: Signers): PolicyRule {
  const { name, action } = shape;
  const scopes = readScopes(file, shape, [...path, "scope"]);
  if (action === "enforce" || action === "audit") {
    const trusts = readTrusted(file, shape, signers, path);
    return { name, scopes, action, trusts, requirement: readRequirement(file, shape, path) };
  }
  return { name, scopes, action, trusts: NOBODY, requirement: refuseRequirement(file, shape, path) };
}

function readScopes(file: YamlFile, { scope, action }: RuleShape, path: YamlPath): readonly Scope[] {
  const read = (text: string, at: YamlPath): Scope => {
    const parsed = parseScope(text);
    if ("expected" in parsed) file.fail({ path: at, expected: parsed.expected });
    if (action === "allow" && hasWildcardHost(parsed)) {
      file.fail({ path: at, expected: "a host without wildcards, because this rule lets images through unsigned" });
    }
    return parsed;
  };
  if (typeof scope === "string") return file.attempt([], () => [read(scope, path)]);
  return scope.flatMap((text, i) => file.attempt([], () => [read(text, [...path, i])]));
}

function readRequirement(file: YamlFile, { action, ...rule }: RuleShape, path: YamlPath): PolicyRule["requirement"] {
  const shape: RequirementShape = rule.require ?? {};
  const at = [...path, "require"];
  file.attempt(undefined, () => {
    const advice = 'for images without signatures write "action: allow"';
    if (shape.signature === false)
      file.fail({ path: [...at, "signature"], expected: `true, because ${action} requires signatures`, advice });
  });
  const span = (key: SpanKey) => file.attempt(undefined, () => readSpan(file, shape[key], [...at, key]));
  const [maxAge, minKeyAge] = [span("maxAge"), span("minKeyAge")];
  const [maxStaleness, offlineFor] = [span("maxStaleness"), span("offlineFor")];
  file.attempt(undefined, () => {
    const advice = "evidence older than that does not show revoked keys or deleted records";
    if (maxStaleness !== undefined && maxStaleness > MAX_STALENESS)
      file.fail({ path: [...at, "maxStaleness"], expected: "30d at most", advice });
  });
  file.attempt(undefined, () => {
    const advice = "import a new bundle before the old one is that old; it also carries what was revoked and deleted";
    if (offlineFor !== undefined && offlineFor > MAX_OFFLINE)
      file.fail({ path: [...at, "offlineFor"], expected: "400d at most", advice });
  });
  return {
    minSignatures: shape.minSignatures ?? 1,
    repository: readRepository(file, shape.repository ?? "match", [...at, "repository"]),
    tag: shape.tag ?? "any",
    ...(shape.owner === undefined ? {} : { owner: shape.owner }),
    ...(maxAge === undefined ? {} : { maxAge }),
    ...(minKeyAge === undefined ? {} : { minKeyAge }),
    ...(maxStaleness === undefined ? {} : { maxStaleness }),
    ...(offlineFor === undefined ? {} : { offlineFor }),
  };
}

/** A requirement that is not checked must not be in the file: someone might rely on it (spec 2.4). */
function refuseRequirement(file: YamlFile, { action, require }: RuleShape, path: YamlPath): PolicyRule["requirement"] {
  for (const [key, value] of Object.entries(require ?? {})) {
    if (key === "signature" && value === false) continue;
    const advice = `remove it, or write "action: enforce"`;
    const found = `a requirement with "action: ${action}", which checks no signature`;
    const at = [...path, "require", key];
    file.attempt(undefined, () => file.fail({ path: at, isKey: true, found, expected: "none", advice }));
  }
  return { minSignatures: 1, repository: "match", tag: "any" };
}

const NOBODY: SignerRefs = { inherited: 0, own: [] };

/** The rule's signers: without trustedDIDs all of the file's; else its own, after those of the list form. */
function readTrusted(
  file: YamlFile,
  { name, action, require }: RuleShape,
  signers: Signers,
  rule: YamlPath,
): SignerRefs {
  const texts = require?.trustedDIDs;
  const path = [...rule, "require", "trustedDIDs"];
  const inherited = texts === undefined || signers.areInherited ? signers.trusted : 0;
  const own: number[] = [];
  for (const [did, i] of readDids(file, texts ?? [], path)) {
    const at = () => ({ file, path: [...path, i] });
    const index = signers.find(did, at);
    if (index !== undefined && index >= inherited) own.push(index);
    else if (index === undefined && !signers.isIncomplete) {
      const advice = "add it there, or correct it";
      file.attempt(undefined, () => file.fail({ ...at(), expected: "a DID in the map trustedDIDs", advice }));
    }
  }
  const trusts = { inherited, own };
  // With audit this is allowed: each answer (policy.no_signers) and policy check report it.
  if (countOf(trusts) === 0 && action === "enforce" && !signers.isIncomplete) {
    const found = `rule "${name}", which enforces but trusts no DID`;
    const advice = "add one under trustedDIDs";
    const at = texts === undefined ? rule : path;
    file.attempt(undefined, () => file.fail({ path: at, found, expected: "at least one", advice }));
  }
  return trusts;
}

type SpanKey = "maxAge" | "minKeyAge" | "maxStaleness" | "offlineFor";

function readSpan(file: YamlFile, text: string | undefined, path: YamlPath): number | undefined {
  if (text === undefined) return undefined;
  const span = parseDuration(text);
  if (span === undefined || span === 0) {
    file.fail({ path, expected: "a duration such as 90d, 12h or 1h30m, 292 years at most" });
  }
  return span;
}

function readRepository(
  file: YamlFile,
  repository: "match" | "any" | readonly string[],
  path: YamlPath,
): Requirement["repository"] {
  if (typeof repository === "string") return repository;
  for (const [i, name] of repository.entries()) {
    file.attempt(undefined, () => {
      if (!name.split("/").every(isPathComponent))
        file.fail({ path: [...path, i], expected: "the name of a repository such as app or team/app" });
    });
  }
  return repository;
}
