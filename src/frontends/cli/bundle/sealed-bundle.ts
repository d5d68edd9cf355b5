import type { PrivateKey } from "../../../core/atproto/key.ts";
import { printable } from "../../../core/encoding/printable.ts";
import { sha256Hex } from "../../../core/encoding/sha256.ts";
import { CLOCK_SKEW, formatDateTime } from "../../../core/encoding/time.ts";
import { type Bundle, readBundle, writeBundle } from "../../../core/evidence/bundle.ts";
import { checkSeal } from "../../../core/evidence/bundle-seal.ts";
import { reject } from "../../../core/rejection.ts";
import { replaceFile } from "../../../io/fs/replace-file.ts";
import { readBundleFile } from "../../../io/store/bundle-file.ts";
import type { ProcessLifecycle } from "../../process/process-lifecycle.ts";

/** A bundle that was named on the command line. */
export interface NamedBundle {
  readonly path: string;
  readonly bundle: Bundle;
  /** did:key of a seal that holds, whether or not this node lists the key. */
  readonly sealedBy?: string;
  readonly sha256: string;
}

/**
 * Reads a bundle and checks its seal, if it has one.
 *
 * @throws Rejection bundle.malformed, bundle.bad_seal
 */
export async function readNamedBundle(path: string, { deadline }: ProcessLifecycle): Promise<NamedBundle> {
  const bytes = await deadline.track(`the bundle ${path}`, () => readBundleFile(path));
  const { bundle, seal } = readBundle(bytes);
  if (seal !== undefined) checkSeal(seal, []);
  return { path, bundle, ...(seal && { sealedBy: seal.key.didKey }), sha256: sha256Hex(bytes) };
}

/**
 * Refuses a bundle of the future: either its claim is false, or this node's clock is behind.
 *
 * @throws Rejection bundle.malformed
 */
export function refuseFuture({ path, bundle: { gatheredAt } }: NamedBundle, now: number): void {
  if (gatheredAt <= now + CLOCK_SKEW) return;
  const found = `the bundle ${path} says that it was gathered at ${formatDateTime(gatheredAt)}`;
  reject("bundle.malformed", `${found}, but this machine's clock says ${formatDateTime(now)}; check the clock first`);
}

/**
 * Writes a bundle whole, and checks that it can be read.
 *
 * @param key seals it
 * @returns what it is
 * @throws Error of the file system
 */
export function writeNamedBundle(path: string, bundle: Bundle, key: PrivateKey | undefined): NamedBundle {
  const bytes = writeBundle(bundle, key);
  readBundle(bytes);
  replaceFile(path, bytes);
  return { path, bundle, ...(key && { sealedBy: key.key.didKey }), sha256: sha256Hex(bytes) };
}

/** What a bundle is, in a line. */
export function describeBundle({ path, bundle, sealedBy, sha256 }: NamedBundle): string {
  const seal = sealedBy === undefined ? "not sealed" : `sealed by ${sealedBy}`;
  return printable(`${path}: gathered at ${formatDateTime(bundle.gatheredAt)}, ${seal}, sha256 ${sha256}`);
}
