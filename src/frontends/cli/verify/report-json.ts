import { printable } from "../../../core/encoding/printable.ts";
import { formatDateTime } from "../../../core/encoding/time.ts";
import { formatReference } from "../../../core/oci/reference.ts";
import type { Decider } from "../../../core/policy/policy.ts";
import type { Place } from "../../../core/rejection.ts";
import type { CountedSignature, Finding, SignatureFacts } from "../../../core/verify/verdict.ts";
import type { Decision } from "../../../verifier/service/decision.ts";
import type { RecordedRequest } from "../../../verifier/service/request-log.ts";
import { jsonText, reasonOf } from "../../process/report.ts";
import { inspectionKeys } from "../inspect/inspection-json.ts";
import { adviceFor } from "./advice.ts";
import { auditedRefusal, codeOf, type ImageResult, isVerified, type Report, type Summary } from "./image-result.ts";
import type { ImageKeys, OneImage, ResultKeys, SeveralImages } from "./result-shape.ts";

/** Names the meaning of the keys; result-shape.ts says when its number rises. */
const SCHEMA = "atcr-verify/verify/1";

/** One object for one image; for a list, or for none, one with `results`. Its keys are part of the public interface (result-shape.ts). */
export const jsonReport: Report = (results, summary) => {
  const [first, ...others] = results;
  const isOne = !summary.isList && first !== undefined && others.length === 0;
  return jsonText(isOne ? documentOf(first, summary) : severalImages(results, summary));
};

/** The object of each image in a line of its own. */
export const ndjsonReport: Report = (results, summary) => {
  const objects = results.map((result) => documentOf(result, summary));
  const all = objects.length === 0 ? [severalImages([], summary)] : objects;
  return all.map((object) => `${jsonText(object).replaceAll(/\n */g, "")}\n`).join("");
};

function documentOf(result: ImageResult, summary: Summary): OneImage {
  return { schema: SCHEMA, ...keysOf(result, summary), warnings: summary.warnings };
}

function severalImages(results: readonly ImageResult[], summary: Summary): SeveralImages {
  const { status, ended, found, warnings } = summary;
  return {
    schema: SCHEMA,
    ...(ended && answered(ended)),
    verified: results.length > 0 && results.every(isVerified),
    exitStatus: status,
    results: results.map((result) => keysOf(result, summary)),
    found,
    warnings,
  };
}

/** All that is known of one image; the requests for a platform's are among those of the index. */
export function keysOf(result: ImageResult, summary: Summary): ResultKeys {
  const { platformImage: image } = result;
  return {
    ...imageKeys(result, summary),
    ...(image && { platformImage: { platform: image.platform, ...imageKeys(image, summary) } }),
  };
}

function imageKeys(result: ImageResult, summary: Summary): ImageKeys {
  const { answer, requested, reference, subject, resolved, decision, status, requests, inspected, signedImages } =
    result;
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
    ...(requests && { exchanges: requests.map(exchangeKeys) }),
    ...(inspected && { inspected: inspectionKeys(inspected) }),
    ...(signedImages && { signedImages }),
  };
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

function exchangeKeys({ at, ms, ...request }: RecordedRequest) {
  return { ...request, at: formatDateTime(at), ms: Math.round(ms) };
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
