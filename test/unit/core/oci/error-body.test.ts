import { describe, expect, it } from "vitest";
import { errorWords } from "../../../../src/core/oci/error-body.ts";
import { json } from "../../../support/evidence.ts";

describe("errorWords", () => {
  it.each([
    [{ errors: [{ code: "DENIED", message: "no access" }, { code: "OTHER" }] }, ["DENIED", "no access"]],
    [{ errors: [{ message: "no access" }] }, [undefined, "no access"]],
    [{ error: "invalid_grant", error_description: "expired" }, ["invalid_grant", "expired"]],
    [{ details: "incorrect username or password" }, [undefined, "incorrect username or password"]],
    [{ errors: [], message: "x" }, [undefined, "x"]],
    [{ errors: [{ code: 1, message: {} }] }, [undefined, undefined]],
    [{}, [undefined, undefined]],
    [[], []],
    [null, []],
  ])("reads %j", (body, expected) => {
    expect(errorWords(json(body))).toEqual(expected);
  });

  it("reads nothing that is no JSON, or large", () => {
    expect(errorWords(Buffer.from("<html>"))).toEqual([]);
    expect(errorWords(Buffer.from([0xff]))).toEqual([]);
    expect(errorWords(json({ errors: [{ code: "x".repeat(5000) }] }))).toEqual([]);
  });
});
