import type { Behaviour, HostileBehaviour } from "./hostile-behaviours.ts";
import type { ConnectionFault } from "./hostile-server.ts";

/** Whom a pull talks to. */
export const SERVICES = ["registry", "token server", "directory", "did:web", "PDS", "proxy"] as const;
export type Service = (typeof SERVICES)[number];

/** Why a service cannot behave so. */
export const NOT_APPLICABLE = {
  "lists nothing": "only a registry lists referrers and serves manifests",
  "is no repo": "only a PDS serves a repo's blocks",
  "may be private": "the registry that the image names, and the proxy that the administrator names, may be private",
} as const;
type Reason = keyof typeof NOT_APPLICABLE;

/** How a service behaves: as a server of the tests does, or by a name that leads elsewhere. */
export type Conduct =
  | { readonly server: HostileBehaviour | ConnectionFault | Behaviour }
  | { readonly name: "private" | "changing" };

export interface HostileRow {
  /** As the issue and docs/assurance.md call it. */
  readonly behaviour: string;
  readonly conduct: Conduct;
  /** Requests that a service gets at most; {@link USUAL_REQUESTS} unless told otherwise. */
  readonly requests?: number;
  /** The code of the reason, or why there is none. */
  readonly codes: Readonly<Record<Service, string>>;
}

/** Three attempts, at the Referrers API and at the tag in its place. */
export const USUAL_REQUESTS = 6;

const server = (what: HostileBehaviour | ConnectionFault | Behaviour): Conduct => ({ server: what });

/** One code for each service, in the order of {@link SERVICES}; `-` and a reason where there is none. */
function codes(...each: readonly string[]): HostileRow["codes"] {
  return Object.fromEntries(SERVICES.map((service, i) => [service, each[i] ?? ""])) as HostileRow["codes"];
}

const listsNothing: Reason = "lists nothing";
const onlyRegistry = (code: string) => codes(code, ...Array.from({ length: 5 }, () => listsNothing));
const noRepo: Reason = "is no repo";
const onlyPds = (code: string) => codes(noRepo, noRepo, noRepo, noRepo, code, noRepo);
const mayBePrivate: Reason = "may be private";

const [MANIFEST, SIGNATURE] = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.atproto.signature.v1+json",
];

