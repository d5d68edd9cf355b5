import type { ImageReference } from "./reference.ts";

/** First path component of the names that `atcr-verify doctor --probe` makes containerd pull. */
export const PROBE_PATH = "atcr-verify-probe";
/** The doctor's probe is only at loopback, so no real registry loses a name. */
const PROBE_HOST = /^127\.0\.0\.1:\d+$/;

/** Whether an image is the doctor's probe, which is always rejected. @param name attacker-controlled */
export function isProbe(name: ImageReference): boolean {
  return PROBE_HOST.test(name.host) && isProbePath(name);
}

/** The same where the doctor asks under the name of each registry of the policy: at the lookaside responder. */
export function isProbePath({ path }: ImageReference): boolean {
  return path.startsWith(`${PROBE_PATH}/`);
}
