import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ask, enforcing, headline, TestNode } from "../support/binary.ts";
import { CertificateAuthority, type TlsIdentity } from "../support/certificates.ts";
import { type DocumentForm, didDocument, verificationMethod } from "../support/did-document.ts";
import { HostileServer } from "../support/hostile-server.ts";
import type { Answer } from "../support/http-server.ts";
import { SignedRepo } from "../support/signed-repo.ts";
import { Signer } from "../support/signer.ts";
import { type SigningKey, signingKey } from "../support/signing-key.ts";
import { StandInPds } from "../support/stand-in-pds.ts";
import { StandInPlc } from "../support/stand-in-plc.ts";
import { type Descriptor, SIGNATURE_TYPE, StandInRegistry } from "../support/stand-in-registry.ts";

const DAY = 86_400_000;
const RECORD = "/xrpc/com.atproto.sync.getRecord";

/** So many that none is asked before the registry names one. */
const crowd = Array.from({ length: 20 }, (_, i) => `did:plc:${String.fromCharCode(97 + i).repeat(24)}`);

let world: TestNode;
let image: Descriptor;
let unsigned: Descriptor;

beforeAll(async () => {
  world = await TestNode.start();
  image = await world.image("signed");
  unsigned = await world.image("unsigned", { signed: false });
});
afterAll(() => world.stop());

let files = 0;

/** A configuration and a policy of this test's own. */
function under(settings: object, policy = enforcing(world.signer.did), target = world): Ask {
  const name = `network${++files}`;
  const trustPolicyPath = target.policy(policy, `${name}.policy.yaml`);
  const config = target.configure({ ...target.settings, ...settings, trustPolicyPath }, `${name}.yaml`);
  return { env: { ...target.env, ATCR_VERIFY_CONFIG: config } };
}

/** A world of its own, whose servers may be made to misbehave. */
async function withWorld(
  test: (own: TestNode, image: Descriptor) => Promise<void>,
  options: Parameters<typeof TestNode.start>[0] = {},
): Promise<void> {
  const own = await TestNode.start(options);
  try {
    await test(own, await own.image("own"));
  } finally {
    await own.stop();
  }
}

/** An image signed by a did:web, whose host is this world's PDS. */
async function signedByWeb(own: TestNode, key: SigningKey, form?: DocumentForm) {
  const authority = `web.localhost:${own.pds.port}`;
  const did = `did:web:${authority.replace(":", "%3A")}`;
  const repo = await SignedRepo.create({ did, key, at: own.begun });
  const document = didDocument({ did, key, pds: own.pds.origin, ...(form && { form }) });
  own.pds.add(repo).serveDocument(document, authority);
  const signed = await own.image("by web", { signed: false });
  const record = {
    $type: "io.atcr.manifest",
    repository: "app",
    digest: signed.digest,
    mediaType: signed.mediaType,
    schemaVersion: 2,
    createdAt: new Date(own.begun).toISOString(),
  };
  await repo.put("io.atcr.manifest", signed.digest.slice(7), record, own.begun + 1000);
  return { did, authority, signed, document };
}

