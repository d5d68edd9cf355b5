import type { Did } from "../../src/core/atproto/syntax.ts";
import type { Evidence, OwnerAnswer } from "../../src/core/evidence/evidence.ts";
import { DIGEST, digestOf, fetched, gap, NOW, SIGNED, type TestSigner } from "../support/evidence.ts";
import { MANIFEST_COLLECTION, type RecordValue } from "../support/signed-repo.ts";
import { signingKey } from "../support/signing-key.ts";
import { alice, bob, deny, trusting, unknown, type VectorCase } from "./cases.ts";

// What a rule may ask beyond the digest: whose the name is, what the tag means, how old the key and the repo may be.

const HOUR = 60 * 60_000;
const ON_ATCR = { name: "atcr.io/alice.test/app:v1" };
const TAGS = "io.atcr.tag";

function allow(title: string, description: string, policy: string, evidence: Partial<Evidence>): VectorCase {
  return { title: `allow.${title}`, description, expected: { outcome: "allow", because: "signed" }, evidence, policy };
}

/** What DNS said of alice's handle. */
function leadingTo(did?: Did): OwnerAnswer {
  return { handle: "alice.test", ...(did && { did }), source: "dns:_atproto.alice.test", fetchedAt: NOW };
}

async function owners(): Promise<readonly VectorCase[]> {
  const [owner, other] = [await alice(), await bob()];
  const onAtcr = (require?: string) => ({ scope: "atcr.io/**", ...(require === undefined ? {} : { require }) });
  const signed = async (who: TestSigner, answer?: OwnerAnswer, gaps: Evidence["gaps"] = []) => ({
    signatures: [await who.evidence()],
    gaps,
    ...(answer && { owner: answer }),
  });
  const cases = [
    allow(
      "owner",
      "The handle in the name leads to the signer, and the signer claims it.",
      trusting([owner], onAtcr()),
      await signed(owner, leadingTo(owner.did)),
    ),
    deny(
      "image.owner_mismatch",
      "Somebody else whom the rule trusts recorded the digest.",
      trusting([other], onAtcr()),
      await signed(other, leadingTo(owner.did)),
    ),
    deny(
      "image.owner_mismatch.moved",
      "The signer claims the handle, which leads to another identity by now.",
      trusting([owner], onAtcr()),
      await signed(owner, leadingTo(other.did)),
    ),
    deny(
      "image.owner_mismatch.nobody",
      "The signer claims the handle, which leads to nobody.",
      trusting([owner], onAtcr()),
      await signed(owner, leadingTo()),
    ),
    ...(["handle.unreachable", "handle.bad_response"] as const).map((code) => ({ code })),
  ];
  const named = await Promise.all(
    cases.map(async (one) =>
      "code" in one
        ? unknown(
            one.code,
            `Whose the handle is could not be told: ${one.code}.`,
            trusting([owner], onAtcr()),
            await signed(owner, undefined, [gap(one.code, undefined, "handle")]),
          )
        : one,
    ),
  );
  const elsewhere = deny(
    "image.owner_mismatch.elsewhere",
    "The rule wants the owner's signature, and the name is on a host where names have no handle.",
    trusting([owner], { require: "owner: match" }),
    await signed(owner, leadingTo(owner.did)),
  );
  return [...named.map((one) => ({ ...one, changes: ON_ATCR })), elsewhere];
}

/** Alice's evidence, with the proof of what her repo says of the tag v1. */
async function withTag(record: RecordValue | null, rkey = "app_v1"): Promise<[TestSigner, Partial<Evidence>]> {
  const who = await alice();
  if (record !== null)
    await who.repo.put(TAGS, rkey, { $type: TAGS, createdAt: "2025-05-01T00:00:00Z", ...record }, SIGNED + HOUR);
  const url = `${who.pds}/xrpc/com.atproto.sync.getRecord?did=${who.did}&collection=${TAGS}&rkey=app_v1`;
  const tag = fetched(url, await who.repo.proof(TAGS, "app_v1"));
  return [who, { signatures: [{ ...(await who.evidence()), tag }] }];
}

