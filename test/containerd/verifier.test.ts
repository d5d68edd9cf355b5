import { constants, copyFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ContainerdOptions, PullOptions } from "../support/containerd.ts";
import { installVerifier } from "../support/containerd.ts";
import { connectCri } from "../support/cri.ts";
import { missingTool } from "../support/debian-tools.ts";
import { type Registry, startDockerRegistry } from "../support/docker-registry.ts";
import { buildImage, buildIndex, type Content, fallbackTag, pushImage } from "../support/image.ts";
import { type Finished, makeTemporaryDirectory } from "../support/process.ts";
import { missingRoot, requirement } from "../support/requirement.ts";
import {
  attachSignature,
  BINARY,
  type Machine,
  missingBinary,
  outcomeOf,
  recordImage,
  type SigningSide,
  startMachine,
  startSigningSide,
} from "../support/scenario.ts";
import type { Signer } from "../support/signer.ts";
import { StandInPds } from "../support/stand-in-pds.ts";
import { StandInRegistry } from "../support/stand-in-registry.ts";

// The main job on real input: the built binary, linked into the bin_dir of a real containerd, decides
// what is pulled from a real registry. Only directory and PDS are stand-ins, which serve https here.

const tools = ["containerd", "ctr", "docker-registry"].map(missingTool);
const testable = requirement("pulls that atcr-verify decides about", ...tools, missingBinary());
const asRoot = missingRoot("an ordinary user's containerd has no CRI and cannot unpack an image for one platform");
const testableAsRoot = testable && requirement("pulls as a kubelet makes them, decided by atcr-verify", asRoot);

/** More signers than are asked without a hint: who signed is then found through the registry alone. */
const CROWD = 17;

let files: string;
let registry: Registry;
/** With the Referrers API, which Debian's docker-registry does not have. */
let modernRegistry: StandInRegistry;
let side: SigningSide;
let machine: Machine;
let alice: Signer;
let mallory: Signer;
/** Whose PDS is down. */
let unreachable: Signer;
let crowd: readonly Signer[];

beforeAll(async () => {
  if (!testable) return;
  files = makeTemporaryDirectory("verifier-test");
  [registry, modernRegistry, side] = await Promise.all([
    startDockerRegistry(),
    StandInRegistry.start(),
    startSigningSide("https"),
  ]);
  const down = await StandInPds.start();
  await down.stop();
  alice = await side.createSigner("alice");
  mallory = await side.createSigner("mallory");
  unreachable = await side.createSigner("unreachable", { pds: down.origin.replace("http:", "https:") });
  crowd = await Promise.all(Array.from({ length: CROWD }, (_, i) => side.createSigner(`crowd-${i}`, { others: 0 })));

  writeFileSync(join(files, "ca.pem"), side.ca ?? "");
  machine = await startVerifyingMachine();
  console.info(machine.containerd.version, machine.containerd.root ? "as root" : "as an ordinary user");
});
afterAll(async () => {
  await Promise.all([machine, registry, modernRegistry, side].map((started) => started?.stop()));
  if (testable) rmSync(files, { recursive: true, force: true });
});
beforeEach(() => {
  machine?.configure(config());
  side?.plc.forget();
  side?.pds.forget();
});

async function startVerifyingMachine(options: ContainerdOptions = {}): Promise<Machine> {
  const started = await startMachine({
    registries: [{ host: registry.host }, { host: modernRegistry.authority }, { host: atcrHost(), url: registry.url }],
    env: { SSL_CERT_FILE: join(files, "ca.pem") },
    ...options,
  });
  started.configure(config());
  started.trust(policy());
  return started;
}

/** A name for the registry by which it counts as an ATCR host, where paths are HANDLE/REPOSITORY. */
function atcrHost(): string {
  return `atcr.localhost:${new URL(registry.url).port}`;
}

function config(changes: Readonly<Record<string, unknown>> = {}) {
  const allow = ["127.0.0.0/8", registry.url, modernRegistry.origin, `http://${atcrHost()}`];
  return { plcDirectories: [side.plc.origin], atcrHosts: [atcrHost()], network: { allow }, ...changes };
}

