import { describe, expect, it } from "vitest";
import { type Answered, auditing, enforcing, headline, TestNode } from "../support/binary.ts";
import { type Descriptor, INDEX_TYPE, MANIFEST_TYPE, StandInRegistry } from "../support/stand-in-registry.ts";

// What `atcr-verify IMAGE` does with a tag: which digest it finds, where, and what it says of it.

async function onNode(test: (node: TestNode) => Promise<void>): Promise<void> {
  const node = await TestNode.start();
  try {
    await test(node);
  } finally {
    await node.stop();
  }
}

const REPOSITORY = "alice/app";
const named = (node: TestNode, tag: string) => `${node.registry.authority}/${REPOSITORY}${tag}`;
/** A signed image of its own content, which a tag points to. */
async function tagged(node: TestNode, tag: string, options: { signed?: boolean } = {}): Promise<Descriptor> {
  const { signed = true } = options;
  const image = node.registry.pushImage(REPOSITORY, `tagged ${tag}`, tag);
  if (signed) await node.signer.sign(image.digest, "app", node.begun + 1000);
  return image;
}
const PLATFORMS = {
  amd: { os: "linux", architecture: "amd64" },
  arm: { os: "linux", architecture: "arm64", variant: "v8" },
};
/** An index of two images. */
function index(node: TestNode, tag: string) {
  const image = (salt: keyof typeof PLATFORMS) => ({
    ...node.registry.pushImage(REPOSITORY, `${tag} ${salt}`),
    platform: PLATFORMS[salt],
  });
  const [amd, arm] = [image("amd"), image("arm")];
  return { amd, arm, index: node.registry.pushIndex(REPOSITORY, [amd, arm], tag) };
}
const manifests = ({ registry }: TestNode) =>
  registry.requests.filter(({ path }) => path.includes("/manifests/")).map(({ method, path }) => `${method} ${path}`);
const json = ({ stdout }: Answered) => JSON.parse(stdout) as Record<string, unknown>;

describe.concurrent("verify, of a tag", () => {
  it("finds the digest by one HEAD, shows it, and verifies it", async () => {
    await onNode(async (node) => {
      const image = await tagged(node, "v1");
      const answered = await node.verify([named(node, ":v1"), "--output", "json"]);
      expect(headline(await node.verify([named(node, ":v1")]))).toBe("0 allow signed");
      expect(json(answered)).toMatchObject({
        verified: true,
        digest: image.digest,
        resolved: { digest: image.digest, mediaType: MANIFEST_TYPE, by: node.registry.authority },
      });
      expect(manifests(node)[0]).toBe("HEAD /v2/alice/app/manifests/v1");
      const text = await node.verify([named(node, ":v1")]);
      expect(text.stdout).toContain(image.digest);
      expect(text.stdout).toContain(":v1 points here");
    });
  });

  it("does not resolve a tag beside a digest", async () => {
    await onNode(async (node) => {
      const image = await tagged(node, "v1");
      node.registry.pushImage(REPOSITORY, "moved", "v1");
      expect(headline(await node.verify([named(node, `:v1@${image.digest}`)]))).toBe("0 allow signed");
      expect(manifests(node).filter((request) => request.endsWith("/v1"))).toEqual([]);
    });
  });

  it("fetches the content where HEAD is not allowed, and refuses content with another digest than the header's", async () => {
    await onNode(async (node) => {
      await tagged(node, "v1");
      node.registry.override(({ method }) => method === "HEAD", { status: 405 });
      expect(headline(await node.verify([named(node, ":v1")]))).toBe("0 allow signed");
      node.registry.override(({ method, path }) => method === "GET" && path.endsWith("/v1"), {
        headers: { "docker-content-digest": `sha256:${"0".repeat(64)}`, "content-type": MANIFEST_TYPE },
        body: "{}",
      });
      expect(headline(await node.verify([named(node, ":v1")]))).toBe("2 inconclusive registry.bad_response");
    });
  });

  it("says that there is no such tag, and what a registry wants that asks for a login", async () => {
    await onNode(async (node) => {
      const unknown = await node.verify([named(node, ":nosuch")]);
      expect(headline(unknown)).toBe("2 inconclusive registry.unknown_tag");
      expect(unknown.stdout).toContain("nosuch");
      node.registry.access = "denied";
      const files = [node.write("auth.json", "{}", 0o600)];
      node.configure({ ...node.settings, registryCredentials: { files } });
      const denied = await node.verify([named(node, ":v1")]);
      expect(headline(denied)).toBe("2 inconclusive registry.unauthorized");
      expect(denied.stdout.replaceAll(/\s+/g, " ")).toContain(`no credentials for ${node.registry.authority} in`);
      expect(denied.stdout.replaceAll(/\s+/g, " ")).toContain("docker login");
    });
  });

  it("follows redirects, without the credentials", async () => {
    await onNode(async (node) => {
      const image = await tagged(node, "v1");
      const other = await StandInRegistry.start({ tls: node.authority.issue({ names: ["127.0.0.1"] }) });
      other.override("", {
        headers: { "docker-content-digest": image.digest, "content-type": MANIFEST_TYPE, "content-length": "2" },
        body: "{}",
      });
      node.registry.override(({ path }) => path.endsWith("/manifests/v1"), {
        status: 307,
        headers: { location: `${other.origin}/elsewhere` },
      });
      expect(headline(await node.verify([named(node, ":v1")]))).toBe("0 allow signed");
      expect(other.requests.map(({ method, headers }) => [method, headers.authorization])).toContainEqual([
        "HEAD",
        undefined,
      ]);
      await other.stop();
    });
  });

  it("asks the mirror of hosts.toml where it may resolve tags, and nobody but the registry where it may not", async () => {
    await onNode(async (node) => {
      const image = await tagged(node, "v1");
      const mirror = await StandInRegistry.start({ tls: node.authority.issue({ names: ["127.0.0.1"] }) });
      const hosts = (capabilities: string) =>
        node.write(
          `certs.d/${node.registry.authority}/hosts.toml`,
          `[host."${mirror.origin}"]\ncapabilities = [${capabilities}]\n`,
        );
      mirror.override(({ path }) => path.endsWith("/manifests/v1"), {
        headers: { "docker-content-digest": image.digest, "content-type": MANIFEST_TYPE, "content-length": "2" },
        body: "{}",
      });
      hosts('"pull", "resolve"');
      const found = json(await node.verify([named(node, ":v1"), "--output", "json"]));
      expect(found).toMatchObject({ verified: true, resolved: { by: mirror.authority } });
      const [asked] = mirror.requests;
      expect([asked?.method, asked?.query.get("ns")]).toEqual(["HEAD", node.registry.authority]);

      hosts('"pull"');
      mirror.forget();
      const direct = json(await node.verify([named(node, ":v1"), "--output", "json"]));
      expect(direct).toMatchObject({ resolved: { by: node.registry.authority } });
      expect(mirror.requests.filter(({ method }) => method === "HEAD")).toEqual([]);
      await mirror.stop();
    });
  });
});