describe.concurrent("over TLS, a signed image is allowed and an unsigned one is not", () => {
  it.each(["k256", "p256"] as const)("did:plc, %s", async (curve) => {
    await withWorld(
      async (own, signed) => {
        expect(headline(await own.pull(own.name, signed))).toBe("0 allow signed");
        const other = await own.image("other", { signed: false });
        expect(headline(await own.pull(own.name, other))).toBe("1 deny signature.none");
        await own.signer.unsign(signed.digest, own.begun + 60_000);
        expect(headline(await own.pull(own.name, signed))).toBe("1 deny signature.none");
      },
      { curve },
    );
  });

  it.each([
    ["k256", "multikey"],
    ["p256", "multikey"],
    ["k256", "legacy"],
    ["p256", "legacy"],
  ] as const)("did:web, %s, %s", async (curve, form) => {
    await withWorld(async (own) => {
      const { did, authority, signed } = await signedByWeb(own, signingKey(curve, "web"), form);
      const allow = ["127.0.0.0/8", "::1", authority];
      const options = under({ network: { allow } }, enforcing(did), own);
      expect(headline(await own.pull(own.name, signed, options))).toBe("0 allow signed");
      const other = await own.image("other", { signed: false });
      expect(headline(await own.pull(own.name, other, options))).toBe("1 deny signature.none");
      // A port in a did:web must be listed by itself.
      const unlisted = under({}, enforcing(did), own);
      expect(headline(await own.pull(own.name, signed, unlisted))).toBe("2 inconclusive net.forbidden_address");
    });
  });

  it("did:web, by the first of two #atproto methods", async () => {
    await withWorld(async (own) => {
      const key = signingKey("k256", "web");
      const { did, authority, signed, document } = await signedByWeb(own, key);
      const other = verificationMethod(did, signingKey("k256", "another"), "multikey");
      const its = verificationMethod(did, key, "multikey");
      const options = under({ network: { allow: ["127.0.0.0/8", "::1", authority] } }, enforcing(did), own);
      own.pds.serveDocument({ ...document, verificationMethod: [its, other] }, authority);
      expect(headline(await own.pull(own.name, signed, options))).toBe("0 allow signed");
      own.pds.serveDocument({ ...document, verificationMethod: [other, its] }, authority);
      expect(headline(await own.pull(own.name, signed, options))).toBe("1 deny commit.bad_signature");
    });
  });

  it("did:web, whose host answers with a page: nothing is said of the signer, and nothing cached is dropped", async () => {
    await withWorld(async (own) => {
      const { did, authority, signed } = await signedByWeb(own, signingKey("k256", "web"));
      const network = { allow: ["127.0.0.0/8", "::1", authority] };
      const cached = { network, cacheEnabled: true, cacheTTL: "10m", cacheDir: join(own.folder, "cache-of-web") };
      const options = under(cached, enforcing(did), own);
      expect(headline(await own.pull(own.name, signed, options))).toBe("0 allow signed");
      const page = { headers: { "content-type": "text/html" }, body: "<!doctype html><title>Welcome</title>" };
      own.pds.override("/.well-known/did.json", page);
      const notContacted = under({ ...cached, cacheEnabled: false }, enforcing(did), own);
      expect(headline(await own.pull(own.name, signed, notContacted))).toBe("2 inconclusive identity.bad_response");
      const unknown = await own.image("another", { signed: false });
      expect(headline(await own.pull(own.name, unknown, options))).not.toContain("allow");
      expect(headline(await own.pull(own.name, signed, options))).toBe("0 allow signed");
    });
  });

  it("over IPv6 alone", async () => {
    await withWorld(async (own) => {
      const server = { tls: own.authority.issue({ names: ["::1"] }), host: "::1" };
      const [plc, pds] = [await StandInPlc.start(server), await StandInPds.start(server)];
      const registry = await StandInRegistry.start(server);
      const signer = await Signer.create({ seed: "by IPv6", pds: pds.origin, at: own.begun });
      plc.add(signer.log);
      pds.add(signer.repo);
      const signed = registry.pushImage("alice/app", "by IPv6");
      await signer.sign(signed.digest, "app", own.begun + 1000);
      const options = under({ plcDirectories: [plc.origin] }, enforcing(signer.did), own);
      expect(headline(await own.pull(`${registry.authority}/alice/app`, signed, options))).toBe("0 allow signed");
      expect([plc.count(), pds.count(RECORD)]).toEqual([1, 1]);
      await Promise.all([plc, pds, registry].map((each) => each.stop()));
    });
  });

  it("found by a referrer alone, where the rule trusts too many to ask them all", async () => {
    await withWorld(async (own, signed) => {
      const options = under({}, enforcing(...crowd, own.signer.did), own);
      expect((await own.pull(own.name, signed, options)).code).not.toBe(0);
      const payload = {
        $type: "io.atcr.atproto.signature",
        version: "1.0",
        subject: { digest: signed.digest, mediaType: signed.mediaType },
        atproto: {
          did: own.signer.did,
          pdsEndpoint: own.pds.origin,
          recordUri: `at://${own.signer.did}/io.atcr.manifest/${signed.digest.slice(7)}`,
        },
      };
      own.registry.attach("alice/app", signed, { artifactType: SIGNATURE_TYPE, payload });
      expect(headline(await own.pull(own.name, signed, options))).toBe("0 allow signed");
      expect(own.plc.count(crowd[0])).toBe(0);
    });
  });
});

