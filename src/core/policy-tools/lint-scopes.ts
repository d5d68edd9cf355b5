import { isHandle, isReserved } from "../atproto/handle.ts";
import { parseHostPort } from "../oci/host.ts";
import { MAX_PATH } from "../oci/reference.ts";
import { demandsOwner } from "../policy/owner.ts";
import type { PolicyRule } from "../policy/policy.ts";
import { matchesScope, type Scope } from "../policy/scope.ts";
import { coversScope, findTaker } from "./coverage.ts";
import { Budget, coverJointly } from "./joint-coverage.ts";
import { at, isJudging, listed, type PolicyFinding, type PolicyQuestion } from "./policy-finding.ts";

/** Maximum number of pairs of scopes to compare: a generated policy may have many thousands of scopes. */
const MAX_COMPARISONS = 300_000;

/** Scopes that match no image, or under which every image is refused. */
export function lintScopes(question: PolicyQuestion): readonly PolicyFinding[] {
  return [
    ...hiddenScopes(question),
    ...hiddenDefault(question),
    ...noRules(question),
    ...defaultAllows(question),
    ...question.policy.rules.flatMap((rule) =>
      rule.scopes.flatMap((scope, i) => [
        ...impossible(rule, scope, i, question),
        ...nameless(rule, scope, i, question),
        ...(isJudging(rule) ? ownerless(rule, scope, i, question) : []),
      ]),
    ),
  ];
}

/** Whether `owner: match` applies to the names of a scope (spec 5.8). */
export function ownerMatters({ requirement }: PolicyRule, scope: Scope, atcrHosts: readonly string[]) {
  // A host with a wildcard also matches hosts that are not listed; its own text represents them.
  const hosts = [scope.segments[0] ?? "", ...hostsIn(scope, atcrHosts)];
  const demanding = hosts.filter((host) => demandsOwner(requirement, host, atcrHosts));
  return demanding.length === 0 ? "never" : demanding.length === hosts.length ? "always" : "sometimes";
}

interface Placed {
  readonly rule: PolicyRule;
  readonly scope: Scope;
}

/** The first matching rule applies (spec 2.1): a name that an earlier rule matches never reaches a later one. */
function hiddenScopes({ policy, places }: PolicyQuestion): readonly PolicyFinding[] {
  const findings: PolicyFinding[] = [];
  const earlier = new Earlier();
  for (const rule of policy.rules) {
    const hidden = rule.scopes.map((scope) => earlier.over(scope));
    const first = hidden[0];
    const advice = "the first matching rule applies: put the more specific one first, or remove it";
    if (first !== undefined && hidden.every((by) => by !== undefined)) {
      const taken =
        hidden.length === 1 ? "all its names" : "all names of its first scope, and its other scopes are hidden too";
      const message = `rule "${rule.name}" never applies: ${before(first, true)} ${taken}`;
      findings.push({ severity: "error", name: "rule-hidden", message, advice, ...at(places.ofRule(rule.name)) });
    } else {
      for (const [i, scope] of rule.scopes.entries()) {
        const by = hidden[i] ?? besides(rule, i, earlier);
        if (by === undefined) continue;
        const message = `scope ${scope.text} of rule "${rule.name}" has no effect: ${before(by)} all its names`;
        const place = places.ofRule(rule.name, ["scope", i]);
        findings.push({ severity: "warning", name: "scope-hidden", message, advice, ...at(place) });
      }
    }
    earlier.add(rule);
  }
  if (earlier.isExhausted) {
    const message = "there are too many scopes to compare them all: a hidden rule may be missed";
    findings.push({ severity: "warning", name: "too-many-scopes", message, advice: "use fewer scopes" });
  }
  return findings;
}

/** `rule "a" (a.example/**) matches`, or `rules "a" (a.example/*) and … together match`. */
function before(by: readonly Placed[], isFirst = false): string {
  const names = listed(by, ({ rule, scope }) => `"${rule.name}" (${scope.text})`);
  if (by.length === 1) return `rule ${names} ${isFirst ? "comes first and " : ""}matches`;
  return `rules ${names} ${isFirst ? "come first and " : ""}together match`;
}

