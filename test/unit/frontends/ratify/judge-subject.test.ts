import { describe, expect, it } from "vitest";
import { DEFAULT_CONFIG } from "../../../../src/core/config/config.ts";
import { parseReference } from "../../../../src/core/oci/reference.ts";
import { parsePolicy } from "../../../../src/core/policy/parse-policy.ts";
import { refusalOf } from "../../../../src/core/verify/answer.ts";
import { judgeSubject } from "../../../../src/frontends/ratify/judge-subject.ts";
import type { Decision } from "../../../../src/verifier/service/decision.ts";
import type { Session } from "../../../../src/verifier/service/session.ts";
import { Verifier } from "../../../../src/verifier/service/verifier.ts";

const DIGEST = `sha256:${"0".repeat(64)}`;
const policy = parsePolicy(
  `
version: 1.0
trustedDIDs: { "did:plc:ewvi7nxzyoun6zhxrhs64oiz": {} }
policies:
  - { name: tagged, scope: "r.example/tagged", action: enforce, require: { tag: match } }
  - { name: watched-tag, scope: "r.example/watched-tag", action: audit, require: { tag: match } }
  - { name: free, scope: "r.example/free", action: allow }
  - { name: never, scope: "r.example/never", action: deny }
  - { name: watched, scope: "r.example/watched", action: audit }
  - { name: all, scope: "r.example/**", action: enforce }
default: deny
`,
  "policy.yaml",
);
const real = new Verifier({ config: DEFAULT_CONFIG, policy, environment: {} });

/** What is answered, and the subjects that the verifier was asked about. */
async function judged(name: string) {
  const asked: Decision["subject"][] = [];
  const verify = async (subject: Decision["subject"]): Promise<Decision> => {
    asked.push(subject);
    const timings = { total: 0, services: new Map() };
    const answer = refusalOf("record.absent", "nobody");
    return { answer, subject, policyHash: "", cache: "none", timings, warnings: [] };
  };
  const verifier = { verify, decideByName: real.decideByName.bind(real) };
  const { answer } = await judgeSubject(parseReference(name), { verifier, policy }, {} as Session);
  const code = answer.outcome === "allow" ? answer.because.kind : answer.code;
  const would = answer.outcome === "allow" && "would" in answer.because ? answer.because.would.code : undefined;
  return { code, would, asked };
}

describe("a subject", () => {
  it("with a digest is verified, and a tag beside it is not looked at", async () => {
    const subject = { name: { host: "r.example", path: "app", digest: DIGEST }, digest: DIGEST };
    for (const name of ["app", "app:v1"]) {
      expect(await judged(`r.example/${name}@${DIGEST}`)).toMatchObject({ code: "record.absent", asked: [subject] });
    }
  });

  it.each([
    ["app:v1", "image.not_pinned", undefined],
    ["app", "image.not_pinned", undefined],
    ["watched:v1", "audited", "image.not_pinned"],
    ["tagged:v1", "image.not_pinned", undefined],
    [`tagged@${DIGEST}`, "tag.unsupported_here", undefined],
    [`watched-tag@${DIGEST}`, "audited", "tag.unsupported_here"],
    ["free:v1", "exempt", undefined],
    ["never:v1", "policy.denied", undefined],
    [`atcr-verify-probe/x@${DIGEST}`, "policy.probe", undefined],
    ["atcr-verify-probe/x:v1", "policy.probe", undefined],
  ])("is decided without the verifier: %s", async (path, code, would) => {
    expect(await judged(`r.example/${path}`)).toEqual({ code, would, asked: [] });
  });

  it("that no rule covers is refused", async () => {
    expect(await judged("other.example/app:v1")).toMatchObject({ code: "policy.no_match", asked: [] });
  });
});
