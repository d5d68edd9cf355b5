import { formatDateTime } from "../../../core/encoding/time.ts";
import { bundleSince, readBundle, writeBundle } from "../../../core/evidence/bundle.ts";
import { MAX_ATTACHED } from "../../../core/oci/attached-evidence.ts";
import { normaliseReference } from "../../../core/oci/reference.ts";
import { reject } from "../../../core/rejection.ts";
import { readSealKey } from "../../../io/store/seal-key-files.ts";
import { type Attached, attachEvidence } from "../../../verifier/attach/attach-evidence.ts";
import { openNetwork, registryContext } from "../../../verifier/service/network.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import { sessionOf } from "../../process/process-session.ts";
import type { LineOf } from "../command-table/command-groups.ts";
import { COMMAND_TIMEOUT, gatherImages, gatherSettings } from "./gather-images.ts";
import { textOfLines } from "./proof-lines.ts";
import { refuseAtcr } from "./refuse-atcr.ts";

/** `atcr-verify attach IMAGE --seal KEY`: gathers the evidence of an image, seals it, and stores it beside the image. */
export async function attachCommand(
  { operands: [image], options: { seal, force, policy, config: configPath } }: LineOf<"attach">,
  lifecycle: ProcessLifecycle,
): Promise<never> {
  lifecycle.setDeadline(COMMAND_TIMEOUT);
  lifecycle.answerInterrupts();
  const settings = gatherSettings(lifecycle, policy, configPath);
  const { config } = settings;
  const key = readSealKey(seal);
  if (!force)
    refuseAtcr(normaliseReference(image), config, "carry evidence in a bundle instead (bundle create), or add --force");
  const gathered = await gatherImages([{ text: image }], settings, lifecycle);
  const [first] = gathered.images;
  const subject = first?.result.subject;
  if (first?.image === undefined || subject === undefined) {
    const lines = [...gathered.lines, "nothing is attached"];
    return lifecycle.print(textOfLines(lines, lifecycle.environment), gathered.status);
  }
  const bundle = bundleSince(gathered.startedAt, [first.image]);
  const bytes = writeBundle(bundle, key);
  readBundle(bytes);
  const size = bytes.length;
  if (size > MAX_ATTACHED) {
    reject(
      "input.malformed",
      `the evidence has ${size} bytes, and pulls read at most ${MAX_ATTACHED} of an attachment`,
    );
  }
  const { didKey } = key.key;
  const context = registryContext(config, openNetwork(config, lifecycle.environment), sessionOf(lifecycle));
  const evidence = { subject, bytes, sealKey: didKey, gatheredAt: bundle.gatheredAt };
  const attached = await attachEvidence(evidence, context);
  const what = `attached to ${subject.digest} at ${attached.host}: ${attached.manifest}`;
  const lines = [
    ...gathered.lines,
    `${what}, ${size} bytes, gathered at ${formatDateTime(bundle.gatheredAt)}, sealed by ${didKey}`,
    ...placeLines(attached),
  ];
  return lifecycle.print(textOfLines(lines, lifecycle.environment), gathered.status);
}

function placeLines({ listedBy, collisions, replaced, remaining }: Attached): readonly string[] {
  const listed =
    listedBy === "registry"
      ? "listed by the registry"
      : `listed at the tag ${listedBy.tag}, as the registry has no list of its own; who writes that tag at the same moment can lose an entry, so run this again if it is missing`;
  return [
    listed,
    ...(collisions > 0 ? [`others changed the list meanwhile, so it was written ${collisions + 1} times`] : []),
    ...replaced.map((digest) => `replaced: ${digest}`),
    ...remaining.map((digest) => `not removed by the registry: ${digest}, an older one by the same key`),
  ];
}