function policy() {
  const everywhere = (path: string) => [registry.host, modernRegistry.authority].map((host) => `${host}/${path}`);
  const trusting = (...signers: readonly Signer[]) => ({ trustedDIDs: signers.map(({ did }) => did) });
  return {
    version: 1,
    trustedDIDs: Object.fromEntries([alice, unreachable, ...crowd].map(({ did }) => [did, {}])),
    policies: [
      { name: "exempt", scope: everywhere("exempt/**"), action: "allow" },
      { name: "audited", scope: everywhere("audited/**"), action: "audit", require: trusting(alice) },
      { name: "unreachable", scope: everywhere("unreachable/**"), action: "enforce", require: trusting(unreachable) },
      { name: "crowd", scope: everywhere("crowd/**"), action: "enforce", require: trusting(...crowd) },
      {
        name: "enforced",
        scope: [...everywhere("alice/**"), `${atcrHost()}/**`, "images.example/**"],
        action: "enforce",
        // The handles of this test lead nowhere: that they must lead to the signer is shown elsewhere.
        require: { ...trusting(alice), owner: "any" },
      },
    ],
    default: "deny",
  };
}

/** An image in the registry, and the names it can be pulled by. */
interface Pushed {
  readonly content: Content;
  readonly tagged: string;
  readonly byDigest: string;
}

async function push(repository: string, content = buildImage(repository)): Promise<Pushed> {
  await pushImage(registry.url, repository, content, "v1");
  const name = `${registry.host}/${repository}`;
  return { content, tagged: `${name}:v1`, byDigest: `${name}@${content.manifest.digest}` };
}

async function pushSigned(repository: string, content?: Content): Promise<Pushed> {
  const pushed = await push(repository, content);
  await recordImage(alice, pushed.content, repository);
  return pushed;
}

async function expectPulled(name: string, options?: PullOptions): Promise<void> {
  expect(await machine.containerd.pull(name, options)).toMatchObject({ code: 0, stderr: "" });
  expect(await machine.containerd.images()).toContain(name);
}

/** @param answer as `outcomeOf` has it: `1 deny signature.none` */
async function expectRefused(name: string, answer: string, options?: PullOptions): Promise<Finished> {
  const finished = await machine.containerd.pull(name, options);
  expect(outcomeOf(finished)).toBe(answer);
  expect(await machine.containerd.images()).not.toContain(name);
  return finished;
}

