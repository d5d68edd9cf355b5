import type { RejectionCode } from "../src/core/rejection.ts";

/** What yields a code: evidence does in a vector, everything else in a test. */
interface Yield {
  /** Files of test/vectors, without `.json`, that expect the code. */
  readonly vectors?: readonly string[];
  /**
   * `file :: title` of a test, below test/. A vector with a gap shows how the gap is judged; the test
   * beside it shows how it comes about.
   */
  readonly test?: `${string} :: ${string}`;
}

export const COVERAGE: Readonly<Record<RejectionCode, Yield>> = {
  "policy.no_match": { vectors: ["policy.no_match"] },
  "policy.denied": { vectors: ["policy.denied.digest_list", "policy.denied"] },
  "policy.probe": { test: "binary/probe.test.ts :: is refused whatever the policy says" },
  "policy.no_signers": { test: "binary/no-signers.test.ts :: audits every image and says that nobody is trusted yet" },
  "image.not_pinned": { test: "unit/frontends/ratify/judge-subject.test.ts :: is decided without the verifier: %s" },
  "signature.none": {
    vectors: ["signature.none.absent", "signature.none", "signature.none.outside", "signature.none.too_many_asked"],
  },
  "signer.untrusted": { vectors: ["signer.untrusted", "signer.untrusted.signed"] },
  "signer.not_yet_valid": { vectors: ["signer.not_yet_valid"] },
  "signer.expired": { vectors: ["signer.expired"] },
  "signer.revoked": { vectors: ["signer.revoked"] },
  "identity.deactivated": { vectors: ["identity.deactivated"] },
  "identity.log_rolled_back": {
    test: "binary/memory.test.ts :: is asked for once more, and refused, and no PDS that it names is asked",
  },
  "identity.invalid": { vectors: ["identity.invalid.id", "identity.invalid"] },
  "identity.unsupported_key": { vectors: ["identity.unsupported_key"] },
  "identity.key_not_pinned": { vectors: ["identity.key_not_pinned"] },
  "identity.pds_not_pinned": { vectors: ["identity.pds_not_pinned"] },
  "identity.key_too_young": {
    vectors: ["identity.key_too_young", "identity.key_too_young.outside", "identity.key_too_young.web"],
  },
  "commit.malformed": { vectors: ["commit.malformed"] },
  "commit.wrong_did": { vectors: ["commit.wrong_did"] },
  "commit.bad_signature": { vectors: ["commit.bad_signature.high_s", "commit.bad_signature"] },
  "commit.superseded_key": { vectors: ["commit.superseded_key", "commit.superseded_key.outside"] },
  "commit.rolled_back": {
    test: "binary/memory.test.ts :: is asked once more, and refused, until the signer is forgotten",
  },
  "commit.older_than_pinned": { vectors: ["commit.older_than_pinned"] },
  "record.absent": { vectors: ["record.absent"] },
  "record.malformed": { vectors: ["record.malformed.date", "record.malformed"] },
  "record.digest_mismatch": { vectors: ["record.digest_mismatch"] },
  "record.media_type_mismatch": { vectors: ["record.media_type_mismatch"] },
  "record.blob_mismatch": { vectors: ["record.blob_mismatch"] },
  "record.wrong_repository": {
    vectors: ["record.wrong_repository.atcr_host", "record.wrong_repository", "record.wrong_repository.listed"],
  },
  "record.too_old": { vectors: ["record.too_old"] },
  "record.from_future": { vectors: ["record.from_future"] },
  "image.owner_mismatch": {
    vectors: [
      "image.owner_mismatch.elsewhere",
      "image.owner_mismatch",
      "image.owner_mismatch.moved",
      "image.owner_mismatch.nobody",
    ],
  },
  "tag.absent": { vectors: ["tag.absent"] },
  "tag.mismatch": {
    vectors: [
      "tag.mismatch.disagree",
      "tag.mismatch",
      "tag.mismatch.repo",
      "tag.mismatch.repository",
      "tag.mismatch.tag",
    ],
  },
  "tag.unsupported_here": {
    test: "unit/core/verify/untold-tag.test.ts :: refuses a rule with tag: match, here %s",
  },
  "policy.too_few_signatures": {
    vectors: ["policy.too_few_signatures", "policy.too_few_signatures.one_key", "policy.too_few_signatures.one_signer"],
  },
  "registry.unreachable": {
    vectors: ["registry.unreachable"],
    test: "binary/network.test.ts :: %s, by the answer of the %s",
  },
  "registry.unauthorized": {
    vectors: ["registry.unauthorized"],
    test: "binary/network.test.ts :: %s, by the answer of the %s",
  },
  "registry.unknown_tag": {
    test: "unit/verifier/service/resolve-image.test.ts :: says what the registry answered: %s",
  },
  "registry.bad_response": {
    vectors: ["registry.bad_response"],
    test: "binary/network.test.ts :: %s, by the answer of the %s",
  },
  "registry.too_many_candidates": {
    vectors: ["registry.too_many_candidates"],
    test: "unit/verifier/collect/discover-referrers.test.ts :: beyond the bound are a gap where none names a trusted signer",
  },
  "identity.unreachable": {
    vectors: ["identity.unreachable", "identity.unreachable.outside"],
    test: "binary/network.test.ts :: %s, by the answer of the %s",
  },
  "identity.bad_response": {
    vectors: ["identity.bad_response"],
    test: "unit/verifier/collect/did-web.test.ts :: calls the status %i %s",
  },
  "identity.unknown_did": {
    vectors: ["identity.unknown_did"],
    test: "binary/network.test.ts :: %s, by the answer of the %s",
  },
  "identity.log_invalid": { vectors: ["identity.log_invalid"] },
  "pds.unreachable": {
    vectors: ["pds.unreachable", "pds.unreachable.tag"],
    test: "binary/network.test.ts :: pds.unreachable, where nobody listens",
  },
  "pds.bad_response": { vectors: ["pds.bad_response"], test: "binary/network.test.ts :: %s, by the answer of the %s" },
  "pds.repo_unavailable": {
    vectors: ["pds.repo_unavailable"],
    test: "binary/network.test.ts :: %s, by the answer of the %s",
  },
  "car.malformed": { vectors: ["car.malformed"] },
  "car.hash_mismatch": { vectors: ["car.hash_mismatch"] },
  "mst.malformed": { vectors: ["mst.malformed"] },
  "mst.incomplete_proof": { vectors: ["mst.incomplete_proof", "mst.incomplete_proof.node"] },
  "commit.from_future": { vectors: ["commit.from_future", "commit.from_future.outside"] },
  "handle.unreachable": {
    vectors: ["handle.unreachable", "handle.unreachable.outside"],
    test: "unit/verifier/collect/resolve-handle.test.ts :: where DNS knows nobody and the host fails: %s is %s",
  },
  "handle.bad_response": {
    vectors: ["handle.bad_response"],
    test: "unit/verifier/collect/resolve-handle.test.ts :: is not told anything by status %i: %s",
  },
  "net.forbidden_address": {
    vectors: ["net.forbidden_address"],
    test: "binary/network.test.ts :: of a PDS and a directory must be listed when they are private",
  },
  "net.tls": { vectors: ["net.tls"], test: "binary/network.test.ts :: of a PDS: net.tls" },
  "net.deadline": { vectors: ["net.deadline"], test: "binary/deadline.test.ts :: a directory" },
  "net.interrupted": {
    vectors: ["net.interrupted"],
    test: "binary/deadline.test.ts :: it answers net.interrupted, and what it waited for",
  },
  "server.overloaded": {
    test: "unit/frontends/lookaside/peer-queue.test.ts :: turns away at once what one peer, and what all, may not have wait",
  },
  "bundle.not_accepted": {
    vectors: ["bundle.not_accepted.empty", "bundle.not_accepted.future", "bundle.not_accepted"],
  },
  "bundle.expired": { vectors: ["bundle.expired"] },
  "policy.signatures_unconfirmed": {
    vectors: ["policy.signatures_unconfirmed"],
    test: "unit/verifier/service/gather-and-judge.test.ts :: is enough signatures, not all",
  },
  "input.malformed": {
    test: "binary/containerd-entry.test.ts :: is read when it is a file, and refused when it is a folder or closed",
  },
  "input.no_images": { test: "unit/core/image-lists/find-images.test.ts :: rejects a file that names no image" },
  "input.digest_mismatch": { vectors: ["input.digest_mismatch"] },
  "input.unsupported_digest": { vectors: ["input.unsupported_digest"] },
  "input.unsupported_media_type": {
    test: "binary/containerd-entry.test.ts :: is of no type but these: input.unsupported_media_type for %s",
  },
  "image.malformed_reference": { vectors: ["image.malformed_reference"] },
  "policy.invalid": { vectors: ["policy.invalid"] },
  "config.invalid": { test: "unit/core/config/parse-config.test.ts :: an ATCR host without a dot" },
  "bundle.malformed": { vectors: ["bundle.malformed"] },
  "bundle.bad_seal": { test: "unit/core/evidence/bundle-seal.test.ts :: is refused where any byte was changed" },
  "internal.error": { test: "binary/deadline.test.ts :: is internal.error, exit code 4, under audit too: %s" },
};
