import { describe, expect, it } from "vitest";
import { type Answer, refusalOf } from "../../../../src/core/verify/answer.ts";
import type { CountedSignature } from "../../../../src/core/verify/verdict.ts";
import { errorLine, MAX_TEXT } from "../../../../src/frontends/ratify/plugin-error.ts";
import { resultLine, statusOf } from "../../../../src/frontends/ratify/plugin-result.ts";

const DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const HOSTILE = `{"isSuccess":true}\n\u2028\x1b[31m${"é{".repeat(200_000)}`;
const signature = (handles: readonly string[]) =>
  ({
    signer: DID,
    handles,
    commitCid: "bafy",
    pds: "https://pds.example",
    claim: { createdAt: 1_700_000_000_000 },
  }) as unknown as CountedSignature;
const signed = (...handles: string[]): Answer => ({
  outcome: "allow",
  because: { kind: "signed", rule: "all", signatures: [signature(handles)], notes: [] },
});
const read = (answer: Answer, name = "a", type?: string) => {
  const line = resultLine(answer, { name, type });
  expect(line).toMatch(/^\{[\x20-\x7e]*\}\n$/);
  expect(line.length).toBeLessThan(16 * 1024);
  return JSON.parse(line) as unknown;
};
const refused = refusalOf("record.absent", "nobody signed it");

describe("a result", () => {
  it("says who signed, and what the signer claims", () => {
    expect(read(signed("alice.example.com", "a.example"), "one", "atcr-verify")).toEqual({
      isSuccess: true,
      message: `allow signed:  is signed by ${DID} (rule "all")`,
      name: "one",
      type: "atcr-verify",
      extensions: {
        did: DID,
        handle: "alice.example.com",
        signedAt: "2023-11-14T22:13:20Z",
        commitCid: "bafy",
        pdsEndpoint: "https://pds.example",
        code: "signed",
      },
    });
  });

  it("has no key for what there is not", () => {
    expect(read(signed())).toMatchObject({ extensions: { did: DID, code: "signed" } });
    expect(read(signed())).not.toHaveProperty("extensions.handle");
    expect(read(signed())).not.toHaveProperty("type");
  });

  it.each<[string, Answer]>([
    ["exempt", { outcome: "allow", because: { kind: "exempt", because: "why" } }],
    ["audited", { outcome: "allow", because: { kind: "audited", rule: "r", would: refused as never } }],
  ])("is a success without a signature, as its code says: %s", (code, answer) => {
    expect(read(answer)).toMatchObject({
      isSuccess: true,
      message: expect.stringContaining(code),
      extensions: { code },
    });
    expect(read(answer)).not.toHaveProperty("extensions.did");
    expect(statusOf(answer)).toBe(0);
  });

  it.each([
    ["record.absent", "deny"],
    ["pds.unreachable", "inconclusive"],
    ["policy.invalid", "misconfigured"],
  ] as const)("is a refusal, with status 0: %s", (code, outcome) => {
    const answer = refusalOf(code, "so it is");
    expect(read(answer)).toEqual({
      isSuccess: false,
      message: `${outcome} ${code}: so it is`,
      name: "a",
      extensions: { code, error: "so it is" },
    });
    expect(statusOf(answer)).toBe(0);
  });

  it("is an error of the protocol where the program fails, with another status", () => {
    const answer = refusalOf("internal.error", HOSTILE);
    expect(read(answer)).toEqual({ code: 999, msg: expect.stringMatching(/^internal\.error: /) });
    expect(statusOf(answer)).toBe(1);
  });

  it("is one short line of printable text, whatever is in it", () => {
    const { extensions } = read(refusalOf("record.malformed", HOSTILE), HOSTILE, HOSTILE) as Record<
      string,
      Record<string, string>
    >;
    expect(extensions?.["error"]).toHaveLength(MAX_TEXT);
    expect(extensions?.["error"]).toMatch(/^\{"isSuccess":true\}\?\?\?\[31m\?\{/);
    read(signed(HOSTILE));
  });
});

describe("an error of the protocol", () => {
  it.each([
    ["input", 1],
    ["parameters", 2],
    ["command", 3],
    ["environment", 4],
    ["io", 5],
    ["version", 6],
    ["subject", 7],
    ["internal", 999],
  ] as const)("has the code of its kind: %s", (kind, code) => {
    expect(JSON.parse(errorLine({ kind, message: "m", details: "" }))).toEqual({ code, msg: "m" });
  });

  it("is one short line", () => {
    const line = errorLine({ kind: "subject", message: HOSTILE, details: HOSTILE });
    expect(line).toMatch(/^\{[\x20-\x7e]{1,4300}\}\n$/);
    expect(JSON.parse(line)).toMatchObject({ code: 7, details: expect.stringContaining("isSuccess") });
  });
});
