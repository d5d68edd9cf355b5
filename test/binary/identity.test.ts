import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Answered, type Ask, ask, TestNode } from "../support/binary.ts";
import { didDocument } from "../support/did-document.ts";
import type { NameServer } from "../support/name-server.ts";
import { HANDLE, HANDLE_PATH, HANDLE_TXT, NamedWorld } from "../support/named-world.ts";
import { PlcLog, type PlcState } from "../support/plc-operations.ts";
import { missingRoot, requirement } from "../support/requirement.ts";
import { signingKey } from "../support/signing-key.ts";
import type { StandInPds } from "../support/stand-in-pds.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const MAIN = signingKey("k256", "main rotation");
const SPARE = signingKey("k256", "spare rotation");
const OLD = signingKey("k256", "old repo");
const NEW = signingKey("p256", "new repo");
const PDS = "https://pds.example.com";

interface Step {
  readonly cid: string;
  readonly createdAt: string;
  readonly kind: string;
  readonly signedBy: string;
  readonly rotationKey: number;
  readonly nullified: boolean;
  readonly changes: Record<string, unknown>;
}
interface Report {
  readonly outcome: string;
  readonly code?: string;
  readonly reason?: string;
  readonly did: string;
  readonly source: string;
  readonly verified: readonly string[];
  readonly handles: readonly string[];
  readonly handle?: Record<string, unknown>;
  readonly pds?: string;
  readonly key?: Record<string, unknown>;
  readonly rev?: string;
  readonly services?: readonly unknown[];
  readonly rotationKeys: readonly string[];
  readonly history: readonly Step[];
}

/** The one that is asked: without names at first, with names for handles. */
let world: TestNode;
let unnamed: TestNode;
/** Whole seconds, as dates are printed. */
const now = Math.floor(Date.now() / 1000) * 1000;
const iso = (time: number) => `${new Date(time).toISOString().slice(0, 19)}Z`;

beforeAll(async () => {
  unnamed = await TestNode.start();
  world = unnamed;
});
afterAll(() => unnamed.stop());

const state = (changes: Partial<PlcState> = {}): PlcState => ({
  rotationKeys: [MAIN, SPARE],
  signingKey: OLD,
  handle: "nobody.example",
  pds: PDS,
  ...changes,
});

async function logOf(at: number, changes: Partial<PlcState> = {}): Promise<PlcLog> {
  const log = await PlcLog.create(state(changes), { at, signer: MAIN });
  world.plc.add(log);
  return log;
}

function identity(args: readonly string[], options: Ask = {}): Promise<Answered> {
  return ask(["identity", ...args], { env: world.env, ...options });
}

async function report(args: readonly string[], options: Ask = {}): Promise<Report & { readonly exit: number | null }> {
  const { stdout, code, stderr } = await identity([...args, "--output", "json"], options);
  expect(stderr).toBe("");
  expect(stdout).toMatch(/^\{\n[ -~\n]*\n\}\n$/);
  return { exit: code, ...(JSON.parse(stdout) as Report) };
}

