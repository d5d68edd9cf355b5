/**
 * Chooses at most one item from each list, as many as possible, with distinct keys: a maximum bipartite matching, found
 * by augmenting paths.
 *
 * Taking the first of each list could find too few in some orders; so an item that blocks another moves to its list's
 * next key.
 *
 * @param offered the lists, preferred items first
 * @param enough stops at this number
 */
export function chooseDistinct<T>(
  offered: Iterable<readonly T[]>,
  keyOf: (one: T) => string,
  enough = Number.POSITIVE_INFINITY,
): readonly T[] {
  const chosen = new Map<string, { one: T; all: readonly T[] }>();
  const place = (all: readonly T[], tried: Set<string>): boolean => {
    for (const one of all) {
      const key = keyOf(one);
      if (tried.has(key)) continue;
      tried.add(key);
      const holder = chosen.get(key);
      if (holder === undefined || place(holder.all, tried)) {
        chosen.set(key, { one, all });
        return true;
      }
    }
    return false;
  };
  for (const all of offered) {
    if (chosen.size >= enough) break;
    place(all, new Set());
  }
  return [...chosen.values()].map(({ one }) => one);
}
