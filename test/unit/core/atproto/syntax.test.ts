import { describe, expect, it } from "vitest";
import { didWebHost, isDid, isPlc, isTid, tidAt, tidTime } from "../../../../src/core/atproto/syntax.ts";
import { tid } from "../../../support/signed-repo.ts";

const LONGEST_LABEL = "a".repeat(63);
const LONGEST_HOST = `${`${LONGEST_LABEL}.`.repeat(3)}${"a".repeat(61)}`; // 253 characters

describe("a DID", () => {
  it.each([
    "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
    "did:plc:234567abcdefghijklmnopqr",
    "did:web:example.com",
    "did:web:a.b.c-d.example",
    "did:web:xn--bcher-kva.example",
    "did:web:1.example",
    "did:web:1.2.3.4a",
    "did:web:a.x0",
    "did:web:example.com%3A8443",
    "did:web:example.com%3A65535",
    "did:web:localhost%3A1",
    `did:web:${LONGEST_HOST}`,
  ])("is %s", (text) => {
    expect(isDid(text)).toBe(true);
  });

  it.each([
    ["", "nothing"],
    ["did:plc:ewvi7nxzyoun6zhxrhs64oi", "23 characters"],
    ["did:plc:ewvi7nxzyoun6zhxrhs64oizz", "25 characters"],
    ["did:plc:ewvi7nxzyoun6zhxrhs64oi1", "a character outside base32"],
    ["did:plc:ewvi7nxzyoun6zhxrhs64oi0", "a character outside base32"],
    ["did:plc:ewvi7nxzyoun6zhxrhs64oi8", "a character outside base32"],
    ["did:plc:EWVI7NXZYOUN6ZHXRHS64OIZ", "upper case"],
    ["DID:plc:ewvi7nxzyoun6zhxrhs64oiz", "upper case"],
    ["did:plc:ewvi7nxzyoun6zhxrhs64oiz\n", "a line break"],
    [" did:plc:ewvi7nxzyoun6zhxrhs64oiz", "a space"],
    ["did:plc:ewvi7nxzyoun6zhxrhs64oiz#atproto", "a fragment"],
    ["did:plc:", "no identifier"],
    ["did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme", "another method"],
    ["did:webs:example.com", "another method"],
    ["xdid:web:example.com", "text before it"],
    ["did:web:", "no host"],
    ["did:web:example", "no dot"],
    ["did:web:localhost", "localhost without a port"],
    ["did:web:Example.com", "upper case"],
    ["did:web:example.com.", "a dot at the end"],
    ["did:web:.example.com", "a dot at the beginning"],
    ["did:web:a..example", "an empty label"],
    ["did:web:-a.example", "a dash first in a label"],
    ["did:web:a-.example", "a dash last in a label"],
    ["did:web:a.-example", "a dash first in the last label"],
    ["did:web:a_b.example", "an underscore"],
    ["did:web:bücher.example", "a letter beyond ASCII"],
    [`did:web:${LONGEST_LABEL}a.example`, "a label of 64 characters"],
    [`did:web:${LONGEST_HOST}a`, "a host of 254 characters"],
    ["did:web:127.0.0.1", "an IPv4 address"],
    ["did:web:127.1", "a short IPv4 address"],
    ["did:web:127.0x1", "an IPv4 address in hex"],
    ["did:web:1.0x", "an IPv4 address in hex"],
    ["did:web:example.0", "a last label of digits"],
    ["did:web:[::1]", "an IPv6 address"],
    ["did:web:example.com%3A0", "port 0"],
    ["did:web:example.com%3A080", "a port with a leading zero"],
    ["did:web:example.com%3A65536", "a port that is too large"],
    ["did:web:example.com%3A99999", "a port that is too large"],
    ["did:web:example.com%3A", "an empty port"],
    ["did:web:example.com%3a80", "a lower-case escape"],
    ["did:web:example.com:80", "a path"],
    ["did:web:example.com:user", "a path"],
    ["did:web:example.com/user", "a slash"],
    ["did:web:example.com%2Fuser", "an escaped slash"],
    ["did:web:user%40example.com", "an escaped at sign"],
    ["did:web:example%2Ecom", "an escaped dot"],
    ["did:web:example.com?x", "a query"],
    ["did:web:example.com\n", "a line break"],
  ])("is not %j: %s", (text) => {
    expect(isDid(text)).toBe(false);
  });

  it("of did:web is never a host that a URL parser reads as an address", () => {
    for (const last of ["0", "1", "0x1", "0xff", "0x", "00", "a1", "x1"]) {
      const text = `did:web:127.${last}`;
      if (isDid(text)) expect(new URL(`https://${didWebHost(text)}`).hostname).toBe(`127.${last}`);
    }
  });

  it("tells its method and its host", () => {
    expect(isPlc("did:plc:ewvi7nxzyoun6zhxrhs64oiz")).toBe(true);
    expect(isPlc("did:web:plc.example")).toBe(false);
    expect(didWebHost("did:web:example.com")).toBe("example.com");
    expect(didWebHost("did:web:localhost%3A8443")).toBe("localhost:8443");
  });
});

describe("a TID", () => {
  it.each(["2222222222222", "7777777777777", "3jzfcijpj2z2a", "jzzzzzzzzzzzz"])("is %s", (text) => {
    expect(isTid(text)).toBe(true);
  });

  it.each([
    ["kzzzzzzzzzzzz", "the highest bit"],
    ["3jzfcijpj2z2", "12 characters"],
    ["3jzfcijpj2z2aa", "14 characters"],
    ["3JZFCIJPJ2Z2A", "upper case"],
    ["3jzfcijpj2z21", "a character outside the alphabet"],
    ["3jzf-cij-pj2z", "dashes"],
    ["3jzfcijpj2z2a\n", "a line break"],
    ["", "nothing"],
  ])("is not %j: %s", (text) => {
    expect(isTid(text)).toBe(false);
  });

  it("tells its time in milliseconds", () => {
    const at = Date.UTC(2025, 0, 1, 12, 34, 56, 789);
    for (const [text, time] of [
      ["2222222222222", 0],
      ["2222222222zzz", 0], // 31 microseconds
      [tid(at * 1000), at],
      [tid(at * 1000 + 999), at],
      ["jzzzzzzzzzzzz", 18_014_398_509_481], // 54 bits of microseconds
    ] as const) {
      if (!isTid(text)) throw new Error(text);
      expect(tidTime(text)).toBe(time);
    }
  });
});

describe("tidAt", () => {
  it("is the last TID of its millisecond", () => {
    for (const ms of [0, 1, 1_700_000_000_123, 2 ** 43]) {
      const tid = tidAt(ms);
      expect(isTid(tid)).toBe(true);
      expect(tidTime(tid)).toBe(ms);
      expect(tid < tidAt(ms + 1)).toBe(true);
    }
    expect(tidAt(1_700_000_000_123.9)).toBe(tidAt(1_700_000_000_123));
  });
});
