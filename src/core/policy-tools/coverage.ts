import { ANYTHING, MANY, matchGlob, matchSegment, type PatternItem, type Scope } from "../policy/scope.ts";

/** One whole segment of any text. */
const ONE = Symbol("one segment");
/** None or more whole segments of any text. */
const MORE = Symbol("none or more segments");

/**
 * Whether every name in `later` lies in `earlier` too: a rule with the later scope is then never asked.
 *
 * The later scope is matched as if it were a name whose wildcards are new symbols, which only a
 * wildcard of the earlier one takes. What is matched so is matched whatever text the symbols stand
 * for, so that nothing is said to be covered that is not. The other way round it is exact as long as
 * every text may stand for a symbol; of scopes that differ only by what no name contains, it may
 * say that the earlier one does not cover the later.
 */
export function coversScope(earlier: Scope, later: Scope): boolean {
  const pattern = widened(earlier).flatMap((segment): PatternItem<Segment>[] =>
    segment === ANYTHING ? [MANY, (actual) => actual !== MORE, MANY] : [(actual) => coversSegment(segment, actual)],
  );
  const name = widened(later).flatMap((segment): Segment[] =>
    segment === ANYTHING ? [MORE, ONE, MORE] : [segment === "*" ? ONE : segment],
  );
  return matchGlob(pattern, name);
}

/** Where the first of these rules is that takes every name there is, so that none after it is asked; -1: none does. */
export function findTaker(rules: readonly { readonly scopes: readonly Scope[] }[]): number {
  const everything: Scope = { text: ANYTHING, segments: [ANYTHING] };
  return rules.findIndex(({ scopes }) => scopes.some((scope) => coversScope(scope, everything)));
}

type Segment = string | typeof ONE | typeof MORE;

/** A `*` of the later segment is its own new symbol: a pattern spells none, and only its wildcards take it. */
function coversSegment(pattern: string, segment: Segment): boolean {
  return typeof segment === "symbol" ? segment === ONE && pattern === "*" : matchSegment(pattern, segment);
}

/**
 * The same scope in the form that covers most visibly: a segment of any text beside one or more of
 * any text may as well be another one or more. Every name has two segments at least.
 */
function widened({ segments }: Scope): readonly string[] {
  if (segments.length === 1) return [...segments, ...segments];
  const wide = [...segments];
  for (let i = 1; i < wide.length; i++) if (wide[i] === "*" && wide[i - 1] === ANYTHING) wide[i] = ANYTHING;
  for (let i = wide.length - 2; i >= 0; i--) if (wide[i] === "*" && wide[i + 1] === ANYTHING) wide[i] = ANYTHING;
  return wide;
}
