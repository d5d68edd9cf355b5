import { describe, expect, it } from "vitest";
import {
  parseProviderRequest,
  providerFailure,
  providerMutateAnswer,
  providerVerifyAnswer,
} from "../../../../src/core/admission/provider-request.ts";
import { toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { Rejection } from "../../../../src/core/rejection.ts";
import { ABSENT, ALICE, AUDITED, digestOf, EXEMPT, MALFORMED, SIGNED, SILENT } from "../../../support/image-results.ts";
import {
  type Changeable,
  changedRequest,
  imageAnswer,
  recordedBytes,
} from "../../../support/recorded-admission/recorded-request.ts";
import { codeOf } from "../../../support/rejection.ts";

const KEYS = parseProviderRequest(recordedBytes("provider-request"));
const [PINNED = "", TAGGED = ""] = KEYS;
const answered = (response: unknown) => ({
  apiVersion: "externaldata.gatekeeper.sh/v1beta1",
  kind: "ProviderResponse",
  response,
});

describe("parseProviderRequest", () => {
  it("reads the keys, each once", () => {
    expect(KEYS).toEqual([`atcr.io/alice.example.com/app:v1@${digestOf("a1")}`, "docker.io/library/busybox:1.37"]);
    const twice = changedRequest("provider-request", ({ request }) => (request.keys = ["a", "b", "a"]));
    expect(parseProviderRequest(twice)).toEqual(["a", "b"]);
  });

  it.each<[string, (json: Changeable) => void]>([
    ["v1alpha1", (json) => (json.apiVersion = "externaldata.gatekeeper.sh/v1alpha1")],
    ["another kind", (json) => (json.kind = "ProviderResponse")],
    ["no request", (json) => delete json.request],
    ["no keys", (json) => delete json.request.keys],
    ["a text as keys", (json) => (json.request.keys = "a")],
    ["a number as a key", (json) => (json.request.keys = ["a", 1])],
    ["null as a key", (json) => (json.request.keys = [null])],
    ["a key that is too long", (json) => (json.request.keys = ["a", "b".repeat(4097)])],
    ["a first key that is too long", (json) => (json.request.keys = ["b".repeat(4097)])],
    ["too many keys", (json) => (json.request.keys = Array(1001).fill("a"))],
  ])("refuses one with %s", (_, change) => {
    expect(codeOf(() => parseProviderRequest(changedRequest("provider-request", change)))).toBe("input.malformed");
  });

  it("refuses what is no JSON", () => {
    expect(codeOf(() => parseProviderRequest(toUtf8("{")))).toBe("input.malformed");
  });

  it("takes as many and as long keys as it says", () => {
    const keys = Array.from({ length: 1000 }, (_, i) => `${i}`.padEnd(4096, "x"));
    expect(parseProviderRequest(changedRequest("provider-request", ({ request }) => (request.keys = keys)))).toEqual(
      keys,
    );
  });
});

describe("providerVerifyAnswer", () => {
  it("has a value for each key, and for no other", () => {
    const answers = [
      imageAnswer(TAGGED, ABSENT),
      imageAnswer(PINNED, SIGNED, { digest: digestOf("a1"), pinned: PINNED }),
      imageAnswer("not.asked/for:1", SIGNED),
    ];
    expect(providerVerifyAnswer(KEYS, answers)).toEqual(
      answered({
        items: [
          {
            key: PINNED,
            value: {
              allowed: true,
              verified: true,
              code: "signed",
              reason: `allow signed: ${digestOf("a1")} is signed by ${ALICE} (rule "prod")`,
              digest: digestOf("a1"),
              image: PINNED,
              signers: [{ did: ALICE, handle: "alice.example.com", signedAt: "2026-11-27T00:00:00Z" }],
            },
          },
          {
            key: TAGGED,
            value: {
              allowed: false,
              verified: false,
              code: "signature.none",
              reason: "deny signature.none: no trusted signer has signed this digest",
              signers: [],
            },
          },
        ],
      }),
    );
  });

  it("says of what is exempt or audited that no signature was verified", () => {
    const review: Changeable = providerVerifyAnswer(KEYS, [imageAnswer(PINNED, EXEMPT), imageAnswer(TAGGED, AUDITED)]);
    const values = review.response.items.map(({ value }: Changeable) => [value.allowed, value.verified, value.code]);
    expect(values).toEqual([
      [true, false, "exempt"],
      [true, false, "audited"],
    ]);
  });

  it.each([
    ["could not be judged", SILENT, "pds.unreachable: https://pds.example.com did not answer"],
    ["cannot be read", MALFORMED, 'image.malformed_reference: the image name "NGINX" cannot be used'],
  ])("is a system error without items where one image %s", (_, answer, systemError) => {
    const answers = [imageAnswer(PINNED, ABSENT), imageAnswer(TAGGED, answer)];
    expect(providerVerifyAnswer(KEYS, answers)).toEqual(answered({ items: [], systemError }));
  });

  it("is one where an image was not judged", () => {
    const review: Changeable = providerVerifyAnswer(KEYS, [imageAnswer(PINNED, SIGNED)]);
    expect(review.response.items).toEqual([]);
    expect(review.response.systemError).toMatch(/^internal\.error: /);
  });

  it("repeats a key as it came, and prints the reason safely", () => {
    const key = "a.example/b\u001b:1";
    const review: Changeable = providerVerifyAnswer([key], [imageAnswer(key, { ...ABSENT, detail: "\u001b[31m" })]);
    expect(review.response.items).toMatchObject([{ key, value: { reason: "deny signature.none: ?[31m" } }]);
  });

  it("has no item for no key", () => {
    expect(providerVerifyAnswer([], [imageAnswer(PINNED, SIGNED)])).toEqual(answered({ items: [] }));
  });
});

describe("providerMutateAnswer", () => {
  it("has a text for each key: the pinned image, and what needs no pin as it is", () => {
    const keys = ["a.example/resolved:1", PINNED, "a.example/exempt:1", "a.example/denied:1", "a.example/silent:1"];
    const pin = (image: string) => ({ pinned: `${image}@${digestOf("b2")}` });
    const [resolved = "", , exempt = "", denied = "", silent = ""] = keys;
    const answers = [
      imageAnswer(resolved, SIGNED, pin(resolved)),
      imageAnswer(PINNED, SILENT, pin("other/name")),
      imageAnswer(exempt, EXEMPT),
      imageAnswer(denied, ABSENT),
      imageAnswer(silent, SILENT, pin(silent)),
      imageAnswer("not.asked/for:1", SIGNED),
    ];
    expect(providerMutateAnswer(keys, answers)).toEqual(
      answered({
        idempotent: true,
        items: [
          { key: resolved, value: `${resolved}@${digestOf("b2")}` },
          { key: PINNED, value: PINNED },
          { key: exempt, value: exempt },
          { key: denied, value: denied },
          { key: silent, value: `${silent}@${digestOf("b2")}` },
        ],
      }),
    );
  });

  it("is a system error without items where an image could not be resolved", () => {
    const systemError = "pds.unreachable: https://pds.example.com did not answer";
    expect(providerMutateAnswer(KEYS, [imageAnswer(PINNED, SIGNED), imageAnswer(TAGGED, SILENT)])).toEqual(
      answered({ items: [], systemError }),
    );
    const forgotten: Changeable = providerMutateAnswer(KEYS, []);
    expect(forgotten.response.systemError).toMatch(/^internal\.error: /);
  });
});

describe("providerFailure", () => {
  it("is a system error of one printable line", () => {
    expect(providerFailure(new Rejection("server.overloaded", "too many\nquestions"))).toEqual(
      answered({ items: [], systemError: "server.overloaded: too many?questions" }),
    );
    const long: Changeable = providerFailure(new Rejection("input.malformed", "x".repeat(5000)));
    expect(long.response.systemError).toHaveLength(1024);
  });
});
