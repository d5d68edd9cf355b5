import { describe, expect, it } from "vitest";
import { type Handle, isHandle, isReserved, normaliseHandle } from "../../../../src/core/atproto/handle.ts";

const label = (length: number): string => "a".repeat(length);
const LONGEST = `${label(63)}.${label(63)}.${label(63)}.${label(61)}`;

/** From the specification's own examples, and the bounds. */
const HANDLES = [
  "jay.bsky.social",
  "8.cn",
  "name.t--t",
  "a.co",
  "xn--notarealidn.com",
  "xn--fiqa61au8b7zsevnm8ak20mc4a87e.xn--fiqs8s",
  "xn--ls8h.test",
  "example.t",
  "laptop.local",
  "a.b.c.d.e.f.com",
  "4chan.org",
  "a.1.com",
  `${label(63)}.com`,
  LONGEST,
];
const NONE = [
  "",
  "org",
  "jo@hn.test",
  "💩.test",
  "john..test",
  "xn--bcher-.tld",
  "-a.com",
  "a.-com",
  "john.0",
  "cn.8",
  "cn.8a",
  "a.com.8",
  "127.0.0.1",
  "www.masełkowski.pl.com",
  "name.org.",
  ".name.org",
  "a_b.com",
  "a b.com",
  "a.com\n",
  "a.com/x",
  "a.com:443",
  `${label(64)}.com`,
  `${LONGEST}a`,
  `a.${LONGEST}`,
];

describe("isHandle", () => {
  it.each(HANDLES)("takes %j", (text) => {
    expect(isHandle(text)).toBe(true);
  });

  it.each([...NONE, "XX.LCS.MIT.EDU", "@a.com"])("refuses %j", (text) => {
    expect(isHandle(text)).toBe(false);
  });

  it("knows nothing longer than 253 characters", () => {
    expect([LONGEST.length, isHandle(`a${LONGEST.slice(0, -2)}.a`)]).toEqual([253, false]);
  });
});

describe("normaliseHandle", () => {
  it.each([
    ["XX.LCS.MIT.EDU", "xx.lcs.mit.edu"],
    ["@Alice.Example.com", "alice.example.com"],
    ["alice.example.com", "alice.example.com"],
  ])("makes %j %j", (text, handle) => {
    expect(normaliseHandle(text)).toBe(handle);
  });

  it.each([...NONE, "@@a.com", "\u212Aelvin.com"])("refuses %j", (text) => {
    expect(normaliseHandle(text)).toBeUndefined();
  });
});

describe("isReserved", () => {
  it.each(["alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion", "test"])(
    "is so below .%s",
    (tld) => {
      expect(isReserved(`a.b.${tld}` as Handle)).toBe(true);
    },
  );

  it.each(["test.com", "local.example.org", "a.contest"])("is not so for %s", (handle) => {
    expect(isReserved(handle as Handle)).toBe(false);
  });
});
