import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { REJECTIONS, type RejectionCode } from "../../src/rejection.ts";
import { BINARY, containerdArgs, enforcing, World } from "../support/binary.ts";
import type { Behaviour } from "../support/hostile-behaviours.ts";
import {
  type Conduct,
  HOSTILE_PEERS,
  NOT_APPLICABLE,
  SERVICES,
  type Service,
  USUAL_REQUESTS,
} from "../support/hostile-peers.ts";
import { HostileServer } from "../support/hostile-server.ts";
import { NameServer, ownAddress } from "../support/name-server.ts";
import { run } from "../support/process.ts";
import { missingRoot, requirement } from "../support/requirement.ts";
import { Signer } from "../support/signer.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

const ROOT = join(import.meta.dirname, "../..");
/** The bound that the whole program keeps, whoever it talks to; MiB. */
const MAX_RSS = 96;
/** containerd's default for a verifier, in milliseconds; the deadline of these pulls is 2 s. */
const PATIENCE = 10_000;
/** Second numbers of loopback addresses that are this file's. */
const [NAMES_NET, PEER_NET, ELSEWHERE_NET] = [71, 72, 73];
const PEER = "peer.example.com";

/** So many that none is asked before the registry names one. */
const crowd = Array.from({ length: 20 }, (_, i) => `did:plc:${String.fromCharCode(97 + i).repeat(24)}`);

let world: World;
let image: Descriptor;
beforeAll(async () => {
  world = await World.start();
  image = await world.image("signed");
});
afterAll(() => world.stop());

interface Measured {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Milliseconds. */
  readonly wall: number;
  /** Peak of the whole process, in MiB. */
  readonly rss: number;
}

/** Where a service is, for one pull. */
interface Bed {
  readonly origin: string;
  readonly through?: readonly string[];
  readonly allow?: readonly string[];
}

let files = 0;

/** What is asked, and under which settings, so that this service is the one that is talked to. */
async function setting(service: Service, { origin, allow = ["127.0.0.0/8"] }: Bed) {
  const { host } = new URL(origin);
  const all = [...crowd, world.signer.did];
  const base = { settings: {}, dids: [world.signer.did], env: {}, name: world.name };
  const network = { allow };
  switch (service) {
    case "registry":
      return { ...base, settings: { network }, dids: all, name: `${host}/alice/app:v1` };
    case "token server":
      return { ...base, settings: { network }, dids: all, name: await registryWithTokensOf(origin) };
    case "directory":
      return { ...base, settings: { network, plcDirectories: [origin] } };
    case "did:web": {
      const did = `did:web:${host.replace(":", "%3A")}`;
      return { ...base, settings: { network: { allow: host.includes(":") ? [...allow, host] : allow } }, dids: [did] };
    }
    case "PDS": {
      const signer = await Signer.create({ seed: `at ${origin}`, pds: origin, at: world.begun });
      world.plc.add(signer.log);
      return { ...base, settings: { network }, dids: [signer.did] };
    }
    case "proxy":
      return { ...base, settings: { network, plcDirectories: ["https://plc.example"] }, env: { HTTPS_PROXY: origin } };
  }
}

const registries: HostileServer[] = [];
afterAll(() => Promise.all(registries.map((each) => each.stop())));

/** A registry that wants a token of there. @returns the image's name at it */
async function registryWithTokensOf(origin: string): Promise<string> {
  const challenge: Behaviour = ({ socket }) => {
    const header = `www-authenticate: Bearer realm="${origin}/token",service="registry"`;
    socket.end(`HTTP/1.1 401 Unauthorized\r\nconnection: close\r\ncontent-length: 0\r\n${header}\r\n\r\n`);
  };
  const registry = await HostileServer.start(challenge, { tls: world.authority.issue({ names: ["127.0.0.1"] }) });
  registries.push(registry);
  return `${registry.authority}/alice/app:v1`;
}