describe.runIf(testable)("an image that a trusted signer recorded", () => {
  it("is pulled by its tag and by its digest", async () => {
    const { tagged, byDigest } = await pushSigned("alice/signed");
    await expectPulled(tagged);
    await expectPulled(byDigest);
    expect(side.plc.count(`/${alice.did}/log/audit`)).toBe(2);
    expect(side.pds.count("com.atproto.sync.getRecord")).toBe(2);
  });

  it("is pulled as the index that was recorded, for all platforms and for one", async () => {
    const { tagged } = await pushSigned("alice/index", buildIndex("signed index"));
    await expectPulled(tagged);
    if (machine.containerd.root) {
      await machine.containerd.removeImage(tagged);
      await expectPulled(tagged, { platform: "linux/arm64" });
    }
    expect(new Set(side.pds.requests.map(({ query }) => query.get("rkey"))).size).toBe(1);
  });

  it.each([
    { cacheEnabled: true, asked: 1 },
    { cacheEnabled: false, asked: 10 },
  ])("is pulled ten times at once, with $asked gatherings", async ({ cacheEnabled, asked }) => {
    machine.configure(config({ cacheEnabled }));
    const { tagged } = await pushSigned(`alice/parallel-${asked}`);
    const pulls = await Promise.all(Array.from({ length: 10 }, () => machine.containerd.pull(tagged)));
    expect(pulls.map(({ code, stderr }) => [code, stderr])).toEqual(Array.from({ length: 10 }, () => [0, ""]));
    expect(side.pds.count("com.atproto.sync.getRecord")).toBe(asked);
  });

  it("is pulled again without a request to those who know its signer", async () => {
    machine.configure(config({ cacheEnabled: true }));
    const { tagged } = await pushSigned("alice/again");
    await expectPulled(tagged);
    await machine.containerd.removeImage(tagged);
    for (const server of [side.pds, side.plc]) server.forget();
    await expectPulled(tagged);
    expect([...side.pds.requests, ...side.plc.requests]).toEqual([]);
  });

  it("is found through the mirror that containerd has in certs.d for a name of no host", async () => {
    const { content } = await push("alice/mirrored");
    await recordImage(alice, content, "alice/mirrored");
    await attachSignature(registry.url, "alice/mirrored", content, alice.did);
    machine.containerd.serve({ host: "images.example", url: registry.url });
    await expectPulled("images.example/alice/mirrored:v1");
  });

  it("is pulled from a host of ATCR's kind where handle and repository are the image's", async () => {
    const { content } = await push("alice.example.com/app");
    await recordImage(alice, content, "app");
    await expectPulled(`${atcrHost()}/alice.example.com/app:v1`);

    const other = await push("alice.example.com/other");
    await recordImage(alice, other.content, "app");
    await expectRefused(`${atcrHost()}/alice.example.com/other:v1`, "1 deny record.wrong_repository");
  });

  it("is refused from the moment on that the record is deleted", async () => {
    const { content, tagged } = await pushSigned("alice/deleted");
    await attachSignature(registry.url, "alice/deleted", content, alice.did);
    await expectPulled(tagged);
    await machine.containerd.removeImage(tagged);
    await alice.unsign(content.manifest.digest, Date.now());
    await expectRefused(tagged, "1 deny record.absent");
  });
});

describe.runIf(testable)("an image that no trusted signer recorded", () => {
  it("is refused by its tag and by its digest", async () => {
    const { content, tagged, byDigest } = await push("alice/unsigned");
    await expectRefused(tagged, "1 deny signature.none");
    await expectRefused(byDigest, "1 deny signature.none");
    expect(registry.log()).toContain(fallbackTag(content.manifest.digest));
  });

  it("is refused as an index of which only the images were recorded", async () => {
    const index = buildIndex("index of signed images");
    for (const child of index.children) await recordImage(alice, child, "alice/images");
    const { tagged } = await push("alice/images", index);
    await expectRefused(tagged, "1 deny signature.none");
    if (machine.containerd.root) await expectRefused(tagged, "1 deny signature.none", { platform: "linux/arm64" });
  });

  it("is refused as an image of which only the index was recorded", async () => {
    const index = buildIndex("signed index of images");
    await pushSigned("alice/part", index);
    const [child] = index.children;
    await expectRefused(`${registry.host}/alice/part@${child?.manifest.digest}`, "1 deny signature.none");
  });

  it("is refused when somebody else signed it, who is not even contacted", async () => {
    const { content, tagged } = await push("alice/foreign");
    await recordImage(mallory, content, "alice/foreign");
    await attachSignature(registry.url, "alice/foreign", content, mallory.did);
    const { stderr } = await expectRefused(tagged, "1 deny signer.untrusted");
    expect(stderr).toContain(mallory.did);
    expect(side.plc.count(mallory.did) + side.pds.count(encodeURIComponent(mallory.did))).toBe(0);
  });

  it("is pulled under a rule that only audits", async () => {
    const { tagged } = await push("audited/app");
    await expectPulled(tagged);
    expect(side.pds.count("com.atproto.sync.getRecord")).toBe(1);
    await expect.poll(machine.containerd.log).toMatch(/allowed pull.*allow audited: rule .* deny signature\.none/);
  });

  it("is pulled without any request of the verifier's where a rule exempts it", async () => {
    const { content, tagged } = await push("exempt/app");
    await expectPulled(tagged);
    expect(side.plc.requests.length + side.pds.requests.length).toBe(0);
    expect(registry.log()).not.toContain(fallbackTag(content.manifest.digest));
    expect(registry.log()).not.toContain(`referrers/${content.manifest.digest}`);
  });

  it("is refused where no rule covers it", async () => {
    const { tagged } = await push("stranger/app");
    await expectRefused(tagged, "1 deny policy.no_match");
  });
});

