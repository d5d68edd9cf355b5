import { printable } from "../../../core/encoding/printable.ts";
import { bundleSince } from "../../../core/evidence/bundle.ts";
import { reject } from "../../../core/rejection.ts";
import { readSealKey } from "../../../io/store/seal-key-files.ts";
import { INTERNAL, type ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { amount } from "../../process/report.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { checkTarget } from "../verify/bundle-files.ts";
import { readNamedImages } from "../verify/image-files.ts";
import type { RequestedImage } from "../verify/image-result.ts";
import { mergeImages } from "./bundle-merge.ts";
import { COMMAND_TIMEOUT, gatherImages, gatherSettings } from "./gather-images.ts";
import { textOfLines } from "./proof-lines.ts";
import { describeBundle, writeNamedBundle } from "./sealed-bundle.ts";

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
  const settings = gatherSettings(lifecycle, named, configPath);
  checkTarget(out, "--out");
  const key = seal === undefined ? undefined : readSealKey(seal);
  const gathered = await gatherImages(requested, settings, lifecycle);
  const found = gathered.images.flatMap(({ image }) => (image === undefined ? [] : [image]));
  const { images } = mergeImages(found, settings.config.atcrHosts);
  const lines = [...gathered.lines];
  try {
    const written = writeNamedBundle(out, bundleSince(gathered.startedAt, images), key);
    const left = gathered.images.length - found.length;
    lines.push(`${describeBundle(written)}: ${amount(images.length, "image")}, ${left} left out`);
    return lifecycle.print(textOfLines(lines, lifecycle.environment), gathered.status);
  } catch (error) {
    lifecycle.diagnose(printable(`the bundle was not written to ${out}: ${(error as Error).message}`));
    return lifecycle.print(textOfLines(lines, lifecycle.environment), INTERNAL);
  }
}
