import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { formatDateTime } from "../../src/core/encoding/time.ts";
import { parsePolicy } from "../../src/core/policy/parse-policy.ts";
import { type Answered, accepting, ask, containerdArgs, enforcing, headline, TestNode } from "../support/binary.ts";
import { carFile, readProof } from "../support/forged-proof.ts";
import { HOSTILE_BEHAVIOURS } from "../support/hostile-behaviours.ts";
import { hostile } from "../support/hostile-server.ts";
import type { Answer, Exchange } from "../support/http-server.ts";
import { codeOf } from "../support/rejection.ts";
import { SignedRepo } from "../support/signed-repo.ts";
import { Signer } from "../support/signer.ts";
import {
  type Descriptor,
  INDEX_TYPE,
  MANIFEST_TYPE,
  SIGNATURE_TYPE,
  StandInRegistry,
} from "../support/stand-in-registry.ts";

// What other verifiers of images were once found to let through, tried on this one. The name of a test
// begins with the advisory that it is taken from.

const HOUR = 3_600_000;
const RECORD = "/xrpc/com.atproto.sync.getRecord";
const LOG = "/log/audit";
const STRANGER = `did:plc:${"z".repeat(24)}`;
/** So many that none is asked before the registry names one. */
const crowd = Array.from({ length: 20 }, (_, i) => `did:plc:${String.fromCharCode(97 + i).repeat(24)}`);

type Test = (world: TestNode, signed: Descriptor, unsigned: Descriptor) => Promise<void>;

/** A test in a world of its own, with an image that is signed and one that is not. */
function inWorld(name: string, test: Test): void {
  it(name, async () => {
    const world = await TestNode.start();
    try {
      await test(world, await world.image("signed"), await world.image("unsigned", { signed: false }));
    } finally {
      await world.stop();
    }
  });
}

type Parts = Readonly<Record<"about" | "require" | "rule" | "top", object>>;

/** A policy of one signer and one rule, with these parts of it put in or replaced. */
function policyOf({ signer }: TestNode, { about = {}, require = {}, rule = {}, top = {} }: Partial<Parts>): string {
  const all = { name: "all", scope: "**/*", action: "enforce", require, ...rule };
  return JSON.stringify({ version: 1, trustedDIDs: { [signer.did]: about }, policies: [all], ...top });
}

/** Pulls under this policy. */
async function pullUnder(world: TestNode, policy: string, image: Descriptor, name = world.name): Promise<string> {
  world.policy(policy);
  return headline(await world.pull(name, image));
}

const moveTag = ({ signer }: TestNode, { digest }: Descriptor, tag = "v1"): Promise<void> =>
  signer.tag("app", tag, digest, Date.now() - 1000);

const listOf = (...manifests: readonly object[]): Answer => ({
  json: { schemaVersion: 2, mediaType: INDEX_TYPE, manifests },
});

/** A signature's manifest that names this DID. */
function artifact({ mediaType, digest, size }: Descriptor, did: string): object {
  const config = { mediaType: "application/vnd.oci.empty.v1+json", digest: `sha256:${"0".repeat(64)}`, size: 2 };
  const subject = { mediaType, digest, size };
  const annotations = { "io.atcr.atproto.did": did };
  return { schemaVersion: 2, mediaType: MANIFEST_TYPE, artifactType: SIGNATURE_TYPE, config, subject, annotations };
}