async function pull(service: Service, bed: Bed): Promise<Measured> {
  const { settings, dids, env, name } = await setting(service, bed);
  const file = `hostile-${++files}`;
  const trustPolicyPath = world.policy(enforcing(...dids), `${file}.policy.yaml`);
  const config = world.configure({ ...world.settings, deadline: "2s", ...settings, trustPolicyPath }, `${file}.yaml`);
  const { mediaType, digest, size } = image;
  const job = {
    command: [...(bed.through ?? []), BINARY, ...containerdArgs(name, digest)],
    env: { ...world.env, ATCR_VERIFY_CONFIG: config, ...env },
    stdin: JSON.stringify({ mediaType, digest, size }),
  };
  const bun = join(ROOT, "node_modules/.bin/bun");
  const { stdout } = await run(bun, [join(ROOT, "test/bench/measure.ts"), JSON.stringify(job)]);
  return JSON.parse(stdout) as Measured;
}

function expectBounded(measured: Measured, code: RejectionCode, requests: number, most: number): void {
  expect(measured.stdout).toMatch(/^[ -~]{1,1023}\n$/);
  const { kind } = REJECTIONS[code];
  expect(measured.stdout.split(":")[0]).toBe(`${kind} ${code}`);
  expect(measured.code).toBe(kind === "deny" ? 1 : 2);
  expect(measured.wall).toBeLessThan(PATIENCE);
  expect(measured.rss).toBeLessThan(MAX_RSS);
  expect(requests).toBeLessThanOrEqual(most);
}

const cells = HOSTILE_PEERS.flatMap(({ behaviour, conduct, codes, requests = USUAL_REQUESTS }) =>
  SERVICES.filter((service) => !(codes[service] in NOT_APPLICABLE)).map((service) => ({
    service,
    behaviour,
    conduct,
    code: codes[service] as RejectionCode,
    most: requests,
  })),
);
type Cell = (typeof cells)[number];
const byName = (cell: Cell): cell is Cell & { conduct: Extract<Conduct, { name: string }> } => "name" in cell.conduct;

describe.concurrent("a peer that is hostile", () => {
  it.each(cells.filter((cell) => !byName(cell)))("$service: $behaviour", async ({ service, conduct, code, most }) => {
    if (!("server" in conduct)) throw new Error("not by a name");
    // A proxy is spoken to in plain http, all others over TLS.
    const tls = service === "proxy" ? {} : { tls: world.authority.issue({ names: ["127.0.0.1", "web.localhost"] }) };
    const name = service === "did:web" ? { name: "web.localhost" } : {};
    await using server = await HostileServer.start(conduct.server, { ...tls, ...name });
    const measured = await pull(service, { origin: server.origin });
    expectBounded(measured, code, server.requests.length, most);
  });
});

const canServeNames = requirement("names that lead to private addresses", missingRoot("to serve names at port 53"));

describe.runIf(canServeNames)("a peer whose name leads elsewhere", () => {
  it.each(cells.filter(byName))("$service: $behaviour", async ({ service, conduct, code, most }) => {
    const [peer, elsewhere] = [ownAddress(PEER_NET), ownAddress(ELSEWHERE_NET)];
    const names = await NameServer.start(NAMES_NET);
    const leadTo = (address: string) => names.answers.set(`A ${PEER}`, [address]);
    leadTo(conduct.name === "private" ? elsewhere : peer);
    const moveAway: Behaviour = ({ socket }) => {
      leadTo(elsewhere);
      socket.end("HTTP/1.1 503 Busy\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    };
    const tls = world.authority.issue({ names: [PEER] });
    await using server = await HostileServer.start(moveAway, { host: peer, port: 443, name: PEER, tls });
    try {
      const through = names.through(world.folder);
      const measured = await pull(service, { origin: `https://${PEER}`, through, allow: ["127.0.0.1", "::1", peer] });
      expectBounded(measured, code, server.requests.length, most);
      expect(server.requests.length).toBe(conduct.name === "private" ? 0 : 1);
    } finally {
      names.stop();
    }
  });
});
