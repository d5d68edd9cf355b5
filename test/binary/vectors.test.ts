import { afterAll, describe, expect, it } from "vitest";
import { Bench } from "../support/binary.ts";
import { type Expected, loadVectors, type Vector } from "../vectors/load.ts";

const bench = new Bench();
afterAll(() => bench.remove());

/** What the binary makes of a vector, offline, in the vector's own terms. */
async function judged(vector: Vector): Promise<Expected> {
  const policy = bench.policy(vector.policy, `${vector.file}.policy.yaml`);
  const bundle = bench.write(`${vector.file}.bundle.json`, JSON.stringify(vector.bundle));
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
  it.each(loadVectors().map((vector) => [vector.file, vector] as const))("%s", async (_, vector) => {
    expect(await judged(vector), vector.description).toEqual(vector.expected);
  });
});
