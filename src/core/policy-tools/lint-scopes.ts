import { isHandle, isReserved } from "../atproto/handle.ts";
import { parseHostPort } from "../oci/host.ts";
import { MAX_PATH } from "../oci/reference.ts";
import { demandsOwner } from "../policy/owner.ts";
import type { PolicyRule } from "../policy/policy.ts";
import { matchesScope, type Scope } from "../policy/scope.ts";
import { coversScope, findTaker } from "./coverage.ts";
import { at, isJudging, type PolicyFinding, type PolicyQuestion } from "./policy-finding.ts";

/** Most pairs of scopes that are held against each other: a policy that a script writes may have many thousands. */
const MAX_COMPARISONS = 300_000;

/** Scopes that no image is judged by, or that every image in them fails by. */
export function lintScopes(question: PolicyQuestion): readonly PolicyFinding[] {
  return [
    ...hiddenScopes(question),
    ...hiddenDefault(question),
    ...noRules(question),
    ...question.policy.rules.flatMap((rule) =>
      rule.scopes.flatMap((scope, i) => [
        ...impossible(rule, scope, i, question),
        ...nameless(rule, scope, i, question),
        ...(isJudging(rule) ? ownerless(rule, scope, i, question) : []),
      ]),
    ),
  ];
}

/** Whether `owner: match` is in force for the names of a scope (spec 5.8). */
export function ownerMatters({ requirement }: PolicyRule, scope: Scope, atcrHosts: readonly string[]) {
  // The text of a host with a wildcard stands for those of its hosts that are not listed.
  const hosts = [scope.segments[0] ?? "", ...hostsIn(scope, atcrHosts)];
  const demanding = hosts.filter((host) => demandsOwner(requirement, host, atcrHosts));
  return demanding.length === 0 ? "never" : demanding.length === hosts.length ? "always" : "sometimes";
}

interface Placed {
  readonly rule: PolicyRule;
  readonly scope: Scope;
}

/** The first rule that matches counts (spec 2.1): what earlier ones take, later ones never see. */
function hiddenScopes({ policy, places }: PolicyQuestion): readonly PolicyFinding[] {
  const findings: PolicyFinding[] = [];
  const earlier = new Earlier();
  for (const rule of policy.rules) {
    const hidden = rule.scopes.map((scope) => earlier.over(scope));
    const first = hidden[0];
    const advice = "the first rule that matches counts: put what is special before what is general, or remove it";
    if (first !== undefined && hidden.every((by) => by !== undefined)) {
      const taken = hidden.length === 1 ? "its names" : "those of its first scope, and others are taken likewise";
      const message = `rule "${rule.name}" is never asked: rule "${first.rule.name}" (${first.scope.text}) takes ${taken}`;
      findings.push({ severity: "error", name: "rule-hidden", message, advice, ...at(places.ofRule(rule.name)) });
    } else {
      for (const [i, scope] of rule.scopes.entries()) {
        const by = hidden[i] ?? besides(rule, i, earlier);
        if (by === undefined) continue;
        const message = `scope ${scope.text} of rule "${rule.name}" is without effect: rule "${by.rule.name}" (${by.scope.text}) takes its names`;
        const place = places.ofRule(rule.name, ["scope", i]);
        findings.push({ severity: "warning", name: "scope-hidden", message, advice, ...at(place) });
      }
    }
    earlier.add(rule);
  }
  if (earlier.isExhausted) {
    const message = "there are so many scopes that not all were compared with each other: a hidden rule may be missed";
    findings.push({ severity: "warning", name: "too-many-scopes", message, advice: "use fewer and wider scopes" });
  }
  return findings;
}

/** That everything else is refused is easily written below a rule that lets everything else through. */
function hiddenDefault({ policy, places }: PolicyQuestion): readonly PolicyFinding[] {
  const taker = policy.rules[findTaker(policy.rules)];
  if (taker?.action !== "audit" || policy.fallback !== "deny") return [];
  const message = `"default: deny" refuses nothing: rule "${taker.name}" takes every name, and only audits`;
  const advice = "remove that rule, or have it enforce, when the log shows nothing new";
  return [{ severity: "warning", name: "default-hidden", message, advice, ...at(places.ofDefault()) }];
}

function noRules({ policy, places }: PolicyQuestion): readonly PolicyFinding[] {
  // Without a rule, a policy that audits is one that nobody has configured yet.
  if (policy.rules.length > 0 || policy.fallback === "audit") return [];
  const message =
    policy.fallback === "deny"
      ? "there is no rule, and the default is deny: every pull is refused that digests.allow does not name"
      : "there is no rule, and the default is allow: every image is let through unverified that digests.deny does not name";
  return [
    { severity: "warning", name: "no-rules", message, advice: "write rules under policies", ...at(places.ofDefault()) },
  ];
}

/** Another scope of the same rule that takes all of one's names; of two equal ones, the first stays. */
function besides(rule: PolicyRule, i: number, earlier: Earlier): Placed | undefined {
  const scope = rule.scopes[i];
  const by = rule.scopes.find(
    (other, j) =>
      scope !== undefined &&
      j !== i &&
      earlier.compare(other, scope) &&
      (j < i || other.text !== scope.text) &&
      !(j > i && coversScope(scope, other)),
  );
  return by && { rule, scope: by };
}

