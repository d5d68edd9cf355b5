import { DATE_TIME, parseDateTime } from "../encoding/time.ts";
import { YamlFile, type YamlPath } from "../encoding/yaml.ts";
import type { BreakGlass } from "./break-glass.ts";
import { parseScope, type Scope } from "./scope.ts";
import * as shape from "./shape.ts";

const scope = shape.text('a scope such as registry.example.com/**, or "**" for all images');
export const SCOPES = shape.either(
  scope,
  shape.nonEmptyList(scope, "a list of scopes"),
  "a scope, or a list of scopes",
);
export const REASON = shape.label("why pulls must get through, for the log");
const BREAK_GLASS_SHAPE = shape.keys(
  { reason: REASON, until: shape.text("a date and time such as 2026-01-31T12:00:00Z", DATE_TIME), scope: SCOPES },
  "a map with the keys reason, until and scope",
);

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
  return {
    reason,
    until:
      parseDateTime(until) ?? file.fail({ path: ["until"], expected: "a date and time such as 2026-01-31T12:00:00Z" }),
    scopes: readScopes(file, scopes),
  };
}

/** Reads the key `scope` of a file. @throws Rejection with the file's code */
export function readScopes(file: YamlFile, scopes: string | readonly string[]): readonly Scope[] {
  const read = (one: string, path: YamlPath): Scope => {
    const parsed = parseScope(one);
    return "expected" in parsed ? file.fail({ path, expected: parsed.expected }) : parsed;
  };
  return typeof scopes === "string" ? [read(scopes, ["scope"])] : scopes.map((one, i) => read(one, ["scope", i]));
}
