import { describe, expect, it } from "vitest";
import { RareLines } from "../../../../src/frontends/server/rare-lines.ts";

describe("RareLines", () => {
  it("says the first at once, and then one line a minute of each kind with a count", () => {
    const said: string[] = [];
    const lines = new RareLines({ token: "no token", tls: "no handshake" }, (text) => said.push(text));
    for (let i = 0; i < 500; i++) lines.note("token", i);
    lines.note("tls", 600);
    expect(said).toEqual(["no token: 1", "no handshake: 1"]);
    lines.flush(59_999);
    expect(said).toHaveLength(2);
    lines.flush(60_000);
    expect(said.slice(2)).toEqual(["no token: 499"]);
    lines.flush(600_000);
    expect(said).toHaveLength(3);
  });

  it("says what the last of them was", () => {
    const said: string[] = [];
    const lines = new RareLines({ unread: "unread" }, (text) => said.push(text));
    for (const [i, what] of ["404", "405", "413"].entries()) lines.note("unread", i, what);
    lines.flush(60_000);
    expect(said).toEqual(["unread: 1; the last: 404", "unread: 2; the last: 413"]);
  });
});
