import { describe, expect, it } from "vitest";
import { HttpFailure } from "../../../../src/io/net/exchange.ts";
import { createTxtLookup } from "../../../../src/io/net/txt.ts";
import { Deadline } from "../../../../src/io/process/deadline.ts";

const REQUEST = { name: "_atproto.a.example", timeout: 1000 };

const never = () => new Promise<never>(() => {});
const failing = (code: string) => () => Promise.reject(Object.assign(new Error(code), { code }));
const answering = (records: readonly (readonly string[])[]) => () => Promise.resolve(records);

function lookUp(resolve: Parameters<typeof createTxtLookup>[0], changes: Partial<typeof REQUEST> = {}, left = 8000) {
  return createTxtLookup(resolve)({ ...REQUEST, ...changes }, new Deadline(performance.now() + left));
}

async function failureOf(lookup: Promise<unknown>): Promise<HttpFailure> {
  const error = await lookup.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(HttpFailure);
  return error as HttpFailure;
}

describe("createTxtLookup", () => {
  it("gives each record as one text", async () => {
    expect(await lookUp(answering([["did=did:plc:", "abc"], ["v=spf1"], []]))).toEqual([
      "did=did:plc:abc",
      "v=spf1",
      "",
    ]);
  });

  it.each(["ENOTFOUND", "ENODATA"])("takes %s for an answer: there are none", async (code) => {
    expect(await lookUp(failing(code))).toEqual([]);
  });

  it.each(["ETIMEOUT", "ESERVFAIL", "EREFUSED", "ECONNREFUSED", "EFORMERR", "ENOTIMP", "EBADRESP", "ECANCELLED"])(
    "takes %s for no answer",
    async (code) => {
      const { kind, message } = await failureOf(lookUp(failing(code)));
      expect({ kind, message }).toEqual({
        kind: "unreachable",
        message: `the TXT lookup of _atproto.a.example failed (${code})`,
      });
    },
  );

  it("times out by its own timeout or by the deadline", async () => {
    const message = expect.stringMatching(/^the TXT lookup of _atproto\.a\.example got no answer \(after 0\.0 s\)$/);
    expect(await failureOf(lookUp(never, { timeout: 5 }))).toMatchObject({ kind: "timeout", message });
    expect(await failureOf(lookUp(never, {}, 5))).toMatchObject({ kind: "timeout", message });
    expect(await failureOf(lookUp(never, {}, 0))).toMatchObject({ kind: "timeout", message });
  });

  it("names what is waited for", async () => {
    const deadline = new Deadline(performance.now() + 20);
    const lookup = createTxtLookup(never)(REQUEST, deadline);
    expect(deadline.waitingFor()).toEqual(["DNS _atproto.a.example"]);
    await failureOf(lookup);
    expect(deadline.waitingFor()).toEqual([]);
  });

  it("looks at 256 texts and 16384 characters, and no more", async () => {
    const many = Array.from({ length: 256 }, () => ["a"]);
    expect(await lookUp(answering(many))).toHaveLength(256);
    const failed = await failureOf(lookUp(answering([...many, ["a"]])));
    expect(failed).toMatchObject({
      kind: "bad_response",
      message: expect.stringContaining("257 records with 257 characters"),
    });
    const long = "a".repeat(8192);
    expect(await lookUp(answering([[long, long]]))).toHaveLength(1);
    expect((await failureOf(lookUp(answering([[long], [long, "a"]])))).kind).toBe("bad_response");
  });
});
