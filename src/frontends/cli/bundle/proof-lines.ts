import { formatDateTime } from "../../../core/encoding/time.ts";
import type { BundleProof } from "../../../core/verify/bundle-proof.ts";

const WORDS = { signature: "signed", no: "not signed", unproven: "unproven" } as const;

/** Cells of a line about a proof: what it is, the image, and the details. */
export function describeProof(proof: BundleProof): string {
  const { digest, signer, names, kind, rev, gatheredAt } = proof;
  const revision = rev === undefined ? "" : ` rev ${rev}`;
  const name = names[0] === undefined ? "" : ` ${names.join(" ")}`;
  const why = "finding" in proof.attempt ? ` ${proof.attempt.finding.code}: ${proof.attempt.finding.detail}` : "";
  return `${WORDS[kind]} ${digest}${name} by ${signer}${revision}, gathered at ${formatDateTime(gatheredAt)}${why}`;
}
