import { describe, expect, it } from "vitest";
import { HttpFailure } from "../../../../src/io/net/exchange.ts";
import { proxiesOf, proxyFor } from "../../../../src/io/net/proxy.ts";

const PROXY = "http://proxy.example:3128";
const through = (url: string, environment: Record<string, string>) =>
  proxyFor(new URL(url), proxiesOf(undefined, environment))?.href;

describe("proxiesOf", () => {
  it("reads the environment in upper case before lower case, and no other variables", () => {
    const both = { HTTPS_PROXY: "http://a.b", https_proxy: "http://c.d", http_proxy: "http://e.f", no_proxy: "x,y" };
    expect(proxiesOf(undefined, both)).toMatchObject({ https: "http://a.b", http: "http://e.f", noProxy: ["x", "y"] });
    expect(proxiesOf(undefined, { ALL_PROXY: "http://a.b", HTTPS_PROXY: "" })).toMatchObject({ noProxy: [""] });
    expect(proxiesOf(undefined, { ALL_PROXY: "http://a.b" })).not.toHaveProperty("https");
  });

  it("takes the configuration's in place of all of them", () => {
    const environment = { HTTPS_PROXY: "http://a.b", HTTP_PROXY: "http://a.b", NO_PROXY: "*" };
    expect(proxiesOf({ https: PROXY, noProxy: [] }, environment)).toMatchObject({ https: PROXY, noProxy: [] });
    expect(proxiesOf({ noProxy: [] }, environment)).not.toHaveProperty("https");
  });
});

describe("proxyFor", () => {
  it("is by the URL's scheme", () => {
    expect(through("https://a.example/", { HTTPS_PROXY: PROXY })).toBe(`${PROXY}/`);
    expect(through("http://a.example/", { HTTPS_PROXY: PROXY })).toBeUndefined();
    expect(through("http://a.example/", { HTTP_PROXY: PROXY })).toBe(`${PROXY}/`);
    expect(through("https://a.example/", { HTTPS_PROXY: "proxy.example:3128" })).toBe(`${PROXY}/`);
    expect(through("https://a.example/", { HTTPS_PROXY: "http://u:p%40@proxy.example:3128" })).toBe(
      "http://u:p%40@proxy.example:3128/",
    );
  });

  it.each(["socks5://proxy.example:1080", "https://proxy.example", "http://", "ftp://proxy.example", "http://a b"])(
    "fails where the proxy cannot be used, and repeats nothing of it: %s",
    (proxy) => {
      const text = proxy.replace("//", "//user:secret@");
      for (const HTTPS_PROXY of [proxy, text]) {
        let failure: unknown;
        try {
          through("https://a.example/", { HTTPS_PROXY });
        } catch (error) {
          failure = error;
        }
        expect(failure).toBeInstanceOf(HttpFailure);
        expect((failure as HttpFailure).kind).toBe("unreachable");
        expect((failure as HttpFailure).message).not.toContain("secret");
      }
      expect(through("https://a.example/", { HTTPS_PROXY: text, NO_PROXY: "a.example" })).toBeUndefined();
    },
  );

  it.each([
    "https://localhost/",
    "https://localhost:5000/",
    "https://127.0.0.1/",
    "https://127.9.9.9:1/",
    "https://[::1]/",
  ])("never asks for this machine itself: %s", (url) => expect(through(url, { HTTPS_PROXY: PROXY })).toBeUndefined());

  it.each([
    ["a.example", "https://a.example/", true],
    ["a.example", "https://b.a.example/", true],
    ["a.example", "https://ba.example/", false],
    ["A.Example", "https://a.example/", true],
    [".a.example", "https://a.example/", false],
    [".a.example", "https://b.a.example/", true],
    ["*.a.example", "https://b.a.example/", true],
    ["*.a.example", "https://a.example/", false],
    ["*", "https://a.example/", true],
    ["", "https://a.example/", false],
    [".", "https://a.example/", false],
    [" a.example ", "https://a.example/", true],
    ["a.example:443", "https://a.example/", true],
    ["a.example:8443", "https://a.example/", false],
    ["a.example:8443", "https://a.example:8443/", true],
    ["10.0.0.0/8", "https://10.1.2.3/", true],
    ["10.0.0.0/8", "https://11.1.2.3/", false],
    ["10.0.0.0/8", "https://a.example/", false],
    ["fd00::/8", "https://[fd00::1]/", true],
    ["10.1.2.3", "https://10.1.2.3/", true],
    ["10.1.2.3", "https://10.1.2.33/", false],
    ["10.1.2.3:8443", "https://10.1.2.3/", false],
    ["10.1.2.3:8443", "https://10.1.2.3:8443/", true],
    ["[fd00::1]:443", "https://[fd00::1]/", true],
    ["fd00::1", "https://[fd00::1]/", true],
    ["x, y ,a.example", "https://a.example/", true],
  ])("excepts by %j: %s, %s", (NO_PROXY, url, excepted) => {
    expect(through(url, { HTTPS_PROXY: PROXY, NO_PROXY }) === undefined).toBe(excepted);
  });
});
