import type { Config } from "../../../core/config/config.ts";
import type { BundledImage } from "../../../core/evidence/bundled-image.ts";
import type { OutsideStore } from "../../../core/evidence/outside.ts";
import { formatReference } from "../../../core/oci/reference.ts";
import type { TrustPolicy } from "../../../core/policy/policy.ts";
import { reject } from "../../../core/rejection.ts";
import { loadConfig, loadPolicy } from "../../../io/settings/load-settings.ts";
import { Verifier } from "../../../verifier/service/verifier.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { auditedRefusal, codeOf, type ImageResult, type RequestedImage, statusOfAll } from "../verify/image-result.ts";
import { VerifyRun } from "../verify/verify-run.ts";

/** Milliseconds for the whole command; each image has a pull's deadline besides. */
export const COMMAND_TIMEOUT = 3_600_000;
/** Evidence must come from the network: of what was imported, nobody here knows whether it is still so. */
const NOTHING_IMPORTED: OutsideStore = { place: "", find: () => undefined, newestLog: () => undefined };

/** What evidence is gathered with. */
export interface GatherSettings {
  readonly config: Config;
  readonly policy: TrustPolicy;
}

/** An image of the command, and its evidence if that decides. */
export interface GatheredImage {
  readonly result: ImageResult;
  readonly image: BundledImage | undefined;
}

/** Images of one command, gathered. */
export interface GatheredImages {
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly images: readonly GatheredImage[];
  /** A line for each. */
  readonly lines: readonly string[];
  readonly status: number;
  /** What verified them. */
  readonly verifier: Verifier;
}

/** @throws Rejection config.*, policy.* */
export function gatherSettings(
  lifecycle: ProcessLifecycle,
  named: string | undefined,
  configPath: string | undefined,
): GatherSettings {
  const config = loadConfig(lifecycle.environment, configPath);
  if (config.offline)
    reject(
      "config.invalid",
      "the configuration says offline: true, and evidence is gathered over the network; run this on another machine",
    );
  return { config, policy: loadPolicy(named ?? config.trustPolicyPath) };
}

/** Verifies images over the network, without the cache and without evidence from outside, for a bundle. */
export async function gatherImages(
  requested: readonly RequestedImage[],
  { config, policy }: GatherSettings,
  lifecycle: ProcessLifecycle,
): Promise<GatheredImages> {
  const startedAt = Date.now();
  const run = new VerifyRun(requested, { isList: true, mediaType: undefined, resolves: true }, lifecycle);
  const verifier = new Verifier({
    config: { ...config, cacheEnabled: false, bundleKeys: [] }, // without keys, nothing attached counts
    policy,
    environment: lifecycle.environment,
    outside: NOTHING_IMPORTED,
    isBatch: true,
    gathersAll: true,
  });
  lifecycle.atEnd(() => verifier.close());
  await run.verifyAll({
    verifier,
    judges: true,
    needsDigest: false,
    verbose: false,
    deadline: config.deadline,
    allowAudited: false,
  });
  const images = run.results(false).map((result) => ({ result, image: evidenceOf(result) }));
  const lines = images.map(({ result, image }) => lineOf(result, image !== undefined));
  const status = statusOfAll(
    images.map(({ result, image }) => (image === undefined ? leftOut(result) : result.status)),
  );
  return { startedAt, images, lines, status, verifier };
}

/**
 * What goes into the bundle: evidence that decides, for or against. Absent where the answer is missing, where no evidence was
 * needed, and where it is older than this command.
 */
function evidenceOf({ subject, decision, answer }: ImageResult): BundledImage | undefined {
  const decided = auditedRefusal(answer) ?? answer;
  const isDecided = decided.outcome === "allow" ? decided.because.kind === "signed" : decided.outcome === "deny";
  if (subject === undefined || decision?.evidence === undefined || !isDecided || decision.cache !== "none")
    return undefined;
  const evidence = decision.evidence();
  if (evidence.signatures.length === 0) return undefined;
  const { digest, ...name } = subject.name;
  return { digest: digest ?? subject.digest, names: [formatReference(name)], evidence };
}

/** An image that is exempt needs no evidence; any other that is allowed without evidence of now is not verified. */
function leftOut({ answer, status }: ImageResult): number {
  return answer.outcome === "allow" && answer.because.kind === "signed" ? 2 : status;
}

function lineOf({ requested, subject, answer }: ImageResult, isIn: boolean): string {
  const decided = auditedRefusal(answer) ?? answer;
  const about = `${requested.text}${subject === undefined || requested.text.includes("@") ? "" : ` ${subject.digest}`}`;
  const why = "detail" in decided ? `: ${decided.detail}` : "";
  const what = isIn ? (decided.outcome === "allow" ? "signed" : "not signed") : "left out";
  return what === "signed" ? `${what} ${about}` : `${what} ${about} ${codeOf(decided)}${why}`;
}
