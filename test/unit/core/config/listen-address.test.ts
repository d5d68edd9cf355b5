import { describe, expect, it } from "vitest";
import { isLoopback, listenText, parseListen } from "../../../../src/core/config/listen-address.ts";

describe("parseListen", () => {
  it.each(["127.0.0.1:947", "[::1]:8443", "0.0.0.0:1", "[::]:65535"])("reads %s, as listenText writes it", (text) => {
    const parsed = parseListen(text);
    expect(parsed && listenText(parsed)).toBe(text);
  });

  it.each(["127.0.0.1", "localhost:1", "127.1:1", "::1:1", "[::0]:1", "127.0.0.1:0", ":1", ""])(
    "refuses %j",
    (text) => {
      expect(parseListen(text)).toBeUndefined();
    },
  );
});

describe("isLoopback", () => {
  it.each([
    ["127.0.0.1:1", true],
    ["127.255.0.9:1", true],
    ["[::1]:1", true],
    ["128.0.0.1:1", false],
    ["0.0.0.0:1", false],
    ["[::]:1", false],
    ["[::ffff:7f00:1]:1", false],
  ])("says of %s: %s", (text, expected) => {
    expect(isLoopback(parseListen(text)?.ip ?? new Uint8Array())).toBe(expected);
  });
});