describe.concurrent("what a registry says", () => {
  inWorld(
    "CVE-2022-47633: each thing is asked for once, and is what hashes to its name or nothing",
    async (world, signed) => {
      const { registry, signer } = world;
      const { digest, size } = registry.pushManifest("alice/app", artifact(signed, STRANGER));
      registry.override(
        "/referrers/",
        listOf({ mediaType: MANIFEST_TYPE, digest, size, artifactType: SIGNATURE_TYPE }),
      );
      // As long as the true one, and with the same digest in its address.
      registry.override(digest, { json: artifact(signed, signer.did) }, "usual");
      const policy = enforcing(...crowd, signer.did);
      expect(await pullUnder(world, policy, signed)).toBe("2 inconclusive registry.bad_response");
      expect(registry.requests.map(({ path }) => path)).toEqual([
        `/v2/alice/app/referrers/${signed.digest}`,
        `/v2/alice/app/manifests/${digest}`,
      ]);
      expect(await pullUnder(world, policy, signed)).toBe("1 deny signer.untrusted");
    },
  );

  inWorld(
    "GHSA-wfqx-gjrf-g28r: the digest is what is verified, and no tag is ever resolved",
    async (world, signed, unsigned) => {
      const { registry } = world;
      registry.pushImage("alice/app", "signed", "v1");
      expect(headline(await world.pull(world.name, unsigned))).toBe("1 deny signature.none");
      registry.pushImage("alice/app", "unsigned", "v1");
      expect(headline(await world.pull(world.name, signed))).toBe("0 allow signed");
      const asked = registry.requests.map(({ method, url }) => `${method} ${url.split("?")[0]}`);
      const referrers = [unsigned, signed].map(({ digest }) => `GET /v2/alice/app/referrers/${digest}`);
      expect(referrers).toEqual(expect.arrayContaining([...new Set(asked)]));
      // No place says another digest than the one that is verified.
      const stdin = JSON.stringify(signed);
      const flagged = ask(containerdArgs(world.name, unsigned.digest), { env: world.env, stdin });
      expect(headline(await flagged)).toBe("3 misconfigured input.digest_mismatch");
      const named = await world.pull(`${world.name}@${signed.digest}`, unsigned);
      expect(headline(named)).toBe("3 misconfigured input.digest_mismatch");
    },
  );

  inWorld(
    "GHSA-wfqx-gjrf-g28r: a tag that goes back to a signed digest is refused by tag: match",
    async (world, old) => {
      const next = await world.image("next");
      const policy = policyOf(world, { require: { tag: "match" } });
      await moveTag(world, old);
      expect(await pullUnder(world, policy, old)).toBe("0 allow signed");
      await moveTag(world, next);
      expect(await pullUnder(world, policy, next)).toBe("0 allow signed");
      world.registry.pushImage("alice/app", "signed", "v1");
      expect(await pullUnder(world, policy, old)).toBe("1 deny tag.mismatch");
    },
  );

  inWorld(
    "CVE-2025-27403: nothing that could be a credential is sent, to the registry or to whom it names",
    async (world, signed) => {
      const { registry, signer, authority } = world;
      const thief = await StandInRegistry.start({ tls: authority.issue({ names: ["127.0.0.1"] }) });
      const env = { ...world.env, ...withCredentials(world) };
      world.policy(enforcing(...crowd, signer.did));
      const cookies = { "set-cookie": "session=secret; Path=/" };
      const bearer = { "www-authenticate": `Bearer realm="${thief.origin}/token",service="${registry.authority}"` };
      const withUser = thief.origin.replace("//", "//user:secret@");
      const pulls = [];
      for (const [answer, asked] of [
        [{ status: 401, headers: { ...cookies, ...bearer } }, ["/token"]],
        [{ status: 307, headers: { ...cookies, location: `${thief.origin}/v2/` } }, ["/v2/"]],
        [{ status: 307, headers: { ...cookies, location: `${withUser}/v2/` } }, []],
      ] as const) {
        thief.forget();
        registry.override("/referrers/", answer);
        pulls.push(headline(await world.pull(world.name, signed, { env })));
        expect(thief.requests.map(({ path }) => path)).toEqual(asked);
        expectNoCredentials(thief);
      }
      expect(pulls).toEqual([
        "2 inconclusive registry.unauthorized",
        // What is shown there is no list: the registry has no Referrers API, and no such tag.
        "1 deny signature.none",
        "2 inconclusive net.forbidden_address",
      ]);
      registry.reset();
      world.policy(enforcing(signer.did));
      expect(headline(await world.pull(world.name, signed, { env }))).toBe("0 allow signed");
      for (const server of [registry, world.plc, world.pds]) expectNoCredentials(server);
      await thief.stop();
    },
  );

  inWorld(
    "CVE-2023-33958: of 2,000 referrers 32 are looked at, and hide nobody who is named",
    async (world, signed, unsigned) => {
      const { registry, pds, signer } = world;
      const referrer = (i: number) => ({
        mediaType: MANIFEST_TYPE,
        digest: `sha256:${i.toString(16).padStart(64, "0")}`,
        size: 700,
        artifactType: SIGNATURE_TYPE,
      });
      const annotations = { "io.atcr.atproto.did": signer.did };
      const nameless = Array.from({ length: 2000 }, (_, i) => referrer(i));
      registry.override("/referrers/", listOf(...nameless));
      const [few, all] = [enforcing(signer.did), enforcing(...crowd, signer.did)];
      expect(await pullUnder(world, few, signed)).toBe("0 allow signed");
      registry.forget();
      expect(await pullUnder(world, few, unsigned)).toBe("1 deny signature.none");
      expect(registry.requests.length).toBe(1 + 32);
      registry.forget();
      expect(await pullUnder(world, all, signed)).toBe("2 inconclusive registry.too_many_candidates");
      expect(registry.requests.length).toBe(1 + 32);
      registry.override("/referrers/", listOf(...nameless, ...nameless.map((one) => ({ ...one, annotations }))));
      pds.forget();
      expect(await pullUnder(world, all, signed)).toBe("0 allow signed");
      expect(pds.count(RECORD)).toBe(1);
    },
  );
});

