import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { debianTool, missingTool } from "../support/debian-tools.ts";
import { type Registry, startDockerRegistry } from "../support/docker-registry.ts";
import { buildImage, buildIndex, type Content, type Descriptor, fallbackTag, pushImage } from "../support/image.ts";
import { makeTemporaryDirectory, run } from "../support/process.ts";
import { type Account, type ReferenceServers, startReferenceServers } from "../support/reference-servers.ts";
import { requirement } from "../support/requirement.ts";
import { type Machine, missingBinary, outcomeOf, startMachine } from "../support/scenario.ts";

// Everything real, on one machine: accounts and records on the reference PDS, keys in the reference
// PLC directory, images in Debian's docker-registry, signatures attached by oras, and a containerd
// that pulls if the built binary says so.

const COLLECTION = "io.atcr.manifest";
const TAGS = "io.atcr.tag";
const ARTIFACT_TYPE = "application/vnd.atproto.signature.v1+json";

const tools = ["containerd", "ctr", "docker-registry", "oras"].map(missingTool);
const testable = requirement("pulls of what the reference servers hold", ...tools, missingBinary());

let servers: ReferenceServers;
let registry: Registry;
let machine: Machine;
let files: string;
let made = 0;

beforeAll(async () => {
  if (!testable) return;
  files = makeTemporaryDirectory("e2e");
  [servers, registry] = await Promise.all([startReferenceServers(), startDockerRegistry()]);
  machine = await startMachine({ registries: [{ host: registry.host }] });
  console.info(machine.containerd.version, machine.containerd.root ? "as root" : "as an ordinary user");
  machine.configure({
    plcDirectories: [servers.plcUrl],
    network: { allow: [servers.plcUrl, servers.pdsUrl, registry.url] },
  });
});
afterAll(async () => {
  await Promise.all([machine, registry, servers].map((started) => started?.stop()));
  if (testable) rmSync(files, { recursive: true, force: true });
});

/** An account that the machine trusts, and an image that is not signed yet. */
interface JudgeInput {
  readonly account: Account;
  readonly image: Content;
  readonly repository: string;
}

async function begin(image = buildImage(`image ${made}`)): Promise<JudgeInput> {
  made += 1;
  const account = await servers.createAccount(`alice${made}.test`);
  const repository = `${account.handle}/app`;
  await pushImage(registry.url, repository, image, "v1");
  trust([account.did]);
  return { account, image, repository };
}

/** @param parts what the rule requires besides, and what is said about each signer */
function trust(dids: readonly string[], parts: { readonly require?: object; readonly about?: object } = {}): void {
  const { require = {}, about = {} } = parts;
  machine.trust({
    version: 1,
    trustedDIDs: Object.fromEntries(dids.map((did) => [did, about])),
    policies: [{ name: "own", scope: `${registry.host}/**`, action: "enforce", require }],
    default: "deny",
  });
}

async function beginSigned(image?: Content): Promise<JudgeInput> {
  const begun = await begin(image);
  await record(begun);
  return begun;
}

/** Writes ATCR's record, with the manifest as a blob as ATCR keeps it. */
async function record({ account, image }: JudgeInput, repository = "app"): Promise<void> {
  const { digest, mediaType, bytes } = image.manifest;
  await servers.putRecord(account, COLLECTION, rkey(image), {
    repository,
    digest,
    mediaType,
    schemaVersion: 2,
    createdAt: new Date().toISOString(),
    manifestBlob: await servers.uploadBlob(account, bytes, mediaType),
  });
}

function rkey(image: Content): string {
  return image.manifest.digest.slice("sha256:".length);
}

/** Writes ATCR's record that the tag `v1` of this repository means this image. */
async function recordTag({ account }: JudgeInput, image: Content, repository = "app"): Promise<void> {
  const manifest = `at://${account.did}/${COLLECTION}/${rkey(image)}`;
  await servers.putRecord(account, TAGS, tagKey(repository), { repository, tag: "v1", manifest });
}

function tagKey(repository: string): string {
  return `${repository.replaceAll("/", "~")}_v1`;
}

