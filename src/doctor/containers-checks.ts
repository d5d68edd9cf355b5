import { DOCKER_HUB } from "../core/oci/reference.ts";
import type { TrustPolicy } from "../core/policy/policy.ts";
import { hostsOfRules, type RuleHosts } from "../core/policy/rule-hosts.ts";
import { ANYTHING, matchSegment, type Scope } from "../core/policy/scope.ts";
import { coversScope } from "../core/policy-tools/coverage.ts";
import { type ContainersFiles, containersOptions, isLink } from "../platform/containers/containers-files.ts";
import { type ContainersGate, enabling, obstaclesTo } from "../platform/containers/containers-gate.ts";
import { otherTransports, requirementsOfScope, scopesOf } from "../platform/containers/policy-json.ts";
import { isOfHost, type RegistryEndpoint } from "../platform/containers/registry-endpoints.ts";
import { type CheckResult, note, ok, problem, warning } from "./check.ts";

/** Most names that one finding lists. */
const MAX_LISTED = 10;

/** Checks of `enable --containers` too, of files that it does not write but that can replace the gate. */
export function checkAround(gate: ContainersGate, files: ContainersFiles): readonly CheckResult[] {
  const { taken, repeated, scopes, namespaces } = obstaclesTo(gate, files);
  const { policyPath, registries } = files;
  return [
    ...[policyPath, files.ownPath].filter(isLink).map((path) => {
      const found = `${path} is a symbolic link`;
      return problem("containers-link", found, "replace it with a regular file");
    }),
    ...taken.map((host) => {
      const written = JSON.stringify(requirementsOfScope(files.policy, host));
      const found = `${policyPath}: transports.docker: "${host}" has requirements of its own: ${written}`;
      return problem("containers-taken", found, "remove them, or replace them with --force");
    }),
    ...repeated.map(({ name, file, line }) => {
      const found = `${file}:${line}: the host ${name} is named here as well: containers/image rejects a host that two files name, and every pull fails`;
      return problem("containers-repeated", found, `move what it says elsewhere: ${files.ownPath} has to name it`);
    }),
    ...registries.unread.map((why) => {
      const found = `it is not known whether this file says where signatures are: ${why}`;
      return warning("containers-unread", found, "check it by hand");
    }),
    ...scopes.map((scope) => {
      const written = JSON.stringify(requirementsOfScope(files.policy, scope));
      const found = `${policyPath}: transports.docker: "${scope}" counts for its images instead of the host's requirements: ${written}`;
      return problem("containers-scope", found, "remove it: the trust policy decides on these images");
    }),
    ...namespaces.map(({ name, file, line, lookaside }) => {
      const what =
        lookaside === undefined ? "takes signatures from the registry as well" : `reads signatures from ${lookaside}`;
      const found = `${file}:${line}: ${name} ${what}, so that this program is not asked about its images, which are refused, or not alone`;
      return problem("containers-scope", found, "remove it");
    }),
  ];
}

/** Whether the files are as `enable --containers` writes them. */
export function checkWritten(gate: ContainersGate, files: ContainersFiles): CheckResult {
  const name = "containers-files";
  const again = `run: atcr-verify enable ${containersOptions(files.policyPath)}`;
  if (files.ownText === undefined && !files.policyText?.includes(JSON.stringify(gate.keyPath))) {
    const found = "podman and CRI-O are not set up to ask this program";
    return problem(name, found, again);
  }
  if (files.policyText === undefined) {
    return problem(name, `there is no ${files.policyPath}`, again);
  }
  const { policy, own } = enabling(gate, files);
  const changed = [...(policy === undefined ? [] : [files.policyPath]), ...(own === undefined ? [] : [files.ownPath])];
  if (changed.length > 0) {
    const found = `${changed.join(" and ")} ${changed.length === 1 ? "is" : "are"} not as the trust policy and the configuration want`;
    return problem(name, found, again);
  }
  return ok(name, `${files.policyPath} demands a signature of this node for ${listed(gate.hosts)}`);
}

