import { describe, expect, it } from "vitest";
import { parseNetworkEntry } from "../../../../src/core/config/network-allow.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);

describe("parseNetworkEntry", () => {
  it("says that https needs no scheme", () => {
    expect(parseNetworkEntry("https://a.b")).toEqual({ kind: "wrong", expected: expect.stringContaining("https://") });
  });

  it.each([
    ["10.0.0.0/8", { kind: "cidr", cidr: { network: bytes(10, 0, 0, 0), prefix: 8 } }],
    ["10.1.2.3", { kind: "cidr", cidr: { network: bytes(10, 1, 2, 3), prefix: 32 } }],
    ["::1", { kind: "cidr", cidr: { network: bytes(...Array<number>(15).fill(0), 1), prefix: 128 } }],
    ["registry", { kind: "host", host: "registry" }],
    ["registry.local", { kind: "host", host: "registry.local" }],
    ["registry.local:5000", { kind: "host", host: "registry.local:5000" }],
    ["registry.local:443", { kind: "host", host: "registry.local:443" }],
    ["127.0.0.1:5000", { kind: "host", host: "127.0.0.1:5000" }],
    ["[::1]:5000", { kind: "host", host: "[::1]:5000" }],
    ["http://registry.local", { kind: "plainHttp", host: "registry.local:80" }],
    ["http://registry.local:80", { kind: "plainHttp", host: "registry.local:80" }],
    ["http://127.0.0.1:5000", { kind: "plainHttp", host: "127.0.0.1:5000" }],
    ["http://[::1]:5000", { kind: "plainHttp", host: "[::1]:5000" }],
  ])("reads %s", (text, entry) => {
    expect(parseNetworkEntry(text)).toEqual(entry);
  });

  it.each([
    "",
    "*",
    "*.local",
    "10.0.0.1/8",
    "10.0.0.0/33",
    "10.1",
    "010.0.0.1",
    "::FFFF",
    "Registry.local",
    "registry.local:0",
    "registry.local:05000",
    "registry.local/app",
    "https://registry.local",
    "HTTP://registry.local",
    "http://",
    "http://registry.local/",
    "http://registry.local/v2",
    "http://10.0.0.0/8",
    "http://user@registry.local",
    "http://Registry.local",
    "http://127.1",
  ])("refuses %j", (text) => {
    expect(parseNetworkEntry(text)).toEqual({ kind: "wrong", expected: expect.any(String) });
  });
});