/** The places where other tools find the passwords of registries. */
function withCredentials(world: TestNode): Readonly<Record<string, string>> {
  const auths = { [world.registry.authority]: { auth: Buffer.from("user:secret").toString("base64") } };
  const file = world.write(".docker/config.json", JSON.stringify({ auths }));
  world.write(".netrc", "machine 127.0.0.1 login user password secret\n");
  const variables = { REGISTRY_USERNAME: "user", REGISTRY_PASSWORD: "secret", REGISTRY_TOKEN: "secret" };
  return { HOME: world.folder, DOCKER_CONFIG: dirname(file), REGISTRY_AUTH_FILE: file, ...variables };
}

function expectNoCredentials({ requests }: { readonly requests: readonly { headers: object; url: string }[] }): void {
  const harmless = ["host", "accept", "accept-encoding", "user-agent", "connection", "authorization"];
  for (const { headers, url } of requests) {
    // What a token server gave to nobody in particular is no credential.
    expect("authorization" in headers ? headers.authorization : "Bearer ").toMatch(/^Bearer (?!.*secret)/);
    expect(harmless).toEqual(expect.arrayContaining(Object.keys(headers)));
    expect(url).not.toContain("secret");
  }
}

describe.concurrent("what is kept", () => {
  inWorld(
    "CVE-2026-122321: is kept of a digest, and answers for nothing else under the same tag",
    async (world, first, unsigned) => {
      const policy = policyOf(world, { require: { maxStaleness: "1h", tag: "match" } });
      const second = await world.image("second");
      await moveTag(world, first, "other");
      await moveTag(world, first);
      expect(await pullUnder(world, policy, first)).toBe("0 allow signed");
      // The same name, with all that the node has kept and remembered.
      expect(await pullUnder(world, policy, unsigned)).toBe("1 deny signature.none");
      expect(await pullUnder(world, policy, second)).toBe("1 deny tag.mismatch");
      await Promise.all([world.pds.stop(), world.plc.stop()]);
      expect(await pullUnder(world, policy, first)).toBe("0 allow signed");
      const others = [pullUnder(world, policy, second), pullUnder(world, policy, unsigned)];
      // The same digest, with a tag that was not checked when it was kept.
      others.push(pullUnder(world, policy, first, world.name.replace(/v1$/, "other")));
      for (const outcome of await Promise.all(others)) expect(outcome).toMatch(/^2 inconclusive (identity|pds)\./);
    },
  );
});

