import type { RejectionCode } from "../../src/core/rejection.ts";

/**
 * The expected result of a pull with one hostile service: every service with every behaviour.
 * test/binary/hostile-peers.test.ts checks the binary against this table, and docs/assurance.md shows it.
 */

export const SERVICES = ["registry", "token server", "directory", "did:web host", "PDS", "proxy"] as const;
export type Service = (typeof SERVICES)[number];

export const BEHAVIOURS = [
  "refuses",
  "accepts and is silent",
  "never answers a request",
  "one byte a second",
  "headers without end",
  "body without end",
  "gzip bomb",
  "truncated",
  "reset before the answer",
  "reset within the body",
  "longer than announced",
  "two lengths",
  "redirect loop",
  "redirect to a private address",
  "redirect to file:",
  "name at a private address",
  "name that changes between look-ups",
  "429 with a long Retry-After",
  "5xx",
  "wrong content type",
  "2,000 referrers",
  "pages without end",
  "manifest with another's digest",
  "JSON nested deep",
  "CBOR nested deep",
  "CAR of a million empty blocks",
  "CAR of as many as fit",
  "proof padded to the cap",
  "16 signers' padded proofs",
  "250 rotation keys",
] as const;
export type PeerBehaviour = (typeof BEHAVIOURS)[number];

export interface Met {
  /** The verdict's. */
  readonly code: RejectionCode;
  /** How many the hostile server may see at most. */
  readonly requests: number;
  readonly connections: number;
  /** Peak resident memory of the process at most, in bytes; default {@link MOST_MEMORY}. */
  readonly memory?: number;
}
export type Cell = Met | { readonly notApplicable: string };
type Row = Readonly<Record<Service, Cell>>;

/**
 * Deadline of a pull in milliseconds: short where it must expire; otherwise the default, so that a busy machine does not
 * replace another code by that of the deadline.
 */
export function deadlineOf({ code }: Met): number {
  return code === "net.deadline" ? 2000 : 8000;
}
/** Maximum peak resident memory in bytes, unless a cell names another. */
export const MOST_MEMORY = 96 * 1024 * 1024;
/** With 16 answers of 2 MiB in memory at the same time. */
const MOST_MEMORY_OF_16 = 160 * 1024 * 1024;

const no = (why: string): Cell => ({ notApplicable: why });
const ONLY_REGISTRY = no("lists and manifests are a registry's");
const ONLY_PDS = no("CAR and CBOR are a PDS's");
const ONLY_DIRECTORY = no("rotation keys are in a directory's log");
const TUNNEL = no("what is inside the tunnel is between the service and us, under TLS");
const MAY_BE_PRIVATE = no("the registry that the image names, and the proxy, may be private");
const RESOLVES = no("who asks through a proxy looks no name up but the proxy's, which may be private");

const cell = (code: RejectionCode, requests: number, connections = requests): Cell => ({ code, requests, connections });