describe.runIf(testable)("a name that containerd would pull, but that names another image than it seems to", () => {
  const repository = "alice/named";
  let signed: Pushed;

  beforeAll(async () => {
    signed = await pushSigned(repository);
  });

  it.each([
    ["two dots", (host: string) => `${host}/exempt/../${repository}:v1`],
    ["an empty component", (host: string) => `${host}//${repository}:v1`],
    ["an escaped letter", (host: string) => `${host}/%61lice/named:v1`],
    ["a user", (host: string) => `user@${host}/${repository}:v1`],
    ["a query", (host: string) => `${host}/${repository}:v1?x=y`],
    ["a fragment", (host: string) => `${host}/${repository}:v1#fragment`],
  ])("is refused for %s, although the image is signed", async (_, name) => {
    await expectRefused(name(registry.host), "3 misconfigured image.malformed_reference");
  });

  it("is not refused for a tag beside the digest that does not exist: the digest is what counts", async () => {
    await expectPulled(signed.byDigest.replace("@", ":no-such-tag@"));
  });
});

describe.runIf(testable)("an image whose signer only the registry names", () => {
  it.each([
    ["the tag fallback of Debian's docker-registry", () => registry.url],
    ["the Referrers API", () => modernRegistry.origin],
  ])("is found by %s", async (_, url) => {
    const repository = "crowd/app";
    const host = new URL(url()).host;
    const [content, bare] = [buildImage(`signed at ${host}`), buildImage(`unsigned at ${host}`)];
    await pushImage(url(), repository, content, "v1");
    await pushImage(url(), repository, bare, "bare");
    const signer = crowd.at(-1)!;
    await recordImage(signer, content, repository);
    await recordImage(crowd[0]!, bare, repository);
    await attachSignature(url(), repository, content, mallory.did);
    await attachSignature(url(), repository, content, signer.did);

    await expectPulled(`${host}/${repository}:v1`);
    expect(side.pds.requests.map(({ query }) => query.get("did"))).toEqual([signer.did]);
    await expectRefused(`${host}/${repository}:bare`, "1 deny signature.none");
  });
});

describe.runIf(testable)("when it cannot be told", () => {
  it("refuses while the PDS is down", async () => {
    const { content, tagged } = await push("unreachable/app");
    await recordImage(unreachable, content, "unreachable/app");
    await expectRefused(tagged, "2 inconclusive pds.unreachable");
  });

  it("refuses in time to say why when the PDS is too slow", async () => {
    const { tagged } = await pushSigned("alice/slow");
    const audited = await push("audited/slow");
    side.pds.delay(30_000);
    machine.configure(config({ deadline: "1500ms" }));
    try {
      const [{ took, stderr }] = await Promise.all([
        expectRefused(tagged, "2 inconclusive net.deadline"),
        expectPulled(audited.tagged),
      ]);
      expect(stderr).toContain(`PDS ${side.pds.authority}`);
      expect(took).toBeGreaterThan(1500);
      expect(took).toBeLessThan(4000);
    } finally {
      side.pds.reset();
      machine.configure(config());
    }
    await expectPulled(tagged);
  });

  it("says why before containerd's patience ends, with the time limits that both have unless told otherwise", async () => {
    const { tagged } = await pushSigned("alice/slow-by-default");
    // Each by itself within its own limit, both together beyond the deadline.
    side.plc.delay(4_000);
    side.pds.delay(4_900);
    try {
      const { took, stderr } = await expectRefused(tagged, "2 inconclusive net.deadline");
      expect(stderr).toContain(`PDS ${side.pds.authority}`);
      expect(took).toBeGreaterThan(7_900);
      expect(took).toBeLessThan(10_000);
    } finally {
      side.plc.reset();
      side.pds.reset();
    }
  });

  it("refuses everything, exempt images too, while the policy is invalid", async () => {
    const signed = await pushSigned("alice/misconfigured");
    const exempt = await push("exempt/misconfigured");
    machine.trust({ ...policy(), defualt: "allow" });
    try {
      const { stderr } = await expectRefused(signed.tagged, "3 misconfigured policy.invalid");
      expect(stderr).toContain("defualt");
      await expectRefused(exempt.tagged, "3 misconfigured policy.invalid");
    } finally {
      machine.trust(policy());
    }
    await expectPulled(signed.tagged);
  });

  it("refuses everything while the link leads nowhere", async () => {
    const { tagged } = await push("exempt/dangling");
    installVerifier(machine.containerd.binDir, join(files, "nothing"));
    try {
      expect(await machine.containerd.pull(tagged)).toMatchObject({ code: 1 });
      expect(await machine.containerd.images()).not.toContain(tagged);
    } finally {
      installVerifier(machine.containerd.binDir, BINARY);
    }
    await expectPulled(tagged);
  });
});

