/** Texts of packaging/release/templates, with `@NAME@` for what a release knows. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** @throws Error for a name without a value, and for a value that could end the quotes around it */
export function fillTemplate(file: string, values: Readonly<Record<string, string>>): string {
  const text = readFileSync(join(import.meta.dirname, "templates", file), "utf8");
  return text.replaceAll(/@([A-Z0-9_]+)@/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`${file}: nothing is known for @${name}@`);
    if (!/^[\w.:/~+=-]+$/.test(value)) throw new Error(`${file}: ${JSON.stringify(value)} has characters not expected`);
    return value;
  });
}
