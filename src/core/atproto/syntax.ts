/** did:plc or did:web in canonical form (https://atproto.com/specs/did). */
export type Did = `did:plc:${string}` | `did:web:${string}`;

/** A timestamp identifier, ATProto's revision number (https://atproto.com/specs/tid). */
export type Tid = string & { readonly __brand: "Tid" };

/** Prefix of the multibase text of a key. */
export const DID_KEY = "did:key:";

const PLC = /^did:plc:[a-z2-7]{24}$/;
/** Host in lower case with a dot, or with `%3A` and a port (for hosts in development). */
const WEB = /^did:web:([a-z0-9][a-z0-9.-]{0,251}[a-z0-9])(?:%3A([1-9][0-9]{0,4}))?$/;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** Last labels that make a URL parser read an IPv4 address: `127.1` and `127.0x1` are 127.0.0.1. */
const IPV4_NUMBER = /^(?:[0-9]+|0x[0-9a-f]*)$/;

/** What a DID must be, for messages. */
export const A_DID =
  "a DID in canonical form: did:plc: and 24 characters of a-z and 2-7, or did:web: and a lower-case host";

/** The form of a DID; {@link isDid} also checks the host of a did:web. */
export const DID = new RegExp(`${PLC.source}|${WEB.source}`);

/**
 * Whether `text` is a DID in a supported form: did:plc, or did:web of a host without a path. The only percent-encoding
 * allowed is that of the colon before a port: `%2F` and `%40` would change which host is contacted.
 *
 * @param text attacker-controlled
 */
export function isDid(text: string): text is Did {
  if (PLC.test(text)) return true;
  const [, host, port] = WEB.exec(text) ?? [];
  if (host === undefined || Number(port ?? 0) > 65535) return false;
  if (host === "localhost") return port !== undefined;
  const labels = host.split(".");
  // With such a last label the host would be an IPv4 address, which did:web does not allow.
  if (labels.length < 2 || !labels.every((label) => LABEL.test(label)) || IPV4_NUMBER.test(labels.at(-1) ?? ""))
    return false;
  // The URL parser rejects labels with invalid Punycode (`xn--a`), so such a host cannot be contacted.
  return URL.canParse(`https://${host}`);
}

/** The host, with its port if there is one, that a did:web names. */
export function didWebHost(did: Did): string {
  return did.slice("did:web:".length).replace("%3A", ":");
}

export function isPlc(did: Did): did is `did:plc:${string}` {
  return did.startsWith("did:plc:");
}

/** The form of a TID. */
export const TID = /^[2-7a-j][2-7a-z]{12}$/;
const TID_ALPHABET = "234567abcdefghijklmnopqrstuvwxyz";
/** The lowest 10 bits of a TID identify the clock; the others are microseconds since 1970. */
const TID_CLOCK_BITS = 10n;

/** @param text attacker-controlled */
export function isTid(text: string): text is Tid {
  return TID.test(text);
}

/** The time in a TID, in milliseconds since 1970. */
export function tidTime(tid: Tid): number {
  let value = 0n;
  for (const character of tid) value = value * 32n + BigInt(TID_ALPHABET.indexOf(character));
  return Number((value >> TID_CLOCK_BITS) / 1000n);
}

/** The last TID of a time, in milliseconds since 1970. */
export function tidAt(ms: number): Tid {
  let value = ((BigInt(Math.trunc(ms)) * 1000n + 999n) << TID_CLOCK_BITS) | ((1n << TID_CLOCK_BITS) - 1n);
  let text = "";
  for (let i = 0; i < 13; i++) {
    text = `${TID_ALPHABET[Number(value % 32n)]}${text}`;
    value /= 32n;
  }
  return text as Tid;
}
