import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { refusalOf } from "../../src/core/verify/answer.ts";
import { exitCode } from "../../src/frontends/process/exit-status.ts";
import { enforcing, headline, TestNode } from "../support/binary.ts";
import { padded } from "../support/forged-proof.ts";
import {
  type Behaviour,
  carOfEmptyBlocks,
  HOSTILE_BEHAVIOURS,
  type HostileBehaviour,
} from "../support/hostile-behaviours.ts";
import {
  BEHAVIOURS,
  deadlineOf,
  type Met,
  MOST_MEMORY,
  type PeerBehaviour,
  SERVICES,
  type Service,
  TABLE,
} from "../support/hostile-peers.ts";
import { type ConnectionFault, HostileServer } from "../support/hostile-server.ts";
import { NameServer, ownAddress } from "../support/name-server.ts";
import { missingRoot, requirement } from "../support/requirement.ts";
import { Signer } from "../support/signer.ts";
import { signingKey } from "../support/signing-key.ts";
import { type Descriptor, INDEX_TYPE, MANIFEST_TYPE, SIGNATURE_TYPE } from "../support/stand-in-registry.ts";

const ROOT = join(import.meta.dirname, "../..");
const MEASURED = [join(ROOT, "node_modules/.bin/bun"), join(ROOT, "test/support/measured-run.ts")];
/** Milliseconds after the deadline: this machine is busy with other cells. */
const SLACK = 3500;
const KIB = 1024;
const MIB = 1024 * KIB;
/** What a PDS may answer with, in bytes (spec, "Bounds"). */
const MAX_PROOF = 2 * MIB;
/** Loopback addresses of this file's own: see NameServer. */
const NET = 61;
/** Where the others of a pull are. */
const FRIENDS = ["127.0.0.1", "::1"];
/** So many that none is asked before the registry names one: then the registry matters. */
const crowd = Array.from({ length: 20 }, (_, i) => `did:plc:${String.fromCharCode(97 + i).repeat(24)}`);

type Doing = HostileBehaviour | ConnectionFault | Behaviour;

const answering =
  (head: string, body: string | Uint8Array): Behaviour =>
  ({ socket }) => {
    socket.write(`HTTP/1.1 ${head}\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n`);
    socket.end(body);
  };
/** `{"a":{"a":…1…}}` in about as many bytes. */
const nested = (size: number): string => `${'{"a":'.repeat(size / 6)}1${"}".repeat(size / 6)}`;
const json = (text: string, status = "200 OK"): Behaviour =>
  answering(`${status}\r\ncontent-type: application/json`, text);

type ByName = "name at a private address" | "name that changes between look-ups";
/** What the PDS of a scene serves of each signer, by DID. */
const proofs = new Map<string, Uint8Array>();
const proof: Behaviour = (victim) => {
  const did = new URL(victim.url, "https://pds.example").searchParams.get("did") ?? "";
  return answering("200 OK\r\ncontent-type: application/vnd.ipld.car", proofs.get(did) ?? "")(victim);
};
/** The log that the directory of a scene serves. */
let manyKeys: Signer;
const isByName = (behaviour: PeerBehaviour): behaviour is ByName => behaviour.startsWith("name ");

/** What each behaviour is, and where it is another one for a service. */
const DOES: Readonly<Record<Exclude<PeerBehaviour, ByName>, Doing>> = {
  refuses: "refuse",
  "accepts and is silent": "accept and be silent",
  "never answers a request": "no answer",
  "one byte a second": "one byte a second",
  "headers without end": "headers without end",
  "body without end": "a body without end",
  "gzip bomb": "a gzip bomb",
  truncated: "a truncated body",
  "reset before the answer": "reset before the answer",
  "reset within the body": "reset within the body",
  "longer than announced": "a longer body than announced",
  "two lengths": "two lengths",
  "redirect loop": "a redirect loop",
  "redirect to a private address": "a redirect to a private address",
  "redirect to file:": "a redirect to a file",
  "429 with a long Retry-After": "status 429",
  "5xx": "status 500",
  "wrong content type": "another content type",
  "2,000 referrers": "2,000 referrers",
  "pages without end": "pages without end",
  "manifest with another's digest": (victim) => {
    const digest = `sha256:${"0".repeat(64)}`;
    const listed = { mediaType: MANIFEST_TYPE, digest, size: 2, artifactType: SIGNATURE_TYPE };
    const index = JSON.stringify({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests: [listed] });
    return answering(
      `200 OK\r\ncontent-type: ${INDEX_TYPE}`,
      victim.url.includes("/referrers/") ? index : "{}",
    )(victim);
  },
  "JSON nested deep": json(`{"schemaVersion":2,"manifests":[${nested(1000 * KIB)}]}`),
  "CBOR nested deep": "CBOR nested deep",
  "CAR of a million empty blocks": "a CAR of a million empty blocks",
  // 56,000 blocks of 37 bytes are a little less than the 2 MiB of a proof.
  "CAR of as many as fit": async (victim) =>
    answering("200 OK\r\ncontent-type: application/vnd.ipld.car", await carOfEmptyBlocks(56_000))(victim),
  "proof padded to the cap": proof,
  "16 signers' padded proofs": proof,
  "250 rotation keys": (victim) => json(new TextDecoder().decode(manyKeys.log.bytes()))(victim),
};
/** As deep as each service's cap on a body allows. */
const DOES_OTHERWISE: Partial<Record<`${Service}: ${PeerBehaviour}`, Doing>> = {
  "token server: JSON nested deep": json(`{"token":${nested(60 * KIB)}}`),
  "directory: JSON nested deep": json(`[${nested(500 * KIB)}]`),
  "did:web host: JSON nested deep": (victim) => {
    const id = `did:web:${victim.authority.replace(":", "%3A")}`;
    return json(`{"id":"${id}","verificationMethod":[${nested(500 * KIB)}]}`)(victim);
  },
  // A PDS says in JSON why it serves no proof.
  "PDS: JSON nested deep": json(`{"error":${nested(2000 * KIB)}}`, "400 Bad Request"),
};

