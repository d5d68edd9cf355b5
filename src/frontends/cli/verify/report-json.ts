import { printable } from "../../../core/encoding/printable.ts";
import { formatDateTime } from "../../../core/encoding/time.ts";
import { formatReference } from "../../../core/oci/reference.ts";
import type { Decider } from "../../../core/policy/policy.ts";
import type { Place } from "../../../core/rejection.ts";
import type { CountedSignature, Finding, SignatureFacts } from "../../../core/verify/verdict.ts";
import type { Decision } from "../../../verifier/service/decision.ts";
import { jsonText, reasonOf } from "../../process/report.ts";
import { inspectionKeys } from "../inspect/inspection-json.ts";
import { adviceFor } from "./advice.ts";
import { auditedRefusal, codeOf, type ImageResult, isVerified, type Report, type Summary } from "./image-result.ts";

/** Names the meaning of the keys; its number rises when one of them changes its meaning or is removed. */
const SCHEMA = "atcr-verify/verify/1";

/** One object for one image; for a list, one with `results`. Its keys are part of the public interface (docs/reference/cli.md). */
export const jsonReport: Report = (results, summary) => {
  const [first, ...others] = results;
  if (!summary.isList && first !== undefined && others.length === 0) return jsonText(documentOf(first, summary));
  const { status, ended, found, warnings } = summary;
  const failure = ended === undefined ? {} : answered(ended);
  return jsonText({
    schema: SCHEMA,
    ...failure,
    verified: results.length > 0 && results.every(isVerified),
    exitStatus: status,
    ...(summary.isList
      ? { results: results.map((result) => keysOf(result, summary)), found }
      : { signatures: [], notes: [], findings: [] }),
    warnings,
  });
};

/** The object of each image in a line of its own. */
export const ndjsonReport: Report = (results, summary) => {
  const objects = results.map((result) => documentOf(result, summary));
  const { ended, status } = summary;
  const all =
    objects.length === 0 && ended !== undefined
      ? [{ schema: SCHEMA, ...answered(ended), verified: false, exitStatus: status }]
      : objects;
  return all.map((object) => `${jsonText(object).replaceAll(/\n */g, "")}\n`).join("");
};

function documentOf(result: ImageResult, summary: Summary) {
  return { schema: SCHEMA, ...keysOf(result, summary), warnings: summary.warnings };
}

/** All that is known of one image. */
export function keysOf(result: ImageResult, summary: Summary) {
  const {
    answer,
    requested,
    reference,
    subject,
    resolved,
    decision,
    status,
    requests,
    inspected,
    signedImages,
    platformImage,
  } = result;
  const allowed = answer.outcome === "allow";
  const signatures = signaturesOf(result);
  const [first] = signatures;
  const would = auditedRefusal(answer);
  const findings: readonly Finding[] = "findings" in answer ? answer.findings : (would?.findings ?? []);
  const name = subject?.name ?? reference;
  return {
    ...answered(answer),
    allowed,
    verified: isVerified(result),
    exitStatus: status,
    requested: requested.text,
    ...(requested.places && { places: requested.places }),
    ...(name && { image: formatReference(name) }),
    ...(subject && { digest: subject.digest, reference: pinned(result) }),
    ...(resolved && { resolved: { ...resolved, at: formatDateTime(resolved.at) } }),
    ...(first && { signature: documentedSignature(first) }),
    ...(!allowed && { error: printable(answer.detail) }),
    ...ruleKeys(decision?.rule ?? result.rule),
    ...(decision && decidedKeys(decision, summary)),
    signatures: signatures.map(signatureKeys),
    notes: answer.outcome === "allow" && answer.because.kind === "signed" ? answer.because.notes : [],
    ...verifiedAt(result),
    ...(would && { would: { outcome: would.outcome, code: would.code } }),
    findings,
    advice: adviceFor(result),
    ...(summary.signers.length > 0 && { signers: summary.signers }),
    ...(requests && { exchanges: requests }),
    ...(inspected && { inspected: inspectionKeys(inspected) }),
    ...(signedImages && { signedImages }),
    ...(platformImage && {
      platformImage: { platform: platformImage.platform, ...platformKeys(platformImage, summary) },
    }),
  };
}

/** What is known of the image of a platform; its requests are among those of the index. */
function platformKeys(result: ImageResult, summary: Summary): object {
  return keysOf(result, summary);
}

/** Name and digest, without the tag: what may be pulled. */
export function pinned({ subject }: ImageResult): string | undefined {
  if (subject === undefined) return undefined;
  const { tag: _, ...name } = subject.name;
  return formatReference({ ...name, digest: subject.digest });
}

/** The signatures that count; none where no signature was verified. */
export function signaturesOf({ answer }: ImageResult): readonly CountedSignature[] {
  return answer.outcome === "allow" && answer.because.kind === "signed" ? answer.because.signatures : [];
}

function answered(answer: ImageResult["answer"]) {
  const reason = answer.outcome === "unjudged" ? `unjudged ${answer.code}: ${answer.detail}` : reasonOf(answer);
  return { outcome: answer.outcome, code: codeOf(answer), reason: printable(reason), ...placeOf(answer) };
}

/** The keys of ATCR's documents. */
function documentedSignature({ signer, handles: [handle], claim, commitCid, pds }: SignatureFacts) {
  return {
    did: signer,
    ...(handle !== undefined && { handle }),
    signedAt: formatDateTime(claim.createdAt),
    commitCid,
    pdsEndpoint: pds,
  };
}

function decidedKeys({ rule, policyHash, cache, timings }: Decision, { policy }: Summary) {
  const services = [...timings.services];
  return {
    policy: {
      ...(policy && { path: policy.path }),
      sha256: policyHash,
      ...(rule && { rule: rule.name }),
      ...(rule && rule.file !== "" && { line: rule.line }),
    },
    cache,
    ms: {
      total: Math.round(timings.total),
      ...Object.fromEntries(services.map(([name, { ms }]) => [name, Math.round(ms)])),
    },
    requests: Object.fromEntries(services.map(([name, { requests }]) => [name, requests])),
  };
}

/** A rule of the command line has no file. */
function ruleKeys(rule: Decider | undefined) {
  if (rule === undefined) return {};
  return { rule: rule.name, ...(rule.file !== "" && { ruleFile: rule.file, ruleLine: rule.line }) };
}

function verifiedAt({ answer }: ImageResult): { verifiedAt?: string } {
  if (answer.outcome !== "allow" || answer.because.kind !== "signed") return {};
  const at = answer.because.verifiedAt;
  return at === undefined ? {} : { verifiedAt: formatDateTime(at) };
}

/** Where the mistake is, if one in a file caused the answer. */
function placeOf(answer: ImageResult["answer"]): Partial<Pick<Place, "file" | "line" | "column">> {
  if (!("place" in answer)) return {};
  const { file, line, column } = answer.place;
  return { file, line, column };
}

function signatureKeys({
  signer,
  signerName,
  handles,
  key,
  keySince,
  pds,
  rev,
  commitCid,
  claim,
  checks,
}: CountedSignature) {
  return {
    signer,
    ...(signerName !== undefined && { name: signerName }),
    handles,
    key,
    ...(keySince !== undefined && { keySince: formatDateTime(keySince) }),
    pds,
    rev,
    commitCid,
    repository: claim.repository,
    createdAt: formatDateTime(claim.createdAt),
    checks,
  };
}