export const TABLE: Readonly<Record<PeerBehaviour, Row>> = {
  refuses: {
    registry: cell("registry.unreachable", 0),
    "token server": cell("registry.unreachable", 0),
    directory: cell("identity.unreachable", 0),
    "did:web host": cell("identity.unreachable", 0),
    PDS: cell("pds.unreachable", 0),
    proxy: cell("identity.unreachable", 0),
  },
  "accepts and is silent": {
    registry: cell("net.deadline", 0, 1),
    "token server": cell("net.deadline", 0, 1),
    directory: cell("net.deadline", 0, 1),
    "did:web host": cell("net.deadline", 0, 1),
    PDS: cell("net.deadline", 0, 1),
    proxy: cell("net.deadline", 0, 2),
  },
  "never answers a request": {
    registry: cell("net.deadline", 1),
    "token server": cell("net.deadline", 1),
    directory: cell("net.deadline", 1),
    "did:web host": cell("net.deadline", 1),
    PDS: cell("net.deadline", 1),
    proxy: cell("net.deadline", 2),
  },
  "one byte a second": {
    registry: cell("net.deadline", 1),
    "token server": cell("net.deadline", 1),
    directory: cell("net.deadline", 1),
    "did:web host": cell("net.deadline", 1),
    PDS: cell("net.deadline", 1),
    proxy: cell("net.deadline", 2),
  },
  "headers without end": {
    registry: cell("registry.bad_response", 1),
    "token server": cell("registry.bad_response", 1),
    directory: cell("identity.bad_response", 1),
    "did:web host": cell("identity.bad_response", 1),
    PDS: cell("pds.bad_response", 1),
    proxy: cell("identity.bad_response", 2),
  },
  "body without end": {
    registry: cell("registry.bad_response", 1),
    "token server": cell("registry.bad_response", 1),
    directory: cell("identity.bad_response", 1),
    "did:web host": cell("identity.bad_response", 1),
    PDS: cell("pds.bad_response", 1),
    proxy: cell("net.tls", 4),
  },
  "gzip bomb": {
    registry: cell("registry.bad_response", 1),
    "token server": cell("registry.bad_response", 1),
    directory: cell("identity.bad_response", 1),
    "did:web host": cell("identity.bad_response", 1),
    PDS: cell("pds.bad_response", 1),
    proxy: cell("net.tls", 4),
  },
  truncated: {
    registry: cell("registry.bad_response", 1),
    "token server": cell("registry.bad_response", 1),
    directory: cell("identity.bad_response", 1),
    "did:web host": cell("identity.bad_response", 1),
    PDS: cell("pds.bad_response", 1),
    proxy: cell("identity.unreachable", 6),
  },
  "reset before the answer": {
    registry: cell("registry.unreachable", 3),
    "token server": cell("registry.unreachable", 3),
    directory: cell("identity.unreachable", 3),
    "did:web host": cell("identity.unreachable", 3),
    PDS: cell("pds.unreachable", 3),
    proxy: cell("identity.unreachable", 6),
  },
  "reset within the body": {
    registry: cell("registry.bad_response", 1),
    "token server": cell("registry.bad_response", 1),
    directory: cell("identity.bad_response", 1),
    "did:web host": cell("identity.bad_response", 1),
    PDS: cell("pds.bad_response", 1),
    proxy: cell("net.tls", 4),
  },
  "longer than announced": {
    registry: cell("registry.bad_response", 2),
    "token server": cell("registry.unauthorized", 1),
    directory: cell("identity.log_invalid", 1),
    "did:web host": cell("identity.bad_response", 1),
    PDS: cell("pds.bad_response", 1),
    proxy: cell("net.tls", 4),
  },
  "two lengths": {
    registry: cell("registry.bad_response", 1),
    "token server": cell("registry.bad_response", 1),
    directory: cell("identity.bad_response", 1),
    "did:web host": cell("identity.bad_response", 1),
    PDS: cell("pds.bad_response", 1),
    proxy: cell("identity.unreachable", 6),
  },
  "redirect loop": {
    registry: cell("registry.bad_response", 12),
    "token server": cell("registry.bad_response", 4),
    directory: cell("identity.bad_response", 1),
    "did:web host": cell("identity.bad_response", 1),
    PDS: cell("pds.bad_response", 1),
    proxy: cell("identity.unreachable", 6),
  },
  "redirect to a private address": {
    registry: cell("net.forbidden_address", 2),
    "token server": cell("registry.bad_response", 1),
    directory: cell("identity.bad_response", 1),
    "did:web host": cell("identity.bad_response", 1),
    PDS: cell("pds.bad_response", 1),
    proxy: cell("identity.unreachable", 6),
  },
  "redirect to file:": {
    registry: cell("net.forbidden_address", 2),
    "token server": cell("registry.bad_response", 1),
    directory: cell("identity.bad_response", 1),
    "did:web host": cell("identity.bad_response", 1),
    PDS: cell("pds.bad_response", 1),
    proxy: cell("identity.unreachable", 6),
  },
  "name at a private address": {
    registry: MAY_BE_PRIVATE,
    "token server": cell("net.forbidden_address", 0),
    directory: cell("net.forbidden_address", 0),
    "did:web host": cell("net.forbidden_address", 0),
    PDS: cell("net.forbidden_address", 0),
    proxy: MAY_BE_PRIVATE,
  },
  "name that changes between look-ups": {
    registry: cell("net.forbidden_address", 1),
    "token server": cell("net.forbidden_address", 1),
    directory: cell("net.forbidden_address", 1),
    "did:web host": cell("net.forbidden_address", 1),
    PDS: cell("net.forbidden_address", 1),
    proxy: RESOLVES,
  },
  "429 with a long Retry-After": {
    registry: cell("registry.unreachable", 1),
    "token server": cell("registry.unreachable", 1),
    directory: cell("identity.unreachable", 1),
    "did:web host": cell("identity.unreachable", 1),
    PDS: cell("pds.unreachable", 1),
    proxy: cell("identity.unreachable", 6),
  },
  "5xx": {
    registry: cell("registry.unreachable", 3),
    "token server": cell("registry.unreachable", 3),
    directory: cell("identity.bad_response", 3),
    "did:web host": cell("identity.bad_response", 3),
    PDS: cell("pds.bad_response", 3),
    proxy: cell("identity.unreachable", 6),
  },
  "wrong content type": {
    registry: cell("registry.bad_response", 2),
    "token server": cell("registry.unauthorized", 1),
    directory: cell("identity.log_invalid", 1),
    "did:web host": cell("identity.bad_response", 1),
    PDS: cell("pds.bad_response", 1),
    proxy: cell("net.tls", 4),
  },
  "2,000 referrers": {
    registry: cell("registry.too_many_candidates", 33),
    "token server": ONLY_REGISTRY,
    directory: ONLY_REGISTRY,
    "did:web host": ONLY_REGISTRY,
    PDS: ONLY_REGISTRY,
    proxy: TUNNEL,
  },
  "pages without end": {
    registry: cell("registry.too_many_candidates", 8),
    "token server": ONLY_REGISTRY,
    directory: ONLY_REGISTRY,
    "did:web host": ONLY_REGISTRY,
    PDS: ONLY_REGISTRY,
    proxy: TUNNEL,
  },
  "manifest with another's digest": {
    registry: cell("registry.bad_response", 2),
    "token server": ONLY_REGISTRY,
    directory: ONLY_REGISTRY,
    "did:web host": ONLY_REGISTRY,
    PDS: ONLY_REGISTRY,
    proxy: TUNNEL,
  },
  "JSON nested deep": {
    registry: cell("registry.bad_response", 2),
    "token server": cell("registry.unauthorized", 1),
    directory: cell("identity.log_invalid", 1),
    "did:web host": cell("identity.invalid", 1),
    PDS: cell("pds.bad_response", 1),
    proxy: TUNNEL,
  },
  "CBOR nested deep": {
    registry: ONLY_PDS,
    "token server": ONLY_PDS,
    directory: ONLY_PDS,
    "did:web host": ONLY_PDS,
    PDS: cell("commit.malformed", 1),
    proxy: TUNNEL,
  },
  "CAR of a million empty blocks": {
    registry: ONLY_PDS,
    "token server": ONLY_PDS,
    directory: ONLY_PDS,
    "did:web host": ONLY_PDS,
    PDS: cell("pds.bad_response", 1),
    proxy: TUNNEL,
  },
  "CAR of as many as fit": {
    registry: ONLY_PDS,
    "token server": ONLY_PDS,
    directory: ONLY_PDS,
    "did:web host": ONLY_PDS,
    PDS: cell("car.malformed", 1),
    proxy: TUNNEL,
  },
  // True proofs that there is no record, with as many bytes in blocks that nothing links to as fit.
  "proof padded to the cap": {
    registry: ONLY_PDS,
    "token server": ONLY_PDS,
    directory: ONLY_PDS,
    "did:web host": ONLY_PDS,
    PDS: cell("signature.none", 1),
    proxy: TUNNEL,
  },
  "16 signers' padded proofs": {
    registry: ONLY_PDS,
    "token server": ONLY_PDS,
    directory: ONLY_PDS,
    "did:web host": ONLY_PDS,
    PDS: { ...cell("signature.none", 16), memory: MOST_MEMORY_OF_16 },
    proxy: TUNNEL,
  },
  // A true log, signed by the last of them.
  "250 rotation keys": {
    registry: ONLY_DIRECTORY,
    "token server": ONLY_DIRECTORY,
    directory: cell("signature.none", 1),
    "did:web host": ONLY_DIRECTORY,
    PDS: ONLY_DIRECTORY,
    proxy: TUNNEL,
  },
};

