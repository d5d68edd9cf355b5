import { describe, expect, it } from "vitest";
import { DEFAULT_CONFIG } from "../../../../src/core/config/config.ts";
import { isUnanswered } from "../../../../src/core/evidence/evidence.ts";
import { Rejection } from "../../../../src/core/rejection.ts";
import { HttpFailure, type HttpFailureKind, type HttpRequest } from "../../../../src/io/net/exchange.ts";
import { Deadline } from "../../../../src/io/process/deadline.ts";
import {
  ask,
  askTxt,
  assertTimeLeft,
  badStatus,
  type CollectContext,
  gapOf,
  hostOf,
  UnavailableError,
} from "../../../../src/verifier/collect/context.ts";
import { fixedDeadline } from "../../../support/deciding.ts";
import { didNamed } from "../../../support/evidence.ts";

const REQUEST: HttpRequest = {
  url: "https://a.example/x",
  accept: "*/*",
  maxBytes: 10,
  timeout: 1000,
  maxRedirects: 0,
  originMayBePrivate: false,
  purpose: "test",
};
const SERVICES = ["registry", "identity", "pds", "handle"] as const;

function failing(error: unknown, left = 10_000): CollectContext {
  const fail = () => Promise.reject(error as Error);
  return {
    http: fail,
    txt: fail,
    deadline: new Deadline(performance.now() + left),
    config: DEFAULT_CONFIG,
    now: () => 0,
    loadHistory: fail,
    identities: { find: () => undefined, keep: fail, oneAtATime: fail },
    registries: {
      endpoints: () => ({ all: [{ root: "https://a.example/v2", host: "a.example" }], problems: [] }),
      credentials: fail,
    },
    pauses: { base: 1, random: () => 0.5 },
  };
}

async function codes(kind: HttpFailureKind, left?: number): Promise<readonly string[]> {
  const context = failing(new HttpFailure(kind, "why"), left);
  const answers = SERVICES.map((service) => ask(service, REQUEST, context).catch((error: unknown) => error));
  return (await Promise.all(answers)).map((error) =>
    error instanceof UnavailableError ? error.code : "another error",
  );
}

describe("ask", () => {
  it.each<[HttpFailureKind, readonly string[]]>([
    ["unreachable", ["registry.unreachable", "identity.unreachable", "pds.unreachable", "handle.unreachable"]],
    ["timeout", ["registry.unreachable", "identity.unreachable", "pds.unreachable", "handle.unreachable"]],
    ["bad_response", ["registry.bad_response", "identity.bad_response", "pds.bad_response", "handle.bad_response"]],
    ["forbidden_address", Array<string>(4).fill("net.forbidden_address")],
    ["tls", Array<string>(4).fill("net.tls")],
  ])("calls the failure %s by its code", async (kind, expected) => {
    expect(await codes(kind)).toEqual(expected);
  });

  it("says that all the time is over where that cut the exchange short", async () => {
    expect(await codes("timeout", 900)).toEqual(Array(4).fill("net.deadline"));
    expect(await codes("timeout", 0)).toEqual(Array(4).fill("net.deadline"));
    expect(await codes("unreachable", 900)).toEqual([
      "registry.unreachable",
      "identity.unreachable",
      "pds.unreachable",
      "handle.unreachable",
    ]);
  });

  it("lets a bug through as it is", async () => {
    await expect(ask("pds", REQUEST, failing(new TypeError("a bug")))).rejects.toThrow(TypeError);
  });
});

describe("askTxt", () => {
  const request = { name: "_atproto.a.example", timeout: 1000 };
  it.each<[HttpFailureKind, string, number?]>([
    ["unreachable", "handle.unreachable"],
    ["timeout", "handle.unreachable"],
    ["timeout", "net.deadline", 900],
    ["bad_response", "handle.bad_response"],
  ])("calls the failure %s %s", async (kind, code, left) => {
    const context = failing(new HttpFailure(kind, "why"), left);
    await expect(askTxt("handle", request, context)).rejects.toMatchObject({
      name: "UnavailableError",
      code,
      message: "why",
    });
  });

  it("lets a bug through as it is", async () => {
    await expect(askTxt("handle", request, failing(new TypeError("a bug")))).rejects.toThrow(TypeError);
  });
});

describe("badStatus", () => {
  it.each<[number, string[]]>([
    [429, ["registry.unreachable", "identity.unreachable", "pds.unreachable", "handle.unreachable"]],
    ...[502, 503, 504, 520, 521, 522, 523, 524].map((status): [number, string[]] => [
      status,
      ["registry.unreachable", "identity.unreachable", "pds.unreachable", "handle.unreachable"],
    ]),
    // The server answers for good, of a record that is gone perhaps; of a registry it makes no difference.
    ...[500, 501, 505, 525, 530, 599].map((status): [number, string[]] => [
      status,
      ["registry.unreachable", "identity.bad_response", "pds.bad_response", "handle.bad_response"],
    ]),
    [404, ["registry.bad_response", "identity.bad_response", "pds.bad_response", "handle.bad_response"]],
    [204, ["registry.bad_response", "identity.bad_response", "pds.bad_response", "handle.bad_response"]],
  ])("calls %i by its code", (status, expected) => {
    const response = { status, url: REQUEST.url, headers: new Map(), body: new Uint8Array() };
    const found = SERVICES.map((service) => {
      try {
        return badStatus(service, response);
      } catch (error) {
        return (error as UnavailableError).code;
      }
    });
    expect(found).toEqual(expected);
  });
});

describe("gapOf", () => {
  it("takes what is missing and what cannot be read, and nothing else", () => {
    const signer = didNamed("a");
    const missing = new UnavailableError("pds.unreachable", "why");
    expect(gapOf("pds", missing, signer)).toEqual({ service: "pds", signer, code: "pds.unreachable", detail: "why" });
    const rejection = new Rejection("registry.bad_response", "why");
    expect(gapOf("registry", rejection)).toEqual({ service: "registry", code: "registry.bad_response", detail: "why" });
    expect(() => gapOf("pds", new TypeError("a bug"))).toThrow(TypeError);
    expect(() => gapOf("pds", new HttpFailure("tls", "not through ask"))).toThrow(HttpFailure);
  });
});

describe("stillInTime", () => {
  it.each<[number, string]>([
    [1, "in time"],
    [0, "net.deadline"],
  ])("where %i ms are left: %s", (left, expected) => {
    const deadline = fixedDeadline(left);
    const looked = () => {
      try {
        assertTimeLeft("it", { deadline });
        return "in time";
      } catch (error) {
        return (error as UnavailableError).code;
      }
    };
    expect(looked()).toBe(expected);
  });
});

describe("hostOf", () => {
  it("is the host with its port, or what stands there", () => {
    expect(hostOf("https://a.example:8443/x")).toBe("a.example:8443");
    expect(hostOf("nonsense")).toBe("nonsense");
  });
});

describe("the gap of an answer that came too late", () => {
  it("leaves a gap that is not taken for silence: an answer was there", () => {
    const late = failing(new Error("unused"), -1);
    let caught: unknown;
    try {
      assertTimeLeft("the log", late);
    } catch (error) {
      caught = error;
    }
    const gap = gapOf("identity", caught);
    expect(gap).toMatchObject({ code: "net.deadline", answered: true });
    expect(isUnanswered(gap)).toBe(false);
  });
});
