import { describe, expect, it } from "vitest";
import { headline, TestNode } from "../support/binary.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

// A registry at a private address, whose name a stranger may have written into a file: it is asked only where this node's
// own settings name it. All servers of these tests are on loopback, which is private.

const REFUSED = "2 inconclusive net.forbidden_address";
const SIGNED = "0 allow signed";

class FromFile {
  readonly node: TestNode;
  readonly image: Descriptor;

  constructor(node: TestNode, image: Descriptor) {
    this.node = node;
    this.image = image;
    this.configure();
  }

  /** @param allow further entries of network.allow, besides the directory and the PDS */
  configure(allow: readonly string[] = [], further: Readonly<Record<string, unknown>> = {}): void {
    const { plc, pds, settings } = this.node;
    this.node.configure({ ...settings, network: { allow: [plc.authority, pds.authority, ...allow] }, ...further });
  }

  /** `verify` of a name in a file. */
  async verify(name = this.node.name, ...more: readonly string[]) {
    const file = this.node.write("images.txt", `${name}\n`);
    const { registry } = this.node;
    registry.forget();
    const answered = await this.node.verify(["--file", file, "--output", "ndjson", ...more]);
    const lines = answered.stdout.trimEnd().split("\n");
    const [report] = lines.map((line) => JSON.parse(line) as { outcome: string; code: string; reason: string });
    const { outcome, code, reason } = report ?? { outcome: "", code: "", reason: "" };
    return { status: `${answered.code} ${outcome} ${code}`, reason, requests: registry.requests.length };
  }
}

async function fromFile(test: (files: FromFile) => Promise<void>): Promise<void> {
  const node = await TestNode.start();
  try {
    const image = node.registry.pushImage("alice/app", "named", "v1");
    await node.signer.sign(image.digest, "app", node.begun + 1000);
    await test(new FromFile(node, image));
  } finally {
    await node.stop();
  }
}

describe.concurrent("a private registry that a file names", () => {
  it("is not asked, neither about a tag nor about a digest, and the reason says what would name it", async () => {
    await fromFile(async (files) => {
      const byTag = await files.verify();
      expect(byTag).toMatchObject({ status: REFUSED, requests: 0 });
      for (const place of ["network.allow", "hosts.toml", "credentials"]) expect(byTag.reason).toContain(place);
      // The signer is trusted directly, so the digest's signature is found without the registry.
      const byDigest = await files.verify(`${files.node.name}@${files.image.digest}`);
      expect(byDigest).toMatchObject({ status: SIGNED, requests: 0 });
      const unsigned = files.node.registry.pushImage("alice/app", "unsigned");
      const refused = await files.verify(`${files.node.name}@${unsigned.digest}`);
      expect(refused).toMatchObject({ status: "1 deny signature.none", requests: 0 });
    });
  });

  it("is asked where the person typed its name, as a pull would ask it", async () => {
    await fromFile(async (files) => {
      expect(headline(await files.node.verify([files.node.name]))).toBe(SIGNED);
      expect(await files.verify(files.node.name, files.node.name)).toMatchObject({ status: SIGNED });
    });
  });

  it.each([
    ["network.allow, by its host", (files: FromFile) => files.configure([files.node.registry.authority])],
    ["network.allow, by its address", (files: FromFile) => files.configure(["127.0.0.1"])],
    [
      "a folder of its own in certs.d",
      ({ node }: FromFile) =>
        void node.write(`certs.d/${node.registry.authority}/hosts.toml`, `server = "${node.registry.origin}"\n`),
    ],
    [
      "credentials for it",
      (files: FromFile) => {
        const auth = Buffer.from("user:secret").toString("base64");
        const content = JSON.stringify({ auths: { [files.node.registry.authority]: { auth } } });
        files.configure([], { registryCredentials: { files: [files.node.write("auth.json", content, 0o600)] } });
      },
    ],
  ])("is asked where it is named by %s", async (_, name) => {
    await fromFile(async (files) => {
      name(files);
      expect(await files.verify()).toMatchObject({ status: SIGNED });
    });
  });

  it.each([
    [
      "a hosts.toml for all registries",
      ({ node }: FromFile) => void node.write("certs.d/_default/hosts.toml", "# none\n"),
    ],
    [
      "a helper for all registries",
      (files: FromFile) => {
        const path = files.node.write("auth.json", '{"credsStore": "none"}', 0o600);
        files.configure([], { registryCredentials: { files: [path] } });
      },
    ],
    ["the name of another registry in network.allow", (files: FromFile) => files.configure(["registry.example"])],
  ])("is not asked because of %s", async (_, name) => {
    await fromFile(async (files) => {
      name(files);
      expect(await files.verify()).toMatchObject({ status: REFUSED, requests: 0 });
    });
  });

  it("is asked as a mirror in a hosts.toml for all registries, which root wrote", async () => {
    await fromFile(async (files) => {
      const { node } = files;
      const toml = `[host."${node.registry.origin}"]\ncapabilities = ["pull", "resolve"]\n`;
      node.write("certs.d/_default/hosts.toml", toml);
      expect(await files.verify("registry.invalid/alice/app:v1")).toMatchObject({
        requests: expect.any(Number) as number,
      });
      expect(node.registry.requests.length).toBeGreaterThan(0);
    });
  });
});
