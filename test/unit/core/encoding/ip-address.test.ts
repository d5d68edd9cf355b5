import { describe, expect, it } from "vitest";
import {
  cidrContains,
  formatIp,
  parseCanonicalIp,
  parseCidr,
  parseIp,
} from "../../../../src/core/encoding/ip-address.ts";

const ip = (text: string): Uint8Array => {
  const address = parseIp(text);
  if (address === undefined) throw new Error(`${text} is no address`);
  return address;
};

describe("parseIp and formatIp", () => {
  it.each([
    ["1.2.3.4", "1.2.3.4"],
    ["0.0.0.0", "0.0.0.0"],
    ["255.255.255.255", "255.255.255.255"],
    ["::", "::"],
    ["::1", "::1"],
    ["1::", "1::"],
    ["2001:DB8::1", "2001:db8::1"],
    ["2001:0db8:0:0:0:0:0:1", "2001:db8::1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"], // one zero is not shortened
    ["2001:db8::1:0:0:1", "2001:db8::1:0:0:1"], // the first of two equal runs
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"], // the longest run
    ["::ffff:1.2.3.4", "::ffff:102:304"],
    ["64:ff9b::1.2.3.4", "64:ff9b::102:304"],
    ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
    ["1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"],
    ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
  ])("reads %s, writes %s", (text, canonical) => {
    expect(formatIp(ip(text))).toBe(canonical);
    expect(parseCanonicalIp(canonical)).toEqual(ip(text));
    expect(parseCanonicalIp(text) !== undefined).toBe(text === canonical);
    // URLs have the same canonical form.
    const host = text.includes(":") ? `[${text}]` : text;
    expect(new URL(`http://${host}`).hostname.replace(/^\[|\]$/g, "")).toBe(canonical);
  });

  it.each([
    "",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "1.2.3.04",
    "1.2.3.",
    "127.1",
    "0x7f.0.0.1",
    "2130706433",
    "1.2.3.4 ",
    "+1.2.3.4",
    ":",
    ":::",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
    "1::2::3",
    "1:2:3:4:5:6:7:8::9::a",
    ":1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:",
    "1:2:3:4::5:6:7:8",
    "::12345",
    "::g",
    "::1.2.3",
    "1.2.3.4::",
    "::1.2.3.4:5",
    "1:2:3:4:5:6:7:1.2.3.4",
    "fe80::1%eth0",
    "[::1]",
    "::1/128",
    `${"0".repeat(100)}::1`,
    `${"0:".repeat(100_000)}1`,
  ])("refuses %j", (text) => {
    expect(parseIp(text)).toBeUndefined();
  });
});

it("does not look at text that is too long for an address", () => {
  expect(parseIp("0:".repeat(5_000_000))).toBeUndefined();
});

describe("parseCidr and cidrContains", () => {
  it.each([
    ["10.0.0.0/8", "10.255.1.2", true],
    ["10.0.0.0/8", "11.0.0.0", false],
    ["10.0.0.0/9", "10.127.255.255", true],
    ["10.0.0.0/9", "10.128.0.0", false],
    ["10.1.2.3/32", "10.1.2.3", true],
    ["10.1.2.3/32", "10.1.2.2", false],
    ["0.0.0.0/0", "203.0.113.9", true],
    ["0.0.0.0/0", "::ffff:1.2.3.4", false],
    ["fc00::/7", "fdff::1", true],
    ["fc00::/7", "fe00::1", false],
    ["::/0", "2001:db8::1", true],
    ["::/0", "1.2.3.4", false],
  ])("%s contains %s: %s", (text, address, contained) => {
    const cidr = parseCidr(text);
    expect(cidr).toBeDefined();
    expect(cidr !== undefined && cidrContains(cidr, ip(address))).toBe(contained);
  });

  it.each([
    "10.0.0.0",
    "10.0.0.0/",
    "10.0.0.0/08",
    "10.0.0.0/33",
    "fd00::/129",
    "10.0.0.1/8", // bits behind the prefix
    "fd00::1/8",
    "FD00::/8",
    "10.0.0.0/-1",
    "10.0.0.0/8/8",
    "10/8",
    "/8",
    "",
  ])("refuses %j", (text) => {
    expect(parseCidr(text)).toBeUndefined();
  });
});