describe.runIf(testable)("an upgrade by a new link that is renamed in", () => {
  it("decides every pull that goes on meanwhile", async () => {
    const signed = await pushSigned("alice/upgraded");
    const unsigned = await push("alice/upgraded-unsigned");
    const other = join(files, "atcr-verify-other");
    copyFileSync(BINARY, other, constants.COPYFILE_FICLONE);
    let upgrades = 0;
    const upgrading = setInterval(() => {
      upgrades += 1;
      installVerifier(machine.containerd.binDir, upgrades % 2 === 0 ? BINARY : other);
    }, 5);
    try {
      for (let round = 0; round < 8; round++) {
        await Promise.all([expectPulled(signed.tagged), expectRefused(unsigned.tagged, "1 deny signature.none")]);
      }
    } finally {
      clearInterval(upgrading);
      installVerifier(machine.containerd.binDir, BINARY);
    }
    expect(upgrades).toBeGreaterThan(0);
  });
});

describe.runIf(testableAsRoot)("a pull as a kubelet makes it", () => {
  async function pullThroughCri(on: Machine, name: string): Promise<string> {
    const cri = connectCri(on.containerd.socket);
    try {
      const outcome = await cri.pullImage(name).then(
        () => "pulled",
        (error: Error) => error.message,
      );
      expect(await cri.imageStatus(name)).toEqual(outcome === "pulled" ? expect.any(String) : undefined);
      return outcome;
    } finally {
      cri.close();
    }
  }

  it("brings a signed image", async () => {
    const { tagged } = await pushSigned("alice/pod");
    expect(await pullThroughCri(machine, tagged)).toBe("pulled");
    expect(side.pds.count("com.atproto.sync.getRecord")).toBe(1);
  });

  it("is refused an unsigned one, by its tag and by its digest", async () => {
    const { tagged, byDigest } = await push("alice/pod-unsigned");
    for (const name of [tagged, byDigest]) {
      const outcome = await pullThroughCri(machine, name);
      expect(outcome).toContain("verifier atcr-verify rejected image (exit code 1): deny signature.none: ");
    }
  });

  it("BYPASSES the verifier with max_concurrent_downloads other than 3: an UNSIGNED image IS PULLED", async () => {
    const { tagged } = await push("alice/pod-bypass");
    const bypassed = await startVerifyingMachine({ cri: { max_concurrent_downloads: 4 } });
    try {
      const refused = await bypassed.containerd.pull(tagged);
      expect(refused.stderr).toContain("rejected image (exit code 1): deny signature.none: ");
      side.pds.forget();
      expect(await pullThroughCri(bypassed, tagged)).toBe("pulled");
      expect(side.pds.requests).toEqual([]);
    } finally {
      await bypassed.stop();
    }
  });
});
