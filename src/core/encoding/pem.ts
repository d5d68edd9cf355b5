const BEGIN = "-----BEGIN CERTIFICATE-----";
const END = "-----END CERTIFICATE-----";

/** One certificate of a PEM file (RFC 7468, section 5), or the position of one without an END line. */
export interface PemCertificate {
  /** Where it begins in the text. */
  readonly at: number;
  /** The certificate alone, without surrounding text; its content is not checked. */
  readonly pem?: string;
}

/**
 * Finds the certificates of a PEM file. A broken one does not hide those after it, and two without a line break between
 * them are recognised. Other blocks, comments and text are skipped.
 */
export function findCertificates(text: string): readonly PemCertificate[] {
  const found: PemCertificate[] = [];
  for (let at = text.indexOf(BEGIN); at >= 0; at = text.indexOf(BEGIN, at + BEGIN.length)) {
    const end = text.indexOf("-----", at + BEGIN.length);
    const isWhole = end >= 0 && text.startsWith(END, end);
    found.push(isWhole ? { at, pem: text.slice(at, end + END.length) } : { at });
  }
  return found;
}

/** The line of a place in a text, counted from 1. */
export function lineAt(text: string, at: number): number {
  return text.slice(0, at).split("\n").length;
}
