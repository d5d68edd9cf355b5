import { formatDateTime } from "../../../core/encoding/time.ts";
import type { BundleProof } from "../../../core/verify/bundle-proof.ts";
import type { Environment } from "../../../io/process/environment.ts";
import { detailLine } from "../../process/report.ts";
import { folded, screenOf } from "../terminal/screen.ts";

const WORDS = { signature: "signed", no: "not signed", unproven: "unproven" } as const;

/** A line about a proof: what it is, the image, and the details. */
export function describeProof(proof: BundleProof): string {
  const { digest, signer, names, kind, rev, gatheredAt } = proof;
  const revision = rev === undefined ? "" : ` rev ${rev}`;
  const name = names.map((one) => `${one} `).join("");
  const why = "finding" in proof.attempt ? `; ${proof.attempt.finding.code}: ${proof.attempt.finding.detail}` : "";
  return `${WORDS[kind]} ${name}${digest} by ${signer}${revision}, gathered at ${formatDateTime(gatheredAt)}${why}`;
}

/** Printable text of these lines, folded to the terminal where there is one. */
export function textOfLines(lines: readonly string[], environment: Environment): string {
  const screen = screenOf(environment);
  return lines.map((line) => folded(detailLine(line), screen)).join("");
}