describe.concurrent("what is cached", () => {
  const caching = (world: TestNode) => world.configure({ ...world.settings, cacheEnabled: true });
  const requests = ({ plc, pds, registry }: TestNode) => plc.count() + pds.count() + registry.count();

  inWorld(
    "CVE-2026-122321: answers for no other digest to which the tag was moved, by whomever",
    async (world, signed, unsigned) => {
      caching(world);
      for (const require of [{}, { tag: "match" }]) {
        const policy = policyOf(world, { require });
        await moveTag(world, signed);
        for (let i = 0; i < 2; i++) expect(await pullUnder(world, policy, signed)).toBe("0 allow signed");
        const before = requests(world);
        expect(await pullUnder(world, policy, signed)).toBe("0 allow signed");
        expect(requests(world)).toBe(before);
        // By the registry; then by the signer, whose own record of the tag is no signature of the image.
        expect(await pullUnder(world, policy, unsigned)).toBe("1 deny signature.none");
        await moveTag(world, unsigned);
        expect(await pullUnder(world, policy, unsigned)).toBe("1 deny signature.none");
        const moved = "tag" in require ? "1 deny tag.mismatch" : "0 allow signed";
        expect(await pullUnder(world, policy, signed)).toBe(moved);
      }
    },
  );

  inWorld("CVE-2026-122321: answers for no name whose tag or repository it is not", async (world, signed) => {
    caching(world);
    const policy = policyOf(world, { require: { tag: "match" } });
    await moveTag(world, signed);
    expect(await pullUnder(world, policy, signed)).toBe("0 allow signed");
    const others = [world.name.replace(/v1$/, "v2"), world.name.replace("alice/app", "alice/web")];
    const outcomes: string[] = [];
    for (const name of others) outcomes.push(await pullUnder(world, policy, signed, name));
    expect(outcomes).toEqual(["1 deny tag.absent", "1 deny record.wrong_repository"]);
  });

  inWorld("bpfman/bpfman#1695: outlives no change of the policy that it was allowed under", async (world, signed) => {
    caching(world);
    const { did } = world.signer;
    const allowing = policyOf(world, {});
    const changes: [string, string][] = [
      [policyOf(world, { top: { trustedDIDs: { [STRANGER]: {} } } }), "1 deny"],
      [policyOf(world, { top: { revokedDIDs: [did] } }), "1 deny signer.revoked"],
      [policyOf(world, { top: { digests: { deny: [signed.digest] } } }), "1 deny policy.denied"],
      [policyOf(world, { rule: { action: "deny", require: {} } }), "1 deny policy.denied"],
      [policyOf(world, { rule: { scope: "other.example.com/**" } }), "1 deny policy.no_match"],
      [policyOf(world, { require: { minSignatures: 2 } }), "1 deny policy.too_few_signatures"],
      ["", "3 misconfigured policy.invalid"],
    ];
    for (const [policy, refused] of changes) {
      expect(await pullUnder(world, allowing, signed)).toBe("0 allow signed");
      expect(await pullUnder(world, policy, signed)).toMatch(refused === "1 deny" ? /^[12] / : refused);
    }
    expect(await pullUnder(world, allowing, signed)).toBe("0 allow signed");
  });
});