describe.concurrent("verify, of an image that the policy decides by its name", () => {
  const rule = (node: TestNode, action: string, more = "") =>
    `version: 1\ntrustedDIDs: [did:web:a.example]\n${more}policies: [{name: sandbox, scope: "${named(node, "")}", action: ${action}}]\n`;

  it.each([
    ["allow", "0 allow exempt"],
    ["deny", "1 deny policy.denied"],
  ])("asks nobody: %s", async (action, expected) => {
    await onNode(async (node) => {
      node.policy(rule(node, action));
      expect(headline(await node.verify([named(node, ":nosuch")]))).toBe(expected);
      expect([...node.registry.requests, ...node.plc.requests, ...node.pds.requests]).toEqual([]);
    });
  });

  it("asks for the digest where a listed one could overturn that", async () => {
    await onNode(async (node) => {
      const image = await tagged(node, "v1", { signed: false });
      node.policy(rule(node, "allow", `digests: {deny: ["${image.digest}"]}\n`));
      expect(headline(await node.verify([named(node, ":v1")]))).toBe("1 deny policy.denied");
      node.policy(rule(node, "deny", `digests: {allow: ["${image.digest}"]}\n`));
      expect(headline(await node.verify([named(node, ":v1")]))).toBe("0 allow exempt");
    });
  });

  it("asks for it where it is to be printed", async () => {
    await onNode(async (node) => {
      const image = await tagged(node, "v1", { signed: false });
      node.policy(rule(node, "allow"));
      const { stdout, code } = await node.verify([named(node, ":v1"), "--output", "ref"]);
      expect([code, stdout]).toEqual([0, `${named(node, "")}@${image.digest}\n`]);
    });
  });
});

