/**
 * One from each list, as many as possible, of which no two have the same key: the largest matching of
 * a bipartite graph, found by augmenting paths.
 *
 * Taking the first of each could find too few in one order and enough in another; so one that is in
 * the way moves to its other key.
 *
 * @param offered the lists, and in each what is preferred first
 * @param enough so many are not exceeded
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
