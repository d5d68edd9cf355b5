import { parseDuration } from "../../../core/encoding/duration.ts";
import { parsePlatform } from "../../../core/oci/image-platform.ts";
import { normaliseReference } from "../../../core/oci/reference.ts";
import { REJECTIONS, reject } from "../../../core/rejection.ts";
import { type Answer, failureOf } from "../../../core/verify/answer.ts";
import { VERSION } from "../../../core/version.ts";
import { readSigningChain } from "../../../io/keys/certificate-chain.ts";
import { readSigningKey } from "../../../io/keys/signing-key-file.ts";
import { openNetwork, registryContext } from "../../../verifier/service/network.ts";
import { makeVouch, notationAlgorithm, pushVouch, type Voucher } from "../../../verifier/vouch/vouch.ts";
import { exitCode } from "../../process/exit-status.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { sessionOf } from "../../process/process-session.ts";
import { reasonLine } from "../../process/report.ts";
import { COMMAND_TIMEOUT, gatherSettings } from "../bundle/gather-images.ts";
import { textOfLines } from "../bundle/proof-lines.ts";
import { refuseAtcr } from "../bundle/refuse-atcr.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { statusOfAll } from "../verify/image-result.ts";
import { judgeImages } from "./vouch-images.ts";
import { type VouchRow, vouchJson, vouchLines } from "./vouch-report.ts";

/** Milliseconds: longest life of a signature. What is revoked here goes on counting there until then. */
const MAX_LIFETIME = 90 * 24 * 3_600_000;

type Options = LineOf<"vouch">["options"];
type RegistryContext = ReturnType<typeof registryContext>;

/**
 * `atcr-verify vouch IMAGE... --format F --key KEY`: verifies images, signs their digests with a key of the organisation, and
 * pushes the signatures as another verifier looks for them (docs/vouching.md). Nothing is pushed unless all images are signed.
 */
export async function vouchCommand(
  { operands: [images], options }: LineOf<"vouch">,
  lifecycle: ProcessLifecycle,
): Promise<never> {
  lifecycle.mustBeWritten = true;
  lifecycle.setDeadline(COMMAND_TIMEOUT);
  lifecycle.answerInterrupts();
  const platforms = [...new Set(options.platform.map(parsePlatform))];
  const voucher = await voucherOf(options, lifecycle);
  const settings = gatherSettings(lifecycle, options.policy, options.config);
  const { config } = settings;
  if (!options.force) {
    const advice = "vouch for a copy in another registry, or add --force";
    for (const image of images) refuseAtcr(normaliseReference(image), config, advice);
  }
  // An end by the deadline is no success, even if a rule audits.
  lifecycle.status = (ended) => (ended.outcome === "allow" ? 2 : exitCode(ended));
  const judged = await judgeImages(images, platforms, settings, lifecycle);
  const rows: readonly VouchRow[] = judged.map((image) => ({ image }));
  const report = { format: voucher.format, isDryRun: options["dry-run"], rows };
  const output = (ended?: Answer): string => {
    if (options.output === "json") return vouchJson(report, ended);
    const lines = textOfLines(vouchLines(report), lifecycle.environment);
    return ended === undefined ? lines : `${lines}${reasonLine(ended)}`;
  };
  lifecycle.render = output;
  const refused = judged.flatMap((image) => ("signed" in image ? [] : [image.status]));
  if (refused.length > 0) return lifecycle.print(output(), statusOfAll(refused));
  const context = registryContext(config, openNetwork(config, lifecycle.environment), sessionOf(lifecycle));
  const status = (await signAll(rows, voucher, context, options)) ?? (options["dry-run"] ? 0 : await pushAll(rows));
  return lifecycle.print(output(), status);
}

/** Everything that can be wrong with the key and the options, before anything is asked. */
async function voucherOf(options: Options, { environment }: ProcessLifecycle): Promise<Voucher> {
  const { format, certificate, expires, "passphrase-file": file } = options;
  if (format === "cosign") {
    for (const [name, value] of Object.entries({ certificate, expires })) {
      if (value !== undefined)
        reject("input.malformed", `--${name} is for --format notation; cosign's format has none`);
    }
  } else {
    const missing = [
      ...(certificate === undefined ? ["--certificate FILE"] : []),
      ...(expires === undefined ? ["--expires DURATION"] : []),
    ];
    if (missing.length > 0) reject("input.malformed", `--format notation needs ${missing.join(" and ")}`);
  }
  const lifetime = expires === undefined ? 0 : lifetimeOf(expires);
  const key = await readSigningKey(options.key, { file, variable: environment["COSIGN_PASSWORD"] });
  if (certificate === undefined) return { format: "cosign", key };
  const algorithm = notationAlgorithm(key);
  const now = Date.now();
  const certificates = readSigningChain(certificate, key.publicKey, { from: now, until: now + lifetime });
  return { format: "notation", key, algorithm, certificates, lifetime, agent: `atcr-verify/${VERSION}` };
}

function lifetimeOf(expires: string): number {
  const lifetime = parseDuration(expires);
  if (lifetime !== undefined && lifetime >= 1000 && lifetime <= MAX_LIFETIME) return lifetime;
  return reject("input.malformed", `--expires is "${expires}", expected a duration from 1s to 90d, such as 7d`);
}

/** @returns the exit status where a signature could not be made; then nothing is pushed */
async function signAll(
  rows: readonly VouchRow[],
  voucher: Voucher,
  context: RegistryContext,
  options: Options,
): Promise<number | undefined> {
  const actions = options["dry-run"] ? "pull" : "pull,push";
  const now = Date.now();
  const statuses: number[] = [];
  for (const row of rows) {
    if (!("signed" in row.image)) continue;
    try {
      row.vouch = await makeVouch(row.image.signed, voucher, context, actions, now);
    } catch (error) {
      statuses.push(fail(row, error));
    }
  }
  return statuses.length === 0 ? undefined : statusOfAll(statuses);
}

/** Stops at the first that the registry does not take: the report says which were pushed. */
async function pushAll(rows: readonly VouchRow[]): Promise<number> {
  for (const row of rows) {
    if (row.vouch === undefined) continue;
    row.isPushing = true;
    try {
      row.pushed = await pushVouch(row.vouch);
    } catch (error) {
      return fail(row, error);
    }
  }
  return 0;
}

function fail(row: VouchRow, error: unknown): number {
  const { outcome, code, detail } = failureOf(error);
  row.failed = { code, detail: outcome === "internal" ? `${REJECTIONS[code].summary} (${detail})` : detail };
  return exitCode(failureOf(error));
}