/** Lists a signature of one digest, and serves a manifest of another. */
const anotherManifest: Behaviour = ({ socket, url }) => {
  const listed = { mediaType: MANIFEST, digest: `sha256:${"5".repeat(64)}`, size: 2, artifactType: SIGNATURE };
  const body = url.includes("/referrers/") ? JSON.stringify({ schemaVersion: 2, manifests: [listed] }) : "{}";
  const type = url.includes("/referrers/") ? "application/vnd.oci.image.index.v1+json" : MANIFEST;
  socket.end(
    `HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: ${type}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
};

export const HOSTILE_PEERS: readonly HostileRow[] = [
  {
    behaviour: "refuses connections",
    conduct: server("refuse"),
    codes: codes(
      "registry.unreachable",
      "registry.unreachable",
      "identity.unreachable",
      "identity.unreachable",
      "pds.unreachable",
      "identity.unreachable",
    ),
  },
  {
    behaviour: "accepts, and says nothing",
    conduct: server("accept and be silent"),
    codes: codes("net.deadline", "net.deadline", "net.deadline", "net.deadline", "net.deadline", "net.deadline"),
  },
  {
    behaviour: "never answers a request",
    conduct: server("no answer"),
    codes: codes("net.deadline", "net.deadline", "net.deadline", "net.deadline", "net.deadline", "net.deadline"),
  },
  {
    behaviour: "one byte a second",
    conduct: server("one byte a second"),
    codes: codes(
      "net.deadline",
      "registry.bad_response",
      "net.deadline",
      "net.deadline",
      "net.deadline",
      "net.deadline",
    ),
  },
  {
    behaviour: "headers without end",
    conduct: server("headers without end"),
    codes: codes(
      "registry.bad_response",
      "registry.bad_response",
      "identity.bad_response",
      "identity.bad_response",
      "pds.bad_response",
      "identity.bad_response",
    ),
  },
  {
    behaviour: "a body without end",
    conduct: server("a body without end"),
    codes: codes(
      "registry.bad_response",
      "registry.bad_response",
      "identity.bad_response",
      "identity.bad_response",
      "pds.bad_response",
      "net.tls",
    ),
  },
  {
    behaviour: "a gzip bomb",
    conduct: server("a gzip bomb"),
    codes: codes(
      "registry.bad_response",
      "registry.bad_response",
      "identity.bad_response",
      "identity.bad_response",
      "pds.bad_response",
      "net.tls",
    ),
  },
  {
    behaviour: "truncated",
    conduct: server("a truncated body"),
    codes: codes(
      "registry.bad_response",
      "registry.bad_response",
      "identity.bad_response",
      "identity.bad_response",
      "pds.bad_response",
      "identity.unreachable",
    ),
  },
  {
    behaviour: "reset",
    conduct: server("reset within the body"),
    codes: codes(
      "registry.bad_response",
      "registry.bad_response",
      "identity.bad_response",
      "identity.bad_response",
      "pds.bad_response",
      "net.tls",
    ),
  },
  {
    behaviour: "longer than it said",
    conduct: server("a longer body than announced"),
    codes: codes(
      "registry.bad_response",
      "registry.unauthorized",
      "identity.log_invalid",
      "identity.invalid",
      "car.malformed",
      "net.tls",
    ),
  },
  {
    behaviour: "two lengths",
    conduct: server("two lengths"),
    codes: codes(
      "registry.bad_response",
      "registry.bad_response",
      "identity.bad_response",
      "identity.bad_response",
      "pds.bad_response",
      "identity.unreachable",
    ),
  },
  {
    behaviour: "a redirect loop",
    conduct: server("a redirect loop"),
    codes: codes(
      "registry.bad_response",
      "registry.bad_response",
      "identity.bad_response",
      "identity.bad_response",
      "pds.bad_response",
      "identity.unreachable",
    ),
  },
  {
    behaviour: "a redirect to a private address",
    conduct: server("a redirect to a private address"),
    codes: codes(
      "net.forbidden_address",
      "registry.bad_response",
      "identity.bad_response",
      "identity.bad_response",
      "pds.bad_response",
      "identity.unreachable",
    ),
  },
  {
    behaviour: "a redirect to `file:`",
    conduct: server("a redirect to a file"),
    codes: codes(
      "net.forbidden_address",
      "registry.bad_response",
      "identity.bad_response",
      "identity.bad_response",
      "pds.bad_response",
      "identity.unreachable",
    ),
  },
  {
    behaviour: "a name at a private address",
    conduct: { name: "private" },
    codes: codes(
      mayBePrivate,
      "net.forbidden_address",
      "net.forbidden_address",
      "net.forbidden_address",
      "net.forbidden_address",
      mayBePrivate,
    ),
  },
  {
    behaviour: "a name that moves there",
    conduct: { name: "changing" },
    codes: codes(
      mayBePrivate,
      "net.forbidden_address",
      "net.forbidden_address",
      "net.forbidden_address",
      "net.forbidden_address",
      mayBePrivate,
    ),
  },
  {
    behaviour: "429, `Retry-After` of an hour",
    conduct: server("status 429"),
    codes: codes(
      "registry.unreachable",
      "registry.unauthorized",
      "identity.unreachable",
      "identity.unreachable",
      "pds.unreachable",
      "identity.unreachable",
    ),
  },
  {
    behaviour: "status 500",
    conduct: server("status 500"),
    codes: codes(
      "registry.unreachable",
      "registry.unauthorized",
      "identity.unreachable",
      "identity.unreachable",
      "pds.unreachable",
      "identity.unreachable",
    ),
  },
  {
    behaviour: "another content type",
    conduct: server("another content type"),
    codes: codes(
      "registry.bad_response",
      "registry.unauthorized",
      "identity.log_invalid",
      "identity.invalid",
      "car.malformed",
      "net.tls",
    ),
  },
  {
    behaviour: "JSON nested deep",
    conduct: server("JSON nested deep"),
    codes: codes(
      "registry.bad_response",
      "registry.bad_response",
      "identity.log_invalid",
      "identity.invalid",
      "car.malformed",
      "net.tls",
    ),
  },
  {
    behaviour: "2,000 referrers",
    conduct: server("2,000 referrers"),
    requests: 33,
    codes: onlyRegistry("registry.too_many_candidates"),
  },
  {
    behaviour: "pages without end",
    conduct: server("pages without end"),
    requests: 8,
    codes: onlyRegistry("registry.too_many_candidates"),
  },
  { behaviour: "another's manifest", conduct: server(anotherManifest), codes: onlyRegistry("registry.bad_response") },
  { behaviour: "CBOR nested deep", conduct: server("CBOR nested deep"), codes: onlyPds("commit.malformed") },
  {
    behaviour: "a CAR of 50,000 empty blocks",
    conduct: server("a CAR of many empty blocks"),
    codes: onlyPds("car.malformed"),
  },
  {
    behaviour: "a CAR of a million",
    conduct: server("a CAR of a million empty blocks"),
    codes: onlyPds("pds.bad_response"),
  },
];

const [BEGIN, END] = ["<!-- hostile peers: begin -->", "<!-- hostile peers: end -->"];

/** The text of docs/assurance.md with the table in its place. */
export function withHostileTable(text: string): string {
  const [before = "", rest = ""] = text.split(BEGIN);
  const [, after = ""] = rest.split(END);
  return `${before}${BEGIN}\n\n${hostileTable()}\n\n${END}${after}`;
}

function hostileTable(): string {
  const reasons = Object.keys(NOT_APPLICABLE);
  const cell = (code: string) => (code in NOT_APPLICABLE ? `n/a ${reasons.indexOf(code) + 1}` : `\`${code}\``);
  const rows = [
    ["behaviour", ...SERVICES],
    ["---", ...SERVICES.map(() => "---")],
    ...HOSTILE_PEERS.map(({ behaviour, codes: each }) => [
      behaviour,
      ...SERVICES.map((service) => cell(each[service])),
    ]),
  ];
  const notes = Object.values(NOT_APPLICABLE).map((reason, i) => `${i + 1}. ${reason}`);
  return [...rows.map((row) => `| ${row.join(" | ")} |`), "", "Not applicable, because", "", ...notes].join("\n");
}