/** The table as docs/assurance.md shows it. */
function hostileTable(): string {
  const cells = BEHAVIOURS.flatMap((behaviour) => SERVICES.map((service) => TABLE[behaviour][service]));
  const reasons = [...new Set(cells.flatMap((one) => ("notApplicable" in one ? [one.notApplicable] : [])))];
  const letter = (reason: string): string => `(${"abcdefghij"[reasons.indexOf(reason)]})`;
  const shown = (one: Cell): string =>
    "notApplicable" in one ? letter(one.notApplicable) : `\`${one.code}\` ${one.requests}`;
  const row = (texts: readonly string[]): string => `| ${texts.join(" | ")} |`;
  return [
    row(["", ...SERVICES]),
    row(["", ...SERVICES].map(() => "---")),
    ...BEHAVIOURS.map((behaviour) => row([behaviour, ...SERVICES.map((service) => shown(TABLE[behaviour][service]))])),
    "",
    "Not applicable:",
    "",
    ...reasons.map((reason) => `- ${letter(reason)} ${reason}`),
  ].join("\n");
}

const [BEGIN, END] = ["<!-- hostile peers: begin -->", "<!-- hostile peers: end -->"];

/** The text of docs/assurance.md with the table in its place. */
export function withHostileTable(text: string): string {
  const [before = "", rest = ""] = text.split(BEGIN);
  const [, after = ""] = rest.split(END);
  return `${before}${BEGIN}\n\n${hostileTable()}\n\n${END}${after}`;
}
