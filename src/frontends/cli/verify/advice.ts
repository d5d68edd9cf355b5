import { formatReference } from "../../../core/oci/reference.ts";
import type { RejectionCode } from "../../../core/rejection.ts";
import { auditedRefusal, type ImageResult } from "./image-result.ts";

/**
 * What to do about a refusal, as a phrase after "do". It never says to loosen a policy or to trust a signer. Absent where
 * the reason says it already.
 */
const ADVICE: Readonly<Partial<Record<RejectionCode, string>>> = {
  "policy.no_match": "see which rules there are: atcr-verify policy explain IMAGE",
  "policy.denied": "use another image, or ask the author of the policy why this one is denied",
  "signature.none":
    "ask the publisher to sign exactly this digest; signing one platform's image does not sign the index",
  "signer.untrusted": "see who it is: atcr-verify identity DID",
  "signer.not_yet_valid": "wait until then, or use an image of another trusted signer",
  "signer.expired": "use an image of a signer that is still trusted",
  "signer.revoked": "do not use this image; ask for one signed by another trusted signer",
  "identity.deactivated": "do not use this image; ask the publisher which identity signs now",
  "identity.log_rolled_back":
    "do not use this image until the directory explains why its log lacks an operation; see atcr-verify state show DID",
  "identity.invalid": "signer: repair the identity's document; see atcr-verify identity DID",
  "identity.unsupported_key": "signer: use a key of k256 or p256",
  "identity.key_not_pinned": "ask the signer, by another channel than ATProto, whether the new key is theirs",
  "identity.pds_not_pinned": "ask the signer, by another channel than ATProto, whether they moved to that PDS",
  "identity.key_too_young": "wait until the key is old enough, and ask the signer whether they changed it",
  "commit.malformed": "signer: ask the operator of the PDS",
  "commit.wrong_did": "signer: ask the operator of the PDS",
  "commit.bad_signature": "do not use this image; ask the signer whether their PDS or their key changed",
  "commit.superseded_key": "signer: write any record once; you: run this again after it",
  "commit.rolled_back":
    "ask the signer whether their PDS was restored from a backup; if so, see atcr-verify help state forget",
  "commit.older_than_pinned": "ask the signer whether their PDS was restored from a backup",
  "record.absent": "ask the publisher to sign this digest",
  "record.malformed": "signer: push the image again, so that its record is written anew",
  "record.digest_mismatch": "signer: push the image again, so that its record is written anew",
  "record.media_type_mismatch": "compare the manifest's media type with the one the publisher names",
  "record.blob_mismatch": "do not use this image; signer: push it again",
  "record.wrong_repository": "pull it by the name under which it was signed",
  "record.too_old": "ask the publisher for a newer image",
  "record.from_future": "correct the clock of this machine, or ask the signer to correct theirs and push again",
  "image.owner_mismatch": "check the handle in the name; the image may be named after somebody else",
  "tag.absent": "pull by a digest that the publisher names",
  "tag.mismatch": "pull by the digest that the publisher names; a stale mirror or a moved tag explains this",
  "policy.too_few_signatures": "ask the other signers of the rule to sign this digest",

  "registry.unreachable": "check the registry's name and the network, and run this again",
  "registry.unauthorized": "log in to the registry, as with docker login, and run this again",
  "registry.bad_response": "run this again later; if it persists, ask the operator of the registry",
  "registry.too_many_candidates": "ask the publisher to remove old referrers from the registry",
  "identity.unreachable": "run this again later",
  "identity.bad_response": "run this again later; if it persists, ask the operator of the directory",
  "identity.unknown_did": "check the DID in the policy: atcr-verify policy check",
  "identity.log_invalid": "run this again later; if it persists, ask the operator of the directory",
  "pds.unreachable": "run this again later, or verify saved evidence with --offline --bundle FILE",
  "pds.bad_response": "run this again later; if it persists, ask the operator of the PDS",
  "pds.repo_unavailable": "ask the signer whether their account is active",
  "car.malformed": "run this again later; if it persists, ask the operator of the PDS",
  "car.hash_mismatch": "run this again later; if it persists, ask the operator of the PDS",
  "mst.malformed": "run this again later; if it persists, ask the operator of the PDS",
  "mst.incomplete_proof": "run this again later; if it persists, ask the operator of the PDS",
  "commit.from_future": "correct the clock of this machine, or ask the signer to correct theirs",
  "handle.unreachable": "run this again later",
  "handle.bad_response":
    "check the spelling of the handle; if it is right, ask its owner to correct its DNS record or its file",
  "net.deadline": "run this again later",
  "net.interrupted": "run this again",
  "policy.signatures_unconfirmed": "run this again later",

  "bundle.expired": "gather a newer bundle on a machine with a network, and import it: atcr-verify bundle import FILE",

  "input.unsupported_digest": "use the image's sha256 digest",
};

/** What to do about one image, most important first; empty where nothing is. */
export function adviceFor({ answer, reference, subject, signedImages }: ImageResult): readonly string[] {
  const name = subject?.name ?? reference;
  const image = name === undefined ? "IMAGE" : formatReference(name);
  if (answer.outcome === "unjudged") {
    return [
      `see who claims to have signed it: atcr-verify inspect ${image}`,
      "to verify it, name the signer you expect with --signer, or write a policy: atcr-verify policy init",
    ];
  }
  const refusal = answer.outcome === "allow" ? auditedRefusal(answer) : answer;
  if (refusal === undefined) return [];
  const [signed] = signedImages ?? [];
  if (signed !== undefined && subject !== undefined) {
    const { tag: _, ...repository } = subject.name;
    const by = formatReference({ ...repository, digest: signed.digest });
    return [`ask the publisher to sign the index, or pull a signed image of it: ${by}`];
  }
  if (refusal.code === "policy.invalid" && "place" in refusal && refusal.place !== undefined) {
    return [`see all mistakes: atcr-verify policy check ${refusal.place.file}`];
  }
  // Not that the history is forgotten: it is right, and the bundle is old.
  if (refusal.code === "commit.rolled_back" && refusal.detail.startsWith("the bundle ")) {
    return ["the signer deleted or replaced this signature after the bundle was gathered: use another image"];
  }
  const text = ADVICE[refusal.code];
  // There, trying again later helps nobody, and the reason says what is missing.
  if (text === undefined || refusal.detail.includes("offline: true")) return [];
  const findings = "findings" in refusal ? refusal.findings : [];
  const signer = findings.find(({ code, signer: did }) => code === refusal.code && did !== undefined)?.signer;
  return [text.replace("IMAGE", image).replace("DID", (word) => signer ?? word)];
}
