import { beforeAll, describe, expect, it } from "vitest";
import type { IndexChild } from "../../../../src/core/oci/image-index.ts";
import type { Answer } from "../../../../src/core/verify/answer.ts";
import {
  childFor,
  childSubject,
  findSignedChildren,
  isUnsigned,
} from "../../../../src/verifier/service/index-children.ts";
import { policy } from "../../../support/deciding.ts";
import { DIGEST, digestOf, MANIFEST, signer, subject, type TestSigner } from "../../../support/evidence.ts";
import { RecordedSession } from "../../../support/recorded-session.ts";
import { codeOf } from "../../../support/rejection.ts";
import { World } from "../../../support/world.ts";

let alice: TestSigner;
beforeAll(async () => {
  alice = await signer({ name: "alice" });
});

const INDEX = subject({ digest: digestOf("the index") });
const SIGNED: IndexChild = { digest: DIGEST, mediaType: MANIFEST, platform: "linux/amd64" };
const unsigned = (nth: number): IndexChild => ({ digest: digestOf(`unsigned ${nth}`), mediaType: MANIFEST });

describe("findSignedChildren", () => {
  it("names the images that are signed, by whom", async () => {
    await using world = await World.start(alice);
    const session = new RecordedSession(world);
    const verifier = world.verifier(policy([alice.did]));
    const { answer } = await verifier.verify(INDEX, session);
    expect(isUnsigned(answer)).toBe(true);
    expect(await findSignedChildren(verifier, INDEX, [unsigned(1), SIGNED], session)).toEqual([
      { digest: DIGEST, platform: "linux/amd64", signers: [alice.did] },
    ]);
  });

  it("verifies 8 at most, without warnings or a rule of their own", async () => {
    await using world = await World.start(alice);
    const session = new RecordedSession(world);
    const verifier = world.verifier(policy([alice.did]));
    const asked: string[] = [];
    const counting = {
      verify: (...[about, its]: Parameters<typeof verifier.verify>) => {
        asked.push(about.digest);
        its.warn({ code: "access.denied", message: "once more" });
        return verifier.verify(about, its);
      },
    };
    const many = [...Array.from({ length: 8 }, (_, i) => unsigned(i)), SIGNED];
    expect(await findSignedChildren(counting, INDEX, many, session)).toEqual([]);
    expect(asked).toHaveLength(8);
    expect([session.events, session.warnings]).toEqual([[], []]);
  });
});

describe("isUnsigned", () => {
  const refusal = (code: "record.absent" | "signature.none" | "signer.revoked" | "pds.unreachable") =>
    ({ outcome: "deny", code, detail: "", findings: [] }) as unknown as Extract<Answer, { code: string }>;
  it("is so where nobody signed the digest, under audit too, and not for other refusals", () => {
    expect(isUnsigned(refusal("record.absent"))).toBe(true);
    expect(isUnsigned(refusal("signature.none"))).toBe(true);
    expect(isUnsigned(refusal("signer.revoked"))).toBe(false);
    expect(isUnsigned(refusal("pds.unreachable"))).toBe(false);
    const audited = (would: unknown) =>
      ({ outcome: "allow", because: { kind: "audited", rule: "r", would } }) as Answer;
    expect(isUnsigned(audited(refusal("record.absent")))).toBe(true);
    expect(isUnsigned(audited(refusal("signer.revoked")))).toBe(false);
    expect(isUnsigned({ outcome: "allow", because: { kind: "exempt", because: "" } })).toBe(false);
  });
});

describe("childSubject", () => {
  it("has neither the index's tag nor its digest", () => {
    const index = { ...INDEX, name: { ...INDEX.name, tag: "v1", digest: INDEX.digest }, tag: "v1" };
    expect(childSubject(index, SIGNED)).toEqual({
      name: { host: INDEX.name.host, path: INDEX.name.path },
      digest: DIGEST,
      mediaType: MANIFEST,
    });
    expect(childSubject(index, { ...SIGNED, mediaType: "" })).not.toHaveProperty("mediaType");
  });
});

describe("childFor", () => {
  const on = (platform: string, images: Parameters<typeof childFor>[2]) => childFor(platform, INDEX.digest, images);

  it("is the first image of an index for the platform, and nothing for a single image", () => {
    const twin = { ...SIGNED, digest: digestOf("twin") };
    expect(on("linux/amd64", { children: [unsigned(1), SIGNED, twin] })).toBe(SIGNED);
    expect(on("linux/amd64", {})).toBeUndefined();
  });

  it("is a mistake where the index has no such image, and a gap where the index could not be read", () => {
    expect(codeOf(() => on("linux/s390x", { children: [SIGNED] }))).toBe("input.malformed");
    expect(codeOf(() => on("linux/amd64", { children: [] }))).toBe("input.malformed");
    expect(codeOf(() => on("linux/amd64", { unread: "gone" }))).toBe("registry.bad_response");
  });
});