/** Attaches a signature artifact with Debian's oras. `what` are annotations or files. */
async function orasAttach({ image, repository }: JudgeInput, ...what: readonly string[]): Promise<void> {
  const name = `${registry.host}/${repository}@${image.manifest.digest}`;
  const args = ["attach", "--plain-http", "--artifact-type", ARTIFACT_TYPE, name, ...what];
  const env = { HOME: files, PATH: "/usr/bin:/bin" };
  const { code, stderr } = await run(debianTool("oras"), args, { cwd: files, env });
  expect(code, stderr).toBe(0);
}

/** Pulls by the tag and forgets the image again, so that each pull starts from nothing. */
async function pull({ repository }: JudgeInput, options?: { platform: string }): Promise<string> {
  const name = `${registry.host}/${repository}:v1`;
  const outcome = outcomeOf(await machine.containerd.pull(name, options));
  expect(await machine.containerd.images()).toEqual(outcome === "pulled" ? [name] : []);
  if (outcome === "pulled") await machine.containerd.removeImage(name);
  return outcome;
}

describe.runIf(testable)("an image of an account", () => {
  it("is pulled while the account's repo records it, and only then", async () => {
    const begun = await begin();
    const { account, image } = begun;
    expect(await pull(begun)).toBe("1 deny signature.none");
    await record(begun);
    expect(await pull(begun)).toBe("pulled");
    await orasAttach(begun, "-a", `io.atcr.atproto.did=${account.did}`);
    expect(await pull(begun)).toBe("pulled");
    await servers.deleteRecord(account, COLLECTION, rkey(image));
    expect(await pull(begun)).toBe("1 deny record.absent");
    await record(begun);
    expect(await pull(begun)).toBe("pulled");
  });

  it("is pulled as an index", async () => {
    const begun = await beginSigned(buildIndex("index of an account"));
    expect(await pull(begun)).toBe("pulled");
    if (machine.containerd.root) expect(await pull(begun, { platform: "linux/arm64" })).toBe("pulled");
  });

  it("is refused when only somebody else's repo records it", async () => {
    const begun = await beginSigned();
    trust([(await servers.createAccount("somebody-else.test")).did]);
    await orasAttach(begun, "-a", `io.atcr.atproto.did=${begun.account.did}`);
    expect(await pull(begun)).toBe("1 deny signer.untrusted");
  });
});

describe.runIf(testable)("a signature that oras attached", () => {
  /** So many that the signer is found only through what was attached. */
  const others = Array.from({ length: 16 }, (_, i) => `did:plc:${"abcdefghijklmnop"[i]}${"2".repeat(23)}`);

  it("leads to the signer by its annotations, which the tag fallback lists", async () => {
    const begun = await beginSigned();
    const { account, image, repository } = begun;
    trust([...others, account.did]);
    expect(await pull(begun)).toBe("1 deny signature.none");
    const recordUri = `at://${account.did}/${COLLECTION}/${rkey(image)}`;
    const annotations = { "io.atcr.atproto.did": account.did, "io.atcr.atproto.recordUri": recordUri };
    await orasAttach(begun, ...Object.entries(annotations).flatMap(([key, value]) => ["-a", `${key}=${value}`]));
    expect(await pull(begun)).toBe("pulled");

    const url = `${registry.url}/v2/${repository}/manifests/${fallbackTag(image.manifest.digest)}`;
    const accept = "application/vnd.oci.image.index.v1+json";
    const index = (await (await fetch(url, { headers: { accept } })).json()) as { manifests: Descriptor[] };
    expect(index.manifests).toEqual([expect.objectContaining({ artifactType: ARTIFACT_TYPE })]);
    expect(index.manifests[0]?.annotations).toMatchObject(annotations);
  });

  it("leads to the signer by its payload", async () => {
    const begun = await beginSigned();
    const { account, image } = begun;
    trust([...others, account.did]);
    const { digest, mediaType } = image.manifest;
    const recordUri = `at://${account.did}/${COLLECTION}/${rkey(image)}`;
    const payload = {
      $type: "io.atcr.atproto.signature",
      version: "1.0",
      subject: { digest, mediaType },
      atproto: { did: account.did, handle: account.handle, pdsEndpoint: servers.pdsUrl, recordUri },
    };
    writeFileSync(join(files, "signature.json"), JSON.stringify(payload));
    await orasAttach(begun, `signature.json:${ARTIFACT_TYPE}`);
    expect(await pull(begun)).toBe("pulled");
  });
});