describe.concurrent("what a policy demands", () => {
  const [past, future] = ["2024-01-01T00:00:00Z", "2999-01-01T00:00:00Z"];
  const otherKey = "did:key:zQ3shqwJEJyMBsBXCWyCBpUBMqxcon9oHB7mCvx4sSpMdLJwc";
  /** For each key by which a policy can demand more: a demand that is not met, and how it is refused then. */
  const demands = (did: string, digest: string): Readonly<Record<string, readonly [Partial<Parts>, string]>> => ({
    validFrom: [{ about: { validFrom: future } }, "signer.not_yet_valid"],
    expiresAt: [{ about: { expiresAt: past } }, "signer.expired"],
    keys: [{ about: { keys: [otherKey] } }, "identity.key_not_pinned"],
    pds: [{ about: { pds: ["https://pds.example.com"] } }, "identity.pds_not_pinned"],
    minRev: [{ about: { minRev: "7zzzzzzzzzzzz" } }, "commit.older_than_pinned"],
    trustedDIDs: [
      { require: { trustedDIDs: [STRANGER] }, top: { trustedDIDs: { [did]: {}, [STRANGER]: { expiresAt: past } } } },
      "signer.expired",
    ],
    minSignatures: [{ require: { minSignatures: 2 } }, "policy.too_few_signatures"],
    maxAge: [{ require: { maxAge: "1h" } }, "record.too_old"],
    repository: [{ require: { repository: ["other"] } }, "record.wrong_repository"],
    owner: [{ require: { owner: "match" } }, "image.owner_mismatch"],
    tag: [{ require: { tag: "match" } }, "tag.absent"],
    minKeyAge: [{ require: { minKeyAge: "24h" } }, "identity.key_too_young"],
    scope: [{ rule: { scope: "other.example.com/**" } }, "policy.no_match"],
    action: [{ rule: { action: "deny", require: {} } }, "policy.denied"],
    revokedDIDs: [{ top: { revokedDIDs: [did] } }, "signer.revoked"],
    digests: [{ top: { digests: { deny: [digest] } } }, "policy.denied"],
  });
  const noDemand = ["name", "signature", "maxStaleness", "offlineFor", "version", "policies", "require", "default"];

  /** The keys of each part of a policy, as the binary's own schema has them. */
  async function schemaKeys(): Promise<Record<keyof Parts, readonly string[]>> {
    const { properties } = JSON.parse((await ask(["policy", "schema"])).stdout);
    const rule = properties.policies.items.properties;
    // A list, or what is said of each; or nothing yet.
    const about = properties.trustedDIDs.anyOf[0].anyOf[1].additionalProperties.properties;
    const [top, require] = [properties, rule.require.properties];
    return {
      about: Object.keys(about),
      require: Object.keys(require),
      rule: Object.keys(rule),
      top: Object.keys(top),
    };
  }

  it("CVE-2025-29778: by any key is shown here not to be passed over", async () => {
    const all = new Set(Object.values(await schemaKeys()).flat());
    expect([...Object.keys(demands("", "")), ...noDemand].toSorted()).toEqual([...all].toSorted());
  });

  inWorld("CVE-2025-29778: is not passed over", async (world, signed) => {
    const table = Object.values(demands(world.signer.did, signed.digest));
    const outcomes: string[] = [];
    expect(await pullUnder(world, policyOf(world, {}), signed)).toBe("0 allow signed");
    for (const [parts] of table) outcomes.push(await pullUnder(world, policyOf(world, parts), signed));
    expect(outcomes).toEqual(table.map(([, code]) => `1 deny ${code}`));
  });

  inWorld("CVE-2025-29778: is not passed over where it is misspelt or in the wrong place", async (world, signed) => {
    const known = Object.entries(await schemaKeys());
    const table = Object.entries(demands(world.signer.did, signed.digest)).map(([key, [parts]]) => {
      const [place = "", part] = Object.entries(parts)[0] ?? [];
      return { key, place, value: (part as Record<string, unknown>)[key] };
    });
    for (const { key, place, value } of table) {
      const code = (where: string, as: string) =>
        codeOf(() => parsePolicy(policyOf(world, { [where]: { [as]: value } }), "policy.yaml"));
      expect([key, code(place, key)]).toEqual([key, key === "trustedDIDs" ? "policy.invalid" : "none"]);
      expect([key, code(place, key.toUpperCase())]).toEqual([key, "policy.invalid"]);
      const wrongPlaces = known.filter(([, keys]) => !keys.includes(key)).map(([where]) => where);
      for (const where of wrongPlaces) expect([key, where, code(where, key)]).toEqual([key, where, "policy.invalid"]);
    }
    const misspelt = table.map(({ key, place, value }) => policyOf(world, { [place]: { [`${key}s`]: value } }));
    const outcomes: string[] = [];
    for (const policy of misspelt) outcomes.push(await pullUnder(world, policy, signed));
    expect(outcomes).toEqual(misspelt.map(() => "3 misconfigured policy.invalid"));
  });
});

describe.concurrent("an answer without end", () => {
  const services = [
    ["the registry", "registry", "/referrers/", "registry.bad_response"],
    ["the directory", "plc", LOG, "identity.bad_response"],
    ["the PDS", "pds", RECORD, "pds.bad_response"],
  ] as const;

  for (const [name, service, path, code] of services) {
    inWorld(`CVE-2024-29902: of ${name} is read up to a bound`, async (world, signed) => {
      let sent = 0;
      const endless = hostile(HOSTILE_BEHAVIOURS["a body without end"]) as (exchange: Exchange) => Promise<undefined>;
      world[service].override(path, (exchange) => {
        const { socket } = exchange.incoming;
        socket.once("close", () => {
          sent += socket.bytesWritten;
        });
        return endless(exchange);
      });
      const trusted = service === "registry" ? [...crowd, world.signer.did] : [world.signer.did];
      expect(await pullUnder(world, enforcing(...trusted), signed)).toBe(`2 inconclusive ${code}`);
      await expect.poll(() => sent).toBeGreaterThan(0);
      // What the two ends of a connection buffer comes on top of what is read.
      expect(sent).toBeLessThan(24 * 1024 * 1024);
    });
  }
});

