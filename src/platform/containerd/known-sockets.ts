import { reject } from "../../core/rejection.ts";
import { isListenedOn } from "./daemon.ts";

/** A place where a distribution has containerd listen. */
export interface KnownSocket {
  /** Absolute path. */
  readonly path: string;
  /** Who sets it up, for people. */
  readonly of: string;
}

export const DEFAULT_SOCKET = "/run/containerd/containerd.sock";
/** Of k3s and of RKE2. */
export const RANCHER_SOCKET = "/run/k3s/containerd/containerd.sock";
export const K0S_SOCKET = "/run/k0s/containerd.sock";
export const MICROK8S_SOCKET = "/var/snap/microk8s/common/run/containerd.sock";

/** In the order in which they are tried, containerd's own default first. */
export const KNOWN_SOCKETS: readonly [KnownSocket, ...KnownSocket[]] = [
  { path: DEFAULT_SOCKET, of: "containerd's default" },
  { path: RANCHER_SOCKET, of: "k3s or RKE2" },
  { path: K0S_SOCKET, of: "k0s" },
  { path: MICROK8S_SOCKET, of: "MicroK8s" },
];

/** The socket that a command uses. */
export interface ChosenSocket {
  readonly address: string;
  /** Other known sockets that are listened on, where none was named: a node can run several containerds. */
  readonly others: readonly string[];
}

/**
 * The socket that `--address` names, else the first known one that a process listens on, else containerd's default.
 *
 * @param known sockets to try
 */
export function chooseSocket(
  named: string | undefined,
  known: readonly [KnownSocket, ...KnownSocket[]] = KNOWN_SOCKETS,
): ChosenSocket {
  if (named !== undefined) return { address: named, others: [] };
  const [first, ...others] = known.map(({ path }) => path).filter(isListenedOn);
  return { address: first ?? known[0].path, others };
}

/**
 * The same, for what must not be said of one containerd where a node has several.
 *
 * @throws Rejection if several known sockets are listened on
 */
export function onlySocket(named: string | undefined, known = KNOWN_SOCKETS): string {
  const { address, others } = chooseSocket(named, known);
  if (others.length === 0) return address;
  const found = `several containerds run on this node, at ${[address, ...others].join(", ")}`;
  return reject("config.invalid", `${found}; name one with --address`);
}

/** Known sockets beside one that a process listens on. */
export function otherSockets(address: string, known: readonly KnownSocket[] = KNOWN_SOCKETS): readonly string[] {
  return known.map(({ path }) => path).filter((path) => path !== address && isListenedOn(path));
}

/** Who sets up a socket, for people; undefined for one that no distribution is known to use. */
export function knownAs(address: string): string | undefined {
  return KNOWN_SOCKETS.find(({ path }) => path === address)?.of;
}
