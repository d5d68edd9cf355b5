import { describe, expect, it } from "vitest";
import { parsePdsEndpoint } from "../../../../src/core/atproto/pds.ts";
import { codeOf } from "../../../support/rejection.ts";

describe("a PDS endpoint", () => {
  it.each([
    ["https://pds.example", "https://pds.example"],
    ["https://pds.example/", "https://pds.example"],
    ["https://PDS.Example", "https://pds.example"],
    ["https://pds.example:443", "https://pds.example"],
    ["https://pds.example:8443", "https://pds.example:8443"],
    ["http://localhost:2583", "http://localhost:2583"],
    ["https://127.1", "https://127.0.0.1"],
    ["https://[::1]:1", "https://[::1]:1"],
  ])("%s is the origin %s", (endpoint, origin) => {
    expect(parsePdsEndpoint(endpoint)).toBe(origin);
  });

  it.each([
    undefined,
    null,
    1,
    {},
    ["https://pds.example"],
    "",
    "pds.example",
    "//pds.example",
    "https://",
    "https://pds example",
    "https://pds.example:65536",
    "https://pds.example/xrpc",
    "https://pds.example//",
    "https://pds.example?",
    "https://pds.example/?a",
    "https://pds.example#",
    "https://user@pds.example",
    "https://user:password@pds.example",
    "ftp://pds.example",
    "wss://pds.example",
    "file:///etc/passwd",
    "data:text/plain,",
    "javascript:0",
    "at://pds.example",
  ])("%j is none", (endpoint) => {
    expect(codeOf(() => parsePdsEndpoint(endpoint))).toBe("identity.invalid");
  });
});