describe("identity of a did:plc", () => {
  it("is proven, and shown with all that is in it", async () => {
    const log = await logOf(now - 30 * DAY);
    const [genesis] = log.entries();
    expect(await report([log.did])).toMatchObject({
      exit: 0,
      outcome: "proven",
      asked: log.did,
      did: log.did,
      source: `${world.plc.origin}/${log.did}/log/audit`,
      verified: [
        expect.stringContaining("log's 1 operation replayed"),
        expect.stringContaining("claimed by the directory"),
      ],
      handles: ["nobody.example"],
      handle: { handle: "nobody.example", missing: expect.stringMatching(/^net\.forbidden_address: /) },
      pds: PDS,
      services: [{ id: "atproto_pds", type: "AtprotoPersonalDataServer" }],
      key: {
        key: OLD.did(),
        since: iso(now - 30 * DAY),
        firstSeen: null,
        younger: true,
        minKeyAge: "72h",
        formerKeys: [],
      },
      rotationKeys: [MAIN.did(), SPARE.did()],
      history: [
        {
          cid: genesis?.cid,
          createdAt: iso(now - 30 * DAY),
          kind: "genesis",
          signedBy: MAIN.did(),
          rotationKey: 0,
          nullified: false,
          changes: { signingKey: OLD.did(), pds: PDS, alsoKnownAs: ["at://nobody.example"] },
        },
      ],
    });
  });

  it("shows a rotation: what it changed, who signed it, and that the key is young", async () => {
    const log = await logOf(now - 30 * DAY);
    await log.update({ signingKey: NEW }, { at: now - DAY, signer: SPARE });
    const found = await report([log.did]);
    expect(found).toMatchObject({
      exit: 0,
      key: { key: NEW.did(), since: iso(now - DAY), younger: true, formerKeys: [OLD.did()] },
    });
    expect(found.history[1]).toMatchObject({ kind: "update", signedBy: SPARE.did(), rotationKey: 1, nullified: false });
    expect(found.history[1]?.changes).toEqual({ signingKey: NEW.did() });
    expect((await report([log.did, "--min-key-age", "23h"])).key).toMatchObject({ minKeyAge: "23h" });
  });

  it("shows what was nullified by a more powerful key", async () => {
    const log = await logOf(now - 30 * DAY);
    await log.update({ signingKey: NEW, rotationKeys: [SPARE] }, { at: now - 2 * DAY, signer: SPARE });
    await log.update({ pds: "https://other.example.com" }, { at: now - DAY, signer: MAIN, after: 0 });
    const found = await report([log.did]);
    expect(found).toMatchObject({ exit: 0, pds: "https://other.example.com", key: { key: OLD.did() } });
    expect(found.rotationKeys).toEqual([MAIN.did(), SPARE.did()]);
    expect(found.history.map(({ nullified, changes }) => [nullified, Object.keys(changes)])).toEqual([
      [false, ["rotationKeys", "signingKey", "pds", "services", "alsoKnownAs"]],
      [true, ["rotationKeys", "signingKey"]],
      [false, ["pds"]],
    ]);
    const [, undone] = log.entries();
    const { stdout } = await identity([log.did]);
    expect(stdout).toContain(`${iso(now - 2 * DAY)} update, NULLIFIED: ${undone?.cid}\n`);
  });

  it("shows a tombstone, and ends with 1", async () => {
    const log = await logOf(now - 30 * DAY);
    await log.tombstone({ at: now - DAY, signer: MAIN });
    const found = await report([log.did]);
    expect(found).toMatchObject({ exit: 1, outcome: "deny", code: "identity.deactivated", rotationKeys: [] });
    expect(found.history.map(({ kind, changes }) => [kind, Object.keys(changes).length])).toEqual([
      ["genesis", 5],
      ["tombstone", 0],
    ]);
    expect(found.key).toBeUndefined();
  });

  it("knows a legacy create: its recovery key and its signing key are the rotation keys", async () => {
    const log = await PlcLog.createLegacy(state(), { at: now - 30 * DAY });
    world.plc.add(log);
    const found = await report([log.did]);
    expect(found).toMatchObject({ exit: 0, rotationKeys: [MAIN.did(), OLD.did()] });
    expect(found.history[0]).toMatchObject({ kind: "genesis", signedBy: OLD.did(), rotationKey: 1 });
  });

  it("says when this node first saw the key, from which its age counts", async () => {
    const image = await world.image("seen");
    const { did } = world.signer;
    const before = await report([did, "--min-key-age", "1h"]);
    expect(before.key).toMatchObject({ since: iso(world.begun), firstSeen: null, younger: true });
    expect(before).not.toHaveProperty("rev");
    expect((await identity([did])).stdout).toContain("never seen by this node");
    expect((await world.pull(world.name, image)).code).toBe(0);
    const { key, rev } = await report([did, "--min-key-age", "1h"]);
    expect(rev).toBe(world.signer.repo.rev);
    expect(Date.parse(String(key?.["firstSeen"]))).toBeGreaterThanOrEqual(now - 1000);
    expect(key).toMatchObject({ since: iso(world.begun), younger: true });
    const text = (await identity([did])).stdout;
    expect(text).toContain("first seen by this node");
    expect(text).toContain(`  rev:            ${rev} (`);
    expect((await report([did, "--min-key-age", "1ms"])).key).toMatchObject({ younger: false });
  });

  it("refuses a log that lost an operation this node has seen, and shows it", async () => {
    const { log, did } = world.signer;
    const image = await world.image("rolled back");
    await log.update({ pds: world.pds.origin }, { at: now - HOUR });
    expect((await world.pull(world.name, image)).code).toBe(0);
    world.plc.override(did, { json: log.entries().slice(0, 1) });
    const found = await report([did]);
    world.plc.override(did, "usual");
    expect(found).toMatchObject({ exit: 1, outcome: "deny", code: "identity.log_rolled_back" });
    expect(found.history).toHaveLength(1);
  });

  it.each<[string, unknown, number, string]>([
    ["unknown", { status: 404 }, 2, "identity.unknown_did"],
    ["not to be had", { status: 503 }, 2, "identity.unreachable"],
    ["not told", { status: 500 }, 2, "identity.bad_response"],
    ["not proven", { json: [] }, 2, "identity.log_invalid"],
  ])("is inconclusive where it is %s", async (_, answer, exit, code) => {
    const log = await logOf(now - 30 * DAY);
    world.plc.override(log.did, answer as Parameters<typeof world.plc.override>[1]);
    expect(await report([log.did])).toMatchObject({ exit, outcome: "inconclusive", code });
  });

  // Only the URL parser that ships refuses such a host.
  it("is no DID where its host is invalid Punycode", async () => {
    expect((await identity(["did:web:xn--a.example"])).stdout).toContain("input.malformed");
  });

  it("is told to people too, in printable ASCII", async () => {
    const log = await logOf(now - 30 * DAY, { handle: "evil\u001b[31m.example", signingKey: OLD });
    await log.update({ signingKey: NEW }, { at: now - DAY, signer: SPARE });
    const { stdout, code } = await identity([log.did]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^[ -~\n]*$/);
    const lines = stdout.split("\n");
    expect(lines[0]).toBe(`proven: ${log.did}`);
    for (const line of [
      `  fetched from:   ${world.plc.origin}/${log.did}/log/audit, ${/\S+Z$/m.exec(lines[2] ?? "")?.[0]}`,
      "  claims:         evil?[31m.example",
      `  PDS:            ${PDS}`,
      `  key:            ${NEW.did()}`,
      `                  in place since ${iso(now - DAY)}`,
      "                  younger than 72h",
      `  rotation keys:  ${MAIN.did()}`,
      "  services:       atproto_pds (AtprotoPersonalDataServer)",
      `                  ${iso(now - DAY)} update, valid: ${log.entries()[1]?.cid}`,
      `                    signed by rotation key 1, ${SPARE.did()}`,
      `                    signingKey: ${NEW.did()}`,
    ]) {
      expect(lines).toContain(line);
    }
  });
});

