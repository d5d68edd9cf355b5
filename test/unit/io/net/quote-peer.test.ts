import { describe, expect, it } from "vitest";
import type { Sent } from "../../../../src/io/net/exchange.ts";
import { nameHost, quotePeer } from "../../../../src/io/net/quote-peer.ts";

const NOTHING = [] as const;
const WITHHELD = expect.stringContaining("withheld");
const basic = (pair: string) => ({ headers: { Authorization: `Basic ${Buffer.from(pair).toString("base64")}` } });

describe("quotePeer", () => {
  it.each<[string, readonly (string | undefined)[], string | undefined]>([
    ["name and message", ["RecordNotFound", "Record not found"], '"RecordNotFound: Record not found"'],
    ["a name alone", ["RecordNotFound", undefined], '"RecordNotFound"'],
    ["a message alone", [undefined, "gone"], '"gone"'],
    ["nothing", [undefined, "", " \n"], undefined],
    ["several lines", ["a\nb\tc\r\n\u2028d"], '"a b c d"'],
    ["what is not printable ASCII", ["h\u00e4\u001b[31m\u202e\u{1f600}"], '"h??[31m??"'],
    ["quotation marks", ['it says "no"'], `"it says 'no'"`],
    ["what is as long as may be", ["x".repeat(120)], `"${"x".repeat(120)}"`],
    ["what is longer", ["x".repeat(121)], `"${"x".repeat(117)}..."`],
    ["what is much longer", ["x".repeat(1_000_000)], `"${"x".repeat(117)}..."`],
  ])("quotes %s", (_, words, expected) => {
    expect(quotePeer(words, NOTHING)).toBe(expected);
  });

  const token = "eyJhbGciOiJFUzI1NiJ9.c2VjcmV0.c2lnbmF0dXJl";
  it.each<[string, string, Sent]>([
    ["a token", `no such token ${token}`, { headers: { Authorization: `Bearer ${token}` } }],
    ["the header that it came in", `bad: Bearer ${token}`, { headers: { Authorization: `Bearer ${token}` } }],
    [
      "the beginning of a token",
      `no token ${token.slice(0, 12)}...`,
      { headers: { Authorization: `Bearer ${token}` } },
    ],
    [
      "a token that is cut off at the end",
      `${"x".repeat(112)}${token}`,
      { headers: { Authorization: `Bearer ${token}` } },
    ],
    ["a token in other letters", token.toUpperCase(), { headers: { Authorization: `Bearer ${token}` } }],
    ["a password", "alice:correct-horse is wrong", basic("alice:correct-horse")],
    ["a password alone", "wrong: correct-horse", basic("alice:correct-horse")],
    ["a short password", "the password pw1 is wrong", basic("alice:pw1")],
    ["a password with a colon", "not c:d:e!", basic("alice:c:d:e!")],
    ["a password in UTF-8", "p\u00e4sswort is wrong", basic("alice:p\u00e4sswort")],
    ["a password as it was encoded", Buffer.from("alice:pw1").toString("base64"), basic("alice:pw1")],
    ["a further header", "no key 0123456789abcdef", { headers: { "X-Api-Key": "0123456789abcdef" } }],
    ["a form field", "no refresh-token-0123", { form: { refresh_token: "refresh-token-0123" } }],
    ["a form field as it was encoded", "no a%2Fb%3Dc+d%26e", { form: { refresh_token: "a/b=c d&e" } }],
    ["a password in percent-encoding of its own", "no %70%77%31", basic("alice:pw1")],
    ["a password in a URL", "https://x.example/a%20b/c?d", basic("alice:a b/c")],
    ["a token in base64url", "Pz8_Pz8_Pj4-", { headers: { Authorization: "Bearer ??????>>>" } }],
  ])("withholds %s", (_, word, sent) => {
    expect(quotePeer([word], [sent])).toEqual(WITHHELD);
    expect(quotePeer(["Unauthorized", word], [{}, sent])).toEqual(WITHHELD);
  });

  it("quotes what holds nothing of what was sent, the user's name too", () => {
    const name = "robot-account-1";
    expect(quotePeer([`no access of ${name}`], [basic(`${name}:correct-horse`)])).toBe(`"no access of ${name}"`);
    expect(quotePeer(["denied"], [{ headers: { Authorization: "Bearer " } }])).toBe('"denied"');
    expect(quotePeer(["denied"], [basic("alice:")])).toBe('"denied"');
  });
});

it("names no host that repeats what was sent", () => {
  const sent = [basic("alice:correct-horse")];
  expect(nameHost(new URL("https://cdn.example:8443/correct-horse"), sent)).toBe("cdn.example:8443");
  expect(nameHost(new URL("https://Correct-Horse.example/"), sent)).toEqual(WITHHELD);
});
