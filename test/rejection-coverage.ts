import type { RejectionCode } from "../src/rejection.ts";

/** What yields a code: evidence does in a vector, everything else in a test. */
interface Yield {
  /** Files of test/vectors, without `.json`, that expect the code. */
  readonly vectors?: readonly string[];
  /**
   * `file :: title` of a test, below test/. A vector with a gap shows how the gap is judged; the test
   * beside it shows how it comes about.
   */
  readonly test?: `${string} :: ${string}` | typeof TODO;
}

/** Stands for the test of a part that does not exist yet. Those that are left: {@link UNFINISHED}. */
const TODO = "TODO";

export const COVERAGE: Readonly<Record<RejectionCode, Yield>> = {
  "policy.no_match": { vectors: ["policy.no_match"] },
  "policy.denied": { vectors: ["policy.denied.digest_list", "policy.denied"] },
  "signature.none": { vectors: ["signature.none.absent", "signature.none", "signature.none.too_many_asked"] },
  "signer.untrusted": { vectors: ["signer.untrusted", "signer.untrusted.signed"] },
  "signer.not_yet_valid": { vectors: ["signer.not_yet_valid"] },
  "signer.expired": { vectors: ["signer.expired"] },
  "signer.revoked": { vectors: ["signer.revoked"] },
  "identity.deactivated": { vectors: ["identity.deactivated"] },
  "identity.invalid": { vectors: ["identity.invalid.id", "identity.invalid"] },
  "identity.unsupported_key": { vectors: ["identity.unsupported_key"] },
  "identity.key_not_pinned": { vectors: ["identity.key_not_pinned"] },
  "identity.pds_not_pinned": { vectors: ["identity.pds_not_pinned"] },
  "commit.malformed": { vectors: ["commit.malformed"] },
  "commit.wrong_did": { vectors: ["commit.wrong_did"] },
  "commit.bad_signature": { vectors: ["commit.bad_signature.high_s", "commit.bad_signature"] },
  "commit.superseded_key": { vectors: ["commit.superseded_key"] },
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
  "policy.too_few_signatures": {
    vectors: [
      "policy.too_few_signatures.gap",
      "policy.too_few_signatures",
      "policy.too_few_signatures.one_key",
      "policy.too_few_signatures.one_signer",
    ],
  },
  "registry.unreachable": { vectors: ["registry.unreachable"], test: TODO },
  "registry.unauthorized": { vectors: ["registry.unauthorized"], test: TODO },
  "registry.bad_response": { vectors: ["registry.bad_response"], test: TODO },
  "registry.too_many_candidates": { vectors: ["registry.too_many_candidates"], test: TODO },
  "identity.unreachable": { vectors: ["identity.unreachable"], test: TODO },
  "identity.unknown_did": { vectors: ["identity.unknown_did"], test: TODO },
  "identity.log_invalid": { vectors: ["identity.log_invalid"] },
  "pds.unreachable": { vectors: ["pds.unreachable"], test: TODO },
  "pds.bad_response": { vectors: ["pds.bad_response"], test: TODO },
  "pds.repo_unavailable": { vectors: ["pds.repo_unavailable"], test: TODO },
  "car.malformed": { vectors: ["car.malformed"] },
  "car.hash_mismatch": { vectors: ["car.hash_mismatch"] },
  "mst.malformed": { vectors: ["mst.malformed"] },
  "mst.incomplete_proof": { vectors: ["mst.incomplete_proof", "mst.incomplete_proof.node"] },
  "commit.from_future": { vectors: ["commit.from_future"] },
  "net.forbidden_address": { vectors: ["net.forbidden_address"], test: TODO },
  "net.tls": { vectors: ["net.tls"], test: TODO },
  "net.deadline": { vectors: ["net.deadline"], test: TODO },
  "net.interrupted": { vectors: ["net.interrupted"], test: TODO },
  "input.malformed": { test: TODO },
  "input.digest_mismatch": { vectors: ["input.digest_mismatch"] },
  "input.unsupported_digest": { vectors: ["input.unsupported_digest"] },
  "input.unsupported_media_type": { test: TODO },
  "image.malformed_reference": { vectors: ["image.malformed_reference"] },
  "policy.invalid": { vectors: ["policy.invalid"] },
  "config.invalid": { test: "unit/config/config.test.ts :: an ATCR host without a dot" },
  "bundle.malformed": { vectors: ["bundle.malformed"] },
  "internal.error": { test: TODO },
};

/** Codes whose test is still to be written; a test makes sure that this list says what the table says. */
export const UNFINISHED: readonly RejectionCode[] = [
  "registry.unreachable",
  "registry.unauthorized",
  "registry.bad_response",
  "registry.too_many_candidates",
  "identity.unreachable",
  "identity.unknown_did",
  "pds.unreachable",
  "pds.bad_response",
  "pds.repo_unavailable",
  "net.forbidden_address",
  "net.tls",
  "net.deadline",
  "net.interrupted",
  "input.malformed",
  "input.unsupported_media_type",
  "internal.error",
];