/** Rules that cannot be enforced by files that name each host. */
export function checkWildcards({ wildcards }: RuleHosts): readonly CheckResult[] {
  return wildcards.map(({ scope, rule }) => {
    const found = `rule "${rule.name}": ${scope} names no single registry, and policy.json needs one: its images are not verified at this gate, unless another rule names their registry`;
    return warning("containers-wildcard", found, "name the registries in scopes of their own");
  });
}

/** Registries that this gate is for: the lookaside responder signs nothing that a rule only audits, so a registry of such rules alone is left out. */
export function registriesOf(policy: Pick<TrustPolicy, "rules">): RuleHosts {
  return hostsOfRules({ rules: policy.rules.filter(({ action }) => action !== "audit") });
}

/** What audits, which this gate cannot do: a rule, or the default, for a registry that the gate is for or is left out. */
export function checkAudits({ rules, fallback }: Pick<TrustPolicy, "rules" | "fallback">): readonly CheckResult[] {
  const { hosts } = registriesOf({ rules });
  const audit = (what: string, how: string): CheckResult => {
    const found = `${what} only audits, which this gate cannot do: ${how}`;
    return warning("containers-audit", found, "use action: enforce for what podman and CRI-O pull");
  };
  const ofRules = rules.flatMap((rule, at) => {
    if (rule.action !== "audit") return [];
    const what = `rule "${rule.name}"`;
    const refused = hosts.filter((host) => {
      const isNamed = rule.scopes.some(({ segments: [first = ""] }) => matchSegment(first, host));
      return isNamed && !coversHost(rules.slice(0, at), host);
    });
    const left = hostsOfRules({ rules: [rule] }).hosts.filter((host) => !hosts.includes(host));
    return [
      ...(refused.length > 0
        ? [audit(what, `images of ${listed(refused)} that no earlier rule allows are REFUSED here`)]
        : []),
      ...(left.length > 0 ? [audit(what, `podman and CRI-O are not told to ask about ${listed(left)}`)] : []),
    ];
  });
  const others = fallback === "audit" ? hosts.filter((host) => !coversHost(rules, host)) : [];
  if (others.length === 0) return ofRules;
  return [...ofRules, audit("the default", `images of ${listed(others)} that no rule matches are REFUSED here`)];
}

/** Whether no later rule applies to the registry. */
function coversHost(rules: TrustPolicy["rules"], host: string): boolean {
  const all: Scope = { text: `${host}/${ANYTHING}`, segments: [host, ANYTHING] };
  return rules.some(({ scopes }) => scopes.some((scope) => coversScope(scope, all)));
}

/** What the policy does at this gate. @param path of the policy */
export function checkHosts({ hosts, wildcards }: RuleHosts, path: string): CheckResult {
  const name = "containers-hosts";
  if (hosts.length > 0) {
    return ok(name, `${path}: of ${listed(hosts)}, this gate refuses every image that no rule allows or exempts`);
  }
  const scopes = wildcards.map(({ scope }) => scope);
  const why = scopes.length === 0 ? "" : `: a wildcard in the host names none (${listed(scopes)})`;
  const found = `${path} has no rule that names a registry and does more than audit${why}`;
  return problem(name, found, "add rules whose scopes begin with a host, such as atcr.io/**");
}

/** Rules that refuse everything here: the tag is not asked for. */
export function checkTagRules({ rules }: Pick<TrustPolicy, "rules">): readonly CheckResult[] {
  return rules
    .filter(({ action, requirement }) => (action === "enforce" || action === "audit") && requirement.tag === "match")
    .map(({ name }) => {
      const found = `rule "${name}" wants the tag to match, which podman and CRI-O do not ask for: its images are refused here (tag.unsupported_here)`;
      return warning("containers-tag", found, "leave tag: match to the gates of containerd and Kubernetes");
    });
}