describe.concurrent("where nothing was checked", () => {
  inWorld("CVE-2022-35929: an empty policy or list allows nothing", async (world, signed) => {
    const { did } = world.signer;
    const policies: [string, string][] = [
      ["", "3 misconfigured policy.invalid"],
      ["null", "3 misconfigured policy.invalid"],
      ["{}", "3 misconfigured policy.invalid"],
      ["version: 1", "1 deny policy.no_match"],
      [`{version: 1, trustedDIDs: ["${did}"]}`, "1 deny policy.no_match"],
      ["{version: 1, default: audit}", "0 allow audited"],
      ["{version: 1, trustedDIDs: []}", "1 deny policy.no_match"],
      ["{version: 1, trustedDIDs: {}}", "1 deny policy.no_match"],
      [policyOf(world, { top: { policies: [] } }), "3 misconfigured policy.invalid"],
      [policyOf(world, { require: { minSignatures: 0 } }), "3 misconfigured policy.invalid"],
      [policyOf(world, { require: { minSignatures: -1 } }), "3 misconfigured policy.invalid"],
      [policyOf(world, { require: { signature: false } }), "3 misconfigured policy.invalid"],
      [policyOf(world, { require: { repository: [] } }), "3 misconfigured policy.invalid"],
      [policyOf(world, { about: { keys: [] } }), "3 misconfigured policy.invalid"],
      [policyOf(world, { rule: { scope: [] } }), "3 misconfigured policy.invalid"],
      [policyOf(world, { top: { trustedDIDs: [did] }, require: { trustedDIDs: [] } }), "0 allow signed"],
      [policyOf(world, { top: { trustedDIDs: undefined } }), "3 misconfigured policy.invalid"],
      [policyOf(world, { top: { revokedDIDs: [did] } }), "1 deny signer.revoked"],
    ];
    const outcomes: string[] = [];
    for (const [policy] of policies) outcomes.push(await pullUnder(world, policy, signed));
    expect(outcomes).toEqual(policies.map(([, outcome]) => outcome));
  });

  const answers: [string, "registry" | "plc" | "pds", string, Answer, string][] = [
    ["an empty log", "plc", LOG, { json: [] }, "2 inconclusive identity.log_invalid"],
    ["an empty object for a log", "plc", LOG, { json: {} }, "2 inconclusive identity.log_invalid"],
    ["no bytes for a log", "plc", LOG, {}, "2 inconclusive identity.log_invalid"],
    ["no bytes for a proof", "pds", RECORD, {}, "2 inconclusive car.malformed"],
    ["status 204 for a proof", "pds", RECORD, { status: 204 }, "2 inconclusive pds.bad_response"],
    ["an empty list of referrers", "registry", "/referrers/", listOf(), "1 deny signature.none"],
    ["an empty object for referrers", "registry", "/referrers/", { json: {} }, "1 deny signature.none"],
    ["no bytes for referrers", "registry", "/referrers/", {}, "1 deny signature.none"],
  ];
  for (const [name, service, path, answer, outcome] of answers) {
    inWorld(`CVE-2022-35929: ${name} allows nothing`, async (world, signed) => {
      world[service].override(path, answer);
      const trusted = service === "registry" ? [...crowd, world.signer.did] : [world.signer.did];
      expect(await pullUnder(world, enforcing(...trusted), signed)).toBe(outcome);
    });
  }

  inWorld(
    "CVE-2026-39395: a proof of nothing, or of a record of another type, allows nothing",
    async (world, signed) => {
      const { root, blocks } = await readProof(await world.signer.proof(signed.digest));
      for (const car of [await carFile([], blocks), await carFile([root], [])]) {
        const undo = world.pds.override(RECORD, { body: car });
        expect(headline(await world.pull(world.name, signed))).toBe("2 inconclusive car.malformed");
        undo();
      }
      const signedAs = async (changes: Record<string, unknown>): Promise<string> => {
        await world.signer.sign(signed.digest, "app", Date.now() - HOUR, changes);
        return headline(await world.pull(world.name, signed));
      };
      expect(await signedAs({ $type: "io.atcr.tag" })).toBe("1 deny record.malformed");
      expect(await signedAs({ digest: "" })).toMatch(/^1 deny record\./);
      expect(await signedAs({ mediaType: INDEX_TYPE })).toBe("1 deny record.media_type_mismatch");
      const path = `io.atcr.manifest/${signed.digest.slice(7)}`.split("/") as [string, string];
      await world.signer.repo.put(...path, {}, Date.now() - HOUR);
      expect(headline(await world.pull(world.name, signed))).toBe("1 deny record.malformed");
    },
  );

  inWorld("CVE-2026-39395: a bundle without a signature allows nothing", async (world, signed) => {
    const lines = (...values: object[]) => values.map((value) => `${JSON.stringify(value)}\n`).join("");
    const header = { format: "atcr-verify evidence bundle", version: 2 };
    const time = { gatheredAt: formatDateTime(Date.now()) };
    const evidence = { pointers: [], signatures: [], gaps: [] };
    const empty = { digest: signed.digest, names: [], evidence };
    expect(await offline(world, signed, "{}")).toBe("3 misconfigured bundle.malformed");
    expect(await offline(world, signed, lines(header, time, { digest: signed.digest }))).toBe(
      "3 misconfigured bundle.malformed",
    );
    expect(await offline(world, signed, lines(header, time, empty))).toBe("1 deny signature.none");
  });
});

