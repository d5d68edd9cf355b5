import { type ContainersFiles, MADE_POLICY } from "./containers-files.ts";
import {
  type ContainersPolicy,
  FIRST_POLICY,
  nodeKeyOf,
  policyText,
  type Requirements,
  requirementsOfScope,
  scopesBelow,
  scopesOf,
  signedByNode,
  withScopes,
} from "./policy-json.ts";
import { type Namespace, registriesText } from "./registries-d.ts";

/** What the files of containers/image must say for this node's lookaside responder to be asked. */
export interface ContainersGate {
  /** Registries that the trust policy has rules for, as {@link spellings} writes them. */
  readonly hosts: readonly string[];
  /** URL of the responder, without a path. */
  readonly base: string;
  /** Absolute path of the public key. */
  readonly keyPath: string;
}

/**
 * A registry as policy.json and registries.d must name it, as containers/image compares names byte by byte: with and
 * without the port 443. Others that reach it, in upper case or at port 80, only a default of reject can refuse.
 *
 * @param host as in an ImageReference, so without `:443`
 */
export function spellings(host: string): readonly string[] {
  return /:\d+$/.test(host) ? [host] : [host, `${host}:443`];
}

/** Files to be written; undefined where one stays as it is. */
export interface Writing {
  readonly policy?: string;
  readonly own?: string;
}

/** What stands in the way of the gate, or around it. */
export interface Obstacles {
  /** Hosts of ours that have requirements of others. */
  readonly taken: readonly string[];
  /** Entries of other files for a host of ours: containers/image rejects all of registries.d then. */
  readonly repeated: readonly Namespace[];
  /** More specific scopes of policy.json, which count instead of ours. */
  readonly scopes: readonly string[];
  /** More specific entries of registries.d that say where signatures are. */
  readonly namespaces: readonly Namespace[];
}

export function obstaclesTo({ hosts, keyPath }: ContainersGate, files: ContainersFiles): Obstacles {
  const others = files.registries.namespaces.filter(({ file }) => file !== files.ownPath);
  const isBelow = (name: string): boolean => hosts.some((host) => name.startsWith(`${host}/`));
  return {
    taken: hosts.filter((host) => {
      const requirements = requirementsOfScope(files.policy, host);
      if (requirements === undefined) return false;
      const key = nodeKeyOf(requirements);
      return key !== keyPath && !(key !== undefined && files.ownHosts.includes(host));
    }),
    repeated: others.filter(({ name }) => hosts.includes(name)),
    scopes: hosts.flatMap((host) => scopesBelow(files.policy, host)),
    namespaces: others.filter(
      ({ name, lookaside, attachments }) => isBelow(name) && (lookaside !== undefined || attachments === true),
    ),
  };
}

/** What `enable --containers` writes. Hosts that have no rule any more are taken back. @param former what it replaced */
export function enabling(gate: ContainersGate, files: ContainersFiles, former?: ContainersPolicy): Writing {
  const gone = files.ownHosts.filter((host) => !gate.hosts.includes(host) && isOurs(host, gate.keyPath, files));
  const wanted = withScopes(takenBack(files.policy, gone, former), gate.hosts, signedByNode(gate.keyPath));
  const isMade = files.policyText === undefined || files.ownText?.includes(MADE_POLICY) === true;
  const own = `${isMade ? MADE_POLICY : ""}${registriesText(gate.hosts, gate.base)}`;
  return {
    ...((files.policyText === undefined || !isSame(files.policy, wanted)) && { policy: policyText(wanted) }),
    ...(own !== files.ownText && { own }),
  };
}

/** What `disable --containers` leaves of policy.json. */
export interface Disabling {
  /** Scopes whose requirements are taken out. */
  readonly removed: readonly string[];
  /** Those of them that get back what they demanded before enable replaced it. */
  readonly restored: readonly string[];
  /** Scopes that demand a signature of this node in a way that enable does not write: they stay. */
  readonly standing: readonly string[];
  /** The file without them; "absent": it was made by enable, and nothing else is in it; undefined: it stays as it is. */
  readonly policy?: string;
}

/** @param former what enable replaced */
export function disabling(keyPath: string, files: ContainersFiles, former?: ContainersPolicy): Disabling {
  if (files.policyText === undefined) return { removed: [], restored: [], standing: [] };
  const removed = scopesOf(files.policy).filter((scope) => isOurs(scope, keyPath, files));
  const restored = removed.filter((scope) => formerOf(scope, former) !== undefined);
  const left = takenBack(files.policy, removed, former);
  const standing = scopesWithKey(left, keyPath);
  const isMade = files.ownText?.includes(MADE_POLICY) === true;
  if (isMade && isSame(left, FIRST_POLICY)) return { removed, restored, standing, policy: "absent" };
  return { removed, restored, standing, ...(removed.length > 0 && { policy: policyText(left) }) };
}

/** The policy with what the scopes demanded before, or without them. */
function takenBack(policy: ContainersPolicy, scopes: readonly string[], former?: ContainersPolicy): ContainersPolicy {
  return scopes.reduce((all, scope) => withScopes(all, [scope], formerOf(scope, former)), policy);
}

function formerOf(scope: string, former?: ContainersPolicy): Requirements | undefined {
  const requirements = former && requirementsOfScope(former, scope);
  return nodeKeyOf(requirements) === undefined ? requirements : undefined;
}

/** Scopes, and "default", whose requirements name the key. */
function scopesWithKey({ default: others, transports }: ContainersPolicy, keyPath: string): readonly string[] {
  const named = JSON.stringify(keyPath);
  const namesKey = (value: unknown): boolean => JSON.stringify(value).includes(named);
  const scopes = Object.entries(transports).flatMap(([transport, of]) =>
    Object.entries(of).flatMap(([scope, list]) => (namesKey(list) ? [`${transport}: ${scope}`] : [])),
  );
  return namesKey(others) ? ["default", ...scopes] : scopes;
}

/** Exactly as enable writes it: for this key, or for the one before, where our own file names the host. */
function isOurs(scope: string, keyPath: string, files: ContainersFiles): boolean {
  const key = nodeKeyOf(requirementsOfScope(files.policy, scope));
  if (key === undefined || scope.includes("/")) return false;
  return key === keyPath || files.ownHosts.includes(scope);
}

function isSame(one: ContainersPolicy, other: ContainersPolicy): boolean {
  return policyText({ ...one, indent: "" }) === policyText({ ...other, indent: "" });
}