describe.concurrent("who is asked", () => {
  it("nobody, by rules and lists that decide without a signature, or where the question is wrong", async () => {
    await withWorld(async (own, signed) => {
      const trusted = `version: 1\ntrustedDIDs: ["${own.signer.did}"]\n`;
      for (const [policy, expected] of [
        [`${trusted}default: allow\n`, "0 allow exempt"],
        [`${trusted}default: deny\n`, "1 deny policy.no_match"],
        [`${trusted}digests: {allow: ["${signed.digest}"]}\n`, "0 allow exempt"],
        [`${trusted}digests: {deny: ["${signed.digest}"]}\ndefault: allow\n`, "1 deny policy.denied"],
        [`${trusted}policies: [{name: no, scope: "**/*", action: deny}]\n`, "1 deny policy.denied"],
        ["version: 2\n", "3 misconfigured policy.invalid"],
      ] as const) {
        expect(headline(await own.pull(own.name, signed, under({}, policy, own)))).toBe(expected);
      }
      expect((await own.pull("nginx", signed)).code).toBe(3);
      expect([own.plc, own.pds, own.registry].map(({ requests }) => requests.length)).toEqual([0, 0, 0]);
    });
  });

  it("no credentials and no cookies go out, and identity is asked for in place of compression", async () => {
    await withWorld(async (own, signed) => {
      expect(headline(await own.pull(own.name, signed))).toBe("0 allow signed");
      const all = [...own.plc.requests, ...own.pds.requests, ...own.registry.requests];
      expect(all.length).toBeGreaterThanOrEqual(2);
      for (const { method, headers } of all) {
        expect(method).toBe("GET");
        expect(headers).not.toHaveProperty("authorization");
        expect(headers).not.toHaveProperty("cookie");
        expect(headers["accept-encoding"]).toBe("identity");
        expect(headers["user-agent"]).toMatch(/^atcr-verify\/\d+\.\d+\.\d+$/);
      }
      expect(own.pds.requests.map(({ path }) => path)).toEqual([RECORD]);
      expect(own.plc.requests.map(({ path }) => path)).toEqual([`/${own.signer.did}/log/audit`]);
    });
  });
});

describe.concurrent("a certificate is refused", () => {
  const forged: [string, () => TlsIdentity][] = [
    ["for another name", () => world.authority.issue({ names: ["other.example"] })],
    [
      "that has expired",
      () =>
        world.authority.issue({ names: ["127.0.0.1"], notBefore: Date.now() - 2 * DAY, notAfter: Date.now() - DAY }),
    ],
    [
      "that is not valid yet",
      () =>
        world.authority.issue({ names: ["127.0.0.1"], notBefore: Date.now() + DAY, notAfter: Date.now() + 2 * DAY }),
    ],
    ["of an unknown authority", () => new CertificateAuthority().issue({ names: ["127.0.0.1"] })],
  ];

  it.each(forged)("%s: net.tls", async (_, identity) => {
    const [plc, registry] = await Promise.all([
      StandInPlc.start({ tls: identity() }),
      StandInRegistry.start({ tls: identity() }),
    ]);
    plc.add(world.signer.log);
    // The directory.
    const byPlc = await world.pull(world.name, image, under({ plcDirectories: [plc.origin] }));
    expect(headline(byPlc)).toBe("2 inconclusive net.tls");
    expect(plc.requests).toEqual([]);
    // The registry, which a refusal needs where not everybody can be asked.
    const byRegistry = await world.pull(`${registry.authority}/alice/app:v1`, image, under({}, enforcing(...crowd)));
    expect(headline(byRegistry)).toBe("2 inconclusive net.tls");
    expect(registry.requests).toEqual([]);
    await Promise.all([plc.stop(), registry.stop()]);
  });

  it("of a PDS: net.tls", async () => {
    const tls = world.authority.issue({ names: ["127.0.0.1"] });
    const pds = await StandInPds.start({ tls, name: "localhost" });
    await withWorld(
      async (own, signed) => {
        expect(headline(await own.pull(own.name, signed))).toBe("2 inconclusive net.tls");
      },
      { pds: pds.origin },
    );
    expect(pds.requests).toEqual([]);
    await pds.stop();
  });

  it("where there is none, but plain http: net.tls", async () => {
    const plc = await StandInPlc.start();
    const settings = { plcDirectories: [`https://${plc.authority}`] };
    expect((await world.pull(world.name, image, under(settings))).code).toBe(2);
    expect(plc.requests).toEqual([]);
    await plc.stop();
  });
});

