import { chooseDistinct } from "../policy/choose-distinct.ts";
import type { SignatureFacts } from "./verdict.ts";

/**
 * The largest set of signatures with distinct signers and distinct keys (spec 6). A signer has several signatures where
 * the evidence spans a key rotation.
 *
 * @param offered for each signer the signatures that passed all checks
 */
export function distinctSignatures<T extends SignatureFacts>(offered: readonly (readonly T[])[]): readonly T[] {
  return chooseDistinct(
    offered.map((all) => [...all].sort(newestFirst)),
    ({ key }) => key,
  );
}

/** Revs sort as text; ties are broken by key, so that the order of arrival does not matter. */
function newestFirst(a: SignatureFacts, b: SignatureFacts): number {
  return a.rev === b.rev ? (a.key < b.key ? -1 : 1) : a.rev > b.rev ? -1 : 1;
}
