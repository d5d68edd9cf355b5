import { isIP, isIPv6 } from "node:net";
import type { Name } from "./certificates.ts";

/** DER as certificates have it (X.690, RFC 5280), for {@link CertificateAuthority}. */

export const BOOLEAN_TRUE = Buffer.of(0x01, 0x01, 0xff);

export function tlv(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...size), content]);
}

export function sequence(...contents: readonly Uint8Array[]): Buffer {
  return tlv(0x30, ...contents);
}

export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const digits = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) digits.unshift((left & 0x7f) | 0x80);
    bytes.push(...digits);
  }
  return tlv(0x06, Buffer.from(bytes));
}

const ATTRIBUTES: Readonly<Record<string, string>> = { C: "2.5.4.6", O: "2.5.4.10", OU: "2.5.4.11", CN: "2.5.4.3" };

export function distinguishedName(name: string | Name): Buffer {
  const attributes = Object.entries(typeof name === "string" ? { CN: name } : name);
  return sequence(
    ...attributes.map(([key, text]) => tlv(0x31, sequence(oid(ATTRIBUTES[key] ?? ""), tlv(0x0c, Buffer.from(text))))),
  );
}

/** UTCTime until 2049, as RFC 5280 4.1.2.5 has it. */
export function time(milliseconds: number): Buffer {
  const digits = new Date(milliseconds).toISOString().replace(/\D/g, "").slice(2, 14);
  return tlv(0x17, Buffer.from(`${digits}Z`));
}

/** Of one byte, without the zeros at its end (X.690 11.2.2). */
export function bitString(byte: number): Buffer {
  const unused = 31 - Math.clz32(byte & -byte);
  return tlv(0x03, Buffer.of(unused, byte));
}

export function extension(id: string, critical: boolean, value: Uint8Array): Buffer {
  return sequence(oid(id), ...(critical ? [BOOLEAN_TRUE] : []), tlv(0x04, value));
}

export function generalName(name: string): Buffer {
  if (isIP(name) === 0) return tlv(0x82, Buffer.from(name));
  return tlv(0x87, isIPv6(name) ? ipv6Bytes(name) : Buffer.from(name.split(".").map(Number)));
}

function ipv6Bytes(address: string): Buffer {
  const [head = "", tail] = address.split("::");
  const groups = (text: string): string[] => (text === "" ? [] : text.split(":"));
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => "0");
  return Buffer.from([...before, ...zeros, ...after].map((group) => group.padStart(4, "0")).join(""), "hex");
}
