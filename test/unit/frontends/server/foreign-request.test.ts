import { describe, expect, it } from "vitest";
import { hostsOf, whyForeign } from "../../../../src/frontends/server/foreign-request.ts";

const LISTENER = { key: "server", address: "::1", port: 8443, gates: ["verify"] } as const;

describe("a listener without TLS", () => {
  const hosts = hostsOf(LISTENER) ?? [];

  it.each(["[::1]:8443", "localhost:8443", "LocalHost:8443"])("is called %s", (host) => {
    expect(whyForeign({ host, accept: "*/*" }, hosts)).toBeUndefined();
  });

  it.each([undefined, "", "evil.example:8443", "localhost", "localhost:8444", "127.0.0.1:8443"])(
    "is not called %s",
    (host) => {
      expect(whyForeign({ host }, hosts)).toBe("expected Host: [::1]:8443, as this address has no TLS");
    },
  );

  it.each(["origin", "referer", "sec-fetch-site", "sec-fetch-mode"])("refuses what has %s", (name) => {
    expect(whyForeign({ host: "localhost:8443", [name]: "" }, hosts)).toContain("web pages are refused");
  });

  it("has no port in its name where that is HTTP's own", () => {
    const names = ["127.0.0.1:80", "localhost:80", "127.0.0.1", "localhost"];
    expect(hostsOf({ ...LISTENER, address: "127.0.0.1", port: 80 })).toEqual(names);
  });
});

describe("a listener with TLS", () => {
  it("may have any name", () => {
    expect(hostsOf({ ...LISTENER, tls: { certFile: "/c", keyFile: "/k" } })).toBeUndefined();
  });
});
