import type { BundledImage } from "../../../core/evidence/bundled-image.ts";
import { type BundleProof, ProvenIdentities } from "../../../core/verify/bundle-proof.ts";
import { mergedImages } from "../../../core/verify/merge-images.ts";
import { loadConfig } from "../../../io/settings/load-settings.ts";
import { readSealKey } from "../../../io/store/seal-key-files.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { checkTarget } from "../verify/bundle-files.ts";
import { describeProof, textOfLines } from "./proof-lines.ts";
import { describeBundle, readNamedBundle, refuseFuture, writeNamedBundle } from "./sealed-bundle.ts";

/** Milliseconds: several bundles of ten thousand images. */
const COMMAND_TIMEOUT = 3_600_000;

/** `atcr-verify bundle merge FILE... -o FILE` */
export async function bundleMerge(
  { operands: [paths], options: { out, seal, config: named } }: LineOf<"bundle merge">,
  lifecycle: ProcessLifecycle,
): Promise<never> {
  lifecycle.setDeadline(COMMAND_TIMEOUT);
  const { atcrHosts } = loadConfig(lifecycle.environment, named);
  checkTarget(out, "--out");
  const key = seal === undefined ? undefined : readSealKey(seal);
  const inputs = [];
  for (const path of paths) inputs.push(await readNamedBundle(path, lifecycle));
  for (const input of inputs) refuseFuture(input, Date.now());
  const { images, proofs } = mergeImages(
    inputs.flatMap(({ bundle }) => bundle.images),
    atcrHosts,
  );
  const gatheredAt = Math.max(...inputs.map(({ bundle }) => bundle.gatheredAt));
  const merged = writeNamedBundle(out, { gatheredAt, images }, key);
  const unproven = proofs.filter(({ kind }) => kind === "unproven");
  const lines = [
    ...inputs.map((input) => `from ${describeBundle(input)}`),
    ...unproven.map(describeProof),
    `${describeBundle(merged)}, images: ${images.length}`,
  ];
  return lifecycle.print(textOfLines(lines, lifecycle.environment), unproven.length === 0 ? 0 : 1);
}

/** Merges images, and says what each signature in them proves. */
export function mergeImages(
  images: readonly BundledImage[],
  atcrHosts: readonly string[],
): { readonly images: readonly BundledImage[]; readonly proofs: readonly BundleProof[] } {
  const steps = mergedImages(images, atcrHosts, new ProvenIdentities());
  const proofs: BundleProof[] = [];
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return { images: value, proofs };
    proofs.push(value);
  }
}
