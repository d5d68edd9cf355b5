import type { SignatureFacts } from "./verdict.ts";

/**
 * The largest choice of signatures of which no two have the same signer or the same key (spec 6).
 *
 * A signer has several where the evidence spans a rotation of its key. Taking the first of each could
 * find too few in one order and enough in another; so one that is in the way moves to its other key.
 *
 * @param offered for each signer the signatures that count by themselves
 */
export function distinctSignatures(offered: readonly (readonly SignatureFacts[])[]): readonly SignatureFacts[] {
  const chosen = new Map<string, { facts: SignatureFacts; all: readonly SignatureFacts[] }>();
  const place = (all: readonly SignatureFacts[], tried: Set<string>): boolean => {
    for (const facts of all) {
      if (tried.has(facts.key)) continue;
      tried.add(facts.key);
      const holder = chosen.get(facts.key);
      if (holder === undefined || place(holder.all, tried)) {
        chosen.set(facts.key, { facts, all });
        return true;
      }
    }
    return false;
  };
  for (const all of offered) place([...all].sort(newestFirst), new Set());
  return [...chosen.values()].map(({ facts }) => facts);
}

/** Revs sort as text; the key decides between equal ones, so that no order of arrival does. */
function newestFirst(a: SignatureFacts, b: SignatureFacts): number {
  return a.rev === b.rev ? (a.key < b.key ? -1 : 1) : a.rev > b.rev ? -1 : 1;
}