const canServeNames = requirement(
  "names that lie at private addresses, or change",
  missingRoot("binds ports 53 and 443, mounts resolv.conf"),
);

let world: TestNode;
let image: Descriptor;
let nth = 0;
let places = 0;

beforeAll(async () => {
  world = await TestNode.start();
  image = await world.image("signed");
  manyKeys = await Signer.create({
    seed: "many keys",
    pds: world.pds.origin,
    at: world.begun,
    rotationKeys: Array.from({ length: 250 }, (_, i) => signingKey("p256", `rotation ${i}`)),
  });
  world.pds.add(manyKeys.repo);
});
afterAll(() => world.stop());

/** A pull in which one service is hostile. */
interface Scene {
  /** The image's name. */
  readonly name: string;
  readonly policy: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

/** @param origin of the hostile service */
async function sceneOf(
  service: Service,
  origin: string,
  allow: readonly string[],
  behaviour?: PeerBehaviour,
): Promise<Scene> {
  const { host } = new URL(origin);
  const settings = { ...world.settings, network: { allow } };
  const usual = { name: world.name, policy: enforcing(world.signer.did), settings };
  switch (service) {
    case "registry":
      return { ...usual, name: `${host}/alice/app:v1`, policy: enforcing(...crowd) };
    case "token server": {
      const repository = `alice/private${++nth}`;
      const challenge = `Bearer realm="${origin}/token",service="x"`;
      world.registry.override(`/${repository}/`, { status: 401, headers: { "www-authenticate": challenge } });
      return { ...usual, name: `${world.registry.authority}/${repository}:v1`, policy: enforcing(...crowd) };
    }
    case "directory": {
      const policy = enforcing(behaviour === "250 rotation keys" ? manyKeys.did : world.signer.did);
      return { ...usual, policy, settings: { ...settings, plcDirectories: [origin] } };
    }
    case "did:web host": {
      const listed = host.includes(":") ? [host] : [];
      const did = `did:web:${host.replace(":", "%3A")}`;
      return { ...usual, policy: enforcing(did), settings: { ...settings, network: { allow: [...allow, ...listed] } } };
    }
    case "PDS": {
      const dids: string[] = [];
      for (let i = 0; i < (behaviour === "16 signers' padded proofs" ? 16 : 1); i++) {
        const signer = await Signer.create({ seed: `signer ${++nth}`, pds: origin, at: world.begun, others: 0 });
        world.plc.add(signer.log);
        dids.push(signer.did);
        if (behaviour?.includes("padded") === true)
          proofs.set(signer.did, await padded(await signer.proof(image.digest), MAX_PROOF));
      }
      return { ...usual, policy: enforcing(...dids) };
    }
    case "proxy": {
      const network = { allow, proxy: { https: origin } };
      const plcDirectories = ["https://plc.example"];
      return { ...usual, name: "registry.example/alice/app:v1", settings: { ...settings, plcDirectories, network } };
    }
  }
}

/**
 * Pulls under the configuration as it is installed, but for its places.
 *
 * @param expected headline
 * @param through what runs the program
 */
async function isAnswered(
  scene: Scene,
  expected: string,
  deadline: number,
  most = MOST_MEMORY,
  through: readonly string[] = [],
): Promise<void> {
  const file = `cell${++nth}`;
  const trustPolicyPath = world.policy(scene.policy, `${file}.policy.yaml`);
  const settings = { cacheEnabled: true, ...scene.settings, deadline: `${deadline}ms`, trustPolicyPath };
  const env = { ...world.env, ATCR_VERIFY_CONFIG: world.configure(settings, `${file}.yaml`) };
  const memory = join(world.folder, `${file}.rss`);
  const answered = await world.pull(scene.name, image, { env, through: [...through, ...MEASURED, memory] });
  expect(headline(answered), answered.stdout + answered.stderr).toBe(expected);
  expect(answered.took).toBeLessThan(deadline + SLACK);
  expect(Number(readFileSync(memory, "utf8")) / MIB).toBeLessThan(most / MIB);
}

async function isMet(scene: Scene, hostile: HostileServer, met: Met, through: readonly string[] = []): Promise<void> {
  const refusal = refusalOf(met.code, "");
  const expected = `${exitCode(refusal)} ${refusal.outcome} ${met.code}`;
  await isAnswered(scene, expected, deadlineOf(met), met.memory, through);
  expect(hostile.requests.length, hostile.requests.join("\n")).toBeLessThanOrEqual(met.requests);
  expect(hostile.connections).toBeLessThanOrEqual(met.connections);
  // That it was asked at all: else the code says nothing about it.
  expect(hostile.requests.length).toBeGreaterThanOrEqual(Math.min(1, met.requests));
  expect(hostile.connections).toBeGreaterThanOrEqual(Math.min(1, met.connections));
}

describe.concurrent.each(SERVICES)("a hostile %s", (service) => {
  const cells = BEHAVIOURS.flatMap((behaviour) => {
    const met = TABLE[behaviour][service];
    return isByName(behaviour) || "notApplicable" in met ? [] : [{ behaviour, met }];
  });

  it.each(cells)("$behaviour: $met.code", async ({ behaviour, met }) => {
    const doing = DOES_OTHERWISE[`${service}: ${behaviour}`] ?? DOES[behaviour];
    const tls = world.authority.issue({ names: ["127.0.0.1", "web.localhost"] });
    const name = service === "did:web host" ? { name: "web.localhost" } : {};
    await using hostile = await HostileServer.start(doing, service === "proxy" ? {} : { tls, ...name });
    await isMet(await sceneOf(service, hostile.origin, FRIENDS, behaviour), hostile, met);
  });
});

it("a proof that is padded to the cap proves what it proves", async () => {
  const tls = world.authority.issue({ names: ["127.0.0.1"] });
  await using hostile = await HostileServer.start(proof, { tls });
  const scene = await sceneOf("PDS", hostile.origin, FRIENDS);
  const [did = ""] = /did:plc:[a-z2-7]{24}/.exec(scene.policy) ?? [];
  const signer = await Signer.create({ seed: `signer ${nth}`, pds: hostile.origin, at: world.begun, others: 0 });
  expect(signer.did).toBe(did);
  await signer.sign(image.digest, "app", world.begun + 1);
  proofs.set(did, await padded(await signer.proof(image.digest), MAX_PROOF));
  await isAnswered(scene, "0 allow signed", 8000);
});

describe.runIf(canServeNames)("a hostile service by its name", () => {
  let names: NameServer;
  let through: readonly string[];

  beforeAll(async () => {
    names = await NameServer.start(NET);
    through = names.through(world.folder);
  });
  afterAll(() => names.stop());

  /** A name of its own, at an address of its own; and another address. */
  function place(service: Service) {
    const net = NET + 2 * ++places;
    const name = `n${places}.hostile.example`;
    names.answers.set(`A ${name}`, [ownAddress(net)]);
    const tls = world.authority.issue({ names: [name] });
    // A did:web with a port would have to be listed, and might be private then.
    const port = service === "did:web host" ? 443 : 0;
    return { at: { name, host: ownAddress(net), port, tls }, other: ownAddress(net + 1) };
  }

  const cellsOf = (behaviour: ByName) =>
    SERVICES.flatMap((service) => {
      const met = TABLE[behaviour][service];
      return "notApplicable" in met ? [] : [{ service, met }];
    });

  describe.concurrent("at a private address", () => {
    it.each(cellsOf("name at a private address"))("$service: $met.code", async ({ service, met }) => {
      const { at } = place(service);
      await using hostile = await HostileServer.start("no answer", at);
      await isMet(await sceneOf(service, hostile.origin, FRIENDS), hostile, met, through);
      expect(names.asked).toContain(`A ${at.name}`);
    });
  });

  describe.concurrent("that changes between look-ups", () => {
    it.each(cellsOf("name that changes between look-ups"))("$service: $met.code", async ({ service, met }) => {
      const { at, other } = place(service);
      // A registry may lie at a private address, but nobody at this one.
      const next = service === "registry" ? "169.254.169.254" : other;
      const change: Behaviour = (victim) => {
        names.answers.set(`A ${at.name}`, [next]);
        return HOSTILE_BEHAVIOURS["status 500"](victim);
      };
      await using hostile = await HostileServer.start(change, at);
      const port = Number(new URL(hostile.origin).port || 443);
      await using elsewhere = await HostileServer.start("no answer", { ...at, host: other, port });
      await isMet(await sceneOf(service, hostile.origin, [...FRIENDS, at.host]), hostile, met, through);
      expect(elsewhere.connections).toBe(0);
      expect(names.asked.filter((question) => question === `A ${at.name}`).length).toBe(2);
    });
  });
});
