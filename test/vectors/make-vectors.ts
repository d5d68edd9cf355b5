/**
 * Writes the vectors of this folder: `node test/vectors/make-vectors.ts`. Keys, times and names are
 * fixed, so that the same bytes come out each time; a test holds the files against this.
 */
import { rmSync, writeFileSync } from "node:fs";
import { writeBundle } from "../../src/core/evidence/bundle.ts";
import { bundleOf, DIGEST, NOW } from "../support/evidence.ts";
import { type VectorCase, vectorCases } from "./cases.ts";
import { nameCases } from "./cases-name.ts";
import { outsideCases } from "./cases-outside.ts";
import { vectorFiles } from "./load.ts";

/** The text of each file, by its name. */
export async function makeVectors(): Promise<ReadonlyMap<string, string>> {
  const cases = [...(await vectorCases()), ...(await nameCases()), ...(await outsideCases())];
  return new Map(cases.map((one) => [`${one.title}.json`, `${JSON.stringify(vector(one), null, 2)}\n`]));
}

function vector({ description, policy, evidence, changes, expected }: VectorCase): Record<string, unknown> {
  const lines = new TextDecoder()
    .decode(writeBundle(bundleOf(evidence)))
    .trimEnd()
    .split("\n");
  return {
    description,
    policy,
    name: "registry.example/team/app:v1",
    digest: DIGEST,
    now: new Date(NOW).toISOString(),
    bundle: lines.map((line) => JSON.parse(line)),
    ...changes,
    expected,
  };
}

if (import.meta.main) {
  const vectors = await makeVectors();
  for (const file of vectorFiles()) if (!vectors.has(file)) rmSync(new URL(file, import.meta.url));
  for (const [file, text] of vectors) writeFileSync(new URL(file, import.meta.url), text);
}
