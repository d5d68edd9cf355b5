import { describe, expect, it } from "vitest";
import { Rejection } from "../../../../../src/core/rejection.ts";
import { readTokens } from "../../../../../src/frontends/server/settings/token-file.ts";

const SECRET = "0123456789abcdef";

function mistakeIn(text: string): string {
  try {
    readTokens(text, "/t/tokens");
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    expect(error.code).toBe("config.invalid");
    expect(error.message).not.toContain(SECRET.slice(0, 8));
    return error.message;
  }
  throw new Error(`accepted ${text}`);
}

describe("readTokens", () => {
  it("reads names and bare secrets, and skips comments and empty lines", () => {
    const text = `# of the cluster\n\nkyverno:${SECRET}\r\n  ${SECRET}-._~+/==  \n# end\nci@a.example:${SECRET}1`;
    expect(readTokens(text, "/t/tokens")).toEqual([
      { name: "kyverno", secret: SECRET },
      { name: "tokens:4", secret: `${SECRET}-._~+/==` },
      { name: "ci@a.example", secret: `${SECRET}1` },
    ]);
  });

  it.each(["", "\n", "# all revoked\n"])("reads %j as no tokens", (text) => {
    expect(readTokens(text, "/t/tokens")).toEqual([]);
  });

  it("reads 1000 lines, and no more", () => {
    const lines = Array.from({ length: 1000 }, (_, i) => `${SECRET}${i}\n`).join("");
    expect(readTokens(lines, "/t/tokens")).toHaveLength(1000);
    expect(mistakeIn(`${lines}#`)).toBe("/t/tokens has 1001 lines, expected at most 1000");
  });

  it.each([
    ["a short secret", `# a\n${SECRET.slice(1)}`, ":2: found a secret of 15 characters, expected at least 16"],
    ["a name with a short secret", "kyverno:", ":1: found a secret of 0 characters"],
    ["a long secret", "a".repeat(1025), ":1: found a secret of 1025 characters, expected at most 1024"],
    ["a secret with a space", `${SECRET} ${SECRET}`, ":1: found a secret with other characters"],
    ["a secret with a colon", `a:${SECRET}:${SECRET}`, ":1: found a secret with other characters"],
    ["a secret with = inside", `${SECRET}=a`, ":1: found a secret with other characters"],
    ["an empty name", `:${SECRET}`, ":1: found a name of another form"],
    ["a name with a space", `a b:${SECRET}`, ":1: found a name of another form"],
    ["a name of 64 characters", `${"a".repeat(64)}:${SECRET}`, ":1: found a name of another form"],
    ["a name twice", `a:${SECRET}\na:${SECRET}1`, ":2: found the name of line 1 again, expected each once"],
    ["a secret twice", `a:${SECRET}\n\nb:${SECRET}`, ":3: found the secret of line 1 again, expected each once"],
  ])("refuses %s", (_, text, sentence) => {
    expect(mistakeIn(text)).toContain(`/t/tokens${sentence}`);
  });
});
