import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { privateKey } from "../../src/core/atproto/key.ts";
import { writeBundle } from "../../src/core/evidence/bundle.ts";
import { REJECTION_CODES, REJECTIONS, type RejectionCode } from "../../src/core/rejection.ts";
import {
  type Answered,
  ask,
  auditing,
  containerdArgs,
  DESCRIPTOR_TYPE,
  headline,
  TestNode,
} from "../support/binary.ts";
import { bundleOf } from "../support/evidence.ts";
import { signingKey } from "../support/signing-key.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";
import { loadVectors } from "../vectors/load.ts";

// A verifier that ends with 0 for one reason not to let an image through lets every image through for which that is the
// reason. So each code is looked at with the exit status of the real program: those that evidence yields in vectors.test.ts,
// all others here.

const DIGEST = `sha256:${"ab".repeat(32)}`;
const RECORD = "/xrpc/com.atproto.sync.getRecord";
const HOUR = 3_600_000;
const STATUS = { deny: 1, inconclusive: 2, misconfigured: 3, internal: 4 } as const;

let world: TestNode;
let image: Descriptor;

beforeAll(async () => {
  world = await TestNode.start();
  image = await world.image("first");
});
afterAll(() => world.stop());

const nameOf = ({ digest }: Descriptor, node = world) => `${node.registry.authority}/alice/app@${digest}`;

/** Whoever remembers something must be alone. */
async function onNode(test: (node: TestNode, first: Descriptor) => Promise<Answered>): Promise<Answered> {
  const node = await TestNode.start();
  try {
    return await test(node, await node.image("first"));
  } finally {
    await node.stop();
  }
}

async function proofOf(node: TestNode, { digest }: Descriptor) {
  return { body: await node.signer.proof(digest), headers: { "content-type": "application/vnd.ipld.car" } };
}

/** A bundle whose seal is another's. */
function falselySealed(): string {
  const key = privateKey(new Uint8Array(32).fill(7)) ?? expect.fail("no key");
  const [header = "", ...body] = new TextDecoder().decode(writeBundle(bundleOf({}), key)).split("\n");
  const { seal, ...rest } = JSON.parse(header) as { seal: object };
  const signature = Buffer.alloc(64, 1).toString("base64");
  return [JSON.stringify({ ...rest, seal: { ...seal, signature } }), ...body].join("\n");
}

/** How each code comes about that no vector has. */
const OTHERS: Partial<Readonly<Record<RejectionCode, () => Promise<Answered>>>> = {
  "policy.probe": () =>
    ask(containerdArgs("127.0.0.1:5000/atcr-verify-probe/x:probe", DIGEST), {
      env: world.env,
      stdin: JSON.stringify({ mediaType: DESCRIPTOR_TYPE, digest: DIGEST }),
    }),
  "identity.log_rolled_back": () =>
    onNode(async (node, first) => {
      const old = { json: node.signer.log.entries() };
      const next = signingKey("k256", "next");
      await node.signer.log.update({ signingKey: next }, { at: Date.now() - HOUR });
      await node.signer.repo.resign(Date.now() - HOUR, next);
      expect(headline(await node.verify([nameOf(first, node)]))).toBe("0 allow signed");
      node.plc.override("/log/audit", old);
      return node.verify([nameOf(first, node)]);
    }),
  "commit.rolled_back": () =>
    onNode(async (node, first) => {
      const old = await proofOf(node, first);
      expect(headline(await node.verify([nameOf(await node.image("second"), node)]))).toBe("0 allow signed");
      node.pds.override(RECORD, old);
      return node.verify([nameOf(first, node)]);
    }),
  "registry.unknown_tag": () => world.verify([`${world.registry.authority}/alice/app:nowhere`]),
  "input.malformed": () => world.verify([nameOf(image), "--unknown"]),
  "input.no_images": () => world.verify(["-f", world.write("nothing.yaml", "a: b\n")]),
  "input.unsupported_media_type": () =>
    ask(["-name", world.name, "-digest", DIGEST, "-stdin-media-type", "text/plain"], { env: world.env, stdin: "{}" }),
  "config.invalid": () => world.verify([nameOf(image), "--config", world.write("wrong.yaml", "unknown: 1\n")]),
  "bundle.bad_seal": () =>
    world.verify([nameOf(image), "--offline", "--bundle", world.write("sealed.bundle", falselySealed())]),
  "internal.error": () => {
    const planted = world.write("planted.cjs", "Date.now = () => { throw new TypeError('planted') };");
    return world.verify([nameOf(image)], { env: { ...world.env, BUN_INSPECT_PRELOAD: planted } });
  },
};

describe.concurrent("the exit status of a refusal", () => {
  it.each(Object.keys(OTHERS) as RejectionCode[])("is that of its kind: %s", async (code) => {
    const { kind } = REJECTIONS[code];
    expect(headline(await (OTHERS[code] ?? expect.fail(code))())).toBe(`${STATUS[kind]} ${kind} ${code}`);
  });

  it("is that of its kind where a rule that names no signer would have refused: policy.no_signers", async () => {
    const policy = world.policy(auditing().replace("trustedDIDs:\n", ""), "nobody.yaml");
    const answered = await world.verify([nameOf(image), "--policy", policy]);
    expect(headline(answered)).toBe("1 allow audited");
    expect(answered.stdout).toContain("deny policy.no_signers: ");
  });

  it("is that of a bug where all is verified and the report cannot be made", async () => {
    // Of the width of a row's label, which nothing but the report pads to.
    const planted = world.write(
      "report.cjs",
      "const { padEnd } = String.prototype; String.prototype.padEnd = function (...args) { if (args[0] === 13) throw new TypeError('planted'); return padEnd.apply(this, args); };",
    );
    const answered = await world.verify([nameOf(image)], { env: { ...world.env, BUN_INSPECT_PRELOAD: planted } });
    expect(headline(answered)).toBe("4 internal internal.error");
    expect(headline(await world.verify([nameOf(image)]))).toBe("0 allow signed");
  });

  it("is looked at for every code", () => {
    const ofVectors = loadVectors().flatMap(({ expected: { code } }) => code ?? []);
    // The responder answers with these, and ends no process: test/binary/lookaside.test.ts, test/e2e/lookaside-load.test.ts.
    const overHttp = ["tag.unsupported_here", "server.overloaded", "image.not_pinned"];
    const looked = new Set<string>([...ofVectors, ...Object.keys(OTHERS), ...overHttp, "policy.no_signers"]);
    expect(REJECTION_CODES.filter((code) => !looked.has(code))).toEqual([]);
  });
});
