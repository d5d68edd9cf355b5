import { CLOCK_SKEW, DATE_TIME, parseDateTime } from "../encoding/time.ts";
import { YamlFile, type YamlPath } from "../encoding/yaml.ts";
import type { ImageReference } from "../oci/reference.ts";
import { matchesScope, parseScope, type Scope } from "./scope.ts";
import * as shape from "./shape.ts";

/** Longest time that a glass stays broken, in milliseconds: after that somebody has to say so again. */
const MAX_BROKEN = 24 * 60 * 60 * 1000;

const scope = shape.text('a scope such as registry.example.com/**, or "**" for all images');
const BREAK_GLASS_SHAPE = shape.keys(
  {
    reason: shape.label("why pulls must get through, for whoever reads the log"),
    until: shape.text("a time such as 2026-01-31T12:00:00Z", DATE_TIME),
    scope: shape.either(scope, shape.nonEmptyList(scope, "a list of scopes"), "a scope, or a list of scopes"),
  },
  "a map with the keys reason, until and scope",
);

/** An emergency that the administrator declares: refusals of these images let the pull through, for a while. */
export interface BreakGlass {
  readonly reason: string;
  /** Milliseconds since 1970. */
  readonly until: number;
  readonly scopes: readonly Scope[];
}

/**
 * Reads a break-glass file (spec, "Break-glass"), strictly.
 *
 * @param text the file's content
 * @param name of the file, for messages
 * @throws Rejection config.invalid
 */
export function readBreakGlass(text: string, name: string): BreakGlass {
  const file = new YamlFile(text, name, "config.invalid");
  const { reason, until, scope: scopes } = shape.checkShape(file, BREAK_GLASS_SHAPE);
  const read = (one: string, path: YamlPath): Scope => {
    const parsed = parseScope(one);
    return "expected" in parsed ? file.fail({ path, expected: parsed.expected }) : parsed;
  };
  return {
    reason,
    until: parseDateTime(until) ?? file.fail({ path: ["until"], expected: "a time such as 2026-01-31T12:00:00Z" }),
    scopes: typeof scopes === "string" ? [read(scopes, ["scope"])] : scopes.map((one, i) => read(one, ["scope", i])),
  };
}

/**
 * Why it does not hold now.
 *
 * @param writtenAt when the file was written; milliseconds since 1970, as `now`
 * @returns a clause; undefined where it holds
 */
export function whyNotInForce({ until }: BreakGlass, writtenAt: number, now: number): string | undefined {
  if (until <= now) return "its time is over";
  if (writtenAt > now + CLOCK_SKEW) return "it was written later than now, by the file's own time";
  // Not by now alone: a file that was forgotten must not begin to hold when its day comes.
  return until - Math.min(now, writtenAt) > MAX_BROKEN ? "its until is more than 24 h after it was written" : undefined;
}

/** Whether it is about this image. @param name attacker-controlled, canonical */
export function isCovered({ scopes }: BreakGlass, { host, path }: ImageReference): boolean {
  return scopes.some((one) => matchesScope(one, host, path));
}
