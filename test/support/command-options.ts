import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const CLI = join(import.meta.dirname, "../../src/frontends/cli");
/** What a command with several actions is called, and by which actions. */
const ACTIONS: Readonly<Record<string, readonly string[]>> = {
  state: ["show", "forget"],
  cache: ["list", "show", "clear"],
  policy: ["schema"],
};
const NAMES: Readonly<Record<string, string>> = { "policy-expectations": "policy test" };

/**
 * Options of each command of `atcr-verify`, by its name (`verify`, `policy check`), as its source gives them to
 * `readCommandLine`.
 */
export function commandOptions(): ReadonlyMap<string, readonly string[]> {
  const common = optionsOf(readFileSync(join(CLI, "terminal/link-report.ts"), "utf8"));
  const found = readdirSync(join(CLI, "commands")).flatMap((file) => {
    const text = readFileSync(join(CLI, "commands", file), "utf8");
    const stem = file.replace(/(?:-command)?\.ts$/, "");
    const name = NAMES[stem] ?? stem.replace("-", " ");
    const own = optionsOf(text);
    const options = text.includes("LINK_OPTIONS") ? [...common, ...own] : own;
    return (ACTIONS[name] ?? [""]).map((action) => [`${name} ${action}`.trim(), options] as const);
  });
  return new Map(found);
}

function optionsOf(text: string): readonly string[] {
  const [, body = ""] = /\bconst (?:LINK_)?OPTIONS = \{([^}]*)\}/.exec(text) ?? [];
  return Array.from(
    body.matchAll(/(?:"([a-z-]+)"|\b([a-z]+)): "(?:value|flag)"/g),
    ([, quoted, bare]) => quoted ?? bare ?? "",
  );
}