describe.concurrent("addresses", () => {
  it("of a PDS and a directory must be listed when they are private", async () => {
    const { plcDirectories } = world.settings as { plcDirectories: string[] };
    const answers = await Promise.all([
      world.pull(world.name, image, under({ network: { allow: [] } })),
      world.pull(world.name, image, under({ network: { allow: [world.plc.authority] }, plcDirectories })),
      world.pull(world.name, image, under({ network: { allow: [world.plc.authority, world.pds.authority] } })),
    ]);
    expect(answers.map(headline)).toEqual([
      "2 inconclusive net.forbidden_address",
      "2 inconclusive net.forbidden_address",
      "0 allow signed",
    ]);
    expect(answers[0]?.stdout).toContain("127.0.0.1 is not public (loopback)");
    expect(answers[1]?.stdout).toContain(`PDS ${world.pds.authority}`);
  });

  it.each([
    "https://169.254.169.254",
    "https://[::ffff:169.254.169.254]",
    "https://0.0.0.0:1",
    "https://[fd00:ec2::254]",
  ])("that no list allows are asked by nobody: %s", async (pds) => {
    await withWorld(
      async (own, signed) => {
        const options = under(
          { network: { allow: ["127.0.0.0/8", "169.254.0.0/16", "0.0.0.0/8", "fd00::/8"] } },
          enforcing(own.signer.did),
          own,
        );
        expect(headline(await own.pull(own.name, signed, options))).toBe("2 inconclusive net.forbidden_address");
      },
      { pds },
    );
  });

  it("are not asked in plain http unless listed so", async () => {
    const pds = await StandInPds.start();
    await withWorld(
      async (own, signed) => {
        pds.add(own.signer.repo);
        expect(headline(await own.pull(own.name, signed))).toBe("2 inconclusive net.forbidden_address");
        expect(pds.requests).toEqual([]);
        const options = under({ network: { allow: ["127.0.0.0/8", pds.origin] } }, enforcing(own.signer.did), own);
        expect(headline(await own.pull(own.name, signed, options))).toBe("0 allow signed");
      },
      { pds: pds.origin },
    );
    await pds.stop();
  });
});

describe.concurrent("redirects", () => {
  it("are not followed for a directory and a PDS", async () => {
    await withWorld(async (own, signed) => {
      const undo = own.plc.override("", { status: 302, headers: { location: `${own.plc.origin}/elsewhere` } });
      expect(headline(await own.pull(own.name, signed))).toBe("2 inconclusive identity.bad_response");
      undo();
      own.pds.override(RECORD, { status: 307, headers: { location: `${own.pds.origin}/elsewhere` } });
      expect(headline(await own.pull(own.name, signed))).toBe("2 inconclusive pds.bad_response");
      expect(own.plc.count("/elsewhere") + own.pds.count("/elsewhere")).toBe(0);
    });
  });

  it("are followed for a registry, and each hop is checked", async () => {
    await withWorld(async (own, signed) => {
      const options = under({}, enforcing(...crowd), own);
      own.registry.override("/referrers/", { status: 307, headers: { location: `${own.registry.origin}/moved` } });
      own.registry.override("/moved", {
        json: { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [] },
      });
      expect(headline(await own.pull(own.name, signed, options))).toBe("1 deny signature.none");
      own.registry.override("/referrers/", {
        status: 307,
        headers: { location: "https://169.254.169.254/latest/meta-data" },
      });
      expect(headline(await own.pull(own.name, signed, options))).toBe("2 inconclusive net.forbidden_address");
      own.registry.override("/referrers/", { status: 307, headers: { location: "file:///etc/passwd" } });
      expect(headline(await own.pull(own.name, signed, options))).toBe("2 inconclusive net.forbidden_address");
    });
  });
});

