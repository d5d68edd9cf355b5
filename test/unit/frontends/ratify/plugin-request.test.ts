import { describe, expect, it } from "vitest";
import { PluginError } from "../../../../src/frontends/ratify/plugin-error.ts";
import { asPluginError, readPluginInput, readSubjectOf } from "../../../../src/frontends/ratify/plugin-request.ts";
import { recordedRequest } from "../../../support/recorded-ratify/ratify-host.ts";

const DIGEST = `sha256:${"0".repeat(64)}`;
const ENVIRONMENT = {
  RATIFY_VERIFIER_COMMAND: "VERIFY",
  RATIFY_VERIFIER_SUBJECT: `r.example/alice/app@${DIGEST}`,
  RATIFY_VERIFIER_VERSION: "1.0.0",
};

/** The error of the protocol that this ends with. */
function errorOf(work: () => unknown): PluginError {
  try {
    work();
  } catch (error) {
    if (error instanceof PluginError) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

describe("the environment", () => {
  it.each(["0.1.0", "1.0.0"])("names the subject, in version %s of the protocol", (version) => {
    expect(readSubjectOf({ ...ENVIRONMENT, RATIFY_VERIFIER_VERSION: version })).toEqual({
      host: "r.example",
      path: "alice/app",
      digest: DIGEST,
    });
  });

  it.each(["0.2.0", "1.0", "2.0.0", "1.0.0 "])("is of another version: %j", (version) => {
    const error = errorOf(() => readSubjectOf({ ...ENVIRONMENT, RATIFY_VERIFIER_VERSION: version }));
    expect(error.kind).toBe("version");
    expect(error.message).toBe(`RATIFY_VERIFIER_VERSION is "${version}", expected 0.1.0 or 1.0.0`);
  });

  it("lacks variables, all of which are named", () => {
    const error = errorOf(() =>
      readSubjectOf({ ...ENVIRONMENT, RATIFY_VERIFIER_SUBJECT: "", RATIFY_VERIFIER_VERSION: undefined }),
    );
    expect(error.kind).toBe("environment");
    expect(error.message).toBe("missing env variables [RATIFY_VERIFIER_VERSION,RATIFY_VERIFIER_SUBJECT]");
  });

  it("has another command", () => {
    expect(errorOf(() => readSubjectOf({ ...ENVIRONMENT, RATIFY_VERIFIER_COMMAND: "LIST" })).kind).toBe("command");
  });

  it.each(["app", "r.example/App", "r.example/app@sha256:00", `r.example/app@sha512:${"0".repeat(128)}`, "{\n}"])(
    "has a subject that is no image's name: %j",
    (subject) => {
      const error = errorOf(() => readSubjectOf({ ...ENVIRONMENT, RATIFY_VERIFIER_SUBJECT: subject }));
      expect(error.kind).toBe("subject");
      expect(error.details).toMatch(/^(?:image\.malformed_reference|input\.unsupported_digest): /);
    },
  );
});

describe("the standard input", () => {
  const own = { POLICY: "/etc/policy.yaml", DID: "did:plc:ewvi7nxzyoun6zhxrhs64oiz" };

  it("is what Ratify writes", () => {
    expect(readPluginInput(recordedRequest("signature-verifier", own))).toMatchObject({
      name: "atcr-signature",
      type: "atcr-verify",
      config: { trustPolicyPath: "/etc/policy.yaml" },
      usesHttp: false,
    });
    expect(readPluginInput(recordedRequest("evidence-verifier", own)).usesHttp).toBe(true);
    expect(readPluginInput(recordedRequest("configuration-file", own)).type).toBeUndefined();
  });

  it.each([
    ["", "input"],
    ["[]", "input"],
    ["{}", "input"],
    ['{"config":[]}', "input"],
    [`${"[".repeat(200_000)}`, "input"],
    ['{"config":{}}', "parameters"],
    ['{"config":{"name":""}}', "parameters"],
    ['{"config":{"name":7}}', "parameters"],
    ['{"config":{"name":"a","type":["b"]}}', "parameters"],
  ])("is something else: %.40j", (text, kind) => {
    expect(errorOf(() => readPluginInput(text)).kind).toBe(kind);
  });

  it.each([
    [{}, false],
    [{ storeConfig: null }, false],
    [{ storeConfig: { store: "useHttp" } }, false],
    [{ storeConfig: { store: { useHttp: "true" } } }, false],
    [{ referenceDesc: 7, later: {} }, false],
    [{ storeConfig: { store: { useHttp: true } } }, true],
  ])("needs no store nor referrer: %j", (more, usesHttp) => {
    expect(readPluginInput(JSON.stringify({ config: { name: "a", type: "" }, ...more }))).toMatchObject({
      name: "a",
      type: undefined,
      usesHttp,
    });
  });
});

it("leaves a bug a bug", () => {
  const bug = new TypeError("x");
  const work = () =>
    asPluginError("input", "", () => {
      throw bug;
    });
  expect(work).toThrow(bug);
});
