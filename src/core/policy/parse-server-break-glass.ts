import { DATE_TIME, formatDateTime, parseDateTime } from "../encoding/time.ts";
import { YamlFile } from "../encoding/yaml.ts";
import { MAX_BROKEN } from "./break-glass.ts";
import { REASON, readScopes, SCOPES } from "./parse-break-glass.ts";
import type { ServerBreakGlass } from "./server-break-glass.ts";
import * as shape from "./shape.ts";

const TIME = "a date and time such as 2026-01-31T12:00:00Z";
/** A DNS label (RFC 1123 2.1), as Kubernetes demands of a namespace. */
const NAMESPACE = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const SERVER_BREAK_GLASS_SHAPE = shape.keys(
  {
    reason: REASON,
    from: shape.text(TIME, DATE_TIME),
    until: shape.text(TIME, DATE_TIME),
    scope: SCOPES,
    namespaces: shape.nonEmptyList(shape.text("the name of a namespace"), "a list of namespaces"),
  },
  "a map with the keys reason, from, until, scope and namespaces",
);

/**
 * Reads a server's break-glass file, strictly.
 *
 * @param text the file's content
 * @param name of the file, for messages
 * @throws Rejection config.invalid
 */
export function readServerBreakGlass(text: string, name: string): ServerBreakGlass {
  const file = new YamlFile(text, name, "config.invalid");
  const { reason, scope, namespaces, ...times } = shape.checkShape(file, SERVER_BREAK_GLASS_SHAPE);
  const time = (key: "from" | "until"): number =>
    parseDateTime(times[key]) ?? file.fail({ path: [key], expected: TIME });
  const [from, until] = [time("from"), time("until")];
  if (until <= from) file.fail({ path: ["until"], expected: "a time after from" });
  if (until - from > MAX_BROKEN) {
    const latest = formatDateTime(from + MAX_BROKEN);
    file.fail({ path: ["until"], expected: `a time at most 24 h after from: ${latest} or earlier` });
  }
  for (const [i, one] of namespaces.entries()) {
    const path = ["namespaces", i];
    // "*" is none either: an emergency of the whole cluster ends by taking the webhook out.
    if (!NAMESPACE.test(one)) file.fail({ path, expected: "the exact name of a namespace, without wildcards" });
    if (namespaces.indexOf(one) !== i) file.fail({ path, expected: "each namespace once" });
  }
  return { reason, from, until, scopes: readScopes(file, scope), namespaces: new Set(namespaces) };
}
