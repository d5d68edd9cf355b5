import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Answered, ask, TestNode } from "../support/binary.ts";
import { CertificateAuthority, type CertificateOptions, CODE_SIGNING, selfSigned } from "../support/certificates.ts";
import { debianTool, missingTool } from "../support/debian-tools.ts";
import { type Registry, startDockerRegistry } from "../support/docker-registry.ts";
import { run } from "../support/process.ts";
import { requirement } from "../support/requirement.ts";
import { missingBinary } from "../support/scenario.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

// What `vouch` pushes, read by Debian's cosign and notation, at a registry with the Referrers API and one without.

const REPOSITORY = "alice/app";
const testable = requirement(
  "signatures for cosign and Notation",
  missingBinary(),
  ...["cosign", "notation", "docker-registry"].map(missingTool),
);
const TO_SIGN: CertificateOptions = { names: ["Example, Inc."], purposes: [CODE_SIGNING] };

let world: TestNode;
let docker: Registry;
const at = (name: string): string => join(world.folder, name);

beforeAll(async () => {
  if (!testable) return;
  [world, docker] = await Promise.all([TestNode.start(), startDockerRegistry()]);
  const network = { allow: ["127.0.0.0/8", "::1", docker.url] };
  world.configure({ ...world.settings, network });
  for (const name of ["own", "other"]) {
    const made = await tool("cosign", ["generate-key-pair", "--output-key-prefix", at(name)]);
    expect([made.code, made.stderr]).toEqual([0, expect.any(String)]);
  }
});
afterAll(async () => {
  await docker?.stop();
  await world?.stop();
});

/** Runs cosign or notation with nothing of this machine's settings. */
function tool(name: string, args: readonly string[]): Promise<Answered> {
  const home = at("home");
  mkdirSync(home, { recursive: true });
  const env = {
    HOME: home,
    XDG_CONFIG_HOME: home,
    PATH: "/usr/bin:/bin",
    COSIGN_PASSWORD: "correct horse",
    SSL_CERT_FILE: world.env["SSL_CERT_FILE"] ?? "",
  };
  return ask(args, { binary: debianTool(name), env });
}

const vouch = (name: string, ...args: readonly string[]): Promise<Answered> =>
  ask(["vouch", name, ...args], { env: { ...world.env, COSIGN_PASSWORD: "correct horse" } });

/** The verifying side's `cosign verify`, as docs/vouching.md has it. */
const cosignVerify = (name: string, key: string, ...more: readonly string[]): Promise<Answered> =>
  tool("cosign", ["verify", "--key", at(key), "--insecure-ignore-tlog=true", ...more, name]);

/** `notation verify` with a policy that trusts these certificates. */
function notationVerify(name: string, trusted: string, ...more: readonly string[]): Promise<Answered> {
  const folder = join(at("home"), "notation");
  const store = join(folder, "truststore/x509/ca/test");
  mkdirSync(store, { recursive: true });
  writeFileSync(join(store, "trusted.pem"), trusted);
  const policy = {
    name: "all",
    registryScopes: ["*"],
    signatureVerification: { level: "strict" },
    trustStores: ["ca:test"],
    trustedIdentities: ["*"],
  };
  writeFileSync(join(folder, "trustpolicy.json"), JSON.stringify({ version: "1.0", trustPolicies: [policy] }), {
    mode: 0o600,
  });
  return tool("notation", ["verify", ...(name.startsWith(docker.host) ? ["--insecure-registry"] : []), ...more, name]);
}

/** A signed image at one of the two registries, and its name with the digest. */
async function signedImage(where: "stand-in" | "docker", salt: string): Promise<string> {
  const image = await world.image(salt);
  if (where === "stand-in") return `${world.registry.authority}/${REPOSITORY}@${image.digest}`;
  await copyToDocker(image);
  return `${docker.host}/${REPOSITORY}@${image.digest}`;
}

