import { ANYTHING, MANY, matchGlob, matchSegment, type PatternItem, type Scope } from "../policy/scope.ts";

/** One whole segment of any text. */
const ONE = Symbol("one segment");
/** None or more whole segments of any text. */
const MORE = Symbol("none or more segments");

/**
 * Whether `earlier` matches every name that `later` matches, so that a rule with the later scope never applies.
 *
 * The later scope is matched as if it were a name whose wildcards are fresh symbols, which only
 * wildcards of the earlier scope match. A match holds for any text in place of the symbols, so there
 * are no false positives. A cover is missed only where the scopes differ in text that no name contains.
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

/** Index of the first rule that matches every name, so that no later rule applies; -1 if there is none. */
export function findTaker(rules: readonly { readonly scopes: readonly Scope[] }[]): number {
  const everything: Scope = { text: ANYTHING, segments: [ANYTHING] };
  return rules.findIndex(({ scopes }) => scopes.some((scope) => coversScope(scope, everything)));
}

type Segment = string | typeof ONE | typeof MORE;

/** A `*` of the later segment is a fresh symbol, which only a wildcard of the pattern matches. */
function coversSegment(pattern: string, segment: Segment): boolean {
  return typeof segment === "symbol" ? segment === ONE && pattern === "*" : matchSegment(pattern, segment);
}

/**
 * The scope in the form that is easiest to compare: beside a `**`, a `*` may as well be a `**`. A lone
 * `**` becomes two, as every name has at least two segments.
 */
function widened({ segments }: Scope): readonly string[] {
  if (segments.length === 1) return [...segments, ...segments];
  const wide = [...segments];
  for (let i = 1; i < wide.length; i++) if (wide[i] === "*" && wide[i - 1] === ANYTHING) wide[i] = ANYTHING;
  for (let i = wide.length - 2; i >= 0; i--) if (wide[i] === "*" && wide[i + 1] === ANYTHING) wide[i] = ANYTHING;
  return wide;
}
