import { describe, expect, it } from "vitest";
import { HttpFailure } from "../../../../src/io/net/exchange.ts";
import { errorCode, failureKind, mostTelling } from "../../../../src/io/net/failure.ts";

// Which codes Bun really gives is the matter of test/binary/http-guard.test.ts.
describe("failureKind", () => {
  it.each([
    ["ECONNREFUSED", "unreachable"],
    ["ENETUNREACH", "unreachable"],
    ["CERT_HAS_EXPIRED", "tls"],
    ["CERT_NOT_YET_VALID", "tls"],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "tls"],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "tls"],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", "tls"],
    ["SELF_SIGNED_CERT_IN_CHAIN", "tls"],
    ["EPROTO", "tls"],
    ["Malformed_HTTP_Response", "bad_response"],
    ["a code of the next version", "bad_response"],
  ])("%s is %s", (code, kind) => expect(failureKind(Object.assign(new Error(), { code }))).toBe(kind));

  it("keeps the kind of a failure that has one", () => {
    expect(failureKind(new HttpFailure("forbidden_address", ""))).toBe("forbidden_address");
  });
});

describe("errorCode", () => {
  it("is short whatever was thrown", () => {
    expect(errorCode(Object.assign(new Error("long"), { code: "EPIPE" }))).toBe("EPIPE");
    expect(errorCode(new TypeError("long"))).toBe("TypeError");
    expect(errorCode(Object.assign(new Error("long"), { code: 23, name: "TimeoutError" }))).toBe("TimeoutError");
    expect(errorCode(undefined)).toBe("undefined");
    expect(errorCode("text")).toBe("text");
  });
});

describe("mostTelling", () => {
  it("prefers what says most about the host", () => {
    expect(mostTelling(["unreachable", "timeout", "tls"])).toBe("tls");
    expect(mostTelling(["unreachable", "bad_response", "timeout"])).toBe("bad_response");
    expect(mostTelling(["unreachable", "timeout"])).toBe("timeout");
    expect(mostTelling([])).toBe("unreachable");
  });
});