async function offline(world: TestNode, { digest }: Descriptor, bundle: string): Promise<string> {
  const file = world.write("bundle.json", bundle);
  const policy = world.policy(accepting(world.signer.did), "accepting.yaml");
  return headline(await world.verify([`${world.name}@${digest}`, "--offline", "--bundle", file, "--policy", policy]));
}

/** A proof of another record says nothing of this one, or by the nodes that it brings that it is absent. */
const NOT_OF_THIS_DIGEST = /^(?:1 deny signature\.none|2 inconclusive mst\.incomplete_proof)$/;

describe.concurrent("an entry that is true, of something else", () => {
  const serving = async (world: TestNode, image: Descriptor, body: Uint8Array): Promise<string> => {
    const undo = world.pds.override(RECORD, { body });
    const answered = await world.pull(world.name, image);
    undo();
    return headline(answered);
  };

  inWorld(
    "CVE-2026-22703: of another digest, repo, key, identity or name does not count",
    async (world, signed, unsigned) => {
      const { signer, pds, begun } = world;
      const replayed = await serving(world, unsigned, await signer.proof(signed.digest));
      expect(replayed).toMatch(NOT_OF_THIS_DIGEST);

      const mallory = await Signer.create({ seed: "mallory", pds: pds.origin, at: begun });
      await mallory.sign(unsigned.digest, "app", begun);
      expect(await serving(world, unsigned, await mallory.proof(unsigned.digest))).toBe("1 deny commit.wrong_did");

      const forged = await SignedRepo.create({ did: signer.did, key: mallory.key, at: begun });
      await forged.put("io.atcr.manifest", unsigned.digest.slice(7), { $type: "io.atcr.manifest" }, begun);
      const car = await forged.proof("io.atcr.manifest", unsigned.digest.slice(7));
      expect(await serving(world, unsigned, car)).toBe("1 deny commit.bad_signature");

      const undo = world.plc.override(LOG, { body: mallory.log.bytes() });
      expect(await serving(world, unsigned, car)).toBe("2 inconclusive identity.log_invalid");
      undo();

      await signer.sign(unsigned.digest, "app", Date.now() - HOUR, { digest: signed.digest });
      expect(headline(await world.pull(world.name, unsigned))).toBe("1 deny record.digest_mismatch");
      await signer.sign(unsigned.digest, "other", Date.now() - HOUR);
      expect(headline(await world.pull(world.name, unsigned))).toBe("1 deny record.wrong_repository");
    },
  );

  inWorld(
    "CVE-2022-36056: in a bundle of another digest does not count, whatever the bundle says it is of",
    async (world, signed, unsigned) => {
      const file = join(world.folder, "saved.json");
      const saved: Answered = await world.verify([`${world.name}@${signed.digest}`, "--save-evidence", file]);
      expect(headline(saved)).toBe("0 allow signed");
      const bundle = readFileSync(file, "utf8");
      expect(await offline(world, signed, bundle)).toBe("0 allow signed");
      expect(await offline(world, unsigned, bundle)).toBe("3 misconfigured input.digest_mismatch");
      const renamed = bundle.replaceAll(signed.digest, unsigned.digest);
      expect(await offline(world, unsigned, renamed)).toMatch(NOT_OF_THIS_DIGEST);
    },
  );
});
