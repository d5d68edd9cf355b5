import type { Containerd } from "../containerd/inspect.ts";
import type { Distribution, Signs } from "./distribution.ts";
import { KUBERNETES } from "./kubernetes.ts";
import type { NodeView } from "./node-view.ts";
import { PLAIN, SYSTEMS } from "./systems.ts";

export interface Recognised {
  readonly distribution: Distribution;
  /** The first sign of it: `the process k3s`, a path, or `ID=talos in os-release`. */
  readonly by: string;
}

/** All that can be named, in the order in which they are tried. */
export const DISTRIBUTIONS: readonly Distribution[] = [...KUBERNETES, ...SYSTEMS];

/**
 * What this node is. Pure.
 *
 * @returns the one first that decides what is printed: of Kubernetes before systems, and of several those that run before
 *   those of which only files are left
 */
export function recognise(node: NodeView): readonly Recognised[] {
  const found = DISTRIBUTIONS.flatMap((distribution) => {
    const by = signOf(distribution.recognisedBy, node);
    return by === undefined ? [] : [{ distribution, by, weight: weightOf(distribution, node) }];
  });
  return found
    .toSorted((one, other) => other.weight - one.weight)
    .map(({ distribution, by }) => ({ distribution, by }));
}

/**
 * The distribution whose containerd was inspected, and that containerd if its configuration can be believed. One that runs
 * at a socket of no distribution is an administrator's own. Where none runs, a program in PATH may have told of a file
 * that the distribution's does not read.
 */
export function concerned(
  recognised: readonly Recognised[],
  containerd: Containerd,
): { readonly distribution: Distribution; readonly containerd?: Containerd } {
  const distributions = recognised.map(({ distribution }) => distribution);
  const isThere = containerd.version !== undefined || containerd.isListening;
  const own = distributions.find(({ socket }) => socket === withoutVar(containerd.address));
  const distribution = own ?? (isThere ? PLAIN : (distributions[0] ?? PLAIN));
  const isItsFile = containerd.isConfigNamed === true || containerd.configPath === distribution.config.path;
  return isThere || isItsFile ? { distribution, containerd } : { distribution };
}

/** /var/run is a link to /run. */
function withoutVar(path: string): string {
  return path.replace(/^\/var(?=\/run\/)/, "");
}

function weightOf({ kind, recognisedBy }: Distribution, { processes }: NodeView): number {
  const runs = (recognisedBy.processes ?? []).some((name) => processes.has(name));
  return (kind === "kubernetes" ? 2 : 0) + (runs ? 1 : 0);
}

function signOf({ files, processes = [], system, unless = [] }: Signs, node: NodeView): string | undefined {
  if (unless.some((path) => node.has(path))) return undefined;
  const file = files?.find((path) => node.has(path));
  if (system !== undefined) {
    const fields = Object.entries(system);
    const isSystem = fields.every(([name, value]) => node.system.get(name) === value);
    if (!isSystem || (files !== undefined && file === undefined)) return undefined;
    return `${fields.map(([name, value]) => `${name}=${value}`).join(" and ")} in os-release`;
  }
  const process = processes.find((name) => node.processes.has(name));
  return process === undefined ? file : `the process ${process}`;
}