/** Mirrors whose signatures are read elsewhere: registries.d is looked up by the endpoint, policy.json by the name. */
export function checkEndpoints(
  { hosts, base }: ContainersGate,
  { registries }: ContainersFiles,
  endpoints: readonly RegistryEndpoint[],
): readonly CheckResult[] {
  const leadsHere = registries.namespaces.filter(({ lookaside }) => lookaside?.startsWith(`${base}/`) === true);
  return hosts.flatMap((host) =>
    endpoints
      .filter(({ prefix, location }) => {
        const isLed = leadsHere.some(({ name }) => location === name || location.startsWith(`${name}/`));
        // A wildcard takes both spellings of a registry; one finding is enough.
        const isRepeated = prefix.startsWith("*.") && host.endsWith(":443");
        return isOfHost(prefix, host) && !isRepeated && !isLed;
      })
      .map(({ prefix, location, file }) => {
        const found = `${file}: images of ${prefix} are pulled from ${location}, whose signatures are not read at ${base}: they are refused`;
        const advice = `name ${location} in another file of registries.d, with lookaside: ${base}/${host}, if its repositories have the same paths`;
        return problem("containers-mirror", found, advice);
      }),
  );
}

/** Whether names pass that policy.json has no entry for, but that reach a registry of the policy. */
export function checkDefault(
  { hosts }: ContainersGate,
  { policy, policyPath }: ContainersFiles,
): readonly CheckResult[] {
  const ofDocker = requirementsOfScope(policy, "");
  const requirements = ofDocker ?? policy.default;
  if (requirements.some(({ type }) => type === "reject")) return [];
  const where = ofDocker === undefined ? "default" : 'transports.docker: ""';
  const types = [...new Set(requirements.map(({ type }) => `${type}`))].join(", ");
  const [host = ""] = hosts;
  const others = [host.toUpperCase(), ...(/:\d+$/.test(host) ? [] : [`${host}:80`])];
  if (hosts.includes(DOCKER_HUB)) others.push("registry-1.docker.io");
  const found = `${policyPath}: ${where} is ${types}, which decides on each name that has no entry of its own, without this program: other spellings of the same registries (${others.join(", ")}), and all other registries`;
  return [
    warning(
      "containers-default",
      found,
      "only reject closes this: start from config-examples/containers-policy.json, and name there what is still accepted",
    ),
  ];
}

/** What policy.json leaves unverified by this program. */
export function checkUnverified({ hosts }: ContainersGate, files: ContainersFiles): CheckResult {
  const types = [...new Set(files.policy.default.map(({ type }) => `${type}`))].join(", ");
  const scopes = scopesOf(files.policy).filter((scope) => !hosts.includes(scope));
  const transports = otherTransports(files.policy);
  const found = [
    `this program is not asked about other registries and other transports (dir, oci, oci-archive, docker-archive, docker-daemon, containers-storage, ...): policy.json's default for them is ${types}`,
    ...(scopes.length > 0 ? [`with its own requirements for ${listed(scopes)}`] : []),
    ...(transports.length > 0 ? [`and for the transports ${listed(transports)}`] : []),
  ];
  return note("containers-unverified", found.join(", "));
}

/** What is true of this gate. @param system fields of os-release */
export function limits(system: ReadonlyMap<string, string>): readonly CheckResult[] {
  const isBookworm = system.get("ID") === "debian" && system.get("VERSION_ID") === "12";
  return [...LIMITS, ...(isBookworm ? [BOOKWORM] : [])].map((found) => note("containers-limit", found));
}

const BOOKWORM = "podman and skopeo of Debian 12 cannot verify such signatures: they refuse these images";
const LIMITS = [
  "the check covers the digest of the platform's manifest, not the tag: an index whose platforms are not signed is refused",
  "policy.json knows a registry by its spelling alone: what is pulled as ATCR.IO or atcr.io:80 is not atcr.io, and the default decides on it",
  "only pulls are verified: what is stored already runs without a question, and a signature of this node has no end, so a revocation counts from the next pull on",
  "a user's ~/.config/containers/policy.json, --signature-policy and CONTAINERS_POLICY_JSON replace policy.json: this binds root's podman and CRI-O, not users",
];

function listed(names: readonly string[]): string {
  const more = names.length - MAX_LISTED;
  return `${names.slice(0, MAX_LISTED).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
