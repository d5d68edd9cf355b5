import { describe, expect, it } from "vitest";
import type { HttpRequest, HttpResponse } from "../../../../src/io/net/exchange.ts";
import { Deadline } from "../../../../src/io/process/deadline.ts";
import { RequestCounts } from "../../../../src/verifier/service/exchanges.ts";

const request = (purpose: string): HttpRequest => ({
  url: "https://a.example/",
  accept: "",
  maxBytes: 1,
  timeout: 1,
  maxRedirects: 0,
  originMayBePrivate: false,
  purpose,
});
const RESPONSE: HttpResponse = { status: 200, url: "", headers: new Map(), body: new Uint8Array() };

describe("Exchanges", () => {
  it("counts what is asked of each service, failures and what is under way too", async () => {
    const requestCounts = new RequestCounts();
    const deadline = new Deadline(1000);
    const http = requestCounts.counted(async ({ purpose }) => {
      if (purpose === "PDS") throw new Error("down");
      if (purpose === "slow") return new Promise<HttpResponse>(() => {});
      await new Promise((done) => setTimeout(done, 20));
      return RESPONSE;
    });
    expect(await http(request("did:web host"), deadline)).toBe(RESPONSE);
    await http(request("did:web host"), deadline);
    await expect(http(request("PDS"), deadline)).rejects.toThrow("down");
    void http(request("slow"), deadline);
    const asked = new Map([...requestCounts.asked].map(([name, { requests, ms }]) => [name, [requests, ms > 30]]));
    expect(asked).toEqual(
      new Map([
        ["did_web_host", [2, true]],
        ["pds", [1, false]],
        ["slow", [1, false]],
      ]),
    );
  });
});
