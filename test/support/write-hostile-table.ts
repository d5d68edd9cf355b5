/** Writes the table of hostile peers into docs/assurance.md: `node test/support/write-hostile-table.ts`. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withHostileTable } from "./hostile-peers.ts";

const file = join(import.meta.dirname, "../../docs/assurance.md");
writeFileSync(file, withHostileTable(readFileSync(file, "utf8")));