describe.runIf(testable)("an account's key", () => {
  it.each(["k256", "p256"] as const)("may be rotated to a %s key, once the repo is signed with it", async (curve) => {
    const begun = await beginSigned();
    const { account } = begun;
    await servers.rotateSigningKey(account.did, { curve });
    expect(await pull(begun)).toBe("1 deny commit.superseded_key");
    await servers.resign(account);
    expect(await pull(begun)).toBe("pulled");
  });

  it("signs nothing that counts when the directory was not told of it", async () => {
    const begun = await beginSigned();
    const { account } = begun;
    await servers.rotateSigningKey(account.did, { publish: false });
    // The latest commit is still the one that the published key has signed.
    expect(await pull(begun)).toBe("pulled");
    await servers.resign(account);
    expect(await pull(begun)).toBe("1 deny commit.bad_signature");
  });
});

describe.runIf(testable)("an account's key that was put in place just now", () => {
  it("counts where the policy pins it, or where nothing is said of its age", async () => {
    const begun = await beginSigned();
    const { account } = begun;
    const dids = [account.did];
    const require = { minKeyAge: "72h" };
    expect(await pull(begun)).toBe("pulled");
    const key = await servers.rotateSigningKey(account.did);
    trust(dids, { require });
    expect(await pull(begun)).toBe("1 deny commit.superseded_key");
    await servers.resign(account);
    expect(await pull(begun)).toBe("1 deny identity.key_too_young");
    trust(dids, { require, about: { keys: [key] } });
    expect(await pull(begun)).toBe("pulled");
    trust(dids);
    expect(await pull(begun)).toBe("pulled");
  });
});

describe.runIf(testable)("a tag of an account", () => {
  it("means the image as long as the repo says so", async () => {
    const begun = await beginSigned();
    const { account, image, repository } = begun;
    trust([account.did], { require: { tag: "match" } });
    expect(await pull(begun)).toBe("1 deny tag.absent");
    await recordTag(begun, image);
    expect(await pull(begun)).toBe("pulled");

    const next = buildImage(`next ${made}`);
    await record({ ...begun, image: next });
    await recordTag(begun, next);
    expect(await pull(begun)).toBe("1 deny tag.mismatch");
    await pushImage(registry.url, repository, next, "v1");
    expect(await pull(begun)).toBe("pulled");
    await servers.deleteRecord(account, TAGS, tagKey("app"));
    expect(await pull(begun)).toBe("1 deny tag.absent");
  });

  it("is one of a repository with slashes", async () => {
    const begun = await begin();
    const { account, image, repository } = begun;
    trust([account.did], { require: { tag: "match" } });
    await record(begun, repository);
    await recordTag(begun, image, repository);
    expect(await pull(begun)).toBe("pulled");
  });
});

describe.runIf(testable)("an account that is gone", () => {
  it("cannot be told while it is deactivated", async () => {
    const begun = await beginSigned();
    await servers.setDeactivated(begun.account.did, true);
    expect(await pull(begun)).toBe("2 inconclusive pds.repo_unavailable");
    await servers.setDeactivated(begun.account.did, false);
    expect(await pull(begun)).toBe("pulled");
  });

  it("cannot be told while it is taken down", async () => {
    const begun = await beginSigned();
    await servers.setTakenDown(begun.account.did, true);
    expect(await pull(begun)).toBe("2 inconclusive pds.repo_unavailable");
    await servers.setTakenDown(begun.account.did, false);
    expect(await pull(begun)).toBe("pulled");
  });

  it("signs nothing any more when its DID has ended", async () => {
    const begun = await beginSigned();
    await servers.tombstone(begun.account.did);
    expect(await pull(begun)).toBe("1 deny identity.deactivated");
  });

  it.each([
    ["plc", "2 inconclusive identity.unreachable"],
    ["pds", "2 inconclusive pds.unreachable"],
  ] as const)("cannot be told while the %s is down", async (server, outcome) => {
    const begun = await beginSigned();
    await servers.setListening(server, false);
    try {
      expect(await pull(begun)).toBe(outcome);
    } finally {
      await servers.setListening(server, true);
    }
    expect(await pull(begun)).toBe("pulled");
  });
});

describe.runIf(testable)("the network", () => {
  // After the tests above, which have shown everything that the servers do.
  it("was not asked for anything outside this machine", async () => {
    expect(await servers.refusedConnections()).toEqual([]);
  });
});
