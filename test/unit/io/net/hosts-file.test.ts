import { describe, expect, it } from "vitest";
import { addressesIn } from "../../../../src/io/net/hosts-file.ts";

const FILE = [
  "# 10.9.9.9 commented.example",
  "127.0.0.1\tlocalhost",
  "::1 localhost ip6-localhost",
  "10.0.0.5 registry.example registry # 10.0.0.9 behind.example",
  "10.0.0.6 registry.example",
  "10.0.0.5 second.example",
  "  10.0.0.7   spaced.example\t\tOther.Example  ",
  "fd00::0005 registry.example v6.example",
  "10.0.0.5 registry.example",
  "10.0.0.8 crlf.example\r",
  "10.0.0.10 dotted.example.",
  "10.0.0.11#glued.example",
  "10.0.0.12 hash.example#glued",
  "0.0.0.0 blocked.example",
  "::ffff:10.0.0.13 mapped.example",
  "fe80::1%eth0 zone.example",
  "127.1 short.example",
  "not-an-address broken.example",
  "10.0.0.14",
  "10.0.0.15 last.example",
].join("\n");

describe("a hosts file", () => {
  it.each<[string, string[]]>([
    // Lines that share a name, and lines that share an address.
    ["registry.example", ["10.0.0.5", "10.0.0.6", "fd00::5"]],
    ["second.example", ["10.0.0.5"]],
    ["registry", ["10.0.0.5"]],
    ["localhost", ["127.0.0.1", "::1"]],
    ["v6.example", ["fd00::5"]],
    ["spaced.example", ["10.0.0.7"]],
    ["other.example", ["10.0.0.7"]],
    ["OTHER.EXAMPLE", ["10.0.0.7"]],
    ["crlf.example", ["10.0.0.8"]],
    ["dotted.example", ["10.0.0.10"]],
    ["registry.example.", ["10.0.0.5", "10.0.0.6", "fd00::5"]],
    ["hash.example", ["10.0.0.12"]],
    ["last.example", ["10.0.0.15"]],
    // What the address guard refuses is for it to refuse.
    ["blocked.example", ["0.0.0.0"]],
    ["mapped.example", ["::ffff:a00:d"]],
  ])("has of %s %j", (name, addresses) => {
    expect(addressesIn(FILE, name)).toEqual(addresses);
  });

  it.each([
    ["commented.example", "in a comment"],
    ["behind.example", "behind a comment"],
    ["glued.example", "glued to a comment"],
    ["try.example", "the end of a name"],
    ["registry.exampl", "the beginning of a name"],
    ["10.0.0.6", "an address, which is no name"],
    ["zone.example", "an address with a zone"],
    ["short.example", "an address that other programs read otherwise"],
    ["broken.example", "no address"],
    ["none.example", "not there"],
    ["", "empty"],
    [".", "the root"],
  ])("has nothing of %j: %s", (name) => {
    expect(addressesIn(FILE, name)).toEqual([]);
  });

  it("may be empty", () => {
    expect(addressesIn("", "a.example")).toEqual([]);
    expect(addressesIn("\n\n", "a.example")).toEqual([]);
  });
});
