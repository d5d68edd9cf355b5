import { spawn } from "node:child_process";
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Observation } from "../../../../src/core/verify/signer-history.ts";
import { SignerStore } from "../../../../src/io/store/signer-store.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";
import { ALICE, operationCid, tidAt, writtenKey } from "../../../support/traces.ts";
import { warned } from "../../../support/warned.ts";

const PROCESSES = 20;
const ROUNDS = 25;
const NOW = Date.now();
const SCRIPT = join(import.meta.dirname, "../../../support/remember-process.ts");

const root = makeTemporaryDirectory("writers");
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** What one process sees: revisions that overtake those of the others and fall behind them again. */
function sightingsOf(writer: number): readonly Observation[] {
  return Array.from({ length: ROUNDS }, (_, round) => ({
    signer: ALICE,
    revs: [tidAt(NOW - 3_600_000 + round * 1000 + ((writer * 7919 + round * 104_729) % 3000))],
    operations: [operationCid(`${writer} ${round % 5}`), operationCid(`all ${round}`)],
    key: writtenKey(`${round % 7} ${writer % 3}`),
  }));
}

/** @returns the sightings that it has reported as remembered */
async function runWriter(writer: number, directory: string): Promise<{ done: readonly Observation[]; errors: string }> {
  const sightings = sightingsOf(writer);
  const file = join(root, `${writer}.json`);
  writeFileSync(file, JSON.stringify(sightings));
  const child = spawn(process.execPath, [SCRIPT, directory, file], { stdio: ["ignore", "pipe", "pipe"] });
  // Every second one is killed, somewhere in the middle of its work.
  const last = writer % 2 === 0 ? ROUNDS : Math.floor(Math.random() * ROUNDS);
  let [done, errors] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => {
    done += chunk.toString();
    if (done.split("\n").length > last && last < ROUNDS) child.kill("SIGKILL");
  });
  child.stderr.on("data", (chunk: Buffer) => {
    errors += chunk.toString();
  });
  await new Promise((resolve) => child.once("close", resolve));
  return { done: sightings.slice(0, done.split("\n").length - 1), errors };
}

describe("processes that remember at the same time, half of them killed", () => {
  it("lose nothing that one of them has reported, and tear nothing", { timeout: 60_000 }, async () => {
    const directory = join(root, "state");
    const writers = await Promise.all(Array.from({ length: PROCESSES }, (_, i) => runWriter(i, directory)));
    expect(writers.map(({ errors }) => errors).join("")).toBe("");
    const done = writers.flatMap((writer) => writer.done);
    expect(done.length).toBeGreaterThan((PROCESSES / 2) * ROUNDS - 1);

    const warnings: string[] = [];
    const memory = await new SignerStore(directory, warned(warnings)).loadHistory(ALICE, Date.now());
    expect(warnings).toEqual([]);
    expect(existsSync(join(directory, "damaged"))).toBe(false);
    const newest =
      done
        .flatMap(({ revs }) => revs)
        .toSorted()
        .at(-1) ?? "";
    expect(String(memory.rev) >= newest).toBe(true);
    const seen = new Set(done.flatMap(({ operations = [] }) => operations));
    expect([...seen].filter((cid) => !memory.operations.has(cid))).toEqual([]);
    const keys = new Set(done.map(({ key = "" }) => key));
    expect([...keys].filter((key) => !memory.keys.has(key))).toEqual([]);

    // They have swept while they wrote.
    const all = Array.from({ length: PROCESSES }, (_, i) => sightingsOf(i)).flat();
    const revs = readdirSync(join(directory, "signers", ALICE)).filter((name) => name.startsWith("rev-"));
    expect(revs.length).toBeLessThan(20);
    expect(all.flatMap((observation) => observation.revs)).toContain(memory.rev);
  });
});