async function copyToDocker({ digest, mediaType }: Descriptor): Promise<void> {
  const manifest = world.registry.manifestAt(REPOSITORY, digest) as { config: Descriptor; layers: Descriptor[] };
  const root = `${docker.url}/v2/${REPOSITORY}`;
  for (const blob of [manifest.config, ...manifest.layers]) {
    const begun = await fetch(`${root}/blobs/uploads/`, { method: "POST" });
    const place = new URL(begun.headers.get("location") ?? "", root);
    place.searchParams.set("digest", blob.digest);
    const body = world.registry.blobAt(REPOSITORY, blob.digest);
    expect((await fetch(place, { method: "PUT", body })).status).toBe(201);
  }
  const headers = { "content-type": mediaType };
  const put = { method: "PUT", headers, body: JSON.stringify(manifest) };
  expect((await fetch(`${root}/manifests/${digest}`, put)).status).toBe(201);
}

describe.runIf(testable).each(["stand-in", "docker"] as const)("for cosign, at %s", (where) => {
  it("is accepted by cosign verify --key, with the claims; another key or digest is not", async () => {
    const name = await signedImage(where, `cosign at ${where}`);
    const vouched = await vouch(name, "--format", "cosign", "--key", at("own.key"));
    expect([vouched.stdout, vouched.stderr]).toEqual([
      expect.stringContaining("pushed 1 of 1 signatures for cosign\n"),
      "",
    ]);
    expect(vouched.code).toBe(0);
    const verified = await cosignVerify(name, "own.pub", "-a", `atcr-verify.did=${world.signer.did}`);
    expect([verified.code, verified.stderr]).toEqual([0, expect.stringContaining("The signatures were verified")]);
    const [{ optional }] = JSON.parse(verified.stdout.trim());
    expect(optional).toMatchObject({
      "atcr-verify.handle": "alice.example.com",
      "atcr-verify.rev": expect.any(String),
    });
    expect((await cosignVerify(name, "other.pub")).code).not.toBe(0);
    expect((await cosignVerify(name, "own.pub", "-a", "atcr-verify.did=did:plc:other")).code).not.toBe(0);
    const other = await signedImage(where, `not vouched for at ${where}`);
    const refused = await cosignVerify(other, "own.pub");
    expect([refused.code, refused.stderr]).toEqual([
      expect.any(Number),
      expect.stringContaining("no signatures found"),
    ]);
    expect(refused.code).not.toBe(0);
  });

  it("is added to what cosign itself signed, and both are accepted", async () => {
    const name = await signedImage(where, `both at ${where}`);
    const own = [
      "--key",
      at("other.key"),
      "--tlog-upload=false",
      "--new-bundle-format=false",
      "--use-signing-config=false",
    ];
    const signed = await tool("cosign", ["sign", "--yes", ...own, name]);
    expect([signed.code, signed.stderr]).toEqual([0, expect.any(String)]);
    expect((await vouch(name, "--format", "cosign", "--key", at("own.key"))).code).toBe(0);
    for (const key of ["own.pub", "other.pub"]) {
      const { code, stderr } = await cosignVerify(name, key);
      expect([key, code, stderr]).toEqual([key, 0, expect.any(String)]);
    }
  });
});

describe.runIf(testable)("beside a bundle of cosign 3", () => {
  it("is found with --new-bundle-format=false only", async () => {
    const name = await signedImage("stand-in", "with a bundle");
    const own = ["--key", at("other.key"), "--tlog-upload=false", "--use-signing-config=false"];
    const signed = await tool("cosign", ["sign", "--yes", ...own, name]);
    expect([signed.code, signed.stderr]).toEqual([0, expect.any(String)]);
    expect((await vouch(name, "--format", "cosign", "--key", at("own.key"))).code).toBe(0);
    expect((await cosignVerify(name, "own.pub")).code).not.toBe(0);
    const { code, stderr } = await cosignVerify(name, "own.pub", "--new-bundle-format=false");
    expect([code, stderr]).toEqual([0, expect.any(String)]);
  });
});

