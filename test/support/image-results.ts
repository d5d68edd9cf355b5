import type { Did, Tid } from "../../src/core/atproto/syntax.ts";
import type { Digest } from "../../src/core/oci/digest.ts";
import { parseReference } from "../../src/core/oci/reference.ts";
import type { Answer } from "../../src/core/verify/answer.ts";
import type { CountedSignature, Refusal } from "../../src/core/verify/verdict.ts";
import { type ImageResult, type Summary, statusOf, statusOfAll } from "../../src/frontends/cli/verify/image-result.ts";

/** Results of `verify` for tests of its output formats, with every key that they may have. */
export const ALICE = "did:plc:ewvi7nxzyoun6zhxrhs64oiz" as Did;
const DAY = 24 * 60 * 60 * 1000;
/** When the reports are made. */
export const REPORTED = Date.UTC(2026, 10, 30);
const POLICY = { path: "/etc/atcr-verify/trust-policy.yaml", sha256: "c3".repeat(32) };

export function digestOf(byte: string): Digest {
  return `sha256:${byte.repeat(32)}` as Digest;
}

export function counted(changes: Partial<CountedSignature> = {}): CountedSignature {
  return {
    signer: ALICE,
    signerName: "Release bot",
    handles: ["alice.example.com"],
    digest: digestOf("a1"),
    key: "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme",
    keySince: REPORTED - 100 * DAY,
    pds: "https://pds.example.com",
    rev: "3l6oveex3ii2l" as Tid,
    revTime: REPORTED - 3 * DAY,
    commitCid: `bafyrei${"a".repeat(52)}`,
    claim: {
      repository: "app",
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      createdAt: REPORTED - 3 * DAY,
    },
    checks: ["media_type", "repository", "tag"],
    ...changes,
  };
}

export const SIGNED: Answer = {
  outcome: "allow",
  because: { kind: "signed", rule: "prod", signatures: [counted()], notes: [], verifiedAt: REPORTED - 60_000 },
};
export const ABSENT: Refusal = {
  outcome: "deny",
  code: "signature.none",
  detail: "no trusted signer has signed this digest",
  findings: [
    { signer: ALICE, code: "signature.none", detail: "no trusted signer has signed this digest" },
    { code: "registry.unreachable", detail: "the registry did not answer" },
  ],
};
export const AUDITED: Answer = { outcome: "allow", because: { kind: "audited", rule: "prod", would: ABSENT } };
export const EXEMPT: Answer = {
  outcome: "allow",
  because: { kind: "exempt", because: 'rule "sandbox" exempts atcr.io/alice.example.com/app' },
};
export const SILENT: Refusal = {
  outcome: "inconclusive",
  code: "pds.unreachable",
  detail: "https://pds.example.com did not answer",
  findings: [{ signer: ALICE, code: "pds.unreachable", detail: "https://pds.example.com did not answer" }],
};
export const MALFORMED: Answer = {
  outcome: "misconfigured",
  code: "image.malformed_reference",
  detail: 'the image name "NGINX" cannot be used',
};
export const UNJUDGED: ImageResult["answer"] = {
  outcome: "unjudged",
  code: "no_policy",
  detail: "no policy on this machine names a signer",
};

/** One image, verified where the answer is a verdict. */
export function resultOf(answer: ImageResult["answer"], changes: Partial<ImageResult> = {}): ImageResult {
  const name = parseReference("atcr.io/alice.example.com/app:v1");
  const digest = digestOf("a1");
  const subject = { name, digest, tag: "v1" };
  const requested = { text: "atcr.io/alice.example.com/app:v1" };
  const status = statusOf(answer, false);
  if (answer.outcome === "misconfigured") return { requested: { text: "NGINX" }, answer, status, ...changes };
  if (answer.outcome === "unjudged") return { requested, reference: name, subject, answer, status, ...changes };
  return {
    requested,
    reference: name,
    subject,
    resolved: {
      digest,
      mediaType: "application/vnd.oci.image.index.v1+json",
      by: "atcr.io",
      at: REPORTED - 1000,
      children: [
        { digest: digestOf("b2"), mediaType: "application/vnd.oci.image.manifest.v1+json", platform: "linux/amd64" },
        { digest: digestOf("c3"), mediaType: "application/vnd.oci.image.manifest.v1+json", platform: "linux/arm64" },
      ],
    },
    decision: {
      answer,
      subject,
      rule: { name: "prod", file: POLICY.path, line: 14 },
      policyHash: POLICY.sha256,
      cache: "none",
      timings: { total: 123.4, services: new Map([["pds", { requests: 1, ms: 45.6 }]]) },
      warnings: [],
    },
    answer,
    status,
    ...changes,
  };
}

/** What concerns all of these results. */
export function summaryOf(results: readonly ImageResult[], changes: Partial<Summary> = {}): Summary {
  return {
    status: statusOfAll(results.map(({ status }) => status)),
    isList: results.length > 1,
    policy: POLICY,
    signers: [],
    found: [],
    allowAudited: false,
    verbose: false,
    warnings: [],
    ...changes,
  };
}