describe.concurrent("a body compressed though identity was asked for", () => {
  it("is read", async () => {
    await withWorld(async (own, signed) => {
      own.pds.override(RECORD, async () => {
        const headers = { "content-encoding": "gzip", "content-type": "application/vnd.ipld.car" };
        return { body: gzipSync(await own.signer.proof(signed.digest)), headers };
      });
      own.plc.override("/log/audit", {
        body: gzipSync(own.signer.log.bytes()),
        headers: { "content-encoding": "gzip" },
      });
      expect(headline(await own.pull(own.name, signed))).toBe("0 allow signed");
    });
  });

  it("is inflated up to the cap alone", async () => {
    const tls = world.authority.issue({ names: ["127.0.0.1"] });
    for (const bomb of ["a gzip bomb", "a gzip bomb without end"] as const) {
      const server = await HostileServer.start(bomb, { tls });
      const answered = await world.pull(world.name, image, under({ plcDirectories: [server.origin] }));
      expect(headline(answered)).toBe("2 inconclusive identity.bad_response");
      await server.stop();
    }
  });
});

describe.concurrent("what is answered is said by its code", () => {
  const cases: [string, "plc" | "pds" | "registry", Answer][] = [
    ["identity.unknown_did", "plc", { status: 404, json: { message: "DID not registered" } }],
    ["identity.unreachable", "plc", { status: 503 }],
    ["identity.log_invalid", "plc", { json: [] }],
    ["pds.repo_unavailable", "pds", { status: 400, json: { error: "RepoDeactivated" } }],
    ["pds.unreachable", "pds", { status: 502 }],
    ["pds.bad_response", "pds", { status: 400, json: { error: "InvalidRequest" } }],
    ["pds.bad_response", "pds", { body: "<html>" }],
    ["car.malformed", "pds", { body: "neither a CAR nor a page" }],
    ["registry.unauthorized", "registry", { status: 401, headers: { "www-authenticate": "Basic" } }],
    ["registry.unreachable", "registry", { status: 503 }],
    ["registry.bad_response", "registry", { body: "<html>" }],
  ];

  it.each(cases)("%s, by the answer of the %s", async (code, server, answer) => {
    await withWorld(async (own, signed) => {
      own[server].override("", answer);
      const options = under({}, enforcing(...(server === "registry" ? crowd : [own.signer.did])), own);
      expect(headline(await own.pull(own.name, signed, options))).toBe(`2 inconclusive ${code}`);
    });
  });

  it("pds.unreachable, where nobody listens", async () => {
    const gone = await HostileServer.start("refuse");
    await withWorld(
      async (own, signed) => expect(headline(await own.pull(own.name, signed))).toBe("2 inconclusive pds.unreachable"),
      { pds: `https://${gone.authority}` },
    );
  });

  it("identity.log_invalid, but allow where the next directory knows better", async () => {
    const bad = await StandInPlc.start({ tls: world.authority.issue({ names: ["127.0.0.1"] }) });
    bad.override("", { json: [{ did: world.signer.did }] });
    const settings = { plcDirectories: [bad.origin, world.plc.origin] };
    expect(headline(await world.pull(world.name, image, under(settings)))).toBe("0 allow signed");
    expect(headline(await world.pull(world.name, unsigned, under(settings)))).toBe("1 deny signature.none");
    await bad.stop();
  });
});
