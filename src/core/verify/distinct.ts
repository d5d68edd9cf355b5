import { chooseDistinct } from "../policy/choose-distinct.ts";
import type { SignatureFacts } from "./verdict.ts";

/**
 * The largest choice of signatures of which no two have the same signer or the same key (spec 6). A
 * signer has several where the evidence spans a rotation of its key.
 *
 * @param offered for each signer the signatures that count by themselves
 */
export function distinctSignatures<T extends SignatureFacts>(offered: readonly (readonly T[])[]): readonly T[] {
  return chooseDistinct(
    offered.map((all) => [...all].sort(newestFirst)),
    ({ key }) => key,
  );
}

/** Revs sort as text; the key decides between equal ones, so that no order of arrival does. */
function newestFirst(a: SignatureFacts, b: SignatureFacts): number {
  return a.rev === b.rev ? (a.key < b.key ? -1 : 1) : a.rev > b.rev ? -1 : 1;
}
