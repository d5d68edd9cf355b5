import type { YamlFile, YamlPath } from "../encoding/yaml.ts";
import { checkShape, type Hint, type Infer, matchShape, type ShapeProblem } from "./shape.ts";

/**
 * What takes the place of a value that is missing, or is not of its shape, so that the rest of the file can be read for
 * further mistakes; undefined where it can be left out.
 */
export type Substitute = (path: YamlPath) => unknown;

/**
 * Like {@link checkShape}; if the file's mistakes are collected, all problems of its shape are recorded, and the result
 * has something else in their place.
 *
 * @throws Rejection with the file's code, for a value that has nothing of its shape
 */
export function checkWholeShape<S extends Parameters<typeof checkShape>[1]>(
  file: YamlFile,
  shape: S,
  hint: Hint = () => undefined,
  substitute: Substitute = () => undefined,
): Infer<S> {
  const { mistakes } = file;
  if (mistakes === undefined) return checkShape(file, shape, hint);
  const value = copyOf(file.value);
  const seen = new Set<string>();
  // Ends: each round repairs a part, and once as many are recorded as are reported, more rounds would not be seen.
  while (!mistakes.isFull) {
    const matched = matchShape(file, shape, value, hint);
    if (!("problems" in matched)) return matched.output;
    for (const problem of matched.problems) {
      const part = JSON.stringify([problem.path, problem.expected]);
      // Its substitute has the same problem, and would have it for ever.
      if (seen.has(part)) mistakes.cut();
      if (seen.has(part) || problem.path.length === 0) file.fail(problem);
      seen.add(part);
      if (mistakes.isFull) break;
      mistakes.attempt(undefined, () => file.fail(problem));
      repair(file, value, problem, substitute);
    }
  }
  return checkShape(file, shape, hint);
}

/** A copy without prototypes, as the file's own value. */
function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOf);
  if (typeof value !== "object" || value === null) return value;
  return Object.assign(
    Object.create(null),
    Object.fromEntries(Object.entries(value).map(([key, one]) => [key, copyOf(one)])),
  );
}

function repair(file: YamlFile, value: unknown, problem: ShapeProblem, substitute: Substitute): void {
  const { path, kind, similar } = problem;
  const parent = path.slice(0, -1).reduce<unknown>((inside, step) => (inside as Record<string, unknown>)[step], value);
  const last = path.at(-1) ?? "";
  const map = parent as Record<string | number, unknown>;
  if (kind === "unknown") {
    const one = map[last];
    delete map[last];
    if (similar === undefined || similar in map) return;
    map[similar] = one;
    file.rename(path, similar);
    return;
  }
  const instead = substitute(path);
  if (instead !== undefined) map[last] = instead;
  // Removing an entry of a list would shift the locations of those behind it.
  else if (Array.isArray(parent)) map[last] = "";
  else delete map[last];
}
