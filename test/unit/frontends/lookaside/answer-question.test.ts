import { describe, expect, it } from "vitest";
import { DEFAULT_CONFIG } from "../../../../src/core/config/config.ts";
import { parsePolicy } from "../../../../src/core/policy/parse-policy.ts";
import { REJECTION_CODES, reject } from "../../../../src/core/rejection.ts";
import { type Answer, refusalOf } from "../../../../src/core/verify/answer.ts";
import { type Answered, answerTarget, type Responder } from "../../../../src/frontends/lookaside/answer-question.ts";
import type { Decision } from "../../../../src/verifier/service/decision.ts";
import type { Session } from "../../../../src/verifier/service/session.ts";

const HEX = "0".repeat(64);
const policy = parsePolicy(
  `
version: 1.0
trustedDIDs: { "did:plc:ewvi7nxzyoun6zhxrhs64oiz": {} }
policies:
  - { name: tagged, scope: "r.example/tagged", action: enforce, require: { tag: match } }
  - { name: all, scope: "r.example/**", action: enforce }
  - { name: wild, scope: "*.example/**", action: audit }
default: allow
`,
  "policy.yaml",
);
const SIGNED: Answer = { outcome: "allow", because: { kind: "signed", rule: "all", signatures: [], notes: [] } };
const EXEMPT: Answer = { outcome: "allow", because: { kind: "exempt", because: "why" } };

/** What a responder answers and logs whose verifier decides this. */
async function answered(
  decided: { readonly answer: Answer; readonly cache?: Decision["cache"] } | Error,
  target = `/r.example/app@sha256=${HEX}/signature-1`,
  /** How often the settings change while the verifier decides. */
  changes = 0,
) {
  const log: Answered[] = [];
  const sessions: Session[] = [];
  const verify = async (subject: Decision["subject"], session: Session): Promise<Decision> => {
    sessions.push(session);
    if (decided instanceof Error) throw decided;
    const timings = { total: 0, services: new Map() };
    return { cache: "none", ...decided, subject, policyHash: policy.hash, timings, warnings: [] };
  };
  const settings = () => ({ config: { ...DEFAULT_CONFIG, deadline: 5000 }, policy, verifier: { verify } });
  let current = settings();
  const responder = {
    settings: {
      current: () => {
        if (sessions.length > 0 && sessions.length <= changes) current = settings();
        return current;
      },
    },
    key: { fingerprint: "", sign: () => Uint8Array.of(1) },
    log: (one: Answered) => log.push(one),
    warn: () => {},
  } as unknown as Responder;
  const { status, phrase, body } = await answerTarget(target, responder);
  return { status, phrase, hasBody: (body?.length ?? 0) > 0, body, log, sessions };
}