describe.concurrent("verify, of an index", () => {
  it("shows its platforms, and decides by the index alone", async () => {
    await onNode(async (node) => {
      const { index: whole, amd } = index(node, "v1");
      await node.signer.sign(whole.digest, "app", node.begun + 1000, { mediaType: INDEX_TYPE });
      const args = [named(node, ":v1"), "--platform", "linux/amd64"];
      const { stdout, code } = await node.verify(args, { env: { ...node.env, COLUMNS: "500" } });
      expect(code).toBe(0);
      expect(stdout).toContain("linux/amd64 + linux/arm64");
      expect(stdout).toMatch(/^allow signed/);
      expect(stdout).toMatch(/^deny signature\.none/m);
      const report = json(await node.verify([...args, "--output", "json"]));
      expect(report).toMatchObject({
        verified: true,
        digest: whole.digest,
        exitStatus: 0,
        platformImage: { platform: "linux/amd64", digest: amd.digest, verified: false, code: "signature.none" },
      });
    });
  });

  it("names its signed images where nobody signed the index, and stays refused", async () => {
    await onNode(async (node) => {
      const { arm } = index(node, "v1");
      await node.signer.sign(arm.digest, "app", node.begun + 1000);
      const report = json(await node.verify([named(node, ":v1"), "--output", "json"]));
      expect(report).toMatchObject({
        verified: false,
        code: "signature.none",
        exitStatus: 1,
        signedImages: [{ digest: arm.digest, platform: "linux/arm64", signers: [node.signer.did] }],
      });
      const { stdout, code } = await node.verify([named(node, ":v1")]);
      expect(code).toBe(1);
      expect(stdout.replaceAll(/\s+/g, " ")).toContain(
        `linux/arm64 image ${arm.digest} IS signed by ${node.signer.did}`,
      );

      node.policy(auditing(node.signer.did));
      expect(json(await node.verify([named(node, ":v1"), "--output", "json"]))).toMatchObject({
        code: "audited",
        verified: false,
        signedImages: [{ digest: arm.digest }],
      });
    });
  });

  it("says nothing of its images where it is signed, or refused for another reason", async () => {
    await onNode(async (node) => {
      const { arm, index: whole } = index(node, "v1");
      await node.signer.sign(arm.digest, "app", node.begun + 1000);
      node.policy(enforcing(node.signer.did).replace("{}", "{expiresAt: 2020-01-01T00:00:00Z}"));
      const refused = json(await node.verify([named(node, ":v1"), "--output", "json"]));
      expect(refused).toMatchObject({ code: "signer.expired" });
      expect(refused).not.toHaveProperty("signedImages");
      node.policy(enforcing(node.signer.did));
      await node.signer.sign(whole.digest, "app", node.begun + 2000, { mediaType: INDEX_TYPE });
      expect(json(await node.verify([named(node, ":v1"), "--output", "json"]))).not.toHaveProperty("signedImages");
    });
  });

  it("keeps its verdict where the registry does not serve it in time", async () => {
    await onNode(async (node) => {
      const { index: whole } = index(node, "v1");
      await node.signer.sign(whole.digest, "app", node.begun + 1000, { mediaType: INDEX_TYPE });
      node.configure({ ...node.settings, deadline: "4s", registryTimeout: "30s" });
      node.registry.delay(
        30_000,
        ({ method, path }) => method === "GET" && path.endsWith(`/manifests/${whole.digest}`),
      );
      const answered = await node.verify([named(node, ":v1")]);
      expect(headline(answered), answered.stdout + answered.stderr).toBe("0 allow signed");
    });
  });

  it("is a mistake for a platform that it lacks, and for one that is none", async () => {
    await onNode(async (node) => {
      index(node, "v1");
      for (const platform of ["linux/s390x", "amd64"]) {
        const answered = await node.verify([named(node, ":v1"), "--platform", platform]);
        expect(headline(answered)).toBe("3 misconfigured input.malformed");
      }
    });
  });
});

describe.concurrent("verify --verbose", () => {
  it("lists each request, and then what came from the cache", async () => {
    await onNode(async (node) => {
      node.configure({ ...node.settings, cacheEnabled: true });
      await tagged(node, "v1");
      const requests = async () => {
        const { exchanges } = json(await node.verify([named(node, ":v1"), "--verbose", "--output", "json"]));
        return exchanges as { purpose: string; method: string; url: string; cached: boolean; bytes: number }[];
      };
      const first = await requests();
      expect(first[0]).toMatchObject({
        purpose: "registry",
        method: "HEAD",
        url: `${node.registry.origin}/v2/alice/app/manifests/v1`,
        status: 200,
        cached: false,
      });
      expect(new Set(first.map(({ purpose }) => purpose))).toEqual(new Set(["registry", "directory", "PDS"]));
      const second = await requests();
      expect(second.filter(({ cached }) => cached).length).toBe(2);
      expect(new Set(second.filter(({ cached }) => !cached).map(({ purpose }) => purpose))).toEqual(
        new Set(["registry"]),
      );
    });
  });
});
