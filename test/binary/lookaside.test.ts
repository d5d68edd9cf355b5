import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { TestNode } from "../support/binary.ts";
import { demand } from "../support/caching-world.ts";
import { LookasideDaemon } from "../support/lookaside-daemon.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

// What the responder for containers/image signs, and what it refuses. How it is attacked is in lookaside-attacks.test.ts.

let node: TestNode;
let daemon: LookasideDaemon;
let signed: Descriptor;
let unsigned: Descriptor;
let name: string;

beforeAll(async () => {
  node = await TestNode.start();
  signed = await node.image("signed");
  unsigned = await node.image("unsigned", { signed: false });
  name = `${node.registry.authority}/alice/app`;
  const until = new Date(Date.now() + 3_600_000).toISOString();
  const breakGlass = node.write("break-glass.yaml", JSON.stringify({ reason: "INC-1", until, scope: "**" }));
  daemon = await LookasideDaemon.start(node, { env: { ATCR_VERIFY_BREAK_GLASS: breakGlass } });
});
afterAll(async () => {
  await daemon.stop();
  await node.stop();
});

const scope = () => `${node.registry.authority}/**`;
/** Requests to all services since the last call. */
const asked = () => {
  const services = [node.plc, node.pds, node.registry] as const;
  const sum = services.reduce((all, service) => all + service.count(), 0);
  for (const service of services) service.forget();
  return sum;
};

beforeEach(() => {
  demand(node, { rule: { scope: scope() } });
  asked();
});

describe("an image that the policy allows", () => {
  it("gets a signature of this node's key, which says by what", async () => {
    const { status, phrase, body } = await daemon.ask(name, signed.digest);
    expect([status, phrase]).toEqual([200, "OK"]);
    expect(daemon.signed(body)).toEqual({
      critical: {
        identity: { "docker-reference": name },
        image: { "docker-manifest-digest": signed.digest },
        type: "cosign container image signature",
      },
      optional: {
        "atcr-verify": expect.objectContaining({
          code: "signed",
          rule: "all",
          signers: [{ did: node.signer.did, rev: expect.any(String) }],
        }),
        creator: expect.stringMatching(/^atcr-verify /),
        timestamp: expect.any(Number),
      },
    });
    expect((await daemon.ask(name, signed.digest, 2)).status).toBe(404);
    expect((await daemon.ask(name, signed.digest, 128)).status).toBe(404);
    expect(daemon.log.at(-1)).toMatchObject({
      gate: "lookaside",
      image: name,
      digest: signed.digest,
      outcome: "allow",
      code: "signed",
      rule: "all",
    });
  });

  it("is exempt by a rule, and the signature says that", async () => {
    demand(node, { rule: { name: "free", scope: scope(), action: "allow" } });
    const { status, body } = await daemon.ask(name, unsigned.digest);
    expect(status).toBe(200);
    expect(daemon.signed(body)["optional"]).toMatchObject({ "atcr-verify": { code: "exempt" } });
    expect(JSON.stringify(daemon.signed(body))).toContain("free");
    expect(daemon.signed(body)).not.toHaveProperty("optional.atcr-verify.signers");
    expect(asked()).toBe(0);
  });
});

describe("no signature is made", () => {
  const answer = ({ digest }: Descriptor = unsigned, of = name) => daemon.answerTo(of, digest);

  it("where nobody signed, although break-glass is active, and the reason is the phrase and in the log", async () => {
    const { status, phrase, body } = await daemon.ask(name, unsigned.digest);
    expect([status, body.length]).toEqual([403, 0]);
    expect(phrase).toMatch(/^deny signature\.none: [\x20-\x7e]{1,180}$/);
    expect(daemon.log.at(-1)).toMatchObject({ gate: "lookaside", outcome: "deny", code: "signature.none" });
  });

  it("where the rule only audits", async () => {
    demand(node, { rule: { scope: scope(), action: "audit" } });
    expect(await answer()).toBe("403 deny signature.none");
    expect((await daemon.ask(name, signed.digest)).status).toBe(200);
  });

  it("where the default only audits", async () => {
    demand(node, { rule: { scope: `${node.registry.authority}/other` }, top: { default: "audit" } });
    expect(await answer()).toBe("403 deny signature.none");
  });

  it("where the rule needs the tag, and nobody is asked", async () => {
    demand(node, { rule: { scope: scope() }, require: { tag: "match" } });
    expect(await answer(signed)).toBe("403 deny tag.unsupported_here");
    demand(node, { rule: { scope: scope(), action: "audit" }, require: { tag: "match" } });
    expect(await answer(signed)).toBe("403 deny tag.unsupported_here");
    expect(asked()).toBe(0);
  });

  it("where the policy denies the image, and nobody is asked", async () => {
    demand(node, { rule: { scope: scope(), action: "deny" } });
    expect(await answer(signed)).toBe("403 deny policy.denied");
    demand(node, { rule: { scope: scope() }, top: { digests: { deny: [signed.digest] } } });
    expect(await answer(signed)).toBe("403 deny policy.denied");
    expect(asked()).toBe(0);
  });

  it("for a registry that no rule names, though a wildcard covers it, and nobody is asked", async () => {
    demand(node, { rule: { scope: "**/*" }, top: { default: "allow" } });
    expect(await answer(signed)).toBe("403 deny policy.no_match");
    demand(node, { rule: { scope: scope() } });
    expect(await answer(signed, `localhost:${node.registry.port}/alice/app`)).toBe("403 deny policy.no_match");
    expect(asked()).toBe(0);
  });

  it("where the signer is revoked, from the next request on", async () => {
    expect((await daemon.ask(name, signed.digest)).status).toBe(200);
    demand(node, { rule: { scope: scope() }, top: { revokedDIDs: [node.signer.did] } });
    expect(await answer(signed)).toBe("403 deny signer.revoked");
  });

  it("where the policy cannot be read, until it can", async () => {
    expect((await daemon.ask(name, signed.digest)).status).toBe(200);
    node.policy("version: 1\npolicies: [");
    expect(await answer(signed)).toBe("403 misconfigured policy.invalid");
    demand(node, { rule: { scope: scope() } });
    expect((await daemon.ask(name, signed.digest)).status).toBe(200);
  });

  it("for the name that the doctor asks for", async () => {
    expect(await answer(signed, `${node.registry.authority}/atcr-verify-probe/0123456789abcdef`)).toBe(
      "403 deny policy.probe",
    );
    expect(asked()).toBe(0);
  });
});
