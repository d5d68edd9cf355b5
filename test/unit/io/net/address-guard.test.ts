import { describe, expect, it } from "vitest";
import { type NetworkAllow, NOTHING_ALLOWED } from "../../../../src/core/config/network-allow.ts";
import { parseCidr, parseIp } from "../../../../src/core/encoding/ip-address.ts";
import { checkTarget, classifyAddress, hostAndPort, refusedAddress } from "../../../../src/io/net/address-guard.ts";
import { HttpFailure } from "../../../../src/io/net/exchange.ts";

const CLASSES = {
  never: [
    // this network, link-local with its metadata services, protocol assignments
    ["0.0.0.0", "0.0.0.1", "0.255.255.255", "169.254.0.0", "169.254.169.254", "169.254.170.2", "169.254.255.255"],
    ["192.0.0.0", "192.0.0.192", "192.0.0.255", "100.100.100.200", "168.63.129.16"],
    // documentation, 6to4 relays
    ["192.0.2.0", "192.0.2.255", "198.51.100.0", "198.51.100.255", "203.0.113.0", "203.0.113.255"],
    ["192.88.99.0", "192.88.99.255"],
    // multicast, reserved, broadcast
    ["224.0.0.0", "224.0.0.251", "239.255.255.255", "240.0.0.0", "255.255.255.254", "255.255.255.255"],
    // IPv6: unspecified, link-local, site-local, multicast
    ["::", "fe80::", "fe80::1", "fe80::a9fe:a9fe", "febf:ffff::1", "fec0::", "feff::1", "ff00::", "ff02::1", "ffff::1"],
    // IPv6 metadata services
    ["fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:c1::a9fe:a9fe", "fd00:42::42"],
    // Teredo, protocol assignments, documentation, discard, segment routing, unassigned
    ["2001::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1", "2001:10::1", "2001:20::1", "2001:1ff::1"],
    ["2001:db8::", "2001:db8:ffff::1", "3fff::", "3fff:fff::1", "100::", "100::1", "5f00::1", "4000::", "fbff::1"],
    // never in IPv4 is never when embedded: mapped, compatible, NAT64, 6to4
    ["::ffff:169.254.169.254", "::ffff:0.0.0.0", "::169.254.169.254", "::2", "64:ff9b::169.254.169.254"],
    ["2002:a9fe:a9fe::", "2002:a9fe:a9fe::1", "64:ff9b::6464:64c8", "::ffff:255.255.255.255", "::ffff:224.0.0.1"],
    // a NAT64 prefix of the local network can be read in several ways; one of them always is a bad one
    ["64:ff9b:1::169.254.169.254", "64:ff9b:1:a9fe:a9:fe00::", "64:ff9b:1::808:808"],
  ],
  private: [
    ["10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255"],
    ["127.0.0.0", "127.0.0.1", "127.255.255.255", "100.64.0.0", "100.127.255.255", "198.18.0.0", "198.19.255.255"],
    ["::1", "fc00::", "fc00::1", "fd00::1", "fdff:ffff::1", "fd00:ec1::254", "fd00:ec3::", "fd20:ce::253"],
    ["::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:192.168.1.1", "::10.0.0.1", "64:ff9b::10.0.0.1", "2002:a00:1::"],
  ],
  public: [
    ["1.0.0.0", "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255"],
    ["128.0.0.0", "168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0"],
    ["192.0.1.0", "192.0.3.0", "192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0", "198.17.255.255"],
    ["198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255"],
    ["2000::", "2001:200::1", "2001:4860:4860::8888", "2001:db7:ffff::1", "2001:db9::1", "2606:4700::1111"],
    ["2003::1", "3ffe:ffff::1", "3fff:1000::", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"],
  ],
} as const;

describe("classifyAddress", () => {
  for (const [is, addresses] of Object.entries(CLASSES)) {
    it.each(addresses.flat())(`%s is ${is}`, (text) => {
      expect(classifyAddress(parseIp(text)!).is).toBe(is);
    });
  }

  it.each([
    ["fe80::1", "link-local"],
    ["ff02::1", "multicast"],
    ["2001:0:4136:e378:8000:63bf:3fff:fdd2", "Teredo"],
    ["::ffff:127.0.0.1", "loopback"],
    ["64:ff9b::a9fe:a9fe", "link-local, metadata services"],
  ])("names the range of %s: %s", (text, name) => expect(classifyAddress(parseIp(text)!).name).toBe(name));
});

const NOTHING = NOTHING_ALLOWED;
const cidrs = (...texts: string[]): NetworkAllow => ({ ...NOTHING, cidrs: texts.map((text) => parseCidr(text)!) });
const HOST = new URL("https://pds.example.com/");

function isRefused(address: string, allow = NOTHING, mayBePrivate = false, url = HOST): boolean {
  return refusedAddress(address, url, allow, mayBePrivate) !== undefined;
}

describe("refusedAddress", () => {
  it("lets public addresses pass", () => {
    expect(isRefused("8.8.8.8")).toBe(false);
    expect(isRefused("2606:4700::1111")).toBe(false);
  });

  it.each(["10.0.0.1", "127.0.0.1", "::1", "fd00::1", "::ffff:10.0.0.1"])(
    "refuses private %s unless listed",
    (text) => {
      expect(isRefused(text)).toBe(true);
      expect(isRefused(text, cidrs("11.0.0.0/8"))).toBe(true);
      expect(isRefused(text, cidrs("10.0.0.0/8", "127.0.0.0/8", "::1/128", "fd00::/8"))).toBe(false);
      expect(isRefused(text, NOTHING, true)).toBe(false);
      expect(isRefused(text, { ...NOTHING, hosts: ["pds.example.com"] })).toBe(false);
      expect(isRefused(text, { ...NOTHING, hosts: ["pds.example.com:443"] })).toBe(false);
      expect(isRefused(text, { ...NOTHING, plainHttp: ["pds.example.com:443"] })).toBe(false);
    },
  );

  it("compares the listed host with its port exactly", () => {
    for (const host of ["pds.example.com:444", "example.com", "a.pds.example.com", "pds.example.com."]) {
      expect(isRefused("10.0.0.1", { ...NOTHING, hosts: [host], plainHttp: [host] })).toBe(true);
    }
    const withPort = new URL("https://pds.example.com:8443/");
    expect(isRefused("10.0.0.1", { ...NOTHING, hosts: ["pds.example.com"] }, false, withPort)).toBe(false);
    expect(isRefused("10.0.0.1", { ...NOTHING, hosts: ["pds.example.com:8443"] }, false, withPort)).toBe(false);
    expect(isRefused("10.0.0.1", { ...NOTHING, hosts: ["pds.example.com:443"] }, false, withPort)).toBe(true);
  });

  it.each(["169.254.169.254", "fe80::1", "fd00:ec2::254", "::ffff:169.254.169.254", "0.0.0.0", "224.0.0.1", "::"])(
    "refuses %s whatever is listed",
    (text) => {
      const all = { ...cidrs("0.0.0.0/0", "::/0"), hosts: ["pds.example.com"], plainHttp: ["pds.example.com:443"] };
      expect(isRefused(text, all, true)).toBe(true);
    },
  );

  it("judges embedded IPv4 by the IPv4 ranges alone", () => {
    expect(isRefused("64:ff9b::10.0.0.1", cidrs("64:ff9b::/96"))).toBe(true);
    expect(isRefused("64:ff9b::10.0.0.1", cidrs("10.0.0.1/32"))).toBe(false);
  });

  it("wants every IPv4 address listed that an address may be translated to", () => {
    // Read by the four layouts of RFC 6052: 10.10.10.10 twice, 10.10.10.172 and 172.16.0.1.
    const ambiguous = "64:ff9b:1:a0a:a:a0a:ac10:1";
    expect(isRefused(ambiguous, cidrs("10.0.0.0/8"))).toBe(true);
    expect(isRefused(ambiguous, cidrs("10.0.0.0/8", "172.16.0.0/12"))).toBe(false);
  });

  it.each(["", "fe80::1%eth0", "1.2.3", "0x7f.0.0.1", "0177.0.0.1", "localhost", "8.8.8.8 "])("refuses %j", (text) => {
    expect(isRefused(text, cidrs("0.0.0.0/0"), true)).toBe(true);
  });
});

describe("checkTarget", () => {
  const listed: NetworkAllow = {
    ...NOTHING,
    hosts: ["private.example"],
    plainHttp: ["plain.example:80", "[::1]:5000"],
  };
  const kindOf = (url: string): string | undefined => {
    try {
      checkTarget(new URL(url), listed);
      return undefined;
    } catch (error) {
      return error instanceof HttpFailure ? error.kind : String(error);
    }
  };

  it.each(["https://a.example/", "https://a.example:8443/x?y", "http://plain.example/", "http://[::1]:5000/"])(
    "passes %s",
    (url) => expect(kindOf(url)).toBeUndefined(),
  );

  it.each([
    "http://a.example/",
    "http://private.example/",
    "http://plain.example:8080/",
    "http://[::1]/",
    "file:///etc/passwd",
    "ftp://a.example/",
    "data:text/plain,x",
    "blob:https://a.example/x",
    "s3://bucket/x",
    "unix:///run/containerd.sock",
    "https://user@a.example/",
    "https://user:secret@a.example/",
    "https://:secret@a.example/",
    "https://a.example./",
  ])("refuses %s", (url) => expect(kindOf(url)).toBe("forbidden_address"));
});

describe("hostAndPort", () => {
  it.each([
    ["https://A.example/", "a.example:443"],
    ["http://a.example/", "a.example:80"],
    ["http://a.example:443/", "a.example:443"],
    ["https://[::1]:5000/", "[::1]:5000"],
  ])("%s is %s", (url, expected) => expect(hostAndPort(new URL(url))).toBe(expected));
});