describe.runIf(testable).each(["stand-in", "docker"] as const)("for Notation, at %s", (where) => {
  const chains = {
    "a certificate that signed itself": () => {
      const { cert, key } = selfSigned(TO_SIGN);
      return { chain: cert, key, root: cert };
    },
    "a chain with RSA": () => {
      const root = new CertificateAuthority({ C: "DE", O: "Example", CN: "Root" });
      const authority = new CertificateAuthority("Issuing", root);
      const { cert, key } = authority.issue({ ...TO_SIGN, key: "RSA" });
      return { chain: `${cert}${authority.cert}${root.cert}`, key, root: root.cert };
    },
    "P-384": () => {
      const { cert, key } = selfSigned({ ...TO_SIGN, key: "P-384" });
      return { chain: cert, key, root: cert };
    },
  };
  it.each(Object.entries(chains))(
    "is accepted by notation verify with %s; another root is not",
    async (about, make) => {
      const name = await signedImage(where, `notation ${about} at ${where}`);
      const { chain, key, root } = make();
      const files = [
        "--key",
        world.write("notation.key", key, 0o600),
        "--certificate",
        world.write("chain.pem", chain),
      ];
      const vouched = await vouch(name, "--format", "notation", ...files, "--expires", "1h");
      expect([vouched.stdout, vouched.stderr]).toEqual([
        expect.stringContaining("pushed 1 of 1 signatures for notation\n"),
        "",
      ]);
      const verified = await notationVerify(name, root, "-m", `atcr-verify.did=${world.signer.did}`);
      expect([verified.code, verified.stderr]).toEqual([0, expect.any(String)]);
      expect(verified.stdout).toContain("Successfully verified signature");
      expect((await notationVerify(name, root, "-m", "atcr-verify.did=did:plc:other")).code).toBe(1);
      expect((await notationVerify(name, selfSigned(TO_SIGN).cert)).code).toBe(1);
      expect((await notationVerify(await signedImage(where, `bare ${about} ${where}`), root)).code).toBe(1);
    },
  );

  it("is refused by notation after its expiry", async () => {
    const name = await signedImage(where, `expiring at ${where}`);
    const { cert, key } = selfSigned(TO_SIGN);
    const files = ["--key", world.write("short.key", key, 0o600), "--certificate", world.write("short.pem", cert)];
    expect((await vouch(name, "--format", "notation", ...files, "--expires", "4s")).code).toBe(0);
    expect((await notationVerify(name, cert)).code).toBe(0);
    await new Promise((done) => setTimeout(done, 5000));
    const { code, stderr } = await notationVerify(name, cert, "-v");
    expect([code, stderr]).toEqual([1, expect.stringContaining("expir")]);
  });
});

const withOpenssl =
  testable && requirement("the command of docs/vouching.md", hasOpenssl() ? undefined : "openssl is not installed");
describe.runIf(withOpenssl)("the certificate of docs/vouching.md", () => {
  it("is accepted by notation verify", async () => {
    const [, command = ""] = /```\n(openssl [^`]+)```/.exec(readFileSync("docs/vouching.md", "utf8")) ?? [];
    const folder = at("documented");
    mkdirSync(folder, { recursive: true });
    const made = await run("sh", ["-ec", command], { cwd: folder });
    expect([made.code, made.stderr]).toEqual([0, expect.any(String)]);
    const name = await signedImage("stand-in", "documented");
    const files = ["--key", join(folder, "leaf.key"), "--certificate", join(folder, "chain.pem")];
    const vouched = await vouch(name, "--format", "notation", ...files, "--expires", "7d");
    expect([vouched.code, vouched.stdout]).toEqual([0, expect.stringContaining("pushed 1 of 1 signatures")]);
    const verified = await notationVerify(name, readFileSync(join(folder, "chain.pem"), "utf8"));
    expect([verified.code, verified.stderr]).toEqual([0, expect.any(String)]);
  });
});

function hasOpenssl(): boolean {
  return spawnSync("openssl", ["version"]).status === 0;
}
