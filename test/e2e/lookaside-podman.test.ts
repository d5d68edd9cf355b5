import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { buildImage, buildIndex, type Content } from "../support/image.ts";
import { askResponder, missingPodman, PodmanBed, refusalIn } from "../support/podman.ts";
import { requirement } from "../support/requirement.ts";
import { Signer } from "../support/signer.ts";

const testable = requirement("podman's gate", ...missingPodman());
let bed: PodmanBed;

beforeAll(async () => {
  if (!testable) return;
  bed = await PodmanBed.start();
  await bed.startResponder();
  const enabled = await bed.run("atcr-verify", ["enable", "--containers"]);
  expect(enabled.code, enabled.stderr).toBe(0);
});
afterEach(() => bed.trust({}));
afterAll(() => bed?.stop());

/** `done`, or the refusal; what else a program says where the responder did not refuse. */
async function outcome(program: string, ...args: readonly string[]): Promise<string> {
  const finished = await bed.run(program, args);
  return finished.code === 0 ? "done" : (refusalIn(finished) ?? finished.stderr);
}

const pull = (name: string, ...options: readonly string[]) => outcome("podman", "pull", ...options, name);
const copy = (name: string, ...options: readonly string[]) =>
  outcome("skopeo", "copy", ...options, `docker://${name}`, "dir:/run/copy");
const atDigest = (name: string, { manifest }: Content) => `${name.replace(/:v1$/, "")}@${manifest.digest}`;

describe.runIf(testable)("an image that a trusted signer signed", () => {
  it("is pulled by tag and by digest, copied, and built on", async () => {
    const image = buildImage("signed");
    const name = await bed.pushSigned("signed", image);
    expect(await pull(name)).toBe("done");
    expect(await pull(atDigest(name, image))).toBe("done");
    expect(await copy(name)).toBe("done");
    expect(await outcome("buildah", "from", "--pull-always", name)).toBe("done");
  });

  it("is refused where its registry claims to serve signatures itself: those are read instead", async () => {
    const name = await bed.pushSigned("extension");
    const headers = { "x-registry-supports-signatures": "1" };
    const undo = bed.node.registry.override(({ path }) => path === "/v2/", { json: {}, headers });
    try {
      expect(await pull(name)).toContain("Source image rejected: ");
    } finally {
      undo();
    }
    expect(await pull(name)).toBe("done");
  });
});

describe.runIf(testable)("an image for several platforms", () => {
  it("is asked about by the digest of the platform's manifest", async () => {
    const index = buildIndex("index");
    const name = await bed.pushSigned("index", index);
    expect(await pull(name)).toBe("done");
    expect(await pull(name, "--arch", "arm64")).toBe("done");
    expect(await pull(atDigest(name, index))).toBe("done");
    expect(await copy(name, "--all")).toBe("done");
  });

  it("is refused where only its index is signed", async () => {
    const index = buildIndex("only the index");
    await bed.sign("only-index", index);
    const name = bed.push("only-index", index);
    const { code, stderr } = await bed.run("podman", ["pull", name]);
    expect(code).not.toBe(0);
    expect(stderr).toContain("403 deny signature.none");
    expect(stderr).toContain(`/alice/only-index@${index.children[0]?.manifest.digest.replace(":", "=")}/signature-1`);
    expect(await copy(name, "--all")).toBe("403 deny signature.none");
  });
});

describe.runIf(testable)("an image that no trusted signer signed", () => {
  it("is refused with the reason on the screen, whatever wants it", async () => {
    const name = bed.push("unsigned", buildImage("unsigned"));
    const refusal = "403 deny signature.none";
    expect(await pull(name)).toBe(refusal);
    expect(await copy(name)).toBe(refusal);
    expect(await outcome("podman", "run", "--rm", name, "true")).toBe(refusal);
    expect(await outcome("podman", "create", name, "true")).toBe(refusal);
    expect(await outcome("buildah", "from", name)).toBe(refusal);
    expect(await outcome("podman", "images", "--quiet", name)).toBe("done");
    expect((await bed.run("podman", ["images", "--quiet", name])).stdout).toBe("");
  });

  it("is refused where somebody else signed it", async () => {
    const image = buildImage("of a stranger");
    const name = bed.push("stranger", image);
    const { pds, registry, plc } = bed.node;
    const at = bed.node.begun;
    const stranger = await Signer.create({ seed: "stranger", handle: "stranger.example.com", pds: pds.origin, at });
    plc.add(stranger.log);
    pds.add(stranger.repo);
    await stranger.sign(image.manifest.digest, "stranger", at + 1000);
    registry.attach("alice/stranger", image.manifest, { annotations: { "io.atcr.atproto.did": stranger.did } });
    expect(await pull(name)).toBe("403 deny signer.untrusted");
  });
});

describe.runIf(testable)("a signer that is revoked", () => {
  it("counts no more at the next pull; what is here stays", async () => {
    const name = await bed.pushSigned("revoked");
    expect(await pull(name)).toBe("done");
    bed.trust({ revokedDIDs: [bed.node.signer.did] });
    expect(await pull(name)).toBe("403 deny signer.revoked");
    const loader = ["/usr/lib64/ld-linux-x86-64.so.2", "--library-path", "/usr/lib/x86_64-linux-gnu"];
    const here = ["run", "--rm", "--network=none", "--volume=/usr:/usr:ro", name, ...loader, "/usr/bin/true"];
    expect(await outcome("podman", ...here)).toBe("done");
    expect(await outcome("podman", ...here.toSpliced(1, 0, "--pull=always"))).toBe("403 deny signer.revoked");
  });
});

describe.runIf(testable)("a rule", () => {
  it("that demands the tag is refused, because no tag is told", async () => {
    const name = await bed.pushSigned("tagged");
    bed.trust({}, { require: { tag: "match" } });
    expect(await pull(name)).toBe("403 deny tag.unsupported_here");
  });

  it("that exempts lets an unsigned image through, and says so in the signature", async () => {
    const image = buildImage("exempt");
    const name = bed.push("exempt", image);
    bed.trust({}, { action: "allow" });
    expect(await pull(name)).toBe("done");
    const digest = image.manifest.digest.replace(":", "=");
    const { body } = await askResponder(`${bed.url}/${bed.host}/alice/exempt@${digest}/signature-1`);
    const { payload } = JSON.parse(body.slice(body.indexOf("{"))) as { payload: string };
    expect(Buffer.from(payload, "base64").toString()).toContain("exempt");
  });

  it("that only audits signs nothing", async () => {
    const name = bed.push("audited", buildImage("audited"));
    bed.trust({}, { action: "audit" });
    expect(await pull(name)).toBe("403 deny signature.none");
  });
});

describe.runIf(testable)("what lets containerd's pulls through", () => {
  it("break-glass, does not count here", async () => {
    const name = bed.push("emergency", buildImage("emergency"));
    const declare = ["--for", "1h", "--scope", `${bed.host}/alice/**`, "--reason", "a test"];
    expect(await outcome("atcr-verify", "break-glass", ...declare)).toBe("done");
    expect(await pull(name)).toBe("403 deny signature.none");
    await bed.run("atcr-verify", ["break-glass", "--end"]);
  });

  it("evidence from before an outage, does not count here", async () => {
    const name = await bed.pushSigned("outage");
    bed.trust({}, { require: { maxStaleness: "30d" } });
    expect(await pull(name)).toBe("done");
    const { pds } = bed.node;
    const undo = pds.override("/xrpc/", { status: 503 });
    try {
      expect(await copy(name)).toBe("403 inconclusive pds.unreachable");
    } finally {
      undo();
    }
  });
});
