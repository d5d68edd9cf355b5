import type { BundleProof } from "./bundle-proof.ts";

/** The question that evidence answers: digest, signer, and the path of the tag's record. */
export function questionOfProof({ digest, signer, tag = "" }: Pick<BundleProof, "digest" | "signer" | "tag">): string {
  return `${digest} ${signer} ${tag}`;
}

type Dated = Pick<BundleProof, "kind" | "rev" | "gatheredAt" | "operations">;

/**
 * Whether evidence is to replace other evidence for the same question. The log that has all operations of the other is
 * newer; of the same log the newer revision of the repo, whatever it says; of the same revision the later gathering.
 */
export function isNewerProof(a: Dated, b: Dated): boolean {
  const logs = compareLogs(a.operations, b.operations);
  if (logs === "newer" || logs === "older") return logs === "newer";
  const [one, other] = [orderOf(a), orderOf(b)];
  return one === other ? a.gatheredAt > b.gatheredAt : one > other;
}

/**
 * How a log relates to another one of the same signer, by the CIDs of their operations; `forked`: each lacks one of the
 * other's. The documents of a did:web, which has no log, are the same.
 */
export function compareLogs(
  a: readonly string[] | undefined,
  b: readonly string[] | undefined,
): "newer" | "older" | "same" | "forked" {
  if (a === undefined || b === undefined) return "same";
  const [own, others] = [new Set(a), new Set(b)];
  const [covers, isCovered] = [own.isSupersetOf(others), own.isSubsetOf(others)];
  if (covers && isCovered) return "same";
  return covers ? "newer" : isCovered ? "older" : "forked";
}

/** TIDs are compared as text. A closed identity has no revision, and its end is newer than all of them. */
function orderOf({ kind, rev }: Dated): string {
  return rev ?? (kind === "no" ? "~" : "");
}
