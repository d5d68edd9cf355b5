import { closeSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { Pieces } from "../disk/pieces.ts";
import { fromUtf8, toUtf8 } from "../encoding/bytes.ts";
import { isJsonObject } from "../encoding/json.ts";
import { Turns } from "../state/turns.ts";
import { add, metricsText, NOTHING, type Tally } from "./metrics.ts";

const TOTALS = "totals";
const TURN = "metrics";
/** Most rounds of one process: in a burst, whoever comes next adds up the rest. */
const MAX_ROUNDS = 3;
const WAITING = { bytes: 16 * 1024, count: 4096 };
const WHOLE = { bytes: 256 * 1024, count: 4 };

/** All decisions so far, and the names of the tallies that were added last: so none counts twice. */
interface Totals {
  readonly tally: Tally;
  readonly added: readonly string[];
}

/**
 * Counts a decision. Each process leaves what it adds in a file of its own; whoever has the turn adds up what
 * lies there and writes the text. So none waits for another, and none is lost.
 *
 * @param stateDir absolute path
 * @param metricsFile absolute path of the text
 * @param report told what is wrong, never with more than a warning's weight
 */
export async function countDecision(
  tally: Tally,
  { stateDir, metricsFile, version }: { stateDir: string; metricsFile: string; version: string },
  report: (warning: string) => void,
): Promise<void> {
  const waiting = new Pieces(stateDir, "metrics-waiting", WAITING, report);
  const whole = new Pieces(stateDir, "metrics", WHOLE, report);
  await waiting.write(`${tally.at}-${process.pid}-${crypto.randomUUID().slice(0, 8)}`, toUtf8(JSON.stringify(tally)));
  const turns = new Turns(stateDir, report);
  for (let round = 0; round < MAX_ROUNDS && waiting.list().length > 0; round++) {
    if ((await turns.take(TURN, 0)) !== "ours") return;
    try {
      const all = await addUp(waiting, whole);
      replaceFile(metricsFile, metricsText(all, version));
    } catch (error) {
      report(`${metricsFile} is not written: ${(error as Error).message}`);
      return;
    } finally {
      turns.end(TURN);
    }
  }
}

async function addUp(waiting: Pieces, whole: Pieces): Promise<Tally> {
  const { tally: before, added } = readTotals(whole);
  const names = waiting.list();
  const fresh = names.filter((name) => !added.includes(name));
  const tally = fresh.map((name) => readTally(waiting.read(name)?.bytes)).reduce(add, before);
  await whole.write(TOTALS, toUtf8(JSON.stringify({ tally, added: names } satisfies Totals)));
  await waiting.remove((name) => names.includes(name));
  return tally;
}

function readTotals(whole: Pieces): Totals {
  const totals = parse(whole.read(TOTALS)?.bytes);
  if (!isJsonObject(totals) || !Array.isArray(totals["added"])) return { tally: NOTHING, added: [] };
  return { tally: asTally(totals["tally"]), added: totals["added"].filter((name) => typeof name === "string") };
}

function readTally(bytes: Uint8Array | undefined): Tally {
  return asTally(parse(bytes));
}

/** Written by this program, in a folder of root's: damage is all that can be wrong with it. */
function asTally(value: unknown): Tally {
  if (!isJsonObject(value)) return NOTHING;
  const { counters, gauges, at } = value;
  const areNumbers = (samples: unknown): samples is Record<string, number> =>
    isJsonObject(samples) && Object.values(samples).every((one) => typeof one === "number");
  return typeof at === "number" && areNumbers(counters) && areNumbers(gauges) ? { counters, gauges, at } : NOTHING;
}

function parse(bytes: Uint8Array | undefined): unknown {
  try {
    return JSON.parse((bytes && fromUtf8(bytes)) ?? "");
  } catch {
    return undefined;
  }
}

/**
 * A reader finds the old text or the new. The folder may be the exporter's own, so what is written to is new,
 * and what stands in its place is replaced, not followed.
 */
function replaceFile(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  rmSync(temporary, { force: true });
  const file = openSync(temporary, "wx", 0o644);
  try {
    writeFileSync(file, text);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}
