import { BIT_STRING, BOOLEAN, dotted, first, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, only, SEQUENCE } from "./der.ts";

/** Extensions of one certificate; real ones have about ten. */
const MAX_EXTENSIONS = 64;
/** `[3] EXPLICIT`: the extensions in a TBSCertificate (RFC 5280, 4.1). */
const EXTENSIONS = 0xa3;
const BASIC_CONSTRAINTS = "2.5.29.19";
const KEY_USAGE = "2.5.29.15";
const EXTENDED_KEY_USAGE = "2.5.29.37";

/** The bits of keyUsage (RFC 5280, 4.2.1.3), by their position. */
export const KEY_USAGES = [
  "digitalSignature",
  "nonRepudiation",
  "keyEncipherment",
  "dataEncipherment",
  "keyAgreement",
  "keyCertSign",
  "cRLSign",
  "encipherOnly",
  "decipherOnly",
] as const;
export type KeyUsage = (typeof KEY_USAGES)[number];

/** What a certificate says its key is for. Absent fields: the certificate has no such extension. */
export interface CertificateUses {
  readonly basicConstraints?: { readonly isCritical: boolean; readonly isCa: boolean; readonly pathLength?: number };
  readonly keyUsage?: { readonly isCritical: boolean; readonly uses: readonly KeyUsage[] };
  /** Object identifiers, dotted. */
  readonly extendedKeyUsage?: readonly string[];
}

interface Extension {
  readonly isCritical: boolean;
  readonly value: Uint8Array;
}

/**
 * Reads the extensions that say what a certificate's key is for (RFC 5280, 4.2.1.3, 4.2.1.9 and 4.2.1.12).
 *
 * @param der attacker-controlled
 * @returns undefined where it is not a certificate of strict DER, or has an extension twice
 */
export function certificateUses(der: Uint8Array): CertificateUses | undefined {
  const extensions = extensionsOf(der);
  if (extensions === undefined) return undefined;
  const basic = extensions.get(BASIC_CONSTRAINTS);
  const usage = extensions.get(KEY_USAGE);
  const extended = extensions.get(EXTENDED_KEY_USAGE);
  const constraints = basic && basicConstraints(basic.value);
  const uses = usage && keyUsage(usage.value);
  const purposes = extended && identifiers(extended.value);
  const isRead = (extension: unknown, found: unknown): boolean => (extension === undefined) === (found === undefined);
  if (!isRead(basic, constraints) || !isRead(usage, uses) || !isRead(extended, purposes)) return undefined;
  return {
    ...(basic && constraints && { basicConstraints: { isCritical: basic.isCritical, ...constraints } }),
    ...(usage && uses && { keyUsage: { isCritical: usage.isCritical, uses } }),
    ...(purposes && { extendedKeyUsage: purposes }),
  };
}

function extensionsOf(der: Uint8Array): ReadonlyMap<string, Extension> | undefined {
  const certificate = only(der, SEQUENCE);
  const toBeSigned = certificate && first(certificate, SEQUENCE);
  if (toBeSigned === undefined) return undefined;
  const found = new Map<string, Extension>();
  const list = lastField(toBeSigned.content);
  if (list === undefined) return found;
  let rest = only(list, SEQUENCE);
  if (rest === undefined) return undefined;
  while (rest.length > 0) {
    const one = first(rest, SEQUENCE);
    const id = one && first(one.content, OBJECT_IDENTIFIER);
    const name = id && dotted(id.content);
    if (one === undefined || id === undefined || name === undefined) return undefined;
    if (found.has(name) || found.size >= MAX_EXTENSIONS) return undefined;
    const critical = first(id.rest, BOOLEAN);
    // DER leaves out a default, so that a written value is TRUE (X.690, 11.1 and 11.5).
    if (critical !== undefined && (critical.content.length !== 1 || critical.content[0] !== 0xff)) return undefined;
    const value = only(critical?.rest ?? id.rest, OCTET_STRING);
    if (value === undefined) return undefined;
    found.set(name, { isCritical: critical !== undefined, value });
    rest = one.rest;
  }
  return found;
}

/** The content of the field `extensions`, which is the last; undefined where the certificate has none. */
function lastField(fields: Uint8Array): Uint8Array | undefined {
  let rest = fields;
  while (rest.length > 0) {
    const tag = rest[0] ?? 0;
    const field = first(rest, tag);
    if (field === undefined) return undefined;
    if (tag === EXTENSIONS) return field.rest.length === 0 ? field.content : undefined;
    rest = field.rest;
  }
  return undefined;
}

function basicConstraints(der: Uint8Array): { isCa: boolean; pathLength?: number } | undefined {
  const content = only(der, SEQUENCE);
  if (content === undefined) return undefined;
  const ca = first(content, BOOLEAN);
  if (ca !== undefined && (ca.content.length !== 1 || ca.content[0] !== 0xff)) return undefined;
  const rest = ca?.rest ?? content;
  if (rest.length === 0) return { isCa: ca !== undefined };
  const length = only(rest, INTEGER);
  const [pathLength = 0x80] = length ?? [];
  // A chain has a few certificates: one byte that is not negative.
  if (length?.length !== 1 || pathLength >= 0x80) return undefined;
  return { isCa: ca !== undefined, pathLength };
}

function keyUsage(der: Uint8Array): readonly KeyUsage[] | undefined {
  const [unused = 8, ...bytes] = only(der, BIT_STRING) ?? [];
  if (unused > 7 || bytes.length > 2) return undefined;
  return KEY_USAGES.filter((_, bit) => ((bytes[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0);
}

function identifiers(der: Uint8Array): readonly string[] | undefined {
  const found: string[] = [];
  let rest = only(der, SEQUENCE);
  while (rest !== undefined && rest.length > 0) {
    const id = first(rest, OBJECT_IDENTIFIER);
    const name = id && dotted(id.content);
    if (id === undefined || name === undefined) return undefined;
    found.push(name);
    rest = id.rest;
  }
  return rest && found;
}
