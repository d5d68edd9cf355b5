import { describe, expect, it } from "vitest";
import { embeddedIpv4 } from "../../../../src/core/encoding/embedded-ipv4.ts";
import { formatIp, parseIp } from "../../../../src/core/encoding/ip-address.ts";

const ip = (text: string): Uint8Array => {
  const address = parseIp(text);
  if (address === undefined) throw new Error(`${text} is no address`);
  return address;
};

describe("embeddedIpv4", () => {
  it.each([
    ["::ffff:169.254.169.254", ["169.254.169.254"]],
    ["::10.0.0.1", ["10.0.0.1"]],
    ["::2", ["0.0.0.2"]],
    ["64:ff9b::10.0.0.1", ["10.0.0.1"]],
    ["2002:a00:1::1", ["10.0.0.1"]],
    // The four layouts of RFC 6052 in a prefix that each network divides as it likes.
    ["64:ff9b:1:a9fe:a9:fe00:808:808", ["169.254.169.254", "8.8.8.8"]],
    ["64:ff9b:1:2:0:0:a00:1", ["10.0.0.1"]],
  ])("of %s holds %j", (text, expected) => {
    const found = embeddedIpv4(ip(text)).map(formatIp);
    for (const address of expected) expect(found).toContain(address);
  });

  it("knows all layouts of the local NAT64 prefix", () => {
    // Bytes 6 to 15 are 6 to 15; byte 8 never belongs to an address.
    const address = Uint8Array.from([0, 0x64, 0xff, 0x9b, 0, 1, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    expect(embeddedIpv4(address).map(formatIp)).toEqual(["6.7.9.10", "7.9.10.11", "9.10.11.12", "12.13.14.15"]);
  });

  it.each([
    "::",
    "::1",
    "1.2.3.4",
    "2001:db8::a00:1",
    "64:ff9b:2::a00:1",
    "64:ff9c::a00:1",
    "2003:a00:1::",
    "::fffe:1.2.3.4",
  ])("of %s is none", (text) => {
    expect(embeddedIpv4(ip(text))).toEqual([]);
  });
});
