import type { ImageReference } from "./reference.ts";

/** The first part of the path of names that `atcr-verify doctor --probe` has containerd pull. */
export const PROBE_PATH = "atcr-verify-probe";
/** Nowhere else does the doctor look, so no registry loses a name by it. */
const PROBE_HOST = /^127\.0\.0\.1:\d+$/;

/** Whether an image is the doctor's: one that is refused whatever the policy says. @param name attacker-controlled */
export function isProbe({ host, path }: ImageReference): boolean {
  return PROBE_HOST.test(host) && path.startsWith(`${PROBE_PATH}/`);
}
