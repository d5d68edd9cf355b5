import { isSha1, signatureAlgorithm } from "../core/encoding/certificate-signature.ts";
import type { ShownChain, SignedCertificate } from "../io/net/shown-chain.ts";
import { type CheckResult, ok, warning } from "./check.ts";

const NAME = "certificate-signature";

/**
 * Whether services have certificates that are signed with SHA-1. The runtime accepts them (docs/decisions/0042), so
 * no other check reports them.
 *
 * @param shown certificate chain by origin
 */
export function checkSignatures(shown: ReadonlyMap<string, ShownChain>): readonly CheckResult[] {
  const unseen = new Map<string, string[]>();
  const findings = [...shown].flatMap(([origin, seen]): readonly CheckResult[] => {
    if ("chain" in seen) return checkChain(origin, seen.chain);
    unseen.set(seen.unseen, [...(unseen.get(seen.unseen) ?? []), origin]);
    return [];
  });
  for (const [why, origins] of unseen) {
    const found = `whether certificates of ${origins.join(", ")} are signed with SHA-1 is not known: ${why}`;
    findings.push(warning(NAME, found, "inspect the chain with: openssl s_client -showcerts"));
  }
  if (findings.length > 0 || shown.size === 0) return findings;
  return [ok(NAME, `no certificate of ${[...shown.keys()].join(", ")} is signed with SHA-1`)];
}

function checkChain(origin: string, chain: readonly SignedCertificate[]): readonly CheckResult[] {
  const weak = chain.filter(({ der }) => isSha1(signatureAlgorithm(der) ?? ""));
  if (weak.length === 0) return [];
  const names = weak.map(({ name }) => name).join(", ");
  const found = `${origin} has a certificate signed with SHA-1 (${names}), which a collision can forge: this program accepts it, containerd refuses it`;
  return [warning(NAME, found, "have it reissued with a SHA-256 signature")];
}
