import { X509Certificate } from "node:crypto";
import { findCertificates } from "../core/encoding/pem.ts";
import { formatDateTime } from "../core/encoding/time.ts";
import { type CheckResult, ok, problem, warning } from "./check.ts";

/** Milliseconds before its end in which a certificate is warned of. */
const SOON = 14 * 86_400_000;
const NAME = "cluster-authority";
const RENEW = "renew it, and write the new one into caBundle beside the old one first";

/**
 * Whether the API server can verify a server by a caBundle.
 *
 * @param caBundle base64 of PEM, as in the object; absent where it has none
 * @param now milliseconds since 1970
 */
export function checkAuthority(caBundle: string | undefined, now: number): CheckResult {
  if (caBundle === undefined || caBundle === "") {
    const found =
      "no caBundle, so only the authorities of the API server's system are trusted, which know no name of a service";
    return warning(
      NAME,
      found,
      "write the authority's certificate into it (cert-manager: cert-manager.io/inject-ca-from)",
    );
  }
  const texts = findCertificates(Buffer.from(caBundle, "base64").toString("latin1"));
  const certificates = texts.map(({ pem }) => readable(pem));
  const good = certificates.filter((one) => one !== undefined);
  if (good.length === 0 || good.length < certificates.length) {
    const found = `a caBundle with ${good.length === 0 ? "no certificate" : "one that cannot be parsed"}`;
    return problem(NAME, `${found}, so its server cannot be verified`, "write certificates in PEM into it, as base64");
  }
  const valid = good.filter(
    ({ validFromDate, validToDate }) => validFromDate.getTime() <= now && now < validToDate.getTime(),
  );
  const ends = Math.max(...(valid.length > 0 ? valid : good).map(({ validToDate }) => validToDate.getTime()));
  if (valid.length === 0) {
    const starts = Math.min(...good.map(({ validFromDate }) => validFromDate.getTime()));
    const when = ends <= now ? `ended at ${formatDateTime(ends)}` : `begins at ${formatDateTime(starts)}`;
    return problem(NAME, `a caBundle that ${when}, so its server cannot be verified`, RENEW);
  }
  const until = `a caBundle that is valid until ${formatDateTime(ends)}`;
  return ends - now < SOON ? warning(NAME, until, RENEW) : ok(NAME, until);
}

function readable(pem: string | undefined): X509Certificate | undefined {
  try {
    return pem === undefined ? undefined : new X509Certificate(pem);
  } catch {
    return undefined;
  }
}