/** `default: deny` below an audit rule for everything looks as if it refused something. */
function hiddenDefault({ policy, places }: PolicyQuestion): readonly PolicyFinding[] {
  const taker = policy.rules[findTaker(policy.rules)];
  if (taker?.action !== "audit" || policy.fallback !== "deny") return [];
  const message = `"default: deny" never applies: rule "${taker.name}" matches every image, and only audits`;
  const advice = "once the log shows no new refusals, remove that rule or set it to enforce";
  return [{ severity: "warning", name: "default-hidden", message, advice, ...at(places.ofDefault()) }];
}

function noRules({ policy, places }: PolicyQuestion): readonly PolicyFinding[] {
  // A policy without rules whose default is audit has not been configured yet.
  if (policy.rules.length > 0 || policy.fallback === "audit") return [];
  const message =
    policy.fallback === "deny"
      ? "there are no rules and the default is deny: every pull is refused, except digests under digests.allow"
      : "there are no rules and the default is allow: every image is allowed unverified, except digests under digests.deny";
  return [
    { severity: "warning", name: "no-rules", message, advice: "add rules under policies", ...at(places.ofDefault()) },
  ];
}

/** Beside rules that verify, a default that lets the rest through is easily overlooked. */
function defaultAllows({ policy, places }: PolicyQuestion): readonly PolicyFinding[] {
  if (policy.rules.length === 0 || policy.fallback !== "allow" || findTaker(policy.rules) !== -1) return [];
  const message = `"default: allow" lets every image through that no rule matches, unverified`;
  const advice = "to refuse those, name what needs no signature in rules with action: allow, and write default: deny";
  return [{ severity: "warning", name: "default-allows", message, advice, ...at(places.ofDefault()) }];
}

/** Another scope of the same rule that matches every name of this one; of two equal scopes, the second is hidden. */
function besides(rule: PolicyRule, i: number, earlier: Earlier): readonly Placed[] | undefined {
  const scope = rule.scopes[i];
  const by = rule.scopes.find(
    (other, j) =>
      scope !== undefined &&
      j !== i &&
      earlier.compare(other, scope) &&
      (j < i || other.text !== scope.text) &&
      !(j > i && coversScope(scope, other)),
  );
  return by && [{ rule, scope: by }];
}

/** Scopes of earlier rules, indexed by host: a host without a wildcard matches only itself. */
class Earlier {
  readonly #byHost = new Map<string, Placed[]>();
  readonly #anyHost: Placed[] = [];
  readonly #budget = new Budget();
  #comparisons = 0;

  get isExhausted(): boolean {
    return this.#comparisons > MAX_COMPARISONS || this.#budget.isExhausted;
  }

