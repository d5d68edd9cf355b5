import { accessSync, constants, lstatSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { printable } from "../../../core/encoding/printable.ts";
import { bundleSince, readBundle, writeBundle } from "../../../core/evidence/bundle.ts";
import { checkSeal } from "../../../core/evidence/bundle-seal.ts";
import type { Witness } from "../../../core/evidence/outside.ts";
import { formatReference } from "../../../core/oci/reference.ts";
import { Rejection, reject } from "../../../core/rejection.ts";
import { replaceFile } from "../../../io/fs/replace-file.ts";
import { readBundleFile } from "../../../io/store/bundle-file.ts";
import { readBundleKeys } from "../../../io/store/seal-key-files.ts";
import type { Saved } from "../../../verifier/service/judge-saved.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";
import type { ImageResult } from "./image-result.ts";

/**
 * Reads a bundle within the deadline, checks its seal, and says who answers for it.
 *
 * @param keys paths of public keys, as in bundleKeys
 * @param isReplay whether it is judged as of another time: then the clock proves nothing
 * @throws Rejection bundle.*
 */
export async function readSavedEvidence(
  path: string,
  keys: readonly string[],
  { deadline }: ProcessLifecycle,
  isReplay: boolean,
): Promise<Saved> {
  const bytes = await deadline.track(`the bundle ${path}`, () => readBundleFile(path));
  const { bundle, seal } = readBundle(bytes);
  const key = seal && checkSeal(seal, readBundleKeys(keys));
  const at = bundle.gatheredAt;
  const witness: Witness = key === undefined ? { kind: "none", at } : { kind: "seal", key, at };
  return { kind: "outside", bundle, witness, comparedWith: isReplay ? "history" : "history and time" };
}

/**
 * Checks the file for the evidence before the network is used.
 *
 * @throws Rejection input.malformed
 */
export function checkTarget(path: string, option = "--save-evidence"): void {
  try {
    // The rename would replace it: that must not happen to /dev/null.
    if (lstatSync(path, { throwIfNoEntry: false })?.isFile() === false) {
      reject("input.malformed", `${option} ${path}: it exists and is not a regular file`);
    }
    accessSync(dirname(resolve(path)), constants.W_OK | constants.X_OK);
  } catch (error) {
    if (error instanceof Rejection) throw error;
    reject("input.malformed", `${option} ${path}: ${(error as Error).message}`, error);
  }
}

/**
 * Saves the evidence of one image, whole or not at all.
 *
 * @param startedAt when the verification began; milliseconds since 1970
 * @returns whether it was saved; if not, the reason is on standard error
 */
export function saveEvidence(
  path: string,
  startedAt: number,
  { subject, decision }: ImageResult,
  lifecycle: ProcessLifecycle,
): boolean {
  try {
    const evidence = decision?.evidence;
    if (subject === undefined || evidence === undefined) {
      throw new Error("the verification ended before all evidence was gathered");
    }
    const { digest: _, ...name } = subject.name;
    const image = { digest: subject.digest, names: [formatReference(name)], evidence: evidence() };
    replaceFile(path, writeBundle(bundleSince(startedAt, [image])));
    return true;
  } catch (error) {
    lifecycle.diagnose(printable(`the evidence was not saved to ${path}: ${(error as Error).message}`));
    return false;
  }
}
