import { ANYTHING, type Scope } from "../policy/scope.ts";

/**
 * Whether several scopes together match every name that another one matches, by exploring both as automata over characters.
 * Names are over-approximated (any text of their characters, in segments that are not empty), so there are no false
 * positives.
 */

/**
 * Steps of all explorations for one policy, each by one character in one scope: the number of states can grow exponentially
 * with the number of wildcards.
 */
const MAX_STEPS = 1_000_000;
/** Most scopes that are looked at together; fewer are named in the finding. */
const MAX_TOGETHER = 64;

/** Characters that begin a segment, and further ones of names (distribution/reference). */
const FIRST_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789";
const MORE_CHARACTERS = "._:-[]";
const SLASH = "/";
/** All characters of a kind that no scope mentions: they are all alike. */
const OTHER_FIRST = "another letter or digit";
const OTHER_MORE = "another character";

/** A character; one that is not a slash; none or more that are no slash; none or more of any. */
type Token = string | typeof ONE | typeof MANY | typeof ALL;
const ONE = Symbol("one character of a segment");
const MANY = Symbol("none or more characters of a segment");
const ALL = Symbol("none or more characters");

/** Counts steps; once they are used up, nothing more is found. */
export class Budget {
  #steps = 0;

  /** @returns false where there are none left */
  spend(steps: number): boolean {
    this.#steps += steps;
    return this.#steps <= MAX_STEPS;
  }

  get isExhausted(): boolean {
    return this.#steps > MAX_STEPS;
  }
}

/**
 * The scopes that together match every name of `later`, without those that are not needed for it.
 *
 * @param earlier items with a scope each
 * @returns undefined where they do not, where one of them alone suffices, or where that takes too long to find out
 */
export function coverJointly<T extends { readonly scope: Scope }>(
  earlier: readonly T[],
  later: Scope,
  budget: Budget,
): readonly T[] | undefined {
  const hasWildcard = ({ text }: Scope): boolean => text.includes("*");
  if (!hasWildcard(later)) return undefined;
  const wanted = tokensOf(later);
  // Names without wildcards are too few to matter, and there may be thousands.
  const meeting = earlier.filter(({ scope }) => hasWildcard(scope) && meets(tokensOf(scope), wanted, budget));
  if (meeting.length < 2 || meeting.length > MAX_TOGETHER) return undefined;
  const covers = (some: readonly T[]): boolean =>
    isCovered(
      wanted,
      some.map(({ scope }) => tokensOf(scope)),
      budget,
    );
  if (!covers(meeting)) return undefined;
  let needed = meeting;
  for (const one of meeting) {
    const without = needed.filter((other) => other !== one);
    if (without.length > 0 && covers(without)) needed = without;
  }
  return needed;
}

function tokensOf({ segments }: Scope): readonly Token[] {
  // A lone ** matches names, which have at least two segments.
  const all = segments.length === 1 ? [...segments, ...segments] : segments;
  return all.flatMap((segment, i) => [...(i === 0 ? [] : [SLASH]), ...tokensOfSegment(segment)]);
}

function tokensOfSegment(segment: string): readonly Token[] {
  if (segment === ANYTHING) return [ONE, ALL];
  if (segment === "*") return [ONE, MANY];
  return Array.from(segment, (character): Token => (character === "*" ? MANY : character));
}

/** Positions reached without reading a character. */
function closure(tokens: readonly Token[], positions: Iterable<number>): ReadonlySet<number> {
  const reached = new Set(positions);
  for (const at of reached) if (tokens[at] === MANY || tokens[at] === ALL) reached.add(at + 1);
  return reached;
}

function step(tokens: readonly Token[], positions: Iterable<number>, character: string): ReadonlySet<number> {
  const next: number[] = [];
  for (const at of positions) {
    const token = tokens[at];
    const isOfSegment = character !== SLASH;
    if (token === character || (token === ONE && isOfSegment)) next.push(at + 1);
    else if (token === ALL || (token === MANY && isOfSegment)) next.push(at);
  }
  return closure(tokens, next);
}

/** Each character that one of them mentions, the slash, and one for all others. */
function alphabetOf(...all: readonly (readonly Token[])[]): readonly string[] {
  const mentioned = new Set(all.flat().filter((token) => typeof token === "string"));
  const hasOther = (of: string): boolean => Array.from(of).some((character) => !mentioned.has(character));
  return [
    ...(hasOther(FIRST_CHARACTERS) ? [OTHER_FIRST] : []),
    ...(hasOther(MORE_CHARACTERS) ? [OTHER_MORE] : []),
    ...mentioned.add(SLASH),
  ];
}

/** Whether a segment of a name can begin so. A host can also begin with the bracket of an IPv6 address. */
function canBegin(character: string, isHost: boolean): boolean {
  return character === OTHER_FIRST || FIRST_CHARACTERS.includes(character) || (isHost && character === "[");
}

/** Whether some name matches both. */
function meets(one: readonly Token[], other: readonly Token[], budget: Budget): boolean {
  const alphabet = alphabetOf(one, other);
  const todo = [{ a: closure(one, [0]), b: closure(other, [0]) }];
  const seen = new Set<string>();
  for (let state = todo.pop(); state !== undefined; state = todo.pop()) {
    if (state.a.has(one.length) && state.b.has(other.length)) return true;
    for (const character of alphabet) {
      if (!budget.spend(2)) return false;
      const next = { a: step(one, state.a, character), b: step(other, state.b, character) };
      const key = `${[...next.a].join(",")}|${[...next.b].join(",")}`;
      if (next.a.size === 0 || next.b.size === 0 || seen.has(key)) continue;
      seen.add(key);
      todo.push(next);
    }
  }
  return false;
}

/** Whether each name that matches `wanted` matches one of the others. */
function isCovered(wanted: readonly Token[], others: readonly (readonly Token[])[], budget: Budget): boolean {
  const alphabet = alphabetOf(wanted, ...others);
  const todo = [
    {
      name: closure(wanted, [0]),
      by: others.map((tokens) => closure(tokens, [0])),
      isAtStart: true,
      isHost: true,
    },
  ];
  const seen = new Set<string>();
  for (let state = todo.pop(); state !== undefined; state = todo.pop()) {
    const isName = state.name.has(wanted.length) && !state.isAtStart;
    if (isName && !others.some((tokens, i) => state.by[i]?.has(tokens.length) === true)) return false;
    for (const character of alphabet) {
      if (state.isAtStart && !canBegin(character, state.isHost)) continue;
      if (!budget.spend(1 + others.length)) return false;
      const name = step(wanted, state.name, character);
      if (name.size === 0) continue;
      const by = others.map((tokens, i) => step(tokens, state.by[i] ?? [], character));
      const isAtStart = character === SLASH;
      const isHost = state.isHost && !isAtStart;
      const key = [name, ...by].map((positions) => [...positions].join(",")).join("|");
      if (seen.has(`${isAtStart}|${key}`)) continue;
      seen.add(`${isAtStart}|${key}`);
      todo.push({ name, by, isAtStart, isHost });
    }
  }
  return true;
}