describe("what the verifier decides", () => {
  it("is signed where the image is signed, by evidence fetched now or fresh, and where a rule exempts it", async () => {
    for (const cache of ["none", "fresh"] as const)
      expect(await answered({ answer: SIGNED, cache })).toMatchObject({ status: 200, hasBody: true });
    expect(await answered({ answer: EXEMPT })).toMatchObject({ status: 200, hasBody: true });
  });

  it("is signed under the name that was pulled, also where it has the port 443", async () => {
    const target = `/r.example:443/app@sha256=${HEX}/signature-1`;
    const { body, log } = await answered({ answer: SIGNED }, target);
    const text = Buffer.from(body ?? []).toString();
    const { payload } = JSON.parse(text.slice(text.indexOf("{"))) as { payload: string };
    const { critical } = JSON.parse(Buffer.from(payload, "base64").toString()) as { critical: object };
    expect(critical).toMatchObject({ identity: { "docker-reference": "r.example:443/app" } });
    expect(log[0]?.subject.name.host).toBe("r.example");
  });

  it.each(["stale", "bundle"] as const)("is not signed by evidence that is %s", async (cache) => {
    const refused = await answered({ answer: SIGNED, cache });
    expect(refused).toMatchObject({ status: 403, hasBody: false });
    expect(refused.log.map(({ answer }) => answer.outcome)).not.toContain("allow");
  });

  it("is not signed where audit or break-glass let it through, and is logged as the refusal that it would be", async () => {
    const would = refusalOf("signature.none", "nobody");
    const kinds = [
      { kind: "audited", rule: "all", would },
      { kind: "break_glass", reason: "INC", until: 0, would },
    ] as const;
    for (const because of kinds) {
      const { status, hasBody, phrase, log } = await answered({ answer: { outcome: "allow", because } as Answer });
      expect([status, hasBody]).toEqual([403, false]);
      expect(phrase).toMatch(/^deny signature\.none: nobody/);
      expect(phrase.includes("only audits")).toBe(because.kind === "audited");
      expect(log.map(({ answer }) => answer)).toMatchObject([{ outcome: "deny", code: "signature.none" }]);
    }
  });

  it("is refused by 403 for each code, with the code in the phrase", async () => {
    for (const code of REJECTION_CODES) {
      const answer = refusalOf(code, "why");
      const refused = await answered({ answer });
      expect(refused, code).toMatchObject({
        status: 403,
        hasBody: false,
        phrase: `${answer.outcome} ${code}: why`,
      });
      expect(refused.log.map((one) => one.answer)).toEqual([answer]);
    }
  });

  it("is decided anew where the settings changed meanwhile, and refused where they change again", async () => {
    const once = await answered({ answer: SIGNED }, undefined, 1);
    expect([once.status, once.sessions.length]).toEqual([200, 2]);
    const twice = await answered({ answer: SIGNED }, undefined, 2);
    expect([twice.status, twice.log[0]?.answer]).toMatchObject([403, { code: "policy.invalid" }]);
  });

  it("is a bug where it throws, and nothing is signed", async () => {
    const { status, hasBody, phrase } = await answered(new Error("boom"));
    expect([status, hasBody]).toEqual([403, false]);
    expect(phrase).toMatch(/^internal internal\.error: /);
  });

  it("reaches the user as one short line of printable ASCII, and the log whole", async () => {
    const detail = `a\r\nSet-Cookie: x\u0000\u001b[31m\u00e4${"b".repeat(5000)}`;
    const { phrase, log } = await answered({ answer: refusalOf("record.malformed", detail) });
    expect(phrase).toMatch(/^[\x20-\x7e]{1,200}$/);
    expect(log[0]?.answer).toMatchObject({ detail });
  });
});

describe("what the verifier is asked", () => {
  it("is within the deadline of the configuration, and private registries only by network.allow", async () => {
    const { sessions } = await answered({ answer: SIGNED });
    expect(sessions.map(({ privateRegistry }) => privateRegistry)).toEqual(["network.allow"]);
    const left = sessions[0]?.deadline.remaining() ?? 0;
    expect(left).toBeGreaterThan(3000);
    expect(left).toBeLessThanOrEqual(5000);
  });

  it.each([
    ["policy.no_match", `/other.example/app@sha256=${HEX}/signature-1`],
    ["tag.unsupported_here", `/r.example/tagged@sha256=${HEX}/signature-1`],
    ["policy.probe", `/r.example/atcr-verify-probe/0123456789abcdef@sha256=${HEX}/signature-1`],
    ["policy.probe", `/other.example/atcr-verify-probe/0123456789abcdef@sha256=${HEX}/signature-1`],
    ["policy.probe", `/127.0.0.1:5000/atcr-verify-probe/0123456789abcdef@sha256=${HEX}/signature-1`],
  ])("is nothing where the answer is %s", async (code, target) => {
    const { status, sessions, log } = await answered({ answer: SIGNED }, target);
    expect([status, sessions.length]).toEqual([403, 0]);
    expect(log.map(({ answer }) => "code" in answer && answer.code)).toEqual([code]);
  });

  it("is nothing for a second signature or another target", async () => {
    for (const [status, target] of [
      [404, `/r.example/app@sha256=${HEX}/signature-2`],
      [400, "/"],
      [400, `/r.example/../app@sha256=${HEX}/signature-1`],
    ] as const) {
      const reply = await answered({ answer: SIGNED }, target);
      expect(reply).toMatchObject({ status, hasBody: false, sessions: [], log: [] });
    }
  });
});

it("refuses where the settings cannot be read", async () => {
  const current = () => reject("policy.invalid", "broken");
  const responder = { settings: { current }, log: () => {}, warn: () => {} } as unknown as Responder;
  const { status, phrase } = await answerTarget(`/r.example/app@sha256=${HEX}/signature-1`, responder);
  expect([status, phrase]).toEqual([403, "misconfigured policy.invalid: broken"]);
});
