import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { CertificateAuthority } from "../support/certificates.ts";
import { missingTool } from "../support/debian-tools.ts";
import { buildImage, type Content, jsonBlob, MEDIA_TYPE, pushImage } from "../support/image.ts";
import { makeTemporaryDirectory } from "../support/process.ts";
import { requirement } from "../support/requirement.ts";
import {
  attachSignature,
  type Machine,
  missingBinary,
  outcomeOf,
  recordImage,
  type SigningSide,
  startMachine,
  startSigningSide,
} from "../support/scenario.ts";
import type { Signer } from "../support/signer.ts";
import { StandInRegistry } from "../support/stand-in-registry.ts";

// What a real containerd pulls by its certs.d is verified by the same: the signer is one of so many that only the
// registry can name them, so the verifier has to find it.

const tools = ["containerd", "ctr"].map(missingTool);
const testable = requirement("pulls through certs.d that atcr-verify decides about", ...tools, missingBinary());
const DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";

let files: string;
let plain: StandInRegistry;
let secure: StandInRegistry;
let authority: CertificateAuthority;
let side: SigningSide;
let machine: Machine;
let crowd: readonly Signer[];

beforeAll(async () => {
  if (!testable) return;
  files = makeTemporaryDirectory("hosts-toml-test");
  authority = new CertificateAuthority();
  [plain, secure, side] = await Promise.all([
    StandInRegistry.start(),
    StandInRegistry.start({ tls: authority.issue({ names: ["127.0.0.1"] }) }),
    startSigningSide("https"),
  ]);
  crowd = await Promise.all(Array.from({ length: 17 }, (_, i) => side.createSigner(`crowd-${i}`, { others: 0 })));
  writeFileSync(join(files, "ca.pem"), side.ca ?? "");
  machine = await startMachine({ registries: [], env: { SSL_CERT_FILE: join(files, "ca.pem") } });
  machine.configure({ plcDirectories: [side.plc.origin], network: { allow: ["127.0.0.0/8", plain.origin] } });
  machine.trust({
    version: 1,
    trustedDIDs: Object.fromEntries(crowd.map(({ did }) => [did, {}])),
    policies: [{ name: "crowd", scope: "**/*", action: "enforce" }],
  });
});
afterAll(async () => {
  await Promise.all([machine, plain, secure, side].map((started) => started?.stop()));
  if (testable) rmSync(files, { recursive: true, force: true });
});

beforeEach(() => {
  if (!testable) return;
  plain.reset();
  plain.access = "anonymous";
});

/** Pushes an image by http, and signs it so that only the registry names the signer. */
async function signed(registry: StandInRegistry, repository: string, content: Content): Promise<void> {
  const signer = crowd.at(-1)!;
  await pushImage(registry.origin, repository, content, "v1");
  await recordImage(signer, content, repository.slice(repository.lastIndexOf("/") + 1));
  await attachSignature(registry.origin, repository, content, signer.did);
}

/** Writes the hosts.toml of a folder of certs.d, and what it names beside it. */
function hosts(folder: string, text: string, beside: Readonly<Record<string, string>> = {}): void {
  for (const [name, content] of Object.entries({ "hosts.toml": text, ...beside })) {
    const path = join(machine.containerd.hosts, folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
}

async function pull(name: string): Promise<string> {
  return outcomeOf(await machine.containerd.pull(name));
}

const CAPABILITIES = 'capabilities = ["pull", "resolve"]';

describe.runIf(testable)("a registry that containerd pulls from", () => {
  it("labels an OCI manifest without a type of its own as Docker's", async () => {
    const image = buildImage("labelled");
    const { mediaType: _, ...untyped } = JSON.parse(Buffer.from(image.manifest.bytes).toString()) as Record<
      string,
      unknown
    >;
    const content = { ...image, manifest: jsonBlob(MEDIA_TYPE.manifest, untyped) };
    await signed(plain, "alice/labelled", content);
    plain.override("/manifests/v1", {
      headers: { "content-type": DOCKER_MANIFEST, "docker-content-digest": content.manifest.digest },
      body: content.manifest.bytes,
    });
    hosts(plain.authority, `server = "${plain.origin}"`);
    expect(await pull(`${plain.authority}/alice/labelled:v1`)).toBe("pulled");
  });

  it("is at a path of its own, and gives tokens for that", async () => {
    await signed(plain, "proxy-hub/alice/app", buildImage("proxied"));
    plain.access = "token";
    hosts("hub.example", `[host."${plain.origin}/v2/proxy-hub"]\n${CAPABILITIES}\noverride_path = true\n`);
    const isForeign = (scope: string) => !scope.includes(":proxy-hub/alice/app:");
    plain.override(({ path, query }) => path === "/token" && query.getAll("scope").every(isForeign), { status: 401 });
    expect(await pull("hub.example/alice/app:v1")).toBe("pulled");
  });

  it("is found by the port that the name has, also where it is 443", async () => {
    await signed(plain, "alice/port", buildImage("port"));
    hosts("images.example_443_", `[host."${plain.origin}"]\n${CAPABILITIES}\n`);
    plain.forget();
    expect(await pull("images.example:443/alice/port:v1")).toBe("pulled");
    const namespaces = plain.requests.map(({ query }) => query.get("ns"));
    expect(new Set(namespaces)).toEqual(new Set(["images.example:443"]));
  });

  it("speaks TLS where hosts.toml says http, with an authority", async () => {
    const content = buildImage("tls");
    await signed(plain, "alice/tls", content);
    // The same content, served by TLS.
    for (const { bytes } of content.blobs) secure.pushBlob("alice/tls", bytes);
    secure.pushManifest("alice/tls", content.manifest.bytes, "v1", content.manifest.mediaType);
    const annotations = { "io.atcr.atproto.did": crowd.at(-1)!.did };
    secure.attach("alice/tls", content.manifest, { annotations });
    hosts("tls.example", `[host."http://${secure.authority}"]\n${CAPABILITIES}\nca = "ca.pem"\n`, {
      "ca.pem": authority.cert,
    });
    secure.forget();
    expect(await pull("tls.example/alice/tls:v1")).toBe("pulled");
    expect(secure.count("/referrers/")).toBeGreaterThan(0);
  });
});