async function tags(): Promise<readonly VectorCase[]> {
  const policy = (who: TestSigner) => trusting([who], { require: "tag: match" });
  const { did } = await alice();
  const [hex, other] = [DIGEST, digestOf("another image")].map((digest) => digest.slice("sha256:".length));
  const toImage = { repository: "app", tag: "v1", manifest: `at://${did}/${MANIFEST_COLLECTION}/${hex}` };
  const given = async (
    make: typeof allow,
    title: string,
    description: string,
    record: RecordValue | null,
    rkey?: string,
  ): Promise<VectorCase> => {
    const [who, evidence] = await withTag(record, rkey);
    return make(title, description, policy(who), evidence);
  };
  const mismatch = async (word: string, description: string, changes: RecordValue): Promise<VectorCase> =>
    given(deny, `tag.mismatch${word}`, description, { ...toImage, ...changes });
  return [
    await given(allow, "tag", "The signer's repo maps the tag to the digest.", toImage),
    await given(allow, "tag_by_digest", "The tag's record names the digest itself, as it once did.", {
      repository: "app",
      tag: "v1",
      manifestDigest: DIGEST,
    }),
    await given(deny, "tag.absent", "The signer's repo proves that it holds no record of the tag.", null),
    await mismatch("", "The tag has been moved to another image since.", {
      manifest: `at://${did}/${MANIFEST_COLLECTION}/${other}`,
    }),
    await mismatch(".disagree", "The tag's record names one image by its record and another by its digest.", {
      manifestDigest: digestOf("another image"),
    }),
    await mismatch(".repo", "The tag's record points into another repo.", {
      manifest: `at://did:web:stranger.example/${MANIFEST_COLLECTION}/${hex}`,
    }),
    await mismatch(".repository", "The record under the tag's key is about another repository.", {
      repository: "other",
    }),
    await mismatch(".tag", "The record under the tag's key is about another tag.", { tag: "v2" }),
    unknown("pds.unreachable.tag", "Nothing was gathered about the tag.", policy(await alice()), {
      signatures: [await (await alice()).evidence()],
    }),
  ];
}

async function ages(): Promise<readonly VectorCase[]> {
  const rotated = async (at: number): Promise<TestSigner> => {
    const who = await alice();
    const next = signingKey("k256", "alice, next");
    await who.log.update({ signingKey: next }, { at, signer: who.rotationKey });
    await who.repo.resign(NOW - HOUR, next);
    return who;
  };
  const require = "minKeyAge: 72h";
  const old = await rotated(NOW - 72 * HOUR);
  const young = await rotated(NOW - 72 * HOUR + 1);
  const web = await alice({ method: "web" });
  const plain = await alice();
  const evidence = async (who: TestSigner) => ({ signatures: [await who.evidence()] });
  return [
    allow("key_age", "The key is exactly as old as the rule wants.", trusting([old], { require }), await evidence(old)),
    allow(
      "key_age_pinned",
      "The key is younger than the rule wants, and the policy pins it.",
      trusting([young], { require, about: `{ keys: ["${signingKey("k256", "alice, next").did()}"] }` }),
      await evidence(young),
    ),
    deny(
      "identity.key_too_young",
      "The key is a millisecond younger than the rule wants.",
      trusting([young], { require }),
      await evidence(young),
    ),
    deny(
      "identity.key_too_young.web",
      "Nothing says how old the key of a did:web is.",
      trusting([web], { require }),
      await evidence(web),
    ),
    allow(
      "min_rev",
      "The repo is exactly of the revision from which on the policy takes it.",
      trusting([plain], { about: `{ minRev: "${plain.repo.rev}" }` }),
      await evidence(plain),
    ),
    deny(
      "commit.older_than_pinned",
      "The repo is older than the policy takes it.",
      trusting([plain], { about: '{ minRev: "3mzzzzzzzzzzz" }' }),
      await evidence(plain),
    ),
  ];
}

export async function nameCases(): Promise<readonly VectorCase[]> {
  return [...(await owners()), ...(await tags()), ...(await ages())];
}
