import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { toUtf8 } from "../../src/core/encoding/bytes.ts";
import { readBundle, writeBundle } from "../../src/core/evidence/bundle.ts";
import { makeSealKey, readSealKey } from "../../src/io/store/seal-key-files.ts";
import { Bench } from "../support/binary.ts";
import { type Expected, loadVectors, type Vector } from "../vectors/load.ts";

const bench = new Bench();
afterAll(() => bench.remove());

const sealKey = join(bench.folder, "seal");
makeSealKey(sealKey);
bench.configure({ bundleKeys: [`${sealKey}.pub`] });

/**
 * The files of a vector. Evidence that is not from outside is sealed, under a rule that takes it: then it is judged as if it
 * had just been gathered.
 */
function filesOf({ policy, bundle: lines, witness }: Vector): { policy: string; bundle: string | Uint8Array } {
  const bundle = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
  const taking = policy.replace("require: { ", "require: { offlineFor: 400d, ");
  if (witness === "none" || (lines[0] as { version: number }).version !== 2) return { policy, bundle };
  const sealed = writeBundle(readBundle(toUtf8(bundle)).bundle, readSealKey(sealKey));
  return { policy: witness === undefined ? taking : policy, bundle: sealed };
}

/** What the binary makes of a vector, offline, in the vector's own terms. */
async function judged(vector: Vector): Promise<Expected> {
  const files = filesOf(vector);
  const policy = bench.policy(files.policy, `${vector.file}.policy.yaml`);
  const bundle = bench.write(`${vector.file}.bundle.json`, files.bundle);
  const { code, stdout, stderr } = await bench.verify([
    `${vector.name}@${vector.digest}`,
    "--offline",
    "--output=json",
    "--allow-audited",
    `--policy=${policy}`,
    `--bundle=${bundle}`,
    `--at=${vector.now}`,
    ...(vector.mediaType === undefined ? [] : ["--media-type", vector.mediaType]),
  ]);
  expect(stderr).toBe("");
  const report = JSON.parse(stdout) as { outcome: Expected["outcome"]; code: string; reason: string };
  expect(code).toBe(["allow", "deny", "inconclusive", "misconfigured", "internal"].indexOf(report.outcome));
  if (report.outcome !== "allow")
    return { outcome: report.outcome, code: report.code as NonNullable<Expected["code"]> };
  const because = report.code as NonNullable<Expected["because"]>;
  const would = /enforced, this would be: [a-z]+ ([a-z._]+): /.exec(report.reason)?.[1];
  return { outcome: "allow", because, ...(because === "audited" && { code: would as NonNullable<Expected["code"]> }) };
}

describe.concurrent("the binary, judging", () => {
  // A default has no offlineFor, so no bundle counts there.
  const vectors = loadVectors().filter(({ file }) => !file.startsWith("allow.default_audit"));
  it.each(vectors.map((vector) => [vector.file, vector] as const))("%s", async (_, vector) => {
    expect(await judged(vector), vector.description).toEqual(vector.expected);
  });
});