/** The scopes of the rules so far, by their hosts: one without a wildcard takes names of its own host alone. */
class Earlier {
  readonly #byHost = new Map<string, Placed[]>();
  readonly #anyHost: Placed[] = [];
  #comparisons = 0;

  get isExhausted(): boolean {
    return this.#comparisons > MAX_COMPARISONS;
  }

  add(rule: PolicyRule): void {
    for (const scope of rule.scopes) {
      const host = scope.segments[0] ?? "";
      const list = host.includes("*") ? this.#anyHost : (this.#byHost.get(host) ?? []);
      list.push({ rule, scope });
      if (list !== this.#anyHost) this.#byHost.set(host, list);
    }
  }

  over(scope: Scope): Placed | undefined {
    const sameHost = this.#byHost.get(scope.segments[0] ?? "") ?? [];
    const takes = (earlier: Placed) => this.compare(earlier.scope, scope);
    return sameHost.find(takes) ?? this.#anyHost.find(takes);
  }

  compare(earlier: Scope, later: Scope): boolean {
    return ++this.#comparisons <= MAX_COMPARISONS && coversScope(earlier, later);
  }
}

/** Scopes for whose wildcards there is no text with which they are a name. */
function impossible(
  rule: PolicyRule,
  { segments }: Scope,
  i: number,
  question: PolicyQuestion,
): readonly PolicyFinding[] {
  const [host = "", ...path] = segments;
  const because = hasPossiblePort(host)
    ? leastLength(path) > MAX_PATH &&
      `its path has ${leastLength(path)} characters or more, ${MAX_PATH} at most are read`
    : "its port can be none from 1 to 65535 without leading zeros";
  if (because === false) return [];
  const message = `a scope of rule "${rule.name}" matches no image: ${because}`;
  const place = question.places.ofRule(rule.name, ["scope", i]);
  return [
    { severity: "error", name: "scope-matches-nothing", message, advice: "correct it, or remove it", ...at(place) },
  ];
}

/** Whether the port can be one. A wildcard has four digits beside it at most, so that 1 in front of them is one. */
function hasPossiblePort(host: string): boolean {
  const port = /:([0-9*]+)$/.exec(host)?.[1];
  if (port === undefined) return true;
  const example = port.replace(/^\*/, "1").replaceAll("*", "");
  return typeof parseHostPort(`localhost:${example}`) !== "string";
}

/** How many characters a path has at least, slashes included: a segment has one even where all of it is a wildcard. */
function leastLength(path: readonly string[]): number {
  const lengths = path.map((segment) => Math.max(1, segment.replaceAll("*", "").length));
  return lengths.reduce((sum, length) => sum + length, path.length - 1);
}

/** On a host where names are HANDLE/REPOSITORY no name has one component. */
function nameless(rule: PolicyRule, scope: Scope, i: number, question: PolicyQuestion): readonly PolicyFinding[] {
  const [host = "", ...path] = scope.segments;
  if (!question.atcrHosts.includes(host) || path.length !== 1 || path[0] === "**") return [];
  const message = `scope ${scope.text} of rule "${rule.name}" is likely to match no image: names on ${host} are HANDLE/REPOSITORY`;
  const advice = `write ${scope.text}/** for everything below it`;
  const place = question.places.ofRule(rule.name, ["scope", i]);
  return [{ severity: "warning", name: "scope-matches-nothing", message, advice, ...at(place) }];
}

/** Scopes whose every name fails `owner: match`: there is no handle in it to belong to anybody. */
function ownerless(rule: PolicyRule, scope: Scope, i: number, question: PolicyQuestion): readonly PolicyFinding[] {
  const { atcrHosts, places } = question;
  const matters = ownerMatters(rule, scope, atcrHosts);
  if (matters === "never") return [];
  const place = places.ofRule(rule.name, ["scope", i]);
  if (matters === "always" && hostsIn(scope, atcrHosts).length === 0) {
    const message = `rule "${rule.name}" asks for owner: match, and names in ${scope.text} have no owner: they are on none of the hosts ${atcrHosts.join(", ")}`;
    const advice = 'write "owner: any" for this rule, or list the host under atcrHosts of the configuration';
    return [{ severity: "error", name: "scope-without-owner", message, advice, ...at(place) }];
  }
  const handle = scope.segments[1] ?? "";
  if (matters === "sometimes" || scope.segments.length < 3) return [];
  if (canBeHandle(handle)) return isBelowReserved(handle) ? [reserved(rule, handle, place)] : [];
  const message = `"${handle}" in a scope of rule "${rule.name}" can be nobody's handle, and the owner of the handle must have signed`;
  const advice = 'write a handle such as alice.example.com, or "owner: any" for this rule';
  return [{ severity: "error", name: "scope-without-handle", message, advice, ...at(place) }];
}

/** Whether there is a handle that a segment matches: its wildcards may be any text, dots included. */
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
  const message = `rule "${rule.name}" asks for the owner of ${handle}, and handles below this top-level domain are asked only where network.allow lists them`;
  const advice = 'list the handle there, or write "owner: any" for this rule';
  return { severity: "warning", name: "handle-reserved", message, advice, ...at(place) };
}

/** Those of the hosts on which names of a scope are. */
function hostsIn({ segments: [host = ""] }: Scope, hosts: readonly string[]): readonly string[] {
  const anyPath: Scope = { text: "", segments: [host, "**"] };
  return hosts.filter((name) => matchesScope(anyPath, name, "any/path"));
}