  add(rule: PolicyRule): void {
    for (const scope of rule.scopes) {
      const host = scope.segments[0] ?? "";
      const list = host.includes("*") ? this.#anyHost : (this.#byHost.get(host) ?? []);
      list.push({ rule, scope });
      if (list !== this.#anyHost) this.#byHost.set(host, list);
    }
  }

  /** What hides a scope: one that comes before it, or several that only together match all its names. */
  over(scope: Scope): readonly Placed[] | undefined {
    const host = scope.segments[0] ?? "";
    const sameHost = this.#byHost.get(host) ?? [];
    const takes = (earlier: Placed) => this.compare(earlier.scope, scope);
    const one = sameHost.find(takes) ?? this.#anyHost.find(takes);
    if (one !== undefined) return [one];
    const others = host.includes("*") ? [...this.#byHost.values()].flat() : sameHost;
    return coverJointly([...others, ...this.#anyHost], scope, this.#budget);
  }

  compare(earlier: Scope, later: Scope): boolean {
    return ++this.#comparisons <= MAX_COMPARISONS && coversScope(earlier, later);
  }
}

/** Scopes that no image name can match, whatever their wildcards stand for. */
function impossible(
  rule: PolicyRule,
  { segments }: Scope,
  i: number,
  question: PolicyQuestion,
): readonly PolicyFinding[] {
  const [host = "", ...path] = segments;
  const because = hasPossiblePort(host)
    ? leastLength(path) > MAX_PATH &&
      `its path has at least ${leastLength(path)} characters, more than the ${MAX_PATH} allowed`
    : "its port cannot be a number from 1 to 65535 without leading zeros";
  if (because === false) return [];
  const message = `a scope of rule "${rule.name}" matches no image: ${because}`;
  const place = question.places.ofRule(rule.name, ["scope", i]);
  return [{ severity: "error", name: "scope-matches-nothing", message, advice: "correct or remove it", ...at(place) }];
}

/** Whether the port can be valid. Beside a wildcard there are at most four digits, so a leading wildcard can be 1. */
function hasPossiblePort(host: string): boolean {
  const port = /:([0-9*]+)$/.exec(host)?.[1];
  if (port === undefined) return true;
  const example = port.replace(/^\*/, "1").replaceAll("*", "");
  return typeof parseHostPort(`localhost:${example}`) !== "string";
}

/** Minimum length of a matching path in characters, slashes included: a lone wildcard matches at least one. */
function leastLength(path: readonly string[]): number {
  const lengths = path.map((segment) => Math.max(1, segment.replaceAll("*", "").length));
  return lengths.reduce((sum, length) => sum + length, path.length - 1);
}

/** On a host whose names are HANDLE/REPOSITORY, no path has a single component. */
function nameless(rule: PolicyRule, scope: Scope, i: number, question: PolicyQuestion): readonly PolicyFinding[] {
  const [host = "", ...path] = scope.segments;
  if (!question.atcrHosts.includes(host) || path.length !== 1 || path[0] === "**") return [];
  const message = `scope ${scope.text} of rule "${rule.name}" probably matches no image: names on ${host} are HANDLE/REPOSITORY`;
  // Not with its wildcards: `alice.example.com*` below it would also match the handle alice.example.com.evil.example.
  const handle = path[0]?.replaceAll("*", "").replace(/[.-]$/, "") ?? "";
  const advice = `write ${host}/${handle === "" ? "HANDLE" : handle}/** to match everything below that handle`;
  const place = question.places.ofRule(rule.name, ["scope", i]);
  return [{ severity: "warning", name: "scope-matches-nothing", message, advice, ...at(place) }];
}

/** Scopes whose every name fails `owner: match`, because it contains no handle. */
function ownerless(rule: PolicyRule, scope: Scope, i: number, question: PolicyQuestion): readonly PolicyFinding[] {
  const { atcrHosts, places } = question;
  const matters = ownerMatters(rule, scope, atcrHosts);
  if (matters === "never") return [];
  const place = places.ofRule(rule.name, ["scope", i]);
  if (matters === "always" && hostsIn(scope, atcrHosts).length === 0) {
    const message = `rule "${rule.name}" has owner: match, but names in ${scope.text} have no owner: their host is not in atcrHosts (${atcrHosts.join(", ")})`;
    const advice =
      'if names on this host are HANDLE/REPOSITORY, add it to atcrHosts in the configuration; otherwise the rule needs "owner: any"';
    return [{ severity: "error", name: "scope-without-owner", message, advice, ...at(place) }];
  }
  const handle = scope.segments[1] ?? "";
  if (matters === "sometimes" || scope.segments.length < 3) return [];
  if (canBeHandle(handle)) return isBelowReserved(handle) ? [reserved(rule, handle, place)] : [];
  const message = `"${handle}" in a scope of rule "${rule.name}" cannot be a handle, and owner: match requires a signature by the handle's owner`;
  const advice = "write the owner's handle, such as alice.example.com";
  return [{ severity: "error", name: "scope-without-handle", message, advice, ...at(place) }];
}

/** Whether a segment can match a handle; a wildcard stands for any text, dots included. */
function canBeHandle(segment: string): boolean {
  const labels = segment.split(".");
  if (!segment.includes("*")) return isHandle(segment);
  return labels.every((label, i) => {
    if (label.includes("*")) return !label.includes("_");
    return isHandle(i === labels.length - 1 ? `any.${label}` : `${label}.com`);
  });
}

function isBelowReserved(segment: string): boolean {
  const topLevel = `any.${segment.split(".").at(-1) ?? ""}`;
  return isHandle(topLevel) && isReserved(topLevel);
}

function reserved(rule: PolicyRule, handle: string, place: PolicyFinding["place"]): PolicyFinding {
  const message = `rule "${rule.name}" requires a signature by the owner of ${handle}, but handles below this top-level domain are looked up only if network.allow lists them`;
  const advice = "list the handle under network.allow in the configuration";
  return { severity: "warning", name: "handle-reserved", message, advice, ...at(place) };
}

/** The hosts that a scope matches. */
function hostsIn({ segments: [host = ""] }: Scope, hosts: readonly string[]): readonly string[] {
  const anyPath: Scope = { text: "", segments: [host, "**"] };
  return hosts.filter((name) => matchesScope(anyPath, name, "any/path"));
}
