import { printable } from "../../../core/encoding/printable.ts";
import { bundleSince } from "../../../core/evidence/bundle.ts";
import type { BundledImage } from "../../../core/evidence/bundled-image.ts";
import type { OutsideStore } from "../../../core/evidence/outside.ts";
import { formatReference } from "../../../core/oci/reference.ts";
import { reject } from "../../../core/rejection.ts";
import { loadConfig, loadPolicy } from "../../../io/settings/load-settings.ts";
import { readSealKey } from "../../../io/store/seal-key-files.ts";
import { Verifier } from "../../../verifier/service/verifier.ts";
import { INTERNAL, type ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { amount } from "../../process/report.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { checkTarget } from "../verify/bundle-files.ts";
import { readNamedImages } from "../verify/image-files.ts";
import { auditedRefusal, codeOf, type ImageResult, type RequestedImage, statusOfAll } from "../verify/image-result.ts";
import { VerifyRun } from "../verify/verify-run.ts";
import { mergeImages } from "./bundle-merge.ts";
import { textOfLines } from "./proof-lines.ts";
import { describeBundle, writeNamedBundle } from "./sealed-bundle.ts";

/** Milliseconds for the whole command; each image has a pull's deadline besides. */
const COMMAND_TIMEOUT = 3_600_000;
/** Evidence must come from the network: of what was imported, nobody here knows whether it is still so. */
const NOTHING_IMPORTED: OutsideStore = { place: "", find: () => undefined, newestLog: () => undefined };

interface Options {
  readonly out: string;
  readonly seal: string | undefined;
  readonly policy: string | undefined;
  readonly config: string | undefined;
}

/** `atcr-verify bundle create IMAGE... -o FILE` */
export async function bundleCreate(
  { operands: [images], options }: LineOf<"bundle create">,
  lifecycle: ProcessLifecycle,
): Promise<never> {
  // What writes to standard input may take as long as what is verified.
  lifecycle.setDeadline(COMMAND_TIMEOUT);
  const { requested } = await readNamedImages(images, options.file, lifecycle.deadline);
  if (requested.length === 0) {
    reject("input.malformed", "found no image; write: atcr-verify bundle create IMAGE -o FILE, or name a list with -f");
  }
  return create(requested, options, lifecycle);
}

/** `atcr-verify export IMAGE -o FILE` */
export async function exportCommand(
  { operands: [image], options }: LineOf<"export">,
  lifecycle: ProcessLifecycle,
): Promise<never> {
  return create([{ text: image }], options, lifecycle);
}

async function create(
  requested: readonly RequestedImage[],
  { out, seal, policy: named, config: configPath }: Options,
  lifecycle: ProcessLifecycle,
): Promise<never> {
  lifecycle.setDeadline(COMMAND_TIMEOUT);
  lifecycle.answerInterrupts();
  const config = loadConfig(lifecycle.environment, configPath);
  if (config.offline)
    reject(
      "config.invalid",
      "the configuration says offline: true, and a bundle is gathered over the network; run this on another machine",
    );
  const policy = loadPolicy(named ?? config.trustPolicyPath);
  checkTarget(out, "--out");
  const key = seal === undefined ? undefined : readSealKey(seal);
  const startedAt = Date.now();
  const run = new VerifyRun(requested, { isList: true, mediaType: undefined, resolves: true }, lifecycle);
  const verifier = new Verifier({
    config: { ...config, cacheEnabled: false },
    policy,
    environment: lifecycle.environment,
    outside: NOTHING_IMPORTED,
    isBatch: true,
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
  const gathered = run.results(false).map((result) => ({ result, image: evidenceOf(result) }));
  const { images } = mergeImages(
    gathered.flatMap(({ image }) => (image === undefined ? [] : [image])),
    config.atcrHosts,
  );
  const lines = gathered.map(({ result, image }) => lineOf(result, image !== undefined));
  const status = statusOfAll(
    gathered.map(({ result, image }) => (image === undefined ? leftOut(result) : result.status)),
  );
  try {
    const written = writeNamedBundle(out, bundleSince(startedAt, images), key);
    const left = gathered.filter(({ image }) => image === undefined).length;
    lines.push(`${describeBundle(written)}: ${amount(images.length, "image")}, ${left} left out`);
    return lifecycle.print(textOfLines(lines, lifecycle.environment), status);
  } catch (error) {
    lifecycle.diagnose(printable(`the bundle was not written to ${out}: ${(error as Error).message}`));
    return lifecycle.print(textOfLines(lines, lifecycle.environment), INTERNAL);
  }
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
