/**
 * One of several processes that record observations at the same time:
 *
 *   node remember-process.ts DIRECTORY FILE
 *
 * FILE holds observations as JSON. Each is recorded in order, and its index printed afterwards. Revisions are
 * then made to look old, so that the other processes sweep while they write.
 */
import { readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import type { Observation } from "../../src/core/verify/signer-history.ts";
import { SignerStore } from "../../src/io/store/signer-store.ts";

const [directory = "", file = ""] = process.argv.slice(2);
const store = new SignerStore(directory, ({ message }) => process.stderr.write(`${message}\n`));
const sightings = JSON.parse(readFileSync(file, "utf8")) as readonly Observation[];
for (const [i, observation] of sightings.entries()) {
  await store.recordObservation(observation, Date.now());
  process.stdout.write(`${i}\n`);
  for (const rev of observation.revs) {
    try {
      utimesSync(join(directory, "signers", observation.signer, `rev-${rev}`), 0, 0);
    } catch {
      // Another process has swept it.
    }
  }
}
