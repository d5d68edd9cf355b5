const BEGIN = "-----BEGIN CERTIFICATE-----";
const END = "-----END CERTIFICATE-----";

/** One certificate of a PEM file (RFC 7468, section 5), or the place of one that has no end. */
export interface PemCertificate {
  /** Where it begins in the text. */
  readonly at: number;
  /** The certificate alone, without what surrounds it; what is between its lines is not looked at. */
  readonly pem?: string;
}

/**
 * Finds the certificates of a PEM file. One that is broken does not hide those after it, and two that are joined
 * without a line break are two. Other kinds of blocks, comments and text between them are passed over.
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