describe("the command line of identity", () => {
  it.each([
    [[], "found nothing after the command"],
    [["did:web:a.example", "did:web:b.example"], '"did:web:b.example" after the command'],
    [["alice"], 'found "alice", expected a DID'],
    [["did:key:z"], 'found "did:key:z", expected a DID'],
    [["did:plc:abc"], "did:plc: and 24 characters of a-z and 2-7"],
    [["did:web:a.example", "--min-key-age", "3 days"], '--min-key-age is "3 days"'],
    [["did:web:a.example", "--policy", "x"], 'unknown option "--policy"; '],
  ])("%j is malformed", async (args, text) => {
    const { code, stdout } = await identity(args);
    expect([code, stdout]).toEqual([3, expect.stringContaining("misconfigured input.malformed: ")]);
    expect(stdout).toContain(text);
  });
});

const canServeNames = requirement(
  "handles, by DNS and https",
  missingRoot("binds ports 53 and 443, mounts resolv.conf"),
);

describe.runIf(canServeNames)("a handle", () => {
  const handle = HANDLE;
  const TXT = HANDLE_TXT;
  const URL = `https://${handle}${HANDLE_PATH}`;
  let named: NamedWorld;
  let names: NameServer;
  let host: StandInPds;
  let did: string;
  let through: readonly string[];

  beforeAll(async () => {
    named = await NamedWorld.start(54);
    ({ names, host, through, world } = named);
    did = (await logOf(now - 30 * DAY, { handle })).did;
  });
  beforeEach(() => named.reset());
  afterAll(() => named.stop());

  it("is found by DNS, both ways, from the handle and from the DID", async () => {
    names.answers.set(TXT, ["v=spf1 -all", `did=${did}`]);
    const expected = {
      exit: 0,
      did,
      handle: { handle, leadsTo: did, source: `dns:_atproto.${handle}`, bothWays: true },
    };
    expect(await report([did], { through })).toMatchObject({ ...expected, asked: did });
    expect(await report([`@${handle.toUpperCase()}`], { through })).toMatchObject({ ...expected, asked: handle });
    const { stdout } = await identity([handle], { through });
    expect(stdout).toContain(
      `  handle:         ${handle} resolves to ${did} (dns:_atproto.${handle}), which claims it: verified\n`,
    );
    const stdin = `version: 1.0\n${stdout.slice(stdout.indexOf("trustedDIDs:"))}default: audit\n`;
    const pasted = await ask(["policy", "check", "--offline", "-"], { env: world.env, stdin });
    expect(pasted).toMatchObject({ code: 0, stdout: expect.stringContaining("0 warnings; 0 rules, 1 signer") });
    // Nobody is asked about names with a search domain behind them.
    expect(names.asked.filter((question) => question.includes("search"))).toEqual([]);
  });

  it("is found at its https host", async () => {
    host.override(HANDLE_PATH, { body: `${did}\n` });
    const found = await report([handle], { through });
    expect(found).toMatchObject({ exit: 0, handle: { leadsTo: did, source: URL, bothWays: true } });
  });

  it("is what DNS says where both say something", async () => {
    names.answers.set(TXT, [`did=${did}`]);
    host.override(HANDLE_PATH, { body: world.signer.did });
    expect(await report([handle], { through })).toMatchObject({ exit: 0, did });
  });

  it.each(["no such name", "server failure", "refused"] as const)(
    "is found at its host where DNS says: %s",
    async (answer) => {
      names.answers.set(TXT, answer);
      host.override(HANDLE_PATH, { body: did });
      expect(await report([handle], { through })).toMatchObject({ exit: 0, did });
    },
  );

  it("leads to nobody where both say so, which is a no", async () => {
    const found = await report([handle], { through });
    expect(found).toMatchObject({ exit: 1, outcome: "deny", code: "image.owner_mismatch" });
    expect(found.reason).toContain(`the handle ${handle} has no owner`);
    expect(await report([did], { through })).toMatchObject({ exit: 0, handle: { leadsTo: null, bothWays: false } });
  });

  it.each(["server failure", "refused", "silent"] as const)(
    "is not known where DNS is of no use: %s",
    async (answer) => {
      names.answers.set(TXT, answer);
      const config = world.configure({ ...world.settings, didResolverTimeout: "500ms" }, "hasty.yaml");
      const found = await report([handle, "--config", config], { through });
      expect(found).toMatchObject({ exit: 2, outcome: "inconclusive", code: "handle.bad_response" });
      // The host answered that it knows nobody: half an answer, which is not silence.
      expect(found.reason).toContain(`the TXT lookup of _atproto.${handle} `);
      const known = await report([did, "--config", config], { through });
      expect(known).toMatchObject({ exit: 0, handle: { missing: expect.stringMatching(/^handle\.bad_response: /) } });
    },
  );

  it("is kept to the deadline by a silent name server", async () => {
    names.answers.set(TXT, "silent");
    const config = world.configure({ ...world.settings, deadline: "1s" }, "short.yaml");
    expect(await report([handle, "--config", config], { through })).toMatchObject({
      exit: 2,
      code: "handle.bad_response",
    });
  });

  it("of somebody else is not theirs, also where it leads to them", async () => {
    names.answers.set("TXT _atproto.stranger.example.com", [`did=${did}`]);
    const found = await report(["stranger.example.com"], { through });
    expect(found).toMatchObject({ exit: 1, code: "image.owner_mismatch", did, handle: { bothWays: false } });
    expect(found.reason).toBe(`the handle stranger.example.com resolves to ${did}, which does not claim it`);
  });

  it("at a private address is asked only where that is listed", async () => {
    const config = world.configure({ ...world.settings, network: { allow: ["127.0.0.1"] } }, "strict.yaml");
    const found = await report([handle, "--config", config], { through });
    expect(found).toMatchObject({ exit: 2, code: "net.forbidden_address" });
  });

  it("below a reserved domain is looked up only where it is listed", async () => {
    names.answers.set("TXT _atproto.alice.test", [`did=${did}`]);
    expect(await report(["alice.test"], { through })).toMatchObject({ exit: 2, code: "net.forbidden_address" });
    expect(names.asked).toEqual([]);
    const allow = ["127.0.0.0/8", "alice.test"];
    const config = world.configure({ ...world.settings, network: { allow } }, "development.yaml");
    expect(await report(["alice.test", "--config", config], { through })).toMatchObject({ did });
  });

  it("may be a did:web's, which has no history", async () => {
    const web = `did:web:${handle}`;
    host.serveDocument(didDocument({ did: web, handles: [handle], key: NEW, pds: PDS }), handle);
    names.answers.set(TXT, [`did=${web}`]);
    const found = await report([handle], { through });
    expect(found).toMatchObject({
      exit: 0,
      did: web,
      source: `https://${handle}/.well-known/did.json`,
      verified: [expect.stringContaining("only TLS vouches"), expect.stringContaining("no history")],
      handle: { leadsTo: web, bothWays: true },
      key: { key: NEW.did() },
      rotationKeys: [],
      history: [],
    });
    expect(found.key).toMatchObject({ firstSeen: null, younger: true });
    expect(found.key).not.toHaveProperty("since");
    expect((await identity([handle], { through })).stdout).toContain("in place since an unknown date");
    host.serveDocument(didDocument({ did: "did:web:other.example", key: NEW, pds: PDS }), handle);
    expect(await report([web], { through })).toMatchObject({ exit: 1, code: "identity.invalid" });
  });
});
