import { describe, expect, it } from "vitest";
import { parseHostPort, parseRegistryHost } from "../../../../src/core/oci/host.ts";

// What is refused is shown by the names in reference.test.ts.
describe("parseHostPort", () => {
  it.each([
    ["registry", { hostname: "registry" }],
    ["registry:443", { hostname: "registry", port: 443 }],
    ["10.0.0.1:80", { hostname: "10.0.0.1", port: 80 }],
    ["[::1]", { hostname: "[::1]" }],
    ["[::1]:1", { hostname: "[::1]", port: 1 }],
  ])("reads %s", (text, expected) => {
    expect(parseHostPort(text)).toEqual(expected);
  });

  it.each(["", ":80", "a:", "a:b", "::1", "[]", "[::1]:", "a/b", "a@b", "*", "a.*", "a b"])("refuses %j", (text) => {
    expect(typeof parseHostPort(text)).toBe("string");
  });
});

it("says what form an IPv6 address must have", () => {
  for (const host of ["[0:0::1]", "[::1", "[127.0.0.1]"]) expect(parseHostPort(host)).toContain("RFC 5952");
});

describe("parseRegistryHost", () => {
  it("wants a dot, a port or localhost", () => {
    expect(typeof parseRegistryHost("registry")).toBe("string");
    expect(parseRegistryHost("registry:5000")).toEqual({ host: "registry:5000" });
    expect(parseRegistryHost("localhost")).toEqual({ host: "localhost" });
  });
});
