import { describe, expect, it } from "vitest";
import { findCertificates, lineAt } from "../../../../src/core/encoding/pem.ts";

const BEGIN = "-----BEGIN CERTIFICATE-----";
const END = "-----END CERTIFICATE-----";
const block = (body: string) => `${BEGIN}\n${body}\n${END}`;

describe("the certificates of a PEM file", () => {
  it.each<[string, string, (string | undefined)[]]>([
    ["none", "text\n", []],
    ["one, with what openssl prints around it", `Issuer: CN=A\n${block("AAAA")}\ntrailer`, [block("AAAA")]],
    ["two that are joined without a line break", block("AAAA") + block("BBBB"), [block("AAAA"), block("BBBB")]],
    ["one behind one without an end", `${BEGIN}\nAAAA\n${block("BBBB")}`, [undefined, block("BBBB")]],
    ["one behind one with another end", `${BEGIN}\nAA\n-----END KEY-----\n${block("BB")}`, [undefined, block("BB")]],
    ["one that the end of the file cuts", `${block("AAAA")}\n${BEGIN}\nBB`, [block("AAAA"), undefined]],
    ["no other blocks", "-----BEGIN TRUSTED CERTIFICATE-----\nAA\n-----END TRUSTED CERTIFICATE-----", []],
    ["ends of lines of Windows", `${BEGIN}\r\nAA\r\n${END}\r\n`, [`${BEGIN}\r\nAA\r\n${END}`]],
  ])("%s", (_, text, expected) => {
    expect(findCertificates(text).map(({ pem }) => pem)).toEqual(expected);
  });

  it("are found by line", () => {
    const text = `# comment\n\n${block("AAAA")}\n${BEGIN}\n`;
    expect(findCertificates(text).map(({ at }) => lineAt(text, at))).toEqual([3, 6]);
  });
});
